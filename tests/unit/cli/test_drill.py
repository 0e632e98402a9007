"""``hasync drill`` as it is typed; the drills themselves are in tests/unit/drill and tests/failover."""

from pathlib import Path

import orjson
import pytest

from hasync.drill.report import bundle
from hasync.drill.verdict import Budgets
from tests.unit.cli.stage import Stage
from tests.unit.drill.scenes import crash, document


def saved(path: Path, **changes: float) -> str:
    """Keep a report of a crash; return the file's name."""
    path.write_bytes(orjson.dumps(bundle([document(crash(**changes), budgets=Budgets(max_gap_s=0.1))])))
    return str(path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("freeze-leader",), "Missing option '--for'"),
        (("cut-redis", "--for", "11m"), "more than 600 s"),
        (("crash-leader", "--max-lost", "1"), "with --probe only"),
        (("crash-leader", "--probe", "--probe-password", "hunter2"), "literal secret"),
        (("plan", "/nowhere.yaml"), "cannot be read"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_asked(stage: Stage, words: tuple[str, ...], message: str) -> None:
    """No instance hears of it."""
    answer = stage.run("drill", *words)
    assert answer.exit_code == 2
    assert message in answer.stderr
    assert stage.connections == 0
    assert "hunter2" not in answer.stderr


@pytest.mark.parametrize("probe", [(), ("--probe", "--probe-password", "env:HASYNC_SECRET_PROBE")])
def test_drill_of_a_stream_that_nobody_leads_fails(stage: Stage, probe: tuple[str, ...]) -> None:
    """With the reason, and without an order; a probe does not blame the config first for rows that nobody applies."""
    stage.apply()
    stage.write(1, 900)
    answer = stage.run("drill", "crash-leader", *probe)
    assert answer.exit_code == 1
    assert "nobody leads orders" in answer.stderr
    assert stage.drills.order is None


def test_two_reports_are_put_side_by_side(stage: Stage, tmp_path: Path) -> None:
    """What was, what is, and the difference."""
    first, second = saved(tmp_path / "a.json"), saved(tmp_path / "b.json", first=10.3)
    answer = stage.run("drill", "--compare", first, second)
    assert answer.exit_code == 0
    (gap,) = [line for line in answer.stdout.splitlines() if "write gap" in line]
    assert gap.split()[-5:] == ["ms", "300", "ms", "+250", "ms"]


def test_comparison_is_data_as_well(stage: Stage, tmp_path: Path) -> None:
    """For a pipeline that keeps yesterday's report."""
    name = saved(tmp_path / "a.json")
    answer = stage.run("drill", "-o", "json", "--compare", name, name)
    assert {line["change"] for line in orjson.loads(answer.stdout) if line["measure"] == "write gap"} == {"+0 ms"}


@pytest.mark.parametrize("content", ["[]", "{", '{"reports": 7}'])
def test_what_is_no_report_is_not_compared(stage: Stage, tmp_path: Path, content: str) -> None:
    """It says which file, and what would write one."""
    wrong = tmp_path / "wrong.json"
    wrong.write_text(content)
    answer = stage.run("drill", "--compare", str(wrong), str(wrong))
    assert answer.exit_code == 1
    assert "wrong.json" in answer.stderr
    assert "-o json" in answer.stderr


def test_drill_alone_shows_what_there_is(stage: Stage) -> None:
    """As a wrong usage, for a script."""
    answer = stage.run("drill")
    assert answer.exit_code == 2
    assert "crash-leader" in answer.stdout
