"""One instance of hasync on its node: what it says of itself, and what can be done to its processes."""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from chaos.network import Node
from testbed import Process, wait_until

ROOT: Final = Path(__file__).resolve().parents[1]
STREAM: Final = "chaos"
PORT: Final = 9187
BACK_WITHIN_S: Final = 60.0


class Instance:
    """One ``hasync run``, supervisor and worker."""

    def __init__(self, node: Node, directory: Path, settings: dict[str, str]) -> None:
        """Prepare it; ``settings``: its environment."""
        self.node = node
        self.member = node.name
        own = {"HASYNC_MEMBER_ID": node.name, "HASYNC_HTTP__HOST": "0.0.0.0", "HASYNC_HTTP__PORT": str(PORT)}
        self.settings = settings | own
        self.log = directory / "logs" / node.name / "hasync.log"
        self.log.parent.mkdir(parents=True)
        self.process = self._process({})
        self._stopped: list[int] = []

    def _process(self, more: dict[str, str]) -> Process:
        command = [*self.node.wrap, f"--wd={ROOT}", sys.executable, "-m", "hasync", "run"]
        return Process(command, log=self.log, directory=ROOT, environment=self.settings | more)

    def twin(self, member: str) -> Process:
        """Return one more instance on this node, not yet started, under another one's name."""
        command = [*self.node.wrap, f"--wd={ROOT}", sys.executable, "-m", "hasync", "run"]
        own = {"HASYNC_MEMBER_ID": member, "HASYNC_HTTP__PORT": "0"}
        log = self.log.with_name("twin.log")
        log.unlink(missing_ok=True)
        return Process(command, log=log, directory=ROOT, environment=self.settings | own)

    def start(self, **more: str) -> None:
        """Start it, with these variables besides its own."""
        self.process = self._process(more)
        self.process.start()

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of an answer of the admin port; (0, "") when there is none."""
        try:
            with urllib.request.urlopen(f"http://{self.node.address}:{PORT}{path}", timeout=1) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, ""
        except (OSError, HTTPException, ValueError):
            return 0, ""

    @property
    def status(self) -> dict[str, Any]:
        """What ``/status`` says; empty when nobody answers."""
        code, body = self.get("/status")
        try:
            return json.loads(body) if code == 200 else {}
        except ValueError:
            return {}

    @property
    def state(self) -> str:
        """What it does for the stream: leader, standby, ...; empty when it does not answer."""
        return str(self.status.get("streams", {}).get(STREAM, {}).get("state", ""))

    @property
    def worker(self) -> int:
        """The worker's process id; waits until it answers."""
        return int(wait_until(f"{self.member} answers", lambda: self.status.get("pid"), timeout_s=BACK_WITHIN_S))

    @property
    def pids(self) -> list[int]:
        """Supervisor and worker, as far as they exist."""
        if not self.process.running:
            return []
        supervisor = self.process.pid
        with suppress(OSError):
            children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
            return [supervisor, *map(int, children)]
        return [supervisor]

    def kill_worker(self) -> None:
        """SIGKILL the worker alone; its supervisor sees it."""
        for pid in self.pids[1:]:
            _signal(pid, signal.SIGKILL)

    def kill(self) -> None:
        """SIGKILL supervisor and worker at the same moment, as the loss of a machine does."""
        for pid in reversed(self.pids):
            _signal(pid, signal.SIGKILL)
        self.process.kill()

    def freeze(self) -> None:
        """SIGSTOP both, as a hypervisor that pauses the machine does."""
        self._stopped = self.pids
        for pid in self._stopped:
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let both go on."""
        for pid in self._stopped:
            _signal(pid, signal.SIGCONT)
        self._stopped = []

    def revive(self) -> None:
        """Have it run again, whatever was done to it."""
        self.thaw()
        if not self.process.running:
            self.start()

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the log lines from byte ``since`` on."""
        if not self.log.exists():
            return []
        found = []
        for line in self.log.read_bytes()[since:].splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
        return [line for line in found if isinstance(line, dict)]

    @property
    def log_bytes(self) -> int:
        """How long the log is."""
        return self.log.stat().st_size if self.log.exists() else 0

    def close(self) -> None:
        """End it, whatever it does."""
        self.thaw()
        self.kill()


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
