"""A table's rules, compiled for one layout: which columns to decode, and what to write."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from hasync.errors import Fatal
from hasync.model.change import Change, Operation, RowChanges
from hasync.model.command import Command, Packed
from hasync.model.program import Program, Rendered
from hasync.stream.steps import DeleteStep, HandlerStep, Step
from hasync.stream.writes import WriteSet, keys_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TablePlan:
    """Implements :class:`hasync.model.change.Selection`; made by :class:`hasync.stream.rules.Rules`.

    ``before`` and ``after``: numbers of the needed columns, ascending. ``steps``: by
    operation, in document order. ``by_row``: rules may meet on one key, so all of them
    see a row before any sees the next, and the last write is the same however the
    binlog cuts a statement into events. ``program`` says the same to a source that can
    write commands by itself; None when a handler needs the rows.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    steps: dict[Operation, tuple[Step, ...]]
    by_row: bool
    program: Program | None = None

    def apply(self, changes: RowChanges, writes: WriteSet) -> None:
        """Add to ``writes`` what the rules make of these rows. Raises HandlerFailed."""
        steps = self.steps[changes.operation]
        if not steps:
            return
        if len(steps) == 1:
            _run(steps, changes, slice(None), writes)
        elif self.by_row or not _run_beside_handler(steps, changes, writes):
            for number in range(changes.rows):
                _run(steps, changes, slice(number, number + 1), writes)
        writes.end_event()


def _run(steps: Sequence[Step], changes: RowChanges, rows: slice, writes: WriteSet) -> None:
    before, after = changes.before[rows], changes.after[rows]
    for step in steps:
        if changes.operation is Operation.INSERT:
            step.insert(after, writes)
        elif changes.operation is Operation.UPDATE:
            step.update(before, after, writes)
        else:
            step.delete(before, writes)


def _run_beside_handler(steps: Sequence[Step], changes: RowChanges, writes: WriteSet) -> bool:
    """Run all steps on the whole event, unless the handler's keys could be those of another rule; say whether it did.

    What keys a handler writes is only known once it has been asked. If they may meet
    others, it is asked again, row by row; it is a pure function, so it may be.
    """
    handlers = [step for step in steps if isinstance(step, HandlerStep)]
    others = [step for step in steps if not isinstance(step, HandlerStep)]
    taken = tuple(prefix for step in others for prefix in step.prefixes)
    commands = [command for step in handlers for command in step.commands(changes)]
    if any(key.startswith(taken) for command in commands for key in keys_of(command)):
        return False
    _run(others, changes, slice(None), writes)
    for command in commands:
        writes.command(command)
    return True


def may_meet(steps: Iterable[Step]) -> bool:
    """Whether two of the rules might write the same key, as far as the literal beginnings of keys tell.

    One handler is left out: its keys are looked at when they are known.
    """
    return any(_may_meet(one, other) for one, other in combinations(steps, 2))


def _may_meet(one: Step, other: Step) -> bool:
    handlers = isinstance(one, HandlerStep) + isinstance(other, HandlerStep)
    if handlers:
        return handlers == 2
    if isinstance(one, DeleteStep) and isinstance(other, DeleteStep):
        return False  # deletes commute
    return any(a.startswith(b) or b.startswith(a) for a in one.prefixes for b in other.prefixes)


class Projection:
    """What the rules make of changes, in order: commands, and how many rows wrote nothing, by reason."""

    __slots__ = ("_commands", "_skipped", "_writes")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._commands: list[Command | Packed] = []
        self._writes = WriteSet()
        self._skipped: Counter[str] = Counter()

    def add(self, change: Change) -> None:
        """Take the next change in. Raises HandlerFailed; Fatal for rows that something else than rules selected."""
        if isinstance(change, Rendered):
            self._settle()
            self._commands += change.commands
            self._skipped.update(dict(change.skipped))
            return
        if not isinstance(change.selection, TablePlan):
            raise Fatal(f"rows of {change.table.path} were selected by something else than rules")
        change.selection.apply(change, self._writes)

    def _settle(self) -> None:
        if len(self._writes) or self._writes.skipped:
            self._commands += self._writes.commands()
            self._skipped.update(self._writes.skipped)
            self._writes = WriteSet()

    def commands(self) -> list[Command | Packed]:
        """Return all commands so far."""
        self._settle()
        return self._commands

    @property
    def skipped(self) -> Counter[str]:
        """Rows that wrote nothing, by reason (``null_key``, ``reserved_key``)."""
        self._settle()
        return self._skipped


def project(changes: Iterable[Change]) -> Projection:
    """Return what the rules make of these changes, in order. Raises HandlerFailed."""
    projection = Projection()
    for change in changes:
        projection.add(change)
    return projection
