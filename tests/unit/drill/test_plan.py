"""Plans of drills."""

import pytest

from hasync.drill.kinds import DrillKind
from hasync.drill.plan import parse
from hasync.drill.verdict import Budgets
from hasync.errors import ConfigInvalid

PLAN = """
stream: orders
pause: 2s
budgets: {max_gap: 2s, max_epochs: 1}
drills:
  - crash-leader
  - {drill: freeze-leader, for: 1500ms, budgets: {max_gap: 5s}}
"""


def test_plan_is_read_with_its_budgets() -> None:
    """A drill's own budgets come before the plan's, and those before the command's."""
    plan = parse(PLAN, Budgets(max_gap_s=9.0, max_lag_s=1.0))
    first, second = plan.steps
    assert (plan.stream, plan.pause_s) == ("orders", 2.0)
    assert first.kind is DrillKind.CRASH_LEADER
    assert first.budgets == Budgets(max_gap_s=2.0, max_epochs=1, max_lag_s=1.0)
    assert (second.kind, second.for_s, second.budgets.max_gap_s) == (DrillKind.FREEZE_LEADER, 1.5, 5.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("drills: [crash-lead]", "did you mean 'crash-leader'?"),
        ("drills: [freeze-leader]", "needs to be told for how long"),
        ("drills: [{drill: crash-leader, for: 3s}]", "does not last"),
        ("drills: [{drill: cut-redis, for: 11m}]", "more than 600 s"),
        ("drills: [{drill: cut-redis, for: soon}]", "not a duration"),
        ("drills: [crash-leader]\nbudgets: {max_gab: 1s}", "did you mean 'max_gap'?"),
        ("drills: [crash-leader]\nbudgets: {max_lost: -1}", "no whole number"),
        ("drills: []", "no list of drills"),
        ("drills: [7]", "neither a drill's name nor a mapping"),
        ("drill: [crash-leader]", "did you mean 'drills'?"),
    ],
)
def test_wrong_plan_is_refused_with_its_place(text: str, problem: str) -> None:
    """Before anything is done to anybody."""
    with pytest.raises(ConfigInvalid) as refused:
        parse(text, Budgets())
    assert problem in " ".join(refused.value.problems)


@pytest.mark.parametrize("text", ["- crash-leader", "a: [", ""])
def test_what_is_no_plan_is_refused(text: str) -> None:
    """Neither a list nor broken YAML is taken for one."""
    with pytest.raises(ConfigInvalid):
        parse(text, Budgets())
