"""Instances of hasync as processes, and what they say of themselves."""

import json
import os
import signal
import statistics
import subprocess
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from benchmarks.failover.watch import STREAM
from hasync.term.takeover import Step
from testbed import PortLease, Process, wait_until
from testbed.bed import Testbed

ROOT: Final = Path(__file__).resolve().parents[2]
BACK_WITHIN_S: Final = 60.0

CONFIG: Final = """
version: 1
source: {{hosts: ["{source}"], user: {user}, password: "env:MYSQL_PASSWORD", start: earliest}}
redis: {{url: "redis://{redis}/0"}}
tables:
  load_test.counter:
    - {{handler: "benchmarks.failover.handlers:count"}}
"""


def environment(bed: Testbed, *, session_timeout_s: float, heartbeat_s: float) -> dict[str, str]:
    """Return the environment of an instance or a command, without settings of the caller's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
    return inherited | {
        "PYTHONPATH": str(ROOT),
        "MYSQL_PASSWORD": bed.database.reader_password,
        "HASYNC_STREAMS": STREAM,
        "HASYNC_LOG__FORMAT": "json",
        "HASYNC_ZOOKEEPER__HOSTS": bed.zookeeper.hosts,
        "HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": f"{session_timeout_s:g}",
        "HASYNC_SUPERVISOR__HEARTBEAT_S": f"{heartbeat_s:g}",
        "HASYNC_SUPERVISOR__RESTART_MIN_S": "0.1",
        "HASYNC_SUPERVISOR__GIVE_UP_AFTER": "0",
        "HASYNC_SUPERVISOR__HEALTHY_S": "1",  # killed this often, an instance would wait ever longer to come back
    }


class Instance:
    """One ``hasync run``."""

    def __init__(self, member: str, directory: Path, settings: dict[str, str]) -> None:
        """Prepare it; ``settings``: its environment."""
        self.member = member
        self._lease = PortLease()
        own = {"HASYNC_MEMBER_ID": member, "HASYNC_HTTP__PORT": str(self._lease.port)}
        self.process = Process(
            [sys.executable, "-m", "hasync", "run"],
            log=directory / f"{member}.log",
            directory=ROOT,
            environment=settings | own,
        )

    @property
    def status(self) -> dict[str, Any]:
        """What ``/status`` says; empty when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._lease.port}/status", timeout=1) as answer:
                document: dict[str, Any] = json.loads(answer.read())
        except (OSError, HTTPException, ValueError, urllib.error.URLError):
            return {}
        return document

    @property
    def state(self) -> str:
        """What it does for the stream: leader, standby, ...; empty when it does not answer."""
        return str(self.status.get("streams", {}).get(STREAM, {}).get("state", ""))

    def worker(self) -> int:
        """Return the worker's process id."""
        return int(wait_until("the worker answers", lambda: self.status.get("pid"), timeout_s=BACK_WITHIN_S))

    def kill_worker(self) -> None:
        """SIGKILL the worker alone."""
        os.kill(self.worker(), signal.SIGKILL)

    def stop_worker(self) -> None:
        """SIGSTOP the worker alone: only a missing heartbeat tells."""
        os.kill(self.worker(), signal.SIGSTOP)

    def kill_both(self) -> None:
        """SIGKILL supervisor and worker at the same moment."""
        self.process.kill()  # one process group

    def close(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self._lease.close()


class Fleet:
    """Some instances on the servers of a test bed."""

    def __init__(self, bed: Testbed, *, size: int, settings: dict[str, str]) -> None:
        """Store the config, and start them."""
        self._settings = settings
        path = bed.directory / "stream.yaml"
        path.write_text(
            CONFIG.format(source=bed.database.address, user=bed.database.reader_user, redis=bed.redis.address)
        )
        command = [sys.executable, "-m", "hasync", "config", "apply", "--stream", STREAM, str(path)]
        subprocess.run(command, env=settings, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        self.instances = [Instance(f"member-{number}", bed.directory, settings) for number in range(size)]
        for instance in self.instances:
            instance.process.start()

    def leader(self) -> Instance:
        """Wait for the instance that leads."""
        return wait_until(
            "one leads",
            lambda: next((each for each in self.instances if each.state == "leader"), None),
            timeout_s=BACK_WITHIN_S,
        )

    def settle(self) -> Instance:
        """Start who is gone, wait until one leads and all others stand by; return the leader."""
        for instance in self.instances:
            if not instance.process.running:
                instance.process.start()
        wait_until(
            "all are back",
            self._settled,
            timeout_s=BACK_WITHIN_S,
            poll_s=0.1,
        )
        return self.leader()

    def _settled(self) -> bool:
        states = sorted(each.state for each in self.instances)
        return states == ["leader", *["standby"] * (len(self.instances) - 1)]

    def hand_over(self, leader: Instance) -> None:
        """Have the instance after this one lead, by the operators' command; again until that instance is able to."""
        successor = self.instances[(self.instances.index(leader) + 1) % len(self.instances)]
        words = ("switchover", "--stream", STREAM, "--to", successor.member, "--reason", "benchmark", "--yes")
        wait_until(f"{successor.member} is asked to lead", lambda: self._accepted(*words), timeout_s=BACK_WITHIN_S)

    def _accepted(self, *words: str) -> bool:
        """Whether a command succeeds."""
        command = [sys.executable, "-m", "hasync", *words]
        return not subprocess.run(command, env=self._settings, cwd=ROOT, check=False, capture_output=True).returncode

    def steps(self) -> str:
        """Return the median of each step of the takeovers, as ``hasync history`` knows them."""
        command = [sys.executable, "-m", "hasync", "history", "-n", "100", "--stream", STREAM, "-o", "json"]
        done = subprocess.run(command, env=self._settings, cwd=ROOT, check=True, capture_output=True, text=True)
        known: dict[str, list[float]] = {}
        for term in json.loads(done.stdout)[:-1]:  # the oldest one is no takeover
            for step, took_ms in term["takeover_ms"].items():
                known.setdefault(step, []).append(took_ms)
        medians = (f"{step.value} {statistics.median(known[step]):.1f}" for step in Step if step in known)
        return f"steps of a takeover, medians in ms: {'  '.join(medians)}"

    def close(self) -> None:
        """End all."""
        for instance in self.instances:
            instance.close()
