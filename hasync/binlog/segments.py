"""Gathers whole transactions into segments, and cuts only those that are larger than a segment.

Pure. The caller says what it read; :class:`Segments` says when something must be handed
over (``due``) and when something may be (``ready``).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hasync.binlog.codec.output import START, Mark, Output
from hasync.model.change import Segment
from hasync.model.position import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a segment may get before it is handed over. Rows of all tables count."""

    max_rows: int
    max_bytes: int


class EventRows(Protocol):
    """The rows of one event, by their number in it."""

    def put(self, output: Output, first: int, last: int) -> None:
        """Append what is wanted of rows ``first`` to ``last`` (exclusive)."""


class Segments:
    """One output in two parts: gathered, transactions that have ended, and open, the one that is being read.

    ``place`` returns the boundary that is reached: the end of the last transaction, which
    is also the start of the open one.
    """

    def __init__(self, *, limits: Limits, place: Callable[[], Position]) -> None:
        self.limits = limits
        self.output = Output()
        self._place = place
        self._out: deque[Segment] = deque()
        self._gathered = START
        self._gathered_rows = 0
        self._gathered_bytes = 0
        self._transactions = 0
        self._moved = False
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

    @property
    def room_rows(self) -> int:
        """Rows that fit in before a segment is handed over; the open transaction must be empty."""
        return self.limits.max_rows - self._gathered_rows

    @property
    def room_bytes(self) -> int:
        """Bytes that fit in, as :attr:`room_rows`."""
        return self.limits.max_bytes - self._gathered_bytes

    def take(self) -> Segment:
        """Return the oldest segment; an empty one when there is nothing."""
        if not self._out:
            self._flush()
        return self._out.popleft()

    def clear(self) -> None:
        """Forget all that was gathered, but not how many rows of the next transaction are done."""
        self._out.clear()
        self.output.forget(START)
        self._gathered = START
        self._gathered_rows = self._gathered_bytes = self._transactions = 0
        self._moved = False
        self._clear_open()

    def resume_after(self, rows: int) -> None:
        """Say how many rows of the open transaction a former reader has handed over."""
        self._rows_done = rows

    def add_bytes(self, size: int) -> None:
        """Count binlog bytes of an event without rows."""
        self._open_bytes += size

    def add(self, event: EventRows, rows: range, size: int) -> None:
        """Take rows of one event in, which has ``size`` bytes."""
        count = len(rows)
        if self._transactions and self._too_large(self._gathered_rows + count, self._gathered_bytes + size):
            self._flush()
        first = rows.start
        if self._too_large(count, size):
            first = self._split(event, rows, size)
            size = size * (rows.stop - first) // max(count, 1)
        event.put(self.output, first, rows.stop)
        self._open_rows += rows.stop - first
        self._open_bytes += size

    def _too_large(self, rows: int, size: int) -> bool:
        return self._open_rows + rows > self.limits.max_rows or self._open_bytes + size > self.limits.max_bytes

    def _split(self, event: EventRows, rows: range, size: int) -> int:
        """Hand over what is open, then full pieces of the event; return the first row that is left, at least one is."""
        if self._open_rows:
            self._hand_over_piece()
        most = self.limits.max_rows
        first = rows.start
        while rows.stop - first > most:
            event.put(self.output, first, first + most)
            self._open_rows = most
            self._open_bytes += size * most // len(rows)
            self._hand_over_piece()
            first += most
        return first

    def _hand_over_piece(self) -> None:
        self._rows_done += self._open_rows
        self.pieces += 1
        position = self._place().after_rows(self._rows_done)
        self._out.append(
            Segment(
                changes=self.output.take(self.output.mark()),
                position=position,
                ends_transaction=False,
                transactions=0,
                rows=self._open_rows,
                bytes=self._open_bytes,
                timestamp=position.timestamp,
            )
        )
        self._gathered = START
        self._open_rows = self._open_bytes = 0

    def _clear_open(self) -> None:
        self.output.forget(self._gathered)
        self._open_rows = self._open_bytes = 0

    def mark(self) -> tuple[int, Mark]:
        """Return a savepoint in the open transaction, for :meth:`forget_since`."""
        return self.pieces, self.output.mark().since(self._gathered)

    def forget_since(self, savepoint: tuple[int, Mark] | None) -> bool:
        """Drop the changes since the savepoint, None: all of the open transaction; their rows still count.

        Returns False when some were handed over already.
        """
        pieces, mark = savepoint or (0, START)
        if pieces != self.pieces:
            return False
        self.output.forget(mark.behind(self._gathered))
        return True

    def end(self, *, transactions: int = 1) -> None:
        """Close the open transaction; ``place`` must be its end already."""
        split = self.pieces > 0
        self._gathered = self.output.mark()
        self._rows_done = self.pieces = 0
        rows, size = self._open_rows, self._open_bytes
        self._open_rows = self._open_bytes = 0
        self.gather(rows=rows, size=size, transactions=transactions)
        if split and self._moved:
            self._flush()

    def gather(self, *, rows: int, size: int, transactions: int) -> None:
        """Take in whole transactions, whose commands stand at the output's end; ``place`` must be behind them."""
        self._gathered = self.output.mark()
        self._gathered_rows += rows
        self._gathered_bytes += size
        self._transactions += transactions
        self._moved = True
        if self._gathered_rows >= self.limits.max_rows or self._gathered_bytes >= self.limits.max_bytes:
            self._flush()

    def close(self) -> None:
        """Hand over what is gathered, if anything: the next transaction does not fit in."""
        if self._transactions:
            self._flush()

    def beat(self) -> None:
        """Hand over what is gathered, or an empty segment: the source is alive and has nothing more."""
        self._flush(idle=not self._open_rows and not self.pieces)

    def _flush(self, *, idle: bool = False) -> None:
        # A resume inside a transaction that has not come yet must keep its rows.
        position = self._place().after_rows(self._rows_done)
        self._out.append(
            Segment(
                changes=self.output.take(self._gathered),
                position=position,
                ends_transaction=position.at_boundary,
                transactions=self._transactions,
                rows=self._gathered_rows,
                bytes=self._gathered_bytes,
                timestamp=position.timestamp,
                idle=idle,
            )
        )
        self._gathered = START
        self._gathered_rows = self._gathered_bytes = self._transactions = 0
        self._moved = False
