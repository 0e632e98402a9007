"""Says how the codec runs in these tests: what passes compiled may fail uncompiled, and the other way round."""

import hashlib
from pathlib import Path

import pytest

from hasync.binlog import codec

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "hasync/binlog/codec"


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
