"""The protocol holds in every interleaving within the short bounds, and no planted bug hides in them."""

import pytest

from hasync.sinks.verdict import Verdict
from tests.model import lent
from tests.model.checker import Report, explored
from tests.model.mutants import MUTANTS, Mutant
from tests.model.runs import HALT, SHORT
from tests.model.trace import told
from tests.model.world import Bounds, Saved, Written, beginning, fingerprint


def figures(report: Report) -> str:
    return f"{report.worlds} worlds, {report.steps} steps, depth {report.depth}"


@pytest.mark.parametrize("name", SHORT)
def test_no_interleaving_breaks_an_invariant(name: str) -> None:
    """Every order of all steps and faults within the bounds keeps I2 to I5 and I8, and none is left out."""
    report = explored(SHORT[name])
    assert report.finding is None, told(report.finding)
    assert report.complete, figures(report)
    assert report.finished > 0, "no row is ever applied: the model is stuck, and proves nothing"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_planted_bug_is_found(mutant: Mutant) -> None:
    """With one rule taken out an invariant breaks, and a trace says how."""
    report = explored(mutant.bounds, mutant.rules)
    assert report.finding is not None, figures(report)
    assert report.finding.invariant.startswith(f"{mutant.breaks}: ")
    assert len(report.finding.trace) == report.depth


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_bounds_of_a_planted_bug_are_clean_without_it(mutant: Mutant) -> None:
    """It is the planted bug that is found: the same search in the real protocol finds nothing."""
    report = explored(mutant.bounds)
    assert report.finding is None, told(report.finding)
    assert report.complete


def test_trace_of_a_planted_bug_can_be_read() -> None:
    """Each step says who did what, and what Redis and ZooKeeper hold then."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name.startswith("no fence"))
    report = explored(mutant.bounds, mutant.rules)
    assert report.finding is not None
    story = told(report.finding)
    assert "A's session expires, it does not know" in story
    assert "B raises the epoch to 2" in story
    assert "e2 #0 at 0, rows 0,0" in story
    assert story.endswith("BROKEN  I3: a write of epoch 1 is applied after epoch 2 has claimed")


def test_depth_limits_the_search() -> None:
    """A search that was cut off says so."""
    report = explored(Bounds(faults=0, depth=5))
    assert (report.depth, report.complete) == (5, False)


def test_members_that_changed_places_are_one_world() -> None:
    """Symmetry: it does not matter which of two equal members leads."""
    world = beginning(Bounds())
    leading = world.members[0]._replace(phase="lead", lock="held")
    one, other = (leading, world.members[1]), (world.members[1], leading)
    assert fingerprint(world._replace(members=one)) == fingerprint(world._replace(members=other))
    assert fingerprint(world._replace(members=one)) != fingerprint(world)


def test_places_inside_a_transaction_are_told_apart() -> None:
    """Every second place is inside a split transaction, as ``rows_done`` says, and translates back."""
    assert [lent.position(place).rows_done for place in range(4)] == [0, 1, 0, 1]
    assert [lent.place(lent.position(place)) for place in range(4)] == [0, 1, 2, 3]


def test_product_decides_in_the_model() -> None:
    """The model asks hasync's own code: judge, reconcile, what a claim adopts, what a position refuses."""
    first, second = Written(1, 1, 1), Written(1, 2, 2)
    assert lent.judged(Written(2, 1, 1), first, None) is Verdict.FENCED
    assert lent.judged(second, first, second) is Verdict.ATTEMPT
    assert lent.resumed(Saved(1, 1, 1), None, HALT) is None
    assert lent.adopted(1, None, None, first) is None
    assert lent.adopted(2, None, None, first) == first
    assert not lent.may_save(Saved(1, 2, 2), Saved(1, 1, 1))
