"""What goes to Redis in one atomic step: whatever waited, in whole segments, up to a limit.

Merging is natural, not timed: while one batch is on its way, the next one gathers. A
batch never cuts a segment, and a segment never cuts a transaction that fits the
source's limit, so no reader of Redis sees half of one (I6).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from hasync.errors import Fatal
from hasync.model.change import Change, Segment
from hasync.model.position import Position
from hasync.stream.plan import Projection, project


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimit:
    """How much one batch may hold: rows of the binlog, and its bytes. One segment always fits."""

    max_rows: int
    max_bytes: int

    def fits(self, rows: int, size_bytes: int) -> bool:
        """Whether so much is still a batch."""
        return rows <= self.max_rows and size_bytes <= self.max_bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive segments, at least one. Once they are applied, the stream stands at ``position``."""

    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, segments: Iterable[Segment], *, after: Position | None = None) -> Self:
        """Merge all of them. ``after``: where the stream stands, checked against the first when given.

        Raises Fatal when they do not follow each other: such a batch would move the
        position over rows that were never seen.
        """
        merged = tuple(segments)
        if not merged:
            raise Fatal("a batch without segments has no position", hint="this is a bug in hasync, please report it")
        previous = after
        for segment in merged:
            _check_follows(previous, segment)
            previous = segment.position
        return cls(merged)

    @classmethod
    def gather(cls, waiting: Sequence[Segment], limit: BatchLimit, *, after: Position | None = None) -> Self:
        """Merge the first of ``waiting`` with as many more as the limit allows. Raises as :meth:`of`."""
        rows = size_bytes = count = 0
        for segment in waiting:
            rows, size_bytes = rows + segment.rows, size_bytes + segment.bytes
            if count and not limit.fits(rows, size_bytes):
                break
            count += 1
        return cls.of(waiting[:count], after=after)

    @property
    def position(self) -> Position:
        """Where the stream stands afterwards."""
        return self.segments[-1].position

    @property
    def ends_transaction(self) -> bool:
        """Whether it ends at a transaction's end."""
        return self.segments[-1].ends_transaction

    @property
    def rows(self) -> int:
        """Rows of the binlog in it, those of other tables included."""
        return sum(segment.rows for segment in self.segments)

    @property
    def bytes(self) -> int:
        """Binlog bytes in it."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def transactions(self) -> int:
        """Transactions that end in it."""
        return sum(segment.transactions for segment in self.segments)

    @property
    def timestamp(self) -> float:
        """Commit time of its last transaction, Unix seconds; 0 when unknown."""
        return max(segment.timestamp for segment in self.segments)

    def changes(self) -> Iterator[Change]:
        """All selected row changes, and commands made of some, in the binlog's order."""
        for segment in self.segments:
            yield from segment.changes

    def writes(self) -> Projection:
        """Apply the rules that selected the rows, where the source has not done so. Raises HandlerFailed."""
        return project(self.changes())


def _check_follows(previous: Position | None, segment: Segment) -> None:
    position = segment.position
    if segment.ends_transaction != position.at_boundary:
        raise _out_of_order(segment, "says that a transaction ends, but not at a boundary, or the reverse")
    if previous is None or previous.server_uuid != position.server_uuid or _log_name(previous) != _log_name(position):
        return
    if position.order() < previous.order():
        raise _out_of_order(segment, f"goes back behind {previous}")
    if not previous.at_boundary:
        _check_continues(previous, segment)


def _check_continues(previous: Position, segment: Segment) -> None:
    """Inside a split transaction only its next piece or its end may come."""
    position = segment.position
    if segment.ends_transaction and not segment.transactions:
        raise _out_of_order(segment, f"leaves the transaction at {previous} without its end")
    if not segment.ends_transaction and (position.file, position.pos) != (previous.file, previous.pos):
        raise _out_of_order(segment, f"begins a transaction inside the one at {previous}")


def _log_name(position: Position) -> str:
    return position.file.rpartition(".")[0]


def _out_of_order(segment: Segment, what: str) -> Fatal:
    return Fatal(f"segment at {segment.position} {what}", hint="this is a bug in hasync, please report it")
