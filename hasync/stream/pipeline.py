"""The data road of one term: reader thread → queue → rules → batch → sink.

``run`` belongs to the stream's thread, which alone talks to the sink. The reader decodes
the next segments while a batch is on its way to Redis; a batch is whatever arrived in
the meantime, up to the limits, and is sent at once when the stream is idle.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hasync.model.command import Command, Packed
from hasync.model.position import Position, Start
from hasync.model.state import SinkState
from hasync.ports import ChangeSource, Clock, Sink, TermGuard
from hasync.stream.batch import Batch, BatchLimit
from hasync.stream.plan import Projection
from hasync.stream.queue import SegmentQueue
from hasync.stream.reader import Reader, Reopening, Retry, SourceObserver
from hasync.stream.rules import Rules

QUEUE_BATCHES = 4
"""How many batches may wait in the queue: enough to keep the sink busy, little enough to drain fast."""

IDLE_ADVANCE_S = 1.0
"""How often the state moves on when only other tables change, so that the position is not purged under us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One write that the sink has confirmed.

    ``batch`` and ``writes`` are None when only the position moved on. ``rendered_s``: the time
    from rows to commands; ``duration_s``: the exchange with the sink, retries included.
    """

    state: SinkState
    batch: Batch | None
    writes: Projection | None
    commands: int
    rendered_s: float
    duration_s: float


class StreamObserver(SourceObserver, Protocol):
    """Told what the pipeline does. Called from: the stream's thread, but for SourceObserver's; must not block."""

    def applied(self, applied: Applied) -> None:
        """A batch, or a position, is in the sink."""

    def waiting(self, rows: int, capacity_rows: int) -> None:
        """So many rows wait in the queue now, of so many that may; told before each batch and each attempt."""

    def caught_up(self) -> None:
        """Everything that the source has sent is applied, as of now."""

    def turning(self) -> None:
        """The stream's thread goes round: what liveness looks at."""


class Pipeline:
    """Moves row changes from a source to a sink for the length of one term.

    Raises out of :meth:`run` whatever ends it: TermEnded, Regressed, StateMissing, any Fatal.
    ``retry`` belongs to the stream's thread; ``reader_retry`` makes the reader's own, whose
    waits end with the event it is given.
    """

    def __init__(
        self,
        *,
        source: ChangeSource,
        sink: Sink,
        rules: Rules,
        limit: BatchLimit,
        guard: TermGuard,
        clock: Clock,
        retry: Retry,
        reader_retry: Callable[[threading.Event], Retry],
        observer: StreamObserver,
        on_applied: Callable[[SinkState], None],
        on_caught_up: Callable[[], None],
        reopening: Reopening | None = None,
    ) -> None:
        self._sink = sink
        self._limit = limit
        self._guard = guard
        self._clock = clock
        self._retry = retry
        self._observer = observer
        self._on_applied = on_applied
        self._on_caught_up = on_caught_up
        self._queue = SegmentQueue(max_rows=limit.max_rows * QUEUE_BATCHES, max_bytes=limit.max_bytes * QUEUE_BATCHES)
        self._reader = Reader(
            source=source,
            interest=rules,
            queue=self._queue,
            retry=reader_retry,
            check=guard.check,
            clock=clock,
            observer=observer,
            reopening=reopening,
        )
        self._advanced_at = clock.monotonic()
        self._unwritten: Position | None = None

    def drain(self) -> None:
        """Stop reading; what was read is still applied, then :meth:`run` returns. Called from: any thread."""
        self._reader.stop()

    def follow(self, rules: Rules) -> None:
        """Use other rules from the next transaction on. Called from: any thread."""
        self._reader.follow(rules)

    def run(self, start: Start | Position, claimed: SinkState) -> SinkState:
        """Apply from ``start`` on until drained; return the last confirmed state.

        Called from: the stream's thread, after it has claimed ``claimed``.
        """
        state = claimed
        thread = threading.Thread(target=self._reader.run, args=(start,), name="hasync-reader", daemon=True)
        thread.start()
        try:
            while not self._queue.drained:
                self._may_write()
                state = self._step(state)
            return self._settle(state)
        finally:
            self._reader.stop()
            self._queue.abandon()
            thread.join()

    def _may_write(self) -> None:
        self._observer.turning()
        self._observer.waiting(
            self._queue.rows, self._queue.capacity_rows
        )  # before a batch is taken, and while it fails
        self._guard.check()

    def _step(self, state: SinkState) -> SinkState:
        limit = self._limit
        segments = self._queue.take(IDLE_ADVANCE_S, max_rows=limit.max_rows, max_bytes=limit.max_bytes)
        if segments:
            state = self._apply(Batch.of(segments), state)
            if segments[-1].idle and not self._queue.rows:
                self._on_caught_up()
                self._observer.caught_up()
        if self._clock.monotonic() - self._advanced_at >= IDLE_ADVANCE_S:
            state = self._settle(state)
        return state

    def _apply(self, batch: Batch, state: SinkState) -> SinkState:
        began = self._clock.monotonic()
        writes = batch.writes()
        commands = writes.commands()
        rendered_s = self._clock.monotonic() - began
        if commands or state.position is None:
            return self._write(commands, batch.position, batch, writes, rendered_s)
        self._unwritten = batch.position
        return state

    def _settle(self, state: SinkState) -> SinkState:
        """Write down a position that moved on without commands, and confirm a batch that might be redone."""
        position = self._unwritten or (state.position if state.redo_from else None)
        if position is None or (state.redo_from is None and state.position and position.same_place(state.position)):
            self._unwritten, self._advanced_at = None, self._clock.monotonic()
            return state
        return self._write([], position)

    def _write(
        self,
        commands: list[Command | Packed],
        position: Position,
        batch: Batch | None = None,
        writes: Projection | None = None,
        rendered_s: float = 0.0,
    ) -> SinkState:
        began = self._clock.monotonic()
        state = self._retry.call("apply", lambda: self._sink.apply(commands, position), check=self._may_write)
        self._advanced_at = self._clock.monotonic()
        self._unwritten = None
        self._on_applied(state)
        duration_s = self._advanced_at - began
        self._observer.applied(
            Applied(
                state=state,
                batch=batch,
                writes=writes,
                commands=sum(one.commands if isinstance(one, Packed) else 1 for one in commands),
                rendered_s=rendered_s,
                duration_s=duration_s,
            )
        )
        return state
