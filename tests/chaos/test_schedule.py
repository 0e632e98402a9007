"""The order of faults, the command line and the report of the chaos suite."""

import itertools
import json
from pathlib import Path

import pytest

from chaos.__main__ import arguments, plan
from chaos.catalog import ALL, FAULTS, PAIRS, SHORT, faults
from chaos.chain import Violation
from chaos.faults.links import SECRET, password_of
from chaos.report import Report, document, page, save, table
from chaos.round import Round
from chaos.schedule import again, turns


def test_seed_decides_everything() -> None:
    """The same seed is the same schedule, another one another."""
    first, same, other = (list(itertools.islice(turns(seed, ALL), 40)) for seed in ("7", "7", "8"))
    assert first == same
    assert [turn.faults for turn in first] != [turn.faults for turn in other]


def test_each_fault_comes_before_any_comes_twice() -> None:
    """A short run leaves out as little as it can."""
    assert sorted(turn.faults for turn in itertools.islice(turns("7", ALL), len(ALL))) == sorted(ALL)


def test_round_of_a_report_can_be_played_again() -> None:
    """Its seed says number and faults."""
    turn = list(itertools.islice(turns("se-ed", ALL), 9))[-1]
    assert again(turn.seed) == turn
    with pytest.raises(ValueError, match="no seed"):
        again("nonsense")


def test_matrix_is_complete() -> None:
    """Every fault and pair that the suite promises is there, and each says what it may cost."""
    promised = [*range(1, 13), *range(19, 23), 25, *range(27, 30), *range(31, 34)]
    assert sorted(FAULTS) == sorted(f"F{number}" for number in promised)
    assert set(PAIRS) == {"F2xF20", "F5xF12", "F8xF19", "F25xF2"}
    assert all(kind.title and kind.promise.budget_s for kind in FAULTS.values())
    assert all(faults(name) for name in (*ALL, *SHORT))


def test_wrong_fault_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error must not become a run of nothing."""
    with pytest.raises(SystemExit) as ended:
        arguments(["--only", "F5,F99"])
    assert ended.value.code == 2
    assert "no fault F99" in capsys.readouterr().err


def test_short_set_is_played_once() -> None:
    """What the tests run has an end."""
    turns_of = list(plan(arguments(["--short", "--seed", "1"])).turns)
    assert sorted(turn.faults for turn in turns_of) == sorted(SHORT)


def test_session_password_is_made_as_java_does() -> None:
    """The words of java.util.Random(42) are known: -1170105035, 234785527."""
    words = password_of(42 ^ SECRET)
    assert int.from_bytes(words[:4], "little", signed=True) == -1170105035
    assert int.from_bytes(words[4:8], "little", signed=True) == 234785527


def one(number: int, verdict: str = "") -> Round:
    violations = (Violation(invariant="I3", text="rd1: an <older> epoch"),) if verdict == "FAILED" else ()
    return Round(
        number=number,
        faults=("F2", "F20") if number == 2 else ("F1",),
        seed=f"7-{number}-F1",
        violations=violations,
        not_run="no cgroup" if verdict == "not run" else "",
        gap_s=0.5 * number,
    )


def report(*rounds: Round) -> Report:
    return Report(seed="7", database="mysql", seconds=60.0, rounds=rounds)


def test_failed_round_names_the_command_that_repeats_it() -> None:
    """In the terminal and on the page, which quotes what it shows."""
    made = report(one(1), one(2, "FAILED"))
    assert not made.passed
    assert 'make chaos ARGS="--repeat 7-2-F1 --db mysql"' in table(made)
    assert "an &lt;older&gt; epoch" in page(made)


def test_what_was_not_run_is_not_passed() -> None:
    """It is counted apart, and a run of nothing else is no success."""
    assert not report(one(1, "not run")).passed
    made = report(one(1, "not run"), one(2))
    assert made.passed
    assert made.missing == {"F1": "no cgroup"}
    assert document(made)["faults"][0]["not_run"] == 1


def test_report_is_saved_as_data_and_page(tmp_path: Path) -> None:
    """The page needs nothing but itself."""
    save(report(one(1), one(2)), tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is True
    text = (tmp_path / "report.html").read_text()
    assert "src=" not in text
    assert "href=" not in text
