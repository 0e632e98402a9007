"""Says how the codec runs in these tests: what passes compiled may fail uncompiled, and the other way round."""

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hasync.binlog import codec

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "hasync/binlog/codec"
THREADS_END_WITHIN_S = 10.0


def stale() -> bool:
    """Return whether compiled modules of this checkout are of other sources than lie there; `make setup` mends that."""
    if not codec.COMPILED or Path(codec.__path__[0]) != FOLDER:
        return False
    stamp = ROOT / ".venv/.stamp-codec"  # scripts/setup.sh writes it
    made_of = set(stamp.read_text().splitlines()) if stamp.exists() else set()
    sources = (path for path in FOLDER.iterdir() if path.suffix in {".py", ".pxd"})
    lines = {f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(ROOT)}" for path in sources}
    return not lines <= made_of


def pytest_report_header() -> str:
    return f"codec: {'compiled' if codec.COMPILED else 'uncompiled'}, {codec.__path__[0]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if stale():
        terminalreporter.write_line("codec: compiled from other sources than lie there; run `make setup`", red=True)


def left_behind(before: set[threading.Thread]) -> set[threading.Thread]:
    """Return hasync's own threads that were not there before; servers of a whole session may have theirs."""
    return {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("hasync-")}


@pytest.fixture(scope="module", autouse=True)
def threads_end() -> Iterator[None]:
    """Fail a module that leaves a thread behind: it would go on under other modules, and disturb their tests."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + THREADS_END_WITHIN_S
    while left_behind(before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left_behind(before), f"threads left behind: {left_behind(before)}"
