"""Which instance should lead which stream: by weight, by what a stream pins to or avoids, one move at a time.

Pure. Every instance computes the same from the same members; only the one that leads
the stream of a :class:`Move` acts on it. A move is proposed only where it makes the most
loaded side strictly less loaded than it was, so moves come to an end and never go round.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Final

from hasync.model.member import Eligibility, Member, StreamStatus

LEADS: Final = frozenset({"leader", "draining"})
"""Roles that count as load."""

BACKLOG: Final = frozenset({"standby", "unfit"})
"""Roles of instances in a stream's queue: as long as nobody leads it, it is on its way to one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One hand-over that would spread leaders more evenly. ``reason``: for the log and the history."""

    stream: str
    origin: str
    target: str
    reason: str


def eligibility(member: str, *, weight: int, pin: Sequence[str], avoid: Sequence[str]) -> Eligibility:
    """Say whether a member may lead a stream; ``pin`` and ``avoid``: names, or patterns with ``*`` and ``?``."""
    if pin and not _matches(member, pin):
        return Eligibility.BARRED
    return Eligibility.RESERVE if weight == 0 or _matches(member, avoid) else Eligibility.PREFERRED


def _matches(member: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(member, pattern) for pattern in patterns)


def better(mine: StreamStatus, stream: str, contenders: Collection[str], members: Sequence[Member]) -> str:
    """Name a contender that should lead rather than the one with the status ``mine``; empty when there is none.

    An instance whose preflight fails gives way to any that could lead, one that is only a
    reserve to one that is not.
    """
    rank = 0 if mine.role == "unfit" else _rank(mine)
    for member in members:
        status = member.streams.get(stream)
        if status is not None and member.id in contenders and status.able and _rank(status) > rank:
            return member.id
    return ""


def _rank(status: StreamStatus) -> int:
    return {Eligibility.BARRED: 0, Eligibility.RESERVE: 1, Eligibility.PREFERRED: 2}[status.eligibility]


def leads(member: Member) -> int:
    """Count the streams that a member leads."""
    return sum(status.role in LEADS for status in member.streams.values())


def at_rest(members: Sequence[Member]) -> bool:
    """Whether no leadership is on its way: none drains, none is doubled, and none is about to be won."""
    streams = {stream for member in members for stream in member.streams}
    return all(_at_rest(_roles(members, stream)) for stream in streams)


def _roles(members: Sequence[Member], stream: str) -> list[str]:
    return [member.streams[stream].role for member in members if stream in member.streams]


def _at_rest(roles: Sequence[str]) -> bool:
    leaders = roles.count("leader")
    return "draining" not in roles and (leaders == 1 or (leaders == 0 and not BACKLOG.intersection(roles)))


def next_move(members: Sequence[Member], settled: Collection[str]) -> Move | None:
    """Return the hand-over to make next, None when leaders are spread as they should be.

    ``settled``: the members that have been there long enough to be given work. A stream
    that is led by a reserve goes first; then the most loaded gives to the least loaded.
    """
    if not at_rest(members):
        return None
    load = {member.id: _load(member, leads(member)) for member in members}
    targets = sorted(
        (member for member in members if member.id in settled and member.weight > 0),
        key=lambda member: (_load(member, leads(member) + 1), member.id),
    )
    return next(_reserves_first(members, targets), None) or next(_evened(members, targets, load), None)


def _load(member: Member, streams: int) -> Fraction:
    """Return streams per weight; what an instance of weight 0 leads weighs more than anything."""
    return Fraction(streams, member.weight) if member.weight else Fraction(streams * 1_000_000)


def _reserves_first(members: Sequence[Member], targets: Sequence[Member]) -> Iterator[Move]:
    for origin in members:
        for stream, status in _led(origin):
            if status.eligibility is Eligibility.PREFERRED:
                continue
            for target in targets:
                if _takes(target, stream):
                    why = f"{origin.id} is only a reserve for it"
                    yield Move(stream=stream, origin=origin.id, target=target.id, reason=why)


def _evened(members: Sequence[Member], targets: Sequence[Member], load: Mapping[str, Fraction]) -> Iterator[Move]:
    for origin in sorted(members, key=lambda member: (-load[member.id], member.id)):
        for target in targets:
            after = leads(target) + 1
            if target.id == origin.id or _load(target, after) >= load[origin.id]:
                continue
            stream = next((name for name, _ in _led(origin) if _takes(target, name)), None)
            if stream is not None:
                why = f"{origin.id} leads {_told(origin)}, {target.id} {_told(target)}"
                yield Move(stream=stream, origin=origin.id, target=target.id, reason=why)


def _told(member: Member) -> str:
    return f"{leads(member)}" + (f" with weight {member.weight}" if member.weight != 1 else "")


def _led(member: Member) -> list[tuple[str, StreamStatus]]:
    """Return what a member leads, the streams with the fewest terms first: disturbance is spread, too."""
    led = [(name, status) for name, status in member.streams.items() if status.role == "leader"]
    return sorted(led, key=lambda pair: (pair[1].epoch, pair[0]))


def _takes(target: Member, stream: str) -> bool:
    """Whether a member stands by for a stream, could lead it, and is meant to."""
    status = target.streams.get(stream)
    if status is None or status.role != "standby" or not status.able:
        return False
    return status.eligibility is Eligibility.PREFERRED
