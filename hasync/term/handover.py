"""Carries out a switchover on the leader's side: the queue is made ready first, while the leader goes on.

The election is a queue, and the lock goes to whoever is first in it. So those who are
not meant leave the queue when they see the wish (:func:`hasync.term.role.queueing`); once
the one who is meant stands right behind the leader, the leader drains and releases. If it
never comes to stand there, nothing has been interrupted.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from hasync.coordination import StreamCoordination
from hasync.errors import CoordinationUnavailable, EndReason, HasyncError
from hasync.model.cluster import Intent
from hasync.ports import Clock
from hasync.term.leading import Leading

PATIENCE_S: Final = 5.0
"""How long the leader waits for the queue to be ready before it gives the hand-over up."""

LOOK_EVERY_S: Final = 0.02

LAST_STEPS_S: Final = 30.0
"""How long the term may take to end before its wish is left to the successor to settle."""


class HandOverObserver(Protocol):
    """Told of hand-overs. Called from: the hand-over's own thread."""

    def handing_over(self, intent: Intent) -> None:
        """The one who is to lead is next in the queue; the term is drained now."""

    def hand_over_failed(self, intent: Intent, why: str) -> None:
        """The hand-over is given up; this instance goes on leading."""


class HandOver:
    """One switchover of one leadership, in a thread of its own.

    ``first_epoch``: of this leadership, 0 when its first term runs now. ``released``: set
    once the lock was given back, however the term ended. ``wanted``: whether the wish
    still stands.
    """

    def __init__(
        self,
        *,
        intent: Intent,
        leading: Leading,
        first_epoch: int,
        released: threading.Event,
        wanted: Callable[[], bool],
        coordination: StreamCoordination,
        member: str,
        clock: Clock,
        observer: HandOverObserver,
    ) -> None:
        self.intent = intent
        self.leading = leading
        self._first_epoch = first_epoch
        self._released = released
        self._wanted = wanted
        self._coordination = coordination
        self._member = member
        self._clock = clock
        self._observer = observer

    def start(self) -> None:
        """Begin. Called from: any thread."""
        threading.Thread(target=self._run, name=f"hasync-handover-{self._coordination.stream}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._carry_out()
        except HasyncError as error:  # refused, or ZooKeeper away when the wish was to be settled: the successor's turn
            self._observer.hand_over_failed(self.intent, str(error))

    def _carry_out(self) -> None:
        if not self._clock.wait(self.leading.begun, LAST_STEPS_S) or self._released.is_set():
            return
        first_epoch = self._first_epoch or self.leading.epoch
        if self.intent.to == self._member or self.intent.epoch < first_epoch:
            self._coordination.intents.settle(self.intent)  # this very term, or one before it, has fulfilled it
        elif self._ready():
            self._observer.handing_over(self.intent)
            self.leading.drain(EndReason.HANDOVER, told(self.intent))
            if self._clock.wait(self._released, LAST_STEPS_S):
                self._coordination.intents.settle(self.intent)
        elif not self._released.is_set() and self._coordination.intents.settle(self.intent):
            self._observer.hand_over_failed(self.intent, f"{self.intent.to} did not come to stand next in the queue")

    def _ready(self) -> bool:
        """Wait until the one who is to lead is next, as long as the term runs and the wish stands."""
        deadline = self._clock.monotonic() + PATIENCE_S
        while self._wanted() and self._clock.monotonic() < deadline:
            if self._next() == self.intent.to:
                return True
            if self._clock.wait(self._released, LOOK_EVERY_S):
                return False
        return False

    def _next(self) -> str:
        """Name who is next in the queue, empty for nobody, or when that cannot be known now."""
        try:
            queue = self._coordination.election.contenders()
        except CoordinationUnavailable:
            return ""
        return queue[1] if len(queue) > 1 and queue[0] == self._member else ""


def told(intent: Intent) -> str:
    """Say in words, for the history, who wanted a hand-over, when, and why."""
    when = datetime.fromtimestamp(intent.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"to {intent.to}, asked for by {intent.by} at {when}" + (f": {intent.reason}" if intent.reason else "")
