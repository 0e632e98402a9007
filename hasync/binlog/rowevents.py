"""Rows of the open transaction: to their layouts, past what is applied, into the segments; and back to a savepoint."""

from hasync.binlog import refusals
from hasync.binlog.codec.output import Mark, Output
from hasync.binlog.frames import Event, EventType, lenenc
from hasync.binlog.layouts import Layout, Layouts
from hasync.binlog.partial import PartialPlan
from hasync.binlog.rowplan import RowPlan
from hasync.binlog.segments import Segments
from hasync.model.change import Operation

OPERATIONS = {
    EventType.WRITE_ROWS_V1: Operation.INSERT,
    EventType.UPDATE_ROWS_V1: Operation.UPDATE,
    EventType.DELETE_ROWS_V1: Operation.DELETE,
    EventType.WRITE_ROWS: Operation.INSERT,
    EventType.UPDATE_ROWS: Operation.UPDATE,
    EventType.DELETE_ROWS: Operation.DELETE,
    EventType.PARTIAL_UPDATE_ROWS: Operation.UPDATE,
}
"""What each rows event does."""

_STATEMENT_END = 1
_NO_TABLE = 0xFFFFFF
"""Table id of an event that only ends a statement."""


class RowEvents:
    """The tables of the statement that is read, and the rows that a former reader has applied.

    ``to_skip`` rows of the next transaction are done; ``skipped`` counts those passed over in the open one.
    """

    def __init__(self, layouts: Layouts, segments: Segments, *, done: int) -> None:
        self._layouts = layouts
        self._segments = segments
        self._tables: dict[int, Layout] = {}
        self._savepoints: dict[bytes, tuple[tuple[int, Mark] | None, int]] = {}
        self.to_skip = done
        self.skipped = 0

    def end(self) -> None:
        """Forget what belongs to the open transaction."""
        self._tables.clear()
        self._savepoints.clear()
        self.skipped = 0

    def set_savepoint(self, name: bytes) -> None:
        """Remember which rows were there."""
        self._savepoints[name] = (self._segments.mark(), self.skipped)

    def roll_back_to(self, name: bytes, where: str) -> None:
        """Drop the rows since the savepoint. Raises SourceRefused when it is unknown, or some were handed over."""
        if name not in self._savepoints:
            raise refusals.never_set(where)
        self._forget_since(self._savepoints[name], where)

    def forget_all(self, where: str) -> None:
        """Drop all rows of the open transaction. Raises SourceRefused when some were handed over."""
        self._forget_since((None, 0), where)

    def _forget_since(self, savepoint: tuple[tuple[int, Mark] | None, int], where: str) -> None:
        mark, skipped = savepoint
        if skipped != self.skipped or not self._segments.forget_since(mark):
            raise refusals.handed_over(where)

    def table_map(self, event: Event) -> None:
        """Take a TABLE_MAP event in. Raises what :meth:`Layouts.of` raises."""
        self._segments.add_bytes(event.size)
        data, at = event.data, event.at
        number = int.from_bytes(data[at : at + 6], "little")
        self._tables[number] = self._layouts.of(data[at + 8 : event.end])

    def rows(self, event: Event, where: str) -> None:
        """Take a rows event in. Raises SourceRefused, PositionLost, ValueError when it is damaged."""
        data, at = event.data, event.at
        number = int.from_bytes(data[at : at + 6], "little")
        flags = data[at + 6] | data[at + 7] << 8
        if number != _NO_TABLE:
            self._take_rows(event, number, where)
        if flags & _STATEMENT_END:
            self._tables.clear()
            self._segments.output.end_statement()

    def _take_rows(self, event: Event, number: int, where: str) -> None:
        layout = self._tables.get(number)
        if layout is None:
            raise refusals.without_table_map(where)
        data, at = event.data, event.at + 8
        if event.type >= EventType.WRITE_ROWS:
            at += int.from_bytes(data[at : at + 2], "little")
        operation = OPERATIONS[EventType(event.type)]
        width, at = lenenc(data, at)
        size = (width + 7 >> 3) * (2 if operation is Operation.UPDATE else 1)
        if width != layout.map.width or at + size > event.end:
            raise ValueError(f"rows of {width} columns for {layout.path}, which has {layout.map.width}")
        plan = self._plan(layout, event, data[at : at + size])
        try:
            self._add_rows(plan, data, (at + size, event.end), event.size)
        except refusals.DAMAGE as damaged:
            raise ValueError(f"rows of {layout.path}: {_without_values(damaged)}") from None

    def _plan(self, layout: Layout, event: Event, bitmaps: bytes) -> RowPlan | PartialPlan | None:
        if event.type == EventType.PARTIAL_UPDATE_ROWS:
            return self._layouts.partial(layout, bitmaps)
        return self._layouts.rows(layout, OPERATIONS[EventType(event.type)], bitmaps)

    def _add_rows(self, plan: RowPlan | PartialPlan | None, data: bytes, bounds: tuple[int, int], size: int) -> None:
        rows = 1 if plan is None else plan.read(data, bounds)
        skipped = min(rows, self.to_skip)
        self.to_skip -= skipped
        self.skipped += skipped
        if skipped < rows:
            self._segments.add(plan or NOBODYS, range(skipped, rows), size)
        if plan is not None:
            plan.release()


class Nobodys:
    """Rows that cannot be told apart, of a table that nobody wants."""

    def put(self, output: Output, first: int, last: int) -> None:
        """Append nothing."""


NOBODYS = Nobodys()


def _without_values(damaged: Exception) -> str:
    """Return the error's text; a codec's own would show the value (I12)."""
    if isinstance(damaged, UnicodeDecodeError):
        return f"text that is not valid {damaged.encoding}"
    return str(damaged)
