"""The supervisor's edge with a real child, which is a shell here: started, reaped, told, killed."""

import io
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

PLAN = """
import sys
from hasync.clock import SystemClock
from hasync.cluster.closing import SessionCloser
from hasync.supervisor.log import PlainLog
from hasync.supervisor.parent import Parent
from hasync.supervisor.plan import Limits
limits = Limits(heartbeat_s=5, stall_s=20, stop_s=5, restart_min_s=0.01, restart_max_s=0.02, healthy_s=60,
                give_up_after=2, start_s={start_s})
clock = SystemClock()
closer = SessionCloser(hosts=["127.0.0.1:1"], session_timeout_s=1)
log = PlainLog(sys.stdout.buffer, clock, as_json=True, member="a")
environ = dict(PATH="/usr/bin:/bin")
command = {command!r}
sys.exit(Parent(command=command, environ=environ, limits=limits, closer=closer, session_timeout_s=1, clock=clock,
                log=log).run())
"""


def program(*command: str, start_s: float = 60) -> list[str]:
    """Return the command of a supervisor of ``command``."""
    return [sys.executable, "-c", textwrap.dedent(PLAN).format(command=list(command), start_s=start_s)]


def lines(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in io.StringIO(output)]


def test_child_that_exits_at_once_is_restarted_and_then_given_up() -> None:
    """A crash, a second one, and 70."""
    done = subprocess.run(program("/bin/sh", "-c", "exit 3"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 70, done.stderr
    said = lines(done.stdout)
    assert [line["event"] for line in said if line["event"] != "worker_started"] == [
        "worker_crashed",
        "worker_crashed",
        "supervisor_gave_up",
    ]
    assert {line["how"] for line in said if line["event"] == "worker_crashed"} == {"exit code 3"}


def test_child_that_cannot_be_started_is_tried_again_and_then_given_up() -> None:
    """The log says what the system said."""
    done = subprocess.run(program("/no/such/program"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 70, done.stderr
    assert "No such file or directory" in done.stdout


def test_child_that_never_says_a_word_is_killed() -> None:
    """A start that hangs is no start."""
    done = subprocess.run(
        program("/bin/sh", "-c", "exec sleep 60", start_s=0.3), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 70, done.stderr
    assert "SIGKILL (no sign of life 0.3 s after its start)" in done.stdout


@pytest.mark.skipif(shutil.which("unshare") is None, reason="util-linux is not installed")
def test_process_1_of_a_container_buries_the_children_it_inherits() -> None:
    """A worker's orphan becomes a child of process 1; its end must neither confuse nor leave a zombie."""
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces here")
    orphans = "(sleep 0.2 & sleep 0.3 &); sleep 1; ps -e -o stat= | grep -c Z; exit 3"
    done = subprocess.run(
        [*inside, *program("/bin/sh", "-c", orphans)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 70, done.stderr
    zombies = [line for line in done.stdout.splitlines() if not line.startswith("{")]
    assert zombies == ["0", "0"]


ALLOWED_BYTES = 100_000_000
GROUPS = (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))
"""Where a group of processes is made and its memory limited: the two versions of cgroups."""


@pytest.fixture
def confined() -> Iterator[Path]:
    """A cgroup in which memory runs out soon; skips where none can be made."""
    for parent, limit in GROUPS:
        group = Path(parent) / f"hasync-test-{os.getpid()}"
        with suppress(OSError):
            group.mkdir()
            try:
                with (group / limit).open("r+") as file:  # not created: the directory may be no cgroup's
                    file.write(str(ALLOWED_BYTES))
                yield group
                return
            finally:
                group.rmdir()
    pytest.skip("no cgroup with a memory limit can be made here")


def test_child_that_eats_all_memory_is_taken_by_the_kernel_and_the_parent_lives(confined: Path) -> None:
    """Both share the limit of a container: the kernel takes the child, and its supervisor starts another one."""
    glutton = (sys.executable, "-c", "rows = [bytearray(b'x') * 1_000_000 for _ in range(500)]")
    enter = ("/bin/sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(confined))
    done = subprocess.run([*enter, *program(*glutton)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 70, done.stderr
    crashes = [line for line in lines(done.stdout) if line["event"] == "worker_crashed"]
    assert [str(line["how"]) for line in crashes] == ["SIGKILL", "SIGKILL"]
