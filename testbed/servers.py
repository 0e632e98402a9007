"""What all throw-away servers have in common: a life cycle, an address, a directory of their own."""

import shutil
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from testbed.ports import HOST, PortLease
from testbed.processes import Process
from testbed.waiting import POLL_S


class StartError(Exception):
    """A server did not come up; the message ends with the last lines of its log."""


class Server(ABC):
    """One server on a loopback port.

    The port and the data stay the same over `stop`, `kill` and any number of `start`; `close` removes both.  Used as a
    context manager it is started on entry and closed, without a graceful shutdown, on exit.
    """

    start_timeout_s = 60.0

    def __init__(self, workdir: Path, *, name: str) -> None:
        self.name = name
        self.host = HOST
        self.directory = workdir / name
        self.directory.mkdir(parents=True)
        self.wrap: list[str] = []
        self._lease = PortLease()
        self._process: Process | None = None

    def place(self, host: str, wrap: list[str]) -> Self:
        """Listen on another address than loopback, and start through a command that leads there; before the start.

        Args:
            host: the address, in another network namespace.
            wrap: what stands before the server's command line: `nsenter` and its options.
        """
        self.host, self.wrap = host, wrap
        return self

    @property
    def port(self) -> int:
        """The port clients connect to."""
        return self._lease.port

    @property
    def address(self) -> str:
        """`host:port`, as drivers take it."""
        return f"{self.host}:{self.port}"

    @property
    def process(self) -> Process:
        """The server's process; prepares data and configuration when asked for the first time."""
        if self._process is None:
            self._prepare()
            self._process = Process(
                [*self.wrap, *self._command()], log=self.directory / "server.log", directory=self.directory
            )
        return self._process

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process exists (a frozen one does)."""
        return self._process is not None and self._process.running

    @abstractmethod
    def _prepare(self) -> None:
        """Make data directory and configuration; called once, before the first start."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the command line, program first, as absolute path."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether the server answers; must return within about a second and raise nothing."""

    def start(self) -> Self:
        """Start the server and return when it answers.

        Raises:
            StartError: It ended, or did not answer within `start_timeout_s`.
            MissingError: The program is not installed.
        """
        self.launch()
        return self.wait_ready()

    def launch(self) -> None:
        """Start the server without waiting for it; for servers that only answer together."""
        self.process.start()

    def wait_ready(self) -> Self:
        """Wait until the server answers; kill it if it does not.

        Raises:
            StartError: It ended, or did not answer within `start_timeout_s`.
        """
        deadline = time.monotonic() + self.start_timeout_s
        while not self._ready():
            if not self.process.running:
                raise self._failure(f"ended with exit code {self.process.exit_code}")
            if time.monotonic() >= deadline:
                self.process.kill()
                raise self._failure(f"did not answer within {self.start_timeout_s:g} s")
            time.sleep(POLL_S)
        return self

    def _failure(self, what: str) -> StartError:
        return StartError(f"{self.name} {what}; end of its log:\n{self.process.tail()}")

    def stop(self, timeout_s: float = 30.0) -> None:
        """Shut down gracefully (SIGTERM)."""
        self.process.stop(timeout_s)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.process.kill()

    def restart(self) -> Self:
        """Shut down gracefully and start again, on the same port and data."""
        self.stop()
        return self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        self.process.freeze()

    def thaw(self) -> None:
        """Undo `freeze`."""
        self.process.thaw()

    def close(self) -> None:
        """Kill the server, remove its data and give its port back."""
        if self._process is not None:
            self._process.kill()
        self._lease.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start the server."""
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        """Kill the server and remove its data."""
        self.close()
