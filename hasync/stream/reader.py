"""The reader thread: opens the source, reads segments, hands them over; reconnects where it stopped."""

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from hasync.errors import EndReason, Fatal, HasyncError, SourceUnavailable, TermEnded
from hasync.model.change import Interest, Segment
from hasync.model.position import Position, Start
from hasync.ports import ChangeSource, Clock
from hasync.stream.queue import SegmentQueue

Result = TypeVar("Result")


class Retry(Protocol):
    """The one retry owner, as the data road sees it (:class:`hasync.retry.Retrier`)."""

    def call(self, operation: str, function: Callable[[], Result], *, check: Callable[[], None]) -> Result:
        """Repeat ``function`` while it raises Retryable; ``check`` runs first in each attempt."""


class Reopening(Protocol):
    """Whether the source may be taken (:class:`hasync.term.reopening.Reopening`). Called from: the reader thread."""

    def check(self, *, again: bool) -> None:
        """Raise TermEnded when another instance reads by right, Retryable while that cannot be known."""

    def taken(self, ended: TermEnded) -> HasyncError:
        """Return what to make of another reader having taken the dump: SourceUnavailable, to open it again."""


class Unrivalled:
    """The :class:`Reopening` of a reader outside any term: it asks nobody, and gives in at once."""

    def check(self, *, again: bool) -> None:
        """Allow it."""

    def taken(self, ended: TermEnded) -> HasyncError:
        """Return ``ended``."""
        return ended


TOLD_EVERY_S = 1.0
"""How often a reader that is held back says so: a sink that takes nothing for hours must show meanwhile."""


class SourceObserver(Protocol):
    """Told what the reader sees. Called from: the reader thread; must not block."""

    def opened(self, position: Position) -> None:
        """The dump is open and begins here."""

    def read(self, segment: Segment) -> None:
        """A segment came in (an empty one is a heartbeat, or other tables' traffic)."""

    def held_back(self, seconds: float) -> None:
        """The queue was full for so long, since the last time: the sink is slower than the source."""

    def source_lost(self, error: SourceUnavailable) -> None:
        """The connection is gone; the reader will open it again."""


def anchor(position: Position) -> Segment:
    """Return an empty segment that only says where the source begins."""
    return Segment(
        changes=(),
        position=position,
        ends_transaction=position.at_boundary,
        transactions=0,
        rows=0,
        bytes=0,
        timestamp=position.timestamp,
    )


class Reader:
    """Runs a source in a thread of its own until stopped, and survives lost connections.

    A reopened source resumes at the position of the last segment that was handed over,
    never at what a driver remembers, so nothing is skipped and nothing comes twice.
    """

    def __init__(
        self,
        *,
        source: ChangeSource,
        interest: Interest,
        queue: SegmentQueue,
        retry: Callable[[threading.Event], Retry],
        check: Callable[[], None],
        clock: Clock,
        observer: SourceObserver,
        reopening: Reopening | None = None,
    ) -> None:
        self._source = source
        self._interest = interest
        self._queue = queue
        self._check = check
        self._clock = clock
        self._observer = observer
        self._reopening: Reopening = reopening or Unrivalled()
        self._tried = False
        self._stopping = threading.Event()
        self._retry = retry(self._stopping)
        self._at: Start | Position

    def stop(self) -> None:
        """Read no more; what was handed over stays. Called from: any thread, any number of times."""
        self._stopping.set()
        self._source.interrupt()

    def follow(self, interest: Interest) -> None:
        """Use another interest from the next transaction on. Called from: any thread."""
        self._interest = interest
        self._source.follow(interest)

    def run(self, start: Start | Position) -> None:
        """Read until stopped or failed; the queue learns the end. The reader thread's top frame."""
        error: Exception | None = None
        try:
            self._read_on(start)
        except Exception as trouble:  # noqa: BLE001 - a thread's top frame: the stream's thread raises it again
            error = trouble
        finally:
            self._source.close()
            self._queue.end(None if self._stopping.is_set() else error)

    def _read_on(self, start: Start | Position) -> None:
        self._at = start
        while not self._stopping.is_set():
            self._read_connection(self._retry.call("open_source", self._open, check=self._may_go_on))

    def _may_go_on(self) -> None:
        if self._stopping.is_set():
            raise _Stopped
        self._check()

    def _open(self) -> Segment:
        try:
            return self._opened()
        except TermEnded as ended:
            raise self._considered(ended) from ended

    def _considered(self, ended: TermEnded) -> HasyncError:
        """Return a lost connection when the dump was taken by somebody who must give it back, else the end."""
        return self._reopening.taken(ended) if ended.reason is EndReason.SOURCE_CLAIMED else ended

    def _opened(self) -> Segment:
        """Open and read once: a server that accepts and then closes must count as a failed attempt.

        The place is kept as soon as it is known: ``latest`` resolved twice would skip what came between.
        """
        self._source.close()
        self._reopening.check(again=self._tried)
        self._tried = True
        opened = self._source.open(self._at, self._interest)
        _prove(self._at, opened)
        self._at = opened
        self._observer.opened(self._at)
        self._hand_over(anchor(self._at))
        return self._source.read()

    def _read_connection(self, segment: Segment) -> None:
        try:
            while True:
                self._hand_over(segment)
                self._at = segment.position
                segment = self._next()
        except SourceUnavailable as lost:
            if not self._stopping.is_set():  # else it is our own interruption
                self._observer.source_lost(lost)

    def _next(self) -> Segment:
        try:
            return self._source.read()
        except TermEnded as ended:
            raise self._considered(ended) from ended

    def _hand_over(self, segment: Segment) -> None:
        self._observer.read(segment)
        self._may_go_on()
        began = self._clock.monotonic()
        while not self._queue.put(segment, TOLD_EVERY_S):
            if self._queue.abandoned:
                raise _Stopped
            began = self._held_back_since(began)
        self._held_back_since(began)

    def _held_back_since(self, began: float) -> float:
        """Tell how long the queue was full, and return the moment up to which that is told."""
        now = self._clock.monotonic()
        self._observer.held_back(now - began)
        return now


def _prove(asked: Start | Position, opened: Position) -> None:
    """Refuse a source that begins elsewhere than asked: rows in between would be lost or doubled in silence."""
    if not isinstance(asked, Position) or asked.server_uuid != opened.server_uuid or asked.same_place(opened):
        return
    if asked.gtid_set and asked.gtid_set == opened.gtid_set and asked.rows_done == opened.rows_done:
        return  # found by GTID: the same transactions are behind it, whatever its name
    raise Fatal(
        f"the source was asked for {asked} and begins at {opened}", hint="this is a bug in hasync, please report it"
    )


class _Stopped(TermEnded):
    """The reader was asked to stop while it waited; ends its thread without an error."""

    def __init__(self) -> None:
        super().__init__(EndReason.HANDOVER)
