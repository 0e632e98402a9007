"""One operating system process that is logged to a file and dies with its parent."""

import functools
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
TAIL_LINES = 30

Popen = subprocess.Popen[bytes]


class Spawner:
    """Starts processes from one thread that lives as long as this process.

    PR_SET_PDEATHSIG fires when the parent *thread* ends, so a server started from a pool would die with the pool.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[tuple[Callable[[], Popen], Future[Popen]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="testbed-spawner", daemon=True).start()

    def spawn(self, start: Callable[[], Popen]) -> Popen:
        """Run `start` on the spawner's thread and return, or raise, what it does."""
        answer: Future[Popen] = Future()
        self._orders.put((start, answer))
        return answer.result()

    def _work(self) -> None:
        while True:
            start, answer = self._orders.get()
            try:
                answer.set_result(start())
            except (OSError, ValueError) as error:
                answer.set_exception(error)


@functools.cache
def spawner(_pid: int) -> Spawner:
    """Return the one spawner of this process; keyed by pid, since a fork does not copy its thread."""
    return Spawner()


class Process:
    """A program with its output in a file; started again after its end as often as wanted.

    It has its own session: a Ctrl-C on the terminal reaches the caller alone, who then ends it.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.command = list(command)
        self.log = log
        self.directory = directory
        self._environment = dict(environment) if environment is not None else None
        self._popen: Popen | None = None

    def start(self) -> None:
        """Start the program; its output is appended to `log`.

        Raises:
            RuntimeError: It is running already.
            OSError: It cannot be started.
        """
        if self.running:
            raise RuntimeError(f"already running: {self.command[0]}")
        self._popen = spawner(os.getpid()).spawn(self._spawn)

    def _spawn(self) -> Popen:
        leashed = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *self.command]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                leashed,
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            RuntimeError: It was never started.
        """
        if self._popen is None:
            raise RuntimeError(f"never started: {self.command[0]}")
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended (a frozen one is running)."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code, minus the signal's number when a signal ended it, None while it runs."""
        return None if self._popen is None else self._popen.poll()

    def wait(self, timeout_s: float) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs after `timeout_s` seconds.
            RuntimeError: It was never started.
        """
        if self._popen is None:
            raise RuntimeError(f"never started: {self.command[0]}")
        return self._popen.wait(timeout_s)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it still runs."""
        if self._popen is not None:
            self._popen.send_signal(number)

    def stop(self, timeout_s: float = 30.0) -> int | None:
        """End it by SIGTERM, by SIGKILL if that takes more than `timeout_s` seconds; return the exit code."""
        if self._popen is None:
            return None
        self.thaw()  # a frozen process does not see SIGTERM
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._popen.returncode

    def kill(self) -> None:
        """SIGKILL it with all its children, and return when it is gone."""
        if self._popen is None or self._popen.poll() is not None:
            return
        os.killpg(self._popen.pid, signal.SIGKILL)  # not reaped yet, so the group is still its own
        self._popen.wait()

    def freeze(self) -> None:
        """SIGSTOP: keeps its memory and its connections, does nothing."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: goes on as if nothing had happened."""
        self.signal(signal.SIGCONT)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines of the log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
