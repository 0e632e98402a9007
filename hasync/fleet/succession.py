"""Who can take a stream over, and why not: what ``hasync switchover`` decides from. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from hasync.errors import HasyncError
from hasync.fleet.summary import Facts
from hasync.model.cluster import Intent, IntentKind, Leader
from hasync.model.member import Eligibility, Member
from hasync.model.names import nearest

UNTRIED: Final = "it has not tried its servers yet"


class NotYet(HasyncError):  # noqa: N818 - what is the case is the name
    """Who could take over has just started; a moment later it may be able to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """From whom to whom.

    ``standing``: the same was asked for already and is under way; ``outdated``: a wish of an
    earlier term that nobody took away.
    """

    stream: str
    leader: Leader
    target: str
    standing: Intent | None = None
    outdated: Intent | None = None
    warnings: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether there is nothing to do."""
        return self.target == self.leader.member

    def to_json(self, *, asked: bool, leader: Leader | None) -> dict[str, Any]:
        """Return the document of ``-o json``; ``leader``: who leads now, None when that was not waited for."""
        return {
            "stream": self.stream,
            "from": self.leader.member,
            "epoch": self.leader.epoch,
            "to": self.target,
            "asked": asked,
            "leader": leader.member if leader else None,
            "leader_epoch": leader.epoch if leader else None,
        }


def planned(facts: Facts, to: str | None) -> Plan:
    """Decide. Raises HasyncError, saying why it cannot be done now; NotYet, where that will pass by itself."""
    leader = _require_leader(facts)
    standing, outdated = _wishes(facts, leader)
    if standing is not None and to in {None, standing.to}:
        return Plan(stream=facts.stream, leader=leader, target=standing.to, standing=standing)
    if standing is not None:
        raise HasyncError(
            f"{facts.stream} is being handed over to {standing.to}, as {standing.by} wants",
            hint="wait a moment and try again",
        )
    target = to or next_able(facts, leader)
    if to is not None and target != leader.member and _drained(facts, target):
        raise HasyncError(
            f"{target} is drained: it would give {facts.stream} away again at once",
            hint=f"'hasync member undrain {target}' first, or name another: {alternatives(facts, leader)}",
        )
    if target != leader.member and (obstacle := _obstacle(facts, target)):
        refusal = NotYet if obstacle == UNTRIED else HasyncError
        raise refusal(f"{target} cannot lead {facts.stream}: {obstacle}", hint=alternatives(facts, leader))
    return Plan(
        stream=facts.stream, leader=leader, target=target, outdated=outdated, warnings=_warnings(facts, leader, target)
    )


def _require_leader(facts: Facts) -> Leader:
    intent = facts.intent
    if intent is not None and intent.pauses:
        raise HasyncError(f"{facts.stream} is paused by {intent.by}", hint=f"'hasync resume -s {facts.stream}' first")
    if facts.leader is None:
        raise HasyncError(
            f"nobody leads {facts.stream}, so there is nothing to hand over", hint="'hasync status' says why"
        )
    return facts.leader


def _wishes(facts: Facts, leader: Leader) -> tuple[Intent | None, Intent | None]:
    """Return the switchover under way, and one that a later term has outlived."""
    intent = facts.intent
    if intent is None or intent.kind is not IntentKind.SWITCHOVER:
        return None, None
    return (intent, None) if intent.epoch >= leader.epoch else (None, intent)


def _obstacle(facts: Facts, target: str) -> str:
    """Say why an instance could not lead now, empty when it could."""
    member = next((member for member in facts.members if member.id == target), None)
    if member is None:
        return "there is no such instance that runs it; " + nearest(target, facts.roles())
    status = member.streams[facts.stream]
    if status.role != "standby":
        return f"it is {status.role}" + (f": {status.detail}" if status.detail else "")
    if not status.able:
        return UNTRIED
    return "" if target in facts.contenders else "it is not in the election now"


def _drained(facts: Facts, target: str) -> bool:
    return any(member.drained for member in facts.members if member.id == target)


def next_able(facts: Facts, leader: Leader | None) -> str:
    """Name the next in the queue that can lead, a preferred one before a reserve. Raises HasyncError for none."""
    leads = leader.member if leader else ""
    able = [name for name in facts.contenders if name != leads and not _obstacle(facts, name)]
    preferred = [name for name in able if _eligibility(facts, name) is Eligibility.PREFERRED]
    if able:
        return (preferred or able)[0]
    others = [member.id for member in facts.members if member.id != leads]
    refusal = NotYet if any(_obstacle(facts, name) == UNTRIED for name in others) else HasyncError
    raise refusal(
        f"no other instance can lead {facts.stream}", hint=alternatives(facts, leader) or "start another instance"
    )


def _eligibility(facts: Facts, name: str) -> Eligibility:
    found = (member.streams[facts.stream].eligibility for member in facts.members if member.id == name)
    return next(found, Eligibility.PREFERRED)


def alternatives(facts: Facts, leader: Leader | None) -> str:
    """Say of each other instance whether it could."""
    return "; ".join(
        f"{member.id}: {_obstacle(facts, member.id) or 'could lead'}"
        for member in facts.members
        if leader is None or member.id != leader.member
    )


def _warnings(facts: Facts, leader: Leader, target: str) -> tuple[str, ...]:
    found = []
    if target != leader.member and _eligibility(facts, target) is Eligibility.RESERVE:
        found.append(f"{target} is only a reserve (its weight, or the placement); it will hand over again")
    elif target != leader.member and _heavier(facts.members, leader.member, target):
        found.append(f"{target} leads more streams already; leaders are spread evenly again (rebalance.enabled)")
    return tuple(found)


def _heavier(members: tuple[Member, ...], origin: str, target: str) -> bool:
    led = {
        member.id: sum(status.role == "leader" for status in member.streams.values()) / max(member.weight, 1)
        for member in members
    }
    return led.get(target, 0) >= led.get(origin, 0)
