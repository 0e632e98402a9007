"""Moving a stream to another position: the plan, and carrying it out under the election's lock.

The lock keeps every instance from leading meanwhile; the claim of a new epoch fences a
leader that lost its session and does not know. Redis' state goes first, since it wins
when a term resumes: a reset that breaks off after it is as good as done.
"""

import threading
from dataclasses import dataclass, replace
from typing import Any, Final

from hasync.cli.invocation import Servers
from hasync.cli.places import resting
from hasync.cli.wording import place
from hasync.coordination import StreamCoordination
from hasync.errors import EndReason, HasyncError
from hasync.model.cluster import Leadership, TermRecord
from hasync.model.config import StreamConfig
from hasync.model.position import Position
from hasync.model.state import Acknowledged, SinkState
from hasync.ports import Clock, Sink

LOCK_WITHIN_S: Final = 5.0
RELEASE_WITHIN_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """From where to where. ``obstacles``: why it cannot be done now; ``consequences``: what it means for the data."""

    stream: str
    acknowledged: Acknowledged | None
    state: SinkState | None
    target: Position
    obstacles: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()

    @property
    def now(self) -> Position | None:
        """Where a new term would resume: Redis' state wins."""
        return resting(self.acknowledged, self.state)

    @property
    def seq(self) -> int:
        """The batch number to go on from: it never goes back, only the position does."""
        return max(self.acknowledged.seq if self.acknowledged else 0, self.state.seq if self.state else 0)

    @property
    def seen_epoch(self) -> int:
        """The highest epoch that either has."""
        return max(self.acknowledged.epoch if self.acknowledged else 0, self.state.epoch if self.state else 0)

    def to_json(self, *, executed: bool, epoch: int | None = None) -> dict[str, Any]:
        """Return the document of ``-o json``."""
        return {
            "stream": self.stream,
            "executed": executed,
            "epoch": epoch,
            "acknowledged": self.acknowledged.to_json() if self.acknowledged else None,
            "state": self.state.to_json() if self.state else None,
            "target": self.target.to_json(),
            "consequences": list(self.consequences),
            "obstacles": list(self.obstacles),
        }


def planned(ports: StreamCoordination, state: SinkState | None, target: Position, config: StreamConfig) -> Plan:
    """Look at what is there and say what the move would mean. Raises CoordinationUnavailable."""
    acknowledged = ports.positions.load().value
    plan = Plan(stream=ports.stream, acknowledged=acknowledged, state=state, target=target)
    consequences = _consequences(plan.now, target, config)
    return replace(plan, obstacles=tuple(_obstacles(ports)), consequences=tuple(consequences))


def _obstacles(ports: StreamCoordination) -> list[str]:
    leader, contenders = ports.terms.leader(), ports.election.contenders()
    found = [f"{leader.member} leads, epoch {leader.epoch}"] if leader else []
    others = [member for member in contenders if leader is None or member != leader.member]
    return found + ([f"ready to lead: {', '.join(others)}"] if others else [])


def _consequences(now: Position | None, target: Position, config: StreamConfig) -> list[str]:
    if now is None:
        return [f"the stream has no position yet; it begins at {target} instead of the config's start"]
    if now.server_uuid != target.server_uuid:
        return [
            "the positions are of two servers, so it is not known whether this goes back or forth",
            *_doubled(config),
        ]
    if target.order() == now.order():
        return ["it is the position that the stream has already"]
    if target.order() > now.order():
        return [f"changes from {place(now)} to {place(target)} never reach Redis; their keys stay as they are"]
    return [
        f"changes from {place(target)} to {place(now)} are applied again, keys go through old values",
        *_doubled(config),
    ]


def _doubled(config: StreamConfig) -> list[str]:
    handlers = sorted({rule.handler for rules in config.tables.values() for rule in rules if rule.handler})
    if not handlers:
        return []
    return [f"what handlers count (INCR and its like) counts twice: {', '.join(handlers)}"]


def require_idle(plan: Plan) -> None:
    """Raise HasyncError while anybody leads, or could at any moment."""
    if plan.obstacles:
        raise HasyncError(
            f"{plan.stream} is not idle: {'; '.join(plan.obstacles)}",
            hint=f"'hasync pause -s {plan.stream} --wait' first, 'hasync resume -s {plan.stream}' afterwards",
        )


def execute(plan: Plan, ports: StreamCoordination, servers: Servers, *, clock: Clock, by: str) -> int:
    """Move the stream; return the epoch under which it was done.

    Raises HasyncError when the lock is not to be had, or anything changed since the
    plan was made; and as the ports do. Repeating it is safe.
    """
    leadership = ports.election.acquire(threading.Event(), LOCK_WITHIN_S)
    if leadership is None:
        ports.election.withdraw()
        raise HasyncError(
            f"the lock of {plan.stream} is held by {', '.join(ports.election.contenders()[:1]) or 'somebody'}",
            hint=f"'hasync pause -s {plan.stream} --wait', then try again",
        )
    sink = servers.sink()
    try:
        return _moved(plan, ports, leadership, sink, clock=clock, by=by)
    finally:
        sink.close()
        ports.election.release(leadership, RELEASE_WITHIN_S)


def _moved(plan: Plan, ports: StreamCoordination, leadership: Leadership, sink: Sink, *, clock: Clock, by: str) -> int:
    stored, state = ports.positions.load(), sink.peek()
    if (stored.value, state) != (plan.acknowledged, plan.state):
        raise HasyncError(f"{plan.stream} moved since the plan was made", hint="look at the new plan and try again")
    since = clock.wall()
    epoch = ports.terms.raise_epoch(leadership, plan.seen_epoch)
    adopt = SinkState(epoch=epoch, seq=plan.seq, position=plan.target, source=plan.target.server_uuid)
    ports.election.check(leadership)
    claimed = sink.claim(epoch, adopt)
    done = Acknowledged(epoch=epoch, seq=claimed.seq, position=plan.target, acknowledged_at=clock.wall())
    ports.positions.save(leadership, stored, done, rewind=True)
    ports.terms.record(leadership, _record(plan, done, since=since, member=leadership.member, by=by))
    return epoch


def _record(plan: Plan, done: Acknowledged, *, since: float, member: str, by: str) -> TermRecord:
    return TermRecord(
        epoch=done.epoch,
        member=member,
        since=since,
        until=done.acknowledged_at,
        end_reason=EndReason.HANDOVER,
        begin=plan.now,
        end=plan.target,
        note=f"position reset by {by}: {place(plan.now)} to {place(plan.target)}",
    )
