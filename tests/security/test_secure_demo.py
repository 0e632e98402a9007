"""The demo behind TLS, ACLs and least-privilege accounts comes to the same verdict."""

import re
import subprocess
import sys

import pytest

from tests.security.estate import ROOT


@pytest.mark.timeout(150)
@pytest.mark.mysql
def test_secure_demo_passes_and_says_so_in_its_last_line() -> None:
    """``make demo SECURE=1``, cut short."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--secure", "--seconds", "5"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )
    assert "speak TLS only" in done.stdout
    last = (done.stdout.strip().splitlines() or [done.stderr])[-1]
    assert re.fullmatch(r"demo: PASS rows=[1-9]\d* lost=0 doubled=0 stale=0 takeover_ms=\d+ epochs=1->2", last), (
        done.stdout[-3000:] + done.stderr[-2000:]
    )
