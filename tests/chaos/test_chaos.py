"""A short seeded set of faults on a whole cluster in network namespaces."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.network import missing

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)  # it shares the machine with other tests
def test_invariants_hold_in_the_short_set(tmp_path: Path) -> None:
    """A dead leader, a lost session, a lost link, lost writes, and a zombie whose replies were lost."""
    if lacking := missing():
        pytest.skip(lacking)
    command = [sys.executable, "-m", "chaos", "--short", "--seed", "5", "--report", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=380)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert [one["verdict"] for one in report["rounds"]] == ["passed"] * 5
