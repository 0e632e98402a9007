"""Copies what Redis has confirmed to ZooKeeper, and shows who leads; in a thread of its own.

ZooKeeper being slow or away never holds up the data road, and never ends a term: the
copy lags and catches up. Only a lost lock ends it.
"""

import threading
from dataclasses import replace
from typing import Protocol

from hasync.coordination import PositionStore, StoredPosition, Terms
from hasync.errors import CoordinationUnavailable, EndReason, HasyncError, TermEnded
from hasync.model.cluster import Leader, Leadership, TermRecord
from hasync.model.state import Acknowledged, SinkState
from hasync.ports import Clock
from hasync.term.guard import TermGuard
from hasync.term.takeover import Takeover

LAST_WORD_S = 5.0
"""How long the end of a term waits for the acknowledging thread."""


class AcknowledgeObserver(Protocol):
    """Told how acknowledging goes. Called from: the acknowledging thread; must not block."""

    def acknowledged(self, acknowledged: Acknowledged, seconds: float) -> None:
        """ZooKeeper has this position now."""

    def acknowledge_failed(self, error: HasyncError) -> None:
        """It could not be saved this time; it will be tried again."""


class Acknowledger:
    """The control road of one term, from the first acknowledged position to the term's record."""

    def __init__(
        self,
        *,
        positions: PositionStore,
        terms: Terms,
        leadership: Leadership,
        leader: Leader,
        record: TermRecord,
        stored: StoredPosition,
        rewinds: bool,
        guard: TermGuard,
        clock: Clock,
        every_s: float,
        observer: AcknowledgeObserver,
        takeover: Takeover | None = None,
    ) -> None:
        self._takeover = takeover
        self._positions = positions
        self._terms = terms
        self._leadership = leadership
        self._leader = leader
        self._record = record
        self._stored = stored
        self._rewinds = rewinds
        self._guard = guard
        self._clock = clock
        self._every_s = every_s
        self._observer = observer
        self._latest: SinkState | None = None
        self._announced = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hasync-acknowledger", daemon=True)

    def start(self) -> None:
        """Announce the leader and begin to copy. Called from: the stream's thread."""
        self._thread.start()

    def offer(self, state: SinkState) -> None:
        """Hand over what the sink has confirmed; the latest one counts. Called from: the stream's thread."""
        self._latest = state

    def finish(self, reason: EndReason, message: str = "") -> None:
        """Save the last position and complete the term's record, if ZooKeeper answers. The stream's thread calls it.

        ``message``: why, for ``hasync history``.
        """
        self._stopping.set()
        self._thread.join(LAST_WORD_S)
        if self._thread.is_alive():
            return
        self._attempt(self._acknowledge)
        self._attempt(lambda: self._close_record(reason, message))

    def _run(self) -> None:
        while True:
            self._attempt(self._announce)
            self._attempt(self._acknowledge)
            if self._clock.wait(self._stopping, self._every_s):
                return

    def _attempt(self, step: "Step") -> None:
        try:
            step()
        except CoordinationUnavailable as error:
            self._observer.acknowledge_failed(error)
        except TermEnded as ended:
            self._guard.end(ended.reason, ended.message)
        except HasyncError as error:  # refused: this instance cannot acknowledge, another may
            self._observer.acknowledge_failed(error)
            self._guard.end(EndReason.LOCAL_FAULT, error.message)

    def _announce(self) -> None:
        """Name the leader, and write the term's record; again when a step of the takeover came to it."""
        if not self._announced:
            self._terms.publish(self._leadership, self._leader)
        steps_ms = self._takeover.steps_ms if self._takeover else {}
        if self._announced and steps_ms == self._record.takeover_ms:
            return
        record = replace(self._record, takeover_ms=steps_ms)
        self._terms.record(self._leadership, record)
        self._record, self._announced = record, True

    def _acknowledge(self) -> None:
        state = self._latest
        if state is None or state.position is None:
            return
        acknowledged = Acknowledged(
            epoch=state.epoch,
            seq=state.seq,
            position=state.redo_from or state.position,
            acknowledged_at=self._clock.wall(),
        )
        last = self._stored.value
        if last is not None and (last.epoch, last.seq) == (acknowledged.epoch, acknowledged.seq):
            return
        began = self._clock.monotonic()
        self._stored = self._positions.save(self._leadership, self._stored, acknowledged, rewind=self._rewinds)
        self._rewinds = False
        self._observer.acknowledged(acknowledged, self._clock.monotonic() - began)

    def _close_record(self, reason: EndReason, message: str) -> None:
        end = self._latest.position if self._latest else None
        told = "" if message == TermEnded(reason).message else message
        self._terms.record(self._leadership, self._record.ended(reason, told, until=self._clock.wall(), end=end))
        self._terms.unpublish(self._leadership)


class Step(Protocol):
    """One thing to do in ZooKeeper."""

    def __call__(self) -> None:
        """Do it; may raise any HasyncError."""
