"""This process, as a drill treats it. The only place that sends itself SIGKILL or SIGSTOP."""

import os
import signal
import subprocess
import sys
from typing import Final

from hasync.errors import HasyncError

WAKER: Final = """
import os, signal, sys, time
pid, until = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
print("ready", flush=True)
while os.getppid() == pid and time.monotonic() < until:
    time.sleep(min(0.05, max(0.0, until - time.monotonic())))
if os.getppid() == pid:
    os.kill(pid, signal.SIGCONT)
"""
"""Continues its parent when the time is up. A parent that was killed meanwhile is its parent no longer."""


class OwnProcess:
    """The process that calls. Called from: the drills' thread."""

    def kill(self) -> None:
        """End at once, without a word. Returns only where the kernel ignores it: for process 1 of a container."""
        os.kill(os.getpid(), signal.SIGKILL)

    def terminate(self) -> None:
        """Ask for an orderly end, as an init system does."""
        os.kill(os.getpid(), signal.SIGTERM)

    def freeze(self, for_s: float) -> None:
        """Stand still for so many seconds; returns after that.

        Another process continues this one. It is there before this one stops, in a session of its
        own, so that no Ctrl-C reaches it; it needs nothing of this one any more.
        Raises HasyncError when it cannot be started; then nothing was stopped.
        """
        command = [sys.executable, "-I", "-S", "-c", WAKER, str(os.getpid()), str(for_s)]
        try:
            waker = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, text=True
            )
        except OSError as error:
            raise HasyncError(f"no process to end the freeze could be started: {error}") from error
        with waker:
            if waker.stdout is None or waker.stdout.readline() != "ready\n":
                raise HasyncError("the process that is to end the freeze did not begin")
            os.kill(os.getpid(), signal.SIGSTOP)
