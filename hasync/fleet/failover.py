"""Who takes a stream over when its leader is not asked: what ``hasync failover`` decides from. Pure.

The election itself replaces a leader that died, without anybody's help. This is for one
whose session lives on though it does nothing, and for a queue whose first does not lead.
"""

from dataclasses import dataclass
from typing import Any

from hasync.errors import HasyncError
from hasync.fleet.succession import UNTRIED, alternatives, next_able
from hasync.fleet.summary import Facts
from hasync.model.cluster import Intent, IntentKind, Leader
from hasync.model.member import Eligibility, StreamStatus
from hasync.model.names import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced:
    """From whom to whom. ``leader``: None when nobody leads; ``holder``: of the lock, empty for nobody.

    ``epoch``: of the last term, which the wish for another one names.
    """

    stream: str
    leader: Leader | None
    holder: str
    target: str
    epoch: int
    warnings: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the target leads already."""
        return self.leader is not None and self.leader.member == self.target

    def wish(self, *, by: str, at: float, reason: str) -> Intent:
        """Return the wish that makes everybody else give way. ``at``: Unix seconds."""
        why = f"failover: {reason}" if reason else "failover"
        return Intent(kind=IntentKind.SWITCHOVER, by=by, at=at, reason=why, to=self.target, epoch=max(self.epoch, 1))

    def to_json(self, *, forced: bool | None, leader: Leader | None) -> dict[str, Any]:
        """Return the document of ``-o json``; ``forced``: whether the lock was taken, None when nothing was done."""
        return {
            "stream": self.stream,
            "from": self.leader.member if self.leader else None,
            "holder": self.holder or None,
            "to": self.target,
            "forced": forced,
            "leader": leader.member if leader else None,
            "leader_epoch": leader.epoch if leader else None,
        }


def forced(facts: Facts, candidate: str | None, last_epoch: int) -> Forced:
    """Decide. ``last_epoch``: of the newest term in the history, 0 for none. Raises HasyncError, saying why not."""
    _require_wanted(facts)
    leader = facts.leader
    target = candidate or next_able(facts, leader)
    plan = Forced(
        stream=facts.stream,
        leader=leader,
        holder=facts.contenders[0] if facts.contenders else "",
        target=target,
        epoch=max(leader.epoch if leader else 0, last_epoch),
        warnings=tuple(_warnings(facts, target)),
    )
    if not plan.done and target not in facts.contenders:
        raise HasyncError(
            f"{target} cannot lead {facts.stream}: {_absence(facts, target)}", hint=alternatives(facts, leader)
        )
    return plan


def _require_wanted(facts: Facts) -> None:
    """Raise HasyncError while operators or a halt want nobody to lead: then another instance would not, either."""
    resume = f"'hasync resume -s {facts.stream}' first"
    if facts.intent is not None and facts.intent.pauses:
        raise HasyncError(f"{facts.stream} is paused by {facts.intent.by}", hint=resume)
    if (halt := facts.halt_in_force) is not None:
        raise HasyncError(f"{facts.stream} is halted: {halt.code}: {halt.reason}", hint=f"{halt.hint}; then {resume}")
    config, refusal = facts.config()
    if config is None:
        raise HasyncError(f"nobody can lead {facts.stream}: {refusal}", hint="'hasync config apply FILE' first")


def _status(facts: Facts, name: str) -> StreamStatus | None:
    return next((member.streams[facts.stream] for member in facts.members if member.id == name), None)


def _absence(facts: Facts, target: str) -> str:
    status = _status(facts, target)
    if status is None:
        return "there is no such instance that runs it; " + nearest(target, facts.roles())
    why = f": {status.detail}" if status.detail else ""
    return f"it is not in the election, it is {status.role}{why}"


def _warnings(facts: Facts, target: str) -> list[str]:
    status, found = _status(facts, target), []
    if status is not None and not status.able:
        found.append(f"{target} says that it could not lead well: {status.detail or UNTRIED}")
    if status is not None and status.eligibility is Eligibility.RESERVE:
        found.append(f"{target} is only a reserve (drained, its weight, or the placement); it will hand over again")
    return found
