"""Gathers whole transactions into segments, and cuts only those that are larger than a segment.

Pure. The caller says what it read; :class:`Segments` says when something must be handed
over (``due``) and when something may be (``ready``).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from hasync.model.change import RowChanges, Segment
from hasync.model.position import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a segment may get before it is handed over. Rows of all tables count."""

    max_rows: int
    max_bytes: int


def cut(change: RowChanges, first: int, last: int) -> RowChanges:
    """Return rows ``first`` to ``last`` (exclusive) of a change."""
    return replace(change, before=change.before[first:last], after=change.after[first:last])


class Segments:
    """Two heaps: ``gathered``, transactions that have ended, and ``open``, the one that is being read.

    ``place`` returns the boundary that is reached: the end of the last transaction, which
    is also the start of the open one.
    """

    def __init__(self, *, limits: Limits, place: Callable[[], Position]) -> None:
        self._limits = limits
        self._place = place
        self._out: deque[Segment] = deque()
        self._gathered: list[RowChanges] = []
        self._gathered_rows = 0
        self._gathered_bytes = 0
        self._transactions = 0
        self._moved = False
        self._open: list[RowChanges] = []
        self._open_rows = 0
        self._open_bytes = 0
        self._rows_done = 0
        self.pieces = 0
        """Pieces of the open transaction that were handed over."""

    @property
    def due(self) -> bool:
        """Whether a segment is full."""
        return bool(self._out)

    @property
    def ready(self) -> bool:
        """Whether there is something to hand over, should nothing more be waiting."""
        return bool(self._out or self._moved)

    def take(self) -> Segment:
        """Return the oldest segment; an empty one when there is nothing."""
        if not self._out:
            self._flush()
        return self._out.popleft()

    def clear(self) -> None:
        """Forget all that was gathered, but not how many rows of the next transaction are done."""
        self._out.clear()
        self._gathered.clear()
        self._gathered_rows = self._gathered_bytes = self._transactions = 0
        self._moved = False
        self._clear_open()

    def resume_after(self, rows: int) -> None:
        """Say how many rows of the open transaction a former reader has handed over."""
        self._rows_done = rows

    def add_bytes(self, size: int) -> None:
        """Count binlog bytes of an event without rows."""
        self._open_bytes += size

    def add(self, change: RowChanges | None, rows: int, size: int) -> None:
        """Take the rows of one event in; ``change`` is None when nothing of them is wanted."""
        if self._transactions and self._too_large(self._gathered_rows + rows, self._gathered_bytes + size):
            self._flush()
        if self._too_large(rows, size):
            rows, size, change = self._split(change, rows, size)
        if change is not None:
            self._open.append(change)
        self._open_rows += rows
        self._open_bytes += size

    def _too_large(self, rows: int, size: int) -> bool:
        return self._open_rows + rows > self._limits.max_rows or self._open_bytes + size > self._limits.max_bytes

    def _split(self, change: RowChanges | None, rows: int, size: int) -> tuple[int, int, RowChanges | None]:
        """Hand over what is open, then full pieces of the event; return what is left of it, at least one row."""
        if self._open_rows:
            self._hand_over_piece()
        most = self._limits.max_rows
        done = 0
        while rows - done > most:
            if change is not None:
                self._open.append(cut(change, done, done + most))
            self._open_rows = most
            self._open_bytes += size * most // rows
            self._hand_over_piece()
            done += most
        rest = change if change is None or not done else cut(change, done, rows)
        return rows - done, size * (rows - done) // max(rows, 1), rest

    def _hand_over_piece(self) -> None:
        self._rows_done += self._open_rows
        self.pieces += 1
        position = self._place().after_rows(self._rows_done)
        self._out.append(
            Segment(
                changes=tuple(self._open),
                position=position,
                ends_transaction=False,
                transactions=0,
                rows=self._open_rows,
                bytes=self._open_bytes,
                timestamp=position.timestamp,
            )
        )
        self._clear_open()

    def _clear_open(self) -> None:
        self._open = []
        self._open_rows = self._open_bytes = 0

    def mark(self) -> tuple[int, int]:
        """Return a savepoint in the open transaction, for :meth:`forget_since`."""
        return self.pieces, len(self._open)

    def forget_since(self, mark: tuple[int, int]) -> bool:
        """Drop the changes since ``mark`` (their rows still count); False when some were handed over already."""
        pieces, kept = mark
        if pieces != self.pieces:
            return False
        del self._open[kept:]
        return True

    def end(self, *, transactions: int = 1) -> None:
        """Close the open transaction; ``place`` must be its end already."""
        split = self.pieces > 0
        self._gathered += self._open
        self._gathered_rows += self._open_rows
        self._gathered_bytes += self._open_bytes
        self._transactions += transactions
        self._moved = True
        self._clear_open()
        self._rows_done = self.pieces = 0
        if split or self._too_large(self._gathered_rows + 1, self._gathered_bytes + 1):
            self._flush()

    def beat(self) -> None:
        """Hand over what is gathered, or an empty segment: the source is alive and has nothing more."""
        self._flush(idle=not self._open_rows and not self.pieces)

    def _flush(self, *, idle: bool = False) -> None:
        # A resume inside a transaction that has not come yet must keep its rows.
        position = self._place().after_rows(self._rows_done)
        self._out.append(
            Segment(
                changes=tuple(self._gathered),
                position=position,
                ends_transaction=position.at_boundary,
                transactions=self._transactions,
                rows=self._gathered_rows,
                bytes=self._gathered_bytes,
                timestamp=position.timestamp,
                idle=idle,
            )
        )
        self._gathered = []
        self._gathered_rows = self._gathered_bytes = self._transactions = 0
        self._moved = False
