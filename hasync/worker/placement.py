"""What this instance knows of the others, and spreading leaders evenly over all of them.

Every instance lists the members again and again and computes the same next move
(:mod:`hasync.model.placement`). The one that leads the stream of the move asks for the
hand-over as an operator would: by a wish in ZooKeeper, if there is no other. That is all;
nobody coordinates beyond it, and a move made from an old picture is at worst made in vain.
"""

from collections.abc import Callable, Sequence
from typing import Final

from hasync.errors import HasyncError
from hasync.logs import Event, Log
from hasync.model.member import Eligibility, Member, StreamStatus
from hasync.model.placement import Move, better, next_move
from hasync.ports import Clock
from hasync.settings import Settings
from hasync.term.handover import PATIENCE_S

DISTRUST_S: Final = 60.0
"""How long an instance that did not take a stream is given none."""

CARRIED_OUT_S: Final = PATIENCE_S + 3.0
"""A hand-over that does not show in the members by then has been given up."""

Picture = frozenset[tuple[str, str, str, str]]
"""Member, its process start, stream, role: what a change of leaders shows in."""


class Neighbours:
    """The members as this instance last saw them, and since when. :class:`hasync.worker.adapters.Company`."""

    def __init__(self, *, member: str, status: Callable[[str], StreamStatus | None], clock: Clock) -> None:
        """``status``: what this instance says of a stream now."""
        self._member = member
        self._status = status
        self._clock = clock
        self._since_s: dict[tuple[str, str], float] = {}
        self._picture: Picture = frozenset()
        self._changed_at_s = clock.monotonic()
        self.members: tuple[Member, ...] = ()

    def know(self, members: Sequence[Member]) -> None:
        """Take note of who is there and leads what. Called from: the main thread."""
        now_s = self._clock.monotonic()
        here = {(member.id, member.instance) for member in members}
        self._since_s = {one: self._since_s.get(one, now_s) for one in here}
        picture = frozenset(
            (member.id, member.instance, name, status.role)
            for member in members
            for name, status in member.streams.items()
        )
        if picture != self._picture:
            self._picture, self._changed_at_s = picture, now_s
        self.members = tuple(members)

    @property
    def calm_s(self) -> float:
        """Seconds since anybody's role was last seen to change."""
        return self._clock.monotonic() - self._changed_at_s

    def settled(self, after_s: float) -> set[str]:
        """Name the members that have been there for ``after_s``, as the same process."""
        now_s = self._clock.monotonic()
        return {member for (member, _), since_s in self._since_s.items() if now_s - since_s >= after_s}

    def others_able(self, stream: str) -> bool:
        """Whether another instance says that it could lead the stream. Called from: any thread."""
        return any(
            stream in member.streams and member.streams[stream].able
            for member in self.members
            if member.id != self._member
        )

    def better(self, stream: str, contenders: Callable[[], tuple[str, ...]]) -> str:
        """Name a contender that should lead it rather than this instance. Called from: the stream's thread."""
        mine = self._status(stream)
        if mine is None or (mine.eligibility is Eligibility.PREFERRED and mine.role != "unfit"):
            return ""
        others = [member for member in self.members if member.id != self._member]
        return better(mine, stream, contenders(), others)


class Balancer:
    """Asks for this instance's part of the hand-overs that spread leaders evenly. Called from: the main thread.

    ``ask(stream, target, reason)``: make the wish; False when it cannot be made now.
    """

    def __init__(
        self,
        *,
        neighbours: Neighbours,
        ask: Callable[[str, str, str], bool],
        settings: Settings,
        clock: Clock,
        log: Log,
        on_move: Callable[[], None],
    ) -> None:
        """``on_move``: told of each hand-over that was asked for."""
        self._neighbours = neighbours
        self._ask = ask
        self._member = settings.member_id
        self._rebalance = settings.rebalance
        self._clock = clock
        self._log = log
        self._on_move = on_move
        self._asked: Move | None = None
        self._asked_at_s = 0.0
        self._distrusted_s: dict[str, float] = {}

    def look(self) -> None:
        """Ask for the next hand-over if it is this instance's, and nothing has changed anywhere for a while."""
        now_s = self._clock.monotonic()
        if not self._rebalance.enabled or self._under_way(now_s) or self._neighbours.calm_s < self._rebalance.pause_s:
            return
        distrusted = {member for member, until_s in self._distrusted_s.items() if now_s < until_s}
        move = next_move(self._neighbours.members, self._neighbours.settled(self._rebalance.after_s) - distrusted)
        if move is not None and move.origin == self._member:
            self._begin(move, now_s)

    def _under_way(self, now_s: float) -> bool:
        """Whether the last hand-over may still come about. One that did not gives its target a rest."""
        asked = self._asked
        if asked is None:
            return False
        mine = next((member for member in self._neighbours.members if member.id == self._member), None)
        status = mine.streams.get(asked.stream) if mine else None
        if status is not None and status.role == "leader":
            if now_s - self._asked_at_s < CARRIED_OUT_S:
                return True
            self._distrusted_s[asked.target] = now_s + DISTRUST_S
        self._asked = None
        return False

    def _begin(self, move: Move, now_s: float) -> None:
        try:
            asked = self._ask(move.stream, move.target, move.reason)
        except HasyncError:
            return  # ZooKeeper is away or refuses; its absence is told elsewhere
        if asked:
            self._asked, self._asked_at_s = move, now_s
            self._log.info(Event.REBALANCING, stream=move.stream, to=move.target, reason=move.reason)
            self._on_move()
