"""Three instances of hasync, each started as a user would."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from string import Template
from typing import Any

from demo.safeguards import Safeguards
from demo.verdict import DemoFailed
from testbed import PortLease, Process

STREAM = "demo"
MEMBERS = ("alpha", "beta", "gamma")
SESSION_TIMEOUT_S = 10.0
STOP_WITHIN_S = 8.0
CONFIG_WITHIN_S = 30.0

_ROOT = Path(__file__).resolve().parent.parent
_ROWS_METRIC = "hasync_sink_rows_total"
_HTTP_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What instances and CLI must know of the servers; ``source_password`` goes through the environment only."""

    zookeeper: str
    source_port: int
    redis_port: int
    source_password: str
    safeguards: Safeguards | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment for a hasync process, without settings of the caller's own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
        guarded = self.safeguards.environment() if self.safeguards else {"MYSQL_PASSWORD": self.source_password}
        return inherited | {
            "PYTHONPATH": str(_ROOT),
            "PYTHONUNBUFFERED": "1",
            **guarded,
            "HASYNC_STREAMS": STREAM,
            "HASYNC_ZOOKEEPER__HOSTS": self.zookeeper,
            "HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
            "HASYNC_LOG__FORMAT": "json",
        }

    def stream_config(self) -> str:
        """Return ``stream.yaml`` with the ports filled in."""
        template = Template(Path(__file__).with_name("stream.yaml").read_text(encoding="utf-8"))
        document = template.substitute(source_port=self.source_port, redis_port=self.redis_port)
        return self.safeguards.fortify(document) if self.safeguards else document


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What an instance says of itself; every field may be missing, and then says so."""

    state: str = "silent"
    epoch: int | None = None
    lag_s: float | None = None
    position: str = ""
    rows: int | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any], metrics: str) -> "Status":
        """Read ``/status`` and ``/metrics``, tolerant of what is not there."""
        stream = (document.get("streams") or {}).get(STREAM) or {}
        position = stream.get("position")
        if isinstance(position, Mapping):
            position = f"{position.get('file', '?')}:{position.get('pos', '?')}"
        return cls(
            state=str(stream.get("state", "starting")),
            epoch=stream.get("epoch"),
            lag_s=stream.get("lag_seconds"),
            position=str(position or ""),
            rows=rows_of(metrics),
        )

    @property
    def leads(self) -> bool:
        """Whether the instance says that it leads."""
        return self.state == "leader"


def rows_of(metrics: str) -> int | None:
    """Sum the rows applied to Redis out of a ``/metrics`` page; None when it has none."""
    samples = [
        float(line.rsplit(" ", 1)[1])
        for line in metrics.splitlines()
        if line.startswith(_ROWS_METRIC) and line[len(_ROWS_METRIC)] in "{ "
    ]
    return int(sum(samples)) if samples else None


class Instance:
    """One ``hasync run`` on a port of its own."""

    def __init__(self, *, member: str, place: Place, logs: Path) -> None:
        self.member = member
        self._lease = PortLease()
        settings = {"HASYNC_MEMBER_ID": member, "HASYNC_HTTP__PORT": str(self._lease.port)}
        self._process = Process(
            [sys.executable, "-m", "hasync", "run"],
            log=logs / f"{member}.log",
            directory=_ROOT,
            environment=place.environment() | settings,
        )

    def start(self) -> None:
        """Start the process; it dies with the demo, whatever happens to that."""
        self._process.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def log(self) -> Path:
        """Where it logs to."""
        return self._process.log

    @property
    def exit_code(self) -> int | None:
        """How the process ended, None while it runs."""
        return self._process.exit_code

    @property
    def died(self) -> bool:
        """Whether the process ended: the demo kills workers only, and their supervisors live on."""
        return self.exit_code is not None

    def status(self) -> Status:
        """Ask the instance; a dead or silent one has the state that fits."""
        if self.exit_code is not None:
            return Status(state=f"exited {self.exit_code}")
        try:
            return Status.of(json.loads(self._get("/status")), self._get("/metrics"))
        except (OSError, ValueError, HTTPException):
            return Status(state="starting")

    def kill(self) -> int:
        """SIGKILL the worker: no goodbye, no flush. Its supervisor closes its session and starts another.

        Raises DemoFailed when it does not say which process that is.
        """
        try:
            worker = int(json.loads(self._get("/status"))["pid"])
        except (OSError, ValueError, KeyError, TypeError, HTTPException) as silent:
            raise DemoFailed(f"{self.member} leads and does not answer") from silent
        os.kill(worker, signal.SIGKILL)
        return worker

    def stop(self) -> None:
        """Ask the process to end, insist after a while, and give the port back."""
        self._process.stop(STOP_WITHIN_S)
        self._lease.close()

    def _get(self, path: str) -> str:
        url = f"http://127.0.0.1:{self._lease.port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=_HTTP_TIMEOUT_S) as answer:
                return str(answer.read(), "utf-8")
        except urllib.error.HTTPError as refused:  # a status other than 200 has a body, too
            return str(refused.read(), "utf-8")


def stop_all(instances: Iterable[Instance]) -> None:
    """Stop instances side by side; one after the other, each would take the lead before it goes."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Instance.stop, instances))


def apply_config(place: Place, directory: Path) -> None:
    """Make the tree in ZooKeeper, and store the stream's config there, with hasync's own commands.

    Raises DemoFailed with what the command said when it refused.
    """
    path = directory / f"{STREAM}.yaml"
    path.write_text(place.stream_config(), encoding="utf-8")
    _command(place, directory, "init-zk")
    _command(place, directory, "config", "apply", "--stream", STREAM, str(path))


def _command(place: Place, directory: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hasync", *words],
        env=place.environment(),
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=CONFIG_WITHIN_S,
        check=False,
    )
    if done.returncode != 0:
        (directory / f"{words[0]}.log").write_text(done.stdout, encoding="utf-8")
        raise DemoFailed(f"'hasync {words[0]}' ended with exit code {done.returncode}: {_gist(done.stdout)}")


def _gist(output: str) -> str:
    """Return the line that says most: the error, for a traceback the last."""
    lines = output.strip().splitlines() or ["no word"]
    return next((line for line in lines if line.startswith("error:")), lines[-1])
