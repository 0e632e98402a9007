"""What the reader has read and the writer has not yet applied: bounded by rows and by bytes."""

import threading
from collections import deque

from hasync.model.change import Segment


class SegmentQueue:
    """A bounded hand-over of segments from the reader thread to the stream's thread.

    Blocks the reader when full, so a slow sink slows the dump and memory stays bounded.
    One segment always fits, however large. The reader's last word is :meth:`end`: the
    writer first gets everything read before it, then the error.
    """

    def __init__(self, *, max_rows: int, max_bytes: int) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._segments: deque[Segment] = deque()
        self._rows = 0
        self._bytes = 0
        self._ended = False
        self._abandoned = False
        self._error: Exception | None = None
        self._changed = threading.Condition()

    @property
    def rows(self) -> int:
        """Rows waiting now. Called from: any thread."""
        return self._rows

    @property
    def capacity_rows(self) -> int:
        """Most rows that wait before the reader is held back."""
        return self._max_rows

    @property
    def abandoned(self) -> bool:
        """Whether nobody takes any more. Called from: any thread."""
        return self._abandoned

    def put(self, segment: Segment, timeout_s: float | None = None) -> bool:
        """Hand over a segment, waiting for room; False when there was none in time, and once nobody takes any more.

        Called from: the reader thread.
        """
        with self._changed:
            room = self._changed.wait_for(lambda: self._abandoned or self._fits(segment), timeout_s)
            if self._abandoned or not room:
                return False
            self._segments.append(segment)
            self._rows += segment.rows
            self._bytes += segment.bytes
            self._changed.notify_all()
            return True

    def _fits(self, segment: Segment) -> bool:
        if not self._segments:
            return True
        return self._rows + segment.rows <= self._max_rows and self._bytes + segment.bytes <= self._max_bytes

    def end(self, error: Exception | None) -> None:
        """Say that nothing follows, and why (None: asked to stop). Called from: the reader thread."""
        with self._changed:
            self._ended = True
            self._error = error
            self._changed.notify_all()

    def abandon(self) -> None:
        """Free a blocked reader; what waits is thrown away. Called from: the stream's thread."""
        with self._changed:
            self._abandoned = True
            self._segments.clear()
            self._rows = self._bytes = 0
            self._changed.notify_all()

    def take(self, timeout_s: float, *, max_rows: int, max_bytes: int) -> list[Segment]:
        """Take what waits, up to a batch's limits but at least one segment; ``[]`` when nothing came in time.

        Raises the reader's error once everything before it was taken. Called from: the stream's thread.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._segments or self._ended, timeout_s)
            if not self._segments and self._error is not None:
                raise self._error
            return self._take_up_to(max_rows, max_bytes)

    def _take_up_to(self, max_rows: int, max_bytes: int) -> list[Segment]:
        taken: list[Segment] = []
        rows = size = 0
        while self._segments:
            first = self._segments[0]
            if taken and (rows + first.rows > max_rows or size + first.bytes > max_bytes):
                break
            taken.append(self._segments.popleft())
            rows += first.rows
            size += first.bytes
        self._rows -= rows
        self._bytes -= size
        self._changed.notify_all()
        return taken

    @property
    def drained(self) -> bool:
        """Whether the reader has ended without error and everything was taken."""
        with self._changed:
            return self._ended and self._error is None and not self._segments
