"""The demo itself, cut short: what a newcomer sees first must not be broken."""

import re
import subprocess
import sys

import pytest

from tests.failover.fleet import ROOT


@pytest.mark.timeout(150)
@pytest.mark.parametrize("database", ["mysql", "mariadb"])
def test_demo_passes_and_says_so_in_its_last_line(database: str) -> None:
    """Three instances, a mixed workload, the leader killed: no key lost, doubled or stale."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--db", database, "--seconds", "8"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )
    last = (done.stdout.strip().splitlines() or [done.stderr])[-1]
    assert re.fullmatch(r"demo: PASS rows=[1-9]\d* lost=0 doubled=0 stale=0 takeover_ms=\d+ epochs=1->2", last), (
        done.stdout[-3000:] + done.stderr[-2000:]
    )
    assert done.returncode == 0
