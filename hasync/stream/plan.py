"""A table's rules, compiled for one layout: which columns to decode, and what to write."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from hasync.errors import Fatal
from hasync.model.change import Operation, RowChanges
from hasync.stream.steps import DeleteStep, HandlerStep, Step
from hasync.stream.writes import WriteSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TablePlan:
    """Implements :class:`hasync.model.change.Selection`; made by :class:`hasync.stream.rules.Rules`.

    ``before`` and ``after``: numbers of the needed columns, ascending. ``steps``: by
    operation, in document order. ``by_row``: rules may meet on one key, so all of them
    see a row before any sees the next, and the last write is the same however the
    binlog cuts a statement into events.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    steps: dict[Operation, tuple[Step, ...]]
    by_row: bool

    def apply(self, changes: RowChanges, writes: WriteSet) -> None:
        """Add to ``writes`` what the rules make of these rows. Raises HandlerFailed."""
        steps = self.steps[changes.operation]
        if not steps:
            return
        if not self.by_row or len(steps) == 1:
            _run(steps, changes, slice(None), writes)
            return
        for number in range(changes.rows):
            _run(steps, changes, slice(number, number + 1), writes)


def _run(steps: Sequence[Step], changes: RowChanges, rows: slice, writes: WriteSet) -> None:
    before, after = changes.before[rows], changes.after[rows]
    for step in steps:
        if changes.operation is Operation.INSERT:
            step.insert(after, writes)
        elif changes.operation is Operation.UPDATE:
            step.update(before, after, writes)
        else:
            step.delete(before, writes)


def may_meet(steps: Iterable[Step]) -> bool:
    """Whether two of the rules might write the same key, as far as the literal beginnings of keys tell."""
    return any(_may_meet(one, other) for one, other in combinations(steps, 2))


def _may_meet(one: Step, other: Step) -> bool:
    if isinstance(one, HandlerStep) or isinstance(other, HandlerStep):
        return True
    if isinstance(one, DeleteStep) and isinstance(other, DeleteStep):
        return False  # deletes commute
    return any(a.startswith(b) or b.startswith(a) for a in one.prefixes for b in other.prefixes)


def project(changes: Iterable[RowChanges]) -> WriteSet:
    """Return what the rules make of these changes, in order. Raises HandlerFailed."""
    writes = WriteSet()
    for change in changes:
        plan = change.selection
        if not isinstance(plan, TablePlan):
            raise Fatal(f"rows of {change.table.path} were selected by something else than rules")
        plan.apply(change, writes)
    return writes
