"""Processes: they die with their parent, and with nobody else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import Process, Server, StartError, wait_until

ROOT = Path(__file__).parents[2]

# Starts a child from a thread that ends at once, says its pid, and waits for its own end.
PARENT = """
import sys, threading, time
from pathlib import Path
from testbed import Process, wait_until

place = Path(sys.argv[1])
child = Process(["/bin/sleep", "600"], log=place / "log", directory=place)

def start():
    child.start()
    comm = Path(f"/proc/{child.pid}/comm")
    wait_until("the child is a sleep", lambda: comm.read_text() == "sleep\\n")

thread = threading.Thread(target=start)
thread.start()
thread.join()
time.sleep(0.2)  # time for the kernel to end the thread, and the child if it were tied to it
print(child.pid, flush=True)
sys.stdin.read()
"""


def state(pid: int) -> str:
    """Return R, S, T (stopped), Z …, "" if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def alive(pid: int) -> bool:
    return state(pid) not in {"", "Z"}


def sleeper(place: Path) -> Process:
    return Process(["/bin/sleep", "600"], log=place / "log", directory=place)


def test_child_outlives_its_thread_and_dies_with_a_sigkilled_parent(place: Path) -> None:
    """However a test run ends, no server is left behind."""
    command = [sys.executable, "-c", PARENT, str(place)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    wait_until("the child is gone", lambda: not alive(pid))


def test_ctrl_c_on_the_terminal_does_not_reach_a_child(place: Path) -> None:
    """The caller gets the signal and ends the servers in order; they have a session of their own."""
    process = sleeper(place)
    process.start()
    try:
        assert os.getsid(process.pid) == process.pid
    finally:
        process.kill()
    assert process.exit_code == -signal.SIGKILL


def test_frozen_process_can_be_stopped(place: Path) -> None:
    """SIGTERM waits in front of a stopped process; stop wakes it first."""
    process = sleeper(place)
    process.start()
    process.freeze()
    wait_until("it is stopped", lambda: state(process.pid) == "T")
    assert process.stop(timeout_s=1) == -signal.SIGTERM


def test_process_that_ignores_sigterm_is_killed(place: Path) -> None:
    """Stop always ends it."""
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    process = Process(["/bin/sh", "-c", script], log=place / "log", directory=place)
    process.start()
    wait_until("the trap is set", lambda: "ready" in process.tail())
    assert process.stop(timeout_s=0.1) == -signal.SIGKILL


def test_starting_twice_is_refused(place: Path) -> None:
    """Two servers on one data directory would destroy it."""
    process = sleeper(place)
    process.start()
    with pytest.raises(RuntimeError, match="already running"):
        process.start()
    process.kill()


class Broken(Server):
    """A server that says why it cannot start, and ends."""

    def _prepare(self) -> None:
        pass

    def _command(self) -> list[str]:
        return ["/bin/sh", "-c", "echo the disk is full; exit 3"]

    def _ready(self) -> bool:
        return False


def test_failed_start_shows_the_end_of_the_log(place: Path) -> None:
    """Whoever reads the error need not look for a file that is gone already."""
    with (
        pytest.raises(StartError, match=r"broken ended with exit code 3(?s:.*)the disk is full"),
        Broken(place, name="broken"),
    ):
        pass
    assert list(place.iterdir()) == []
