"""Gives the streams of an instance away while operators want it to be without any.

A drained instance counts as one of weight 0: a reserve, for every stream. It gives way in
elections, and asks for the hand-over of what it leads, one wish for each stream. What
nobody else can lead it keeps: to drain an instance must not stop a stream.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from hasync.errors import HasyncError
from hasync.logs import Event, Log
from hasync.model.drain import Drain
from hasync.model.member import Eligibility, Member
from hasync.model.placement import leads
from hasync.ports import Clock
from hasync.term.handover import PATIENCE_S

AGAIN_S: Final = PATIENCE_S + 3.0
"""A hand-over that has not come about by then was given up; the next instance is asked."""


class Drains(Protocol):
    """Where the wish is kept; :class:`hasync.cluster.drains.DrainList`."""

    def get(self, member: str) -> Drain | None:
        """Read a member's drain. Raises CoordinationUnavailable, CoordinationRefused."""


class Streams(Protocol):
    """The instance's own streams; :class:`hasync.worker.seats.Seats`."""

    def led(self) -> Sequence[str]:
        """Name the streams that this instance leads."""

    def weigh(self, weight: int) -> None:
        """Take another share of the streams."""

    def ask_hand_over(self, stream: str, target: str, reason: str, *, by: str = "") -> bool:
        """Ask that another instance lead; False when it cannot be asked now. Raises HasyncError."""


class Draining:
    """Looks for the wish, and carries it out. Called from: the main thread."""

    def __init__(
        self,
        *,
        drains: Drains,
        member: str,
        weight: int,
        streams: Streams,
        others: Callable[[], Sequence[Member]],
        clock: Clock,
        log: Log,
    ) -> None:
        """``weight``: the instance's own, while it is not drained; ``others``: all members as last seen."""
        self._drains = drains
        self._member = member
        self._weight = weight
        self._streams = streams
        self._others = others
        self._clock = clock
        self._log = log
        self._asked: dict[str, tuple[float, int]] = {}
        self.drain: Drain | None = None

    @property
    def told(self) -> str:
        """Who wants it and why, empty while nobody does."""
        return self.drain.told if self.drain else ""

    def look(self) -> None:
        """Take note of the wish, and ask for the next hand-overs; what ZooKeeper does not answer now, later."""
        try:
            self._note(self._drains.get(self._member))
            if self.drain is not None:
                for stream in self._streams.led():
                    self._give_away(stream, self.drain)
        except HasyncError:
            return  # its absence is told elsewhere

    def _note(self, drain: Drain | None) -> None:
        if drain == self.drain:
            return
        self.drain = drain
        self._asked.clear()
        self._streams.weigh(0 if drain else self._weight)
        self._log.info(Event.DRAINING if drain else Event.UNDRAINED, detail=self.told)

    def _give_away(self, stream: str, drain: Drain) -> None:
        """Ask the next one that could lead it, another one each time."""
        now_s = self._clock.monotonic()
        asked_at_s, tries = self._asked.get(stream, (float("-inf"), 0))
        targets = takers(stream, self._member, self._others())
        if not targets or now_s - asked_at_s < AGAIN_S:
            return
        target = targets[tries % len(targets)]
        reason = f"{self._member} is drained" + (f": {drain.reason}" if drain.reason else "")
        if self._streams.ask_hand_over(stream, target, reason, by=drain.by):
            self._asked[stream] = now_s, tries + 1


def takers(stream: str, member: str, members: Sequence[Member]) -> list[str]:
    """Name who else could lead a stream now: those meant to before reserves, the least loaded first; none drained."""
    found = [
        (status.eligibility is Eligibility.RESERVE, leads(other), other.id)
        for other in members
        if other.id != member and not other.drained and (status := other.streams.get(stream)) is not None
        if status.role == "standby" and status.able and status.eligibility is not Eligibility.BARRED
    ]
    return [name for *_, name in sorted(found)]
