"""Watches a stream from outside while a drill runs: the state key, the published leader, the leader's lag."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hasync.coordination import Terms
from hasync.drill.recording import LagSeen, LeaderSeen, Recording, StateSeen
from hasync.errors import HasyncError
from hasync.model.cluster import Leader
from hasync.ports import Clock, Sink

EVERY_S: Final = 0.01
"""How often state and leader are looked at: what a time in the report can be wrong by."""

LAG_EVERY_S: Final = 0.5

LAST_LOOK_S: Final = 5.0
"""How long a look that is under way may take when the watching ends."""


class Eyes:
    """Records what changes, in three threads of its own.

    A look that fails is no sample; why the last one of each kind failed is in ``blind``,
    for a report must not hide that nothing was seen.
    """

    def __init__(
        self,
        *,
        sink: Sink,
        terms: Terms,
        lag_s: Callable[[Leader], float | None],
        recording: Recording,
        clock: Clock,
    ) -> None:
        """``sink``: only peeked at; ``lag_s``: asks the leader for its lag, None when it does not say."""
        self._sink = sink
        self._terms = terms
        self._lag_s = lag_s
        self._recording = recording
        self._clock = clock
        self._stop = threading.Event()
        self._state: StateSeen | None = None
        self._leader: Leader | None = None
        self._leader_known = False
        self.blind: dict[str, str] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch for the time of a ``with``. Raises HasyncError when Redis or ZooKeeper cannot be seen at the start."""
        self.look_at_state()
        self.look_at_leader()
        looks = (
            ("Redis", self.look_at_state, EVERY_S),
            ("ZooKeeper", self.look_at_leader, EVERY_S),
            ("the leader", self.look_at_lag, LAG_EVERY_S),
        )
        threads = [threading.Thread(target=self._repeat, args=look, daemon=True) for look in looks]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(LAST_LOOK_S)
            self._sink.close()

    def _repeat(self, what: str, look: Callable[[], None], every_s: float) -> None:
        while not self._stop.is_set():
            try:
                look()
            except HasyncError as error:
                self.blind[what] = error.message
            self._clock.wait(self._stop, every_s)

    def look_at_state(self) -> None:
        """Record the state key if it changed. Called from: one thread at a time."""
        state = self._sink.peek()
        if state is None:
            return
        place = state.position
        seen = StateSeen(
            at_s=self._clock.monotonic(),
            epoch=state.epoch,
            seq=state.seq,
            file=place.file if place else "",
            place=place.pos if place else 0,
        )
        known = self._state
        if known is None or (seen.epoch, seen.seq, seen.place) != (known.epoch, known.seq, known.place):
            self._state = seen
            self._recording.add(seen)

    def look_at_leader(self) -> None:
        """Record the published leader if it changed. Called from: one thread at a time."""
        leader = self._terms.leader()
        if self._leader_known and leader == self._leader:
            return
        self._leader, self._leader_known = leader, True
        at_s = self._clock.monotonic()
        self._recording.add(
            LeaderSeen(at_s=at_s, member=leader.member if leader else "", epoch=leader.epoch if leader else 0)
        )

    def look_at_lag(self) -> None:
        """Record the leader's own word on its lag."""
        if (leader := self._leader) is None:
            return
        lag_s = self._lag_s(leader)
        if lag_s is not None:
            self._recording.add(LagSeen(at_s=self._clock.monotonic(), lag_s=lag_s))
