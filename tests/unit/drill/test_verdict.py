"""The verdict: which budget breaks on what."""

from dataclasses import replace
from typing import Any

import pytest

from hasync.drill.findings import Tally, find
from hasync.drill.kinds import DrillKind
from hasync.drill.verdict import Budgets, Undoing, judge
from tests.unit.drill.scenes import DONE, NO_BUDGETS, crash, probed

GOOD = find(probed(crash()), Tally(committed=300, lost=0, doubled=0))


def broken(findings: Any = GOOD, budgets: Budgets = NO_BUDGETS, **changes: Any) -> set[str]:
    kind, undoing = changes.get("kind", DrillKind.CRASH_LEADER), changes.get("undoing", DONE)
    return {rule.name for rule in judge(kind, findings, budgets, undoing) if not rule.ok}


def test_healthy_takeover_passes() -> None:
    """All rules hold, with budgets that it keeps."""
    assert broken(budgets=Budgets(max_gap_s=0.5, max_epochs=1, max_lag_s=1.0)) == set()


@pytest.mark.parametrize(
    ("budgets", "rule"),
    [
        (Budgets(max_gap_s=0.05), "write gap"),
        (Budgets(max_epochs=0), "new epochs"),
        (Budgets(max_lag_s=0.1), "lag"),
    ],
)
def test_budget_that_is_too_tight_breaks(budgets: Budgets, rule: str) -> None:
    """Exactly that rule, no other."""
    assert broken(budgets=budgets) == {rule}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"tally": Tally(committed=300, lost=1, doubled=0)}, "lost"),
        ({"tally": Tally(committed=300, lost=0, doubled=1)}, "doubled"),
        ({"leader_after": ""}, "led again"),
        ({"epochs": ()}, "a new term"),
        ({"problems": ("the sequence fell",)}, "sequence"),
    ],
)
def test_what_always_must_hold_breaks_without_a_budget(changes: dict[str, Any], rule: str) -> None:
    """Nobody has to ask for correctness."""
    assert broken(replace(GOOD, **changes)) == {rule}


def test_short_freeze_needs_no_new_term() -> None:
    """A leader that outlives its fault has passed."""
    assert broken(replace(GOOD, epochs=()), kind=DrillKind.FREEZE_LEADER) == set()


def test_fault_that_stays_is_a_failure_with_its_remedy() -> None:
    """However good the takeover was."""
    left = Undoing(done=False, message="a was killed and did not come back", hint="start it")
    (rule,) = [rule for rule in judge(DrillKind.CRASH_LEADER, GOOD, Budgets(), left) if not rule.ok]
    assert rule.name == "undone"
    assert rule.detail == "a was killed and did not come back; start it"


def test_lost_rows_within_their_budget_pass() -> None:
    """A sink that may lose some is judged by what was agreed."""
    assert broken(replace(GOOD, tally=Tally(committed=9, lost=2, doubled=0)), Budgets(max_lost=2)) == set()
