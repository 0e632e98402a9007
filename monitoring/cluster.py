"""Three instances of hasync on throw-away servers, with two streams."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, TypeVar

from monitoring.load import STREAMS, config_of
from monitoring.rules import ROOT
from testbed import PortLease, Process, Testbed, wait_until

MEMBERS: Final = ("hasync-0", "hasync-1", "hasync-2")
WITHIN_S: Final = 60.0

Found = TypeVar("Found")


class Instance:
    """One ``hasync run``, supervisor and worker."""

    def __init__(self, member: str, directory: Path, environment: Mapping[str, str]) -> None:
        """Prepare it."""
        self.member = member
        self._lease = PortLease()
        own = {"HASYNC_MEMBER_ID": member, "HASYNC_HTTP__PORT": str(self._lease.port)}
        self.process = Process(
            [sys.executable, "-m", "hasync", "run"],
            log=directory / f"{member}.log",
            directory=ROOT,
            environment=dict(environment) | own,
        )

    @property
    def address(self) -> str:
        """Host and port of its admin port."""
        return self._lease.address

    def get(self, path: str) -> str:
        """Return a page of its admin port. Raises OSError, HTTPException."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=2) as answer:
            return str(answer.read(), "utf-8")

    def states(self) -> dict[str, str]:
        """Return what it does for each stream; empty when it does not answer."""
        try:
            streams: dict[str, Any] = json.loads(self.get("/status"))["streams"]
        except (OSError, HTTPException, ValueError):
            return {}
        return {name: stream["state"] for name, stream in streams.items()}

    def close(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self._lease.close()


class Cluster:
    """The instances, from the config applied to their end."""

    def __init__(self, bed: Testbed) -> None:
        """Apply the configs and start everybody."""
        self._environment = _environment(bed)
        for stream in STREAMS:
            path = bed.directory / f"{stream}.yaml"
            path.write_text(
                config_of(stream, source=bed.database.address, user=bed.database.reader_user, redis=bed.redis.address),
                encoding="utf-8",
            )
            self.command("config", "apply", "--stream", stream, str(path))
        self.instances = [Instance(member, bed.directory, self._environment) for member in MEMBERS]
        for instance in self.instances:
            instance.process.start()

    def command(self, *words: str) -> str:
        """Run ``hasync ...`` and return what it prints. Raises RuntimeError with its words when it refuses."""
        command = [sys.executable, "-m", "hasync", *words]
        done = subprocess.run(command, env=self._environment, cwd=ROOT, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"hasync {' '.join(words)}: exit code {done.returncode}: {done.stderr}")
        return done.stdout

    def leader(self, stream: str) -> Instance:
        """Wait for the instance that leads a stream."""
        return self._await(
            f"one leads {stream}",
            lambda: next((each for each in self.instances if each.states().get(stream) == "leader"), None),
        )

    def settle(self) -> None:
        """Start who is gone, and wait until each stream has a leader and all others stand by."""
        for instance in self.instances:
            if not instance.process.running:
                instance.process.start()
        wanted = sorted(["leader"] + ["standby"] * (len(self.instances) - 1))
        for stream in STREAMS:
            self._await(
                f"all are back for {stream}",
                lambda stream=stream: (  # type: ignore[misc]
                    sorted(each.states().get(stream, "") for each in self.instances) == wanted
                ),
            )

    @staticmethod
    def _await(what: str, look: Callable[[], Found | None]) -> Found:
        return wait_until(what, look, timeout_s=WITHIN_S, poll_s=0.2)

    def close(self) -> None:
        """End all."""
        for instance in self.instances:
            instance.close()


def _environment(bed: Testbed) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
    return inherited | {
        "PYTHONPATH": str(ROOT),
        "MYSQL_PASSWORD": bed.database.reader_password,
        "HASYNC_STREAMS": ",".join(STREAMS),
        "HASYNC_LOG__FORMAT": "json",
        "HASYNC_ZOOKEEPER__HOSTS": bed.zookeeper.hosts,
        "HASYNC_DRILLS__ENABLED": "true",
    }
