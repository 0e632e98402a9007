"""Where a new term resumes: the pure decision between Redis' state and ZooKeeper's position.

The state key wins, because it changed in the same atomic step as the rows. ZooKeeper's
copy lags behind on purpose and is what survives the loss of Redis. Every disagreement
is explained in words, for the log and for ``hasync status``.
"""

from dataclasses import dataclass
from enum import StrEnum

from hasync.errors import StateMissing
from hasync.model.position import Position
from hasync.model.state import Acknowledged, SinkState


class MissingStatePolicy(StrEnum):
    """What to do when the state key is gone though ZooKeeper knows a position."""

    HALT = "halt"
    """Stop and ask: Redis was flushed, or this is another database."""
    RESUME = "resume"
    """Go on from ZooKeeper's position; what Redis lost stays lost until rows change again."""


class ResumeKind(StrEnum):
    """Which of the cases of :func:`reconcile` applied."""

    NEW = "new"
    CONTINUE = "continue"
    REDO = "redo"
    REBUILT = "rebuilt"
    REWIND = "rewind"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """The decision: claim with ``adopt``, read from ``position`` (None: the config's start).

    ``lost_batches`` counts acknowledged batches that Redis no longer has. ``rewinds`` says
    that ZooKeeper's position must be allowed to go back (I5: only after a detected loss).
    """

    kind: ResumeKind
    adopt: SinkState | None
    position: Position | None
    explanation: str
    lost_batches: int = 0

    @property
    def rewinds(self) -> bool:
        """Whether ZooKeeper's copy has to go back to where Redis is."""
        return self.kind is ResumeKind.REWIND


def reconcile(stored: Acknowledged | None, state: SinkState | None, policy: MissingStatePolicy) -> Resume:
    """Decide where to resume from what ZooKeeper and Redis say.

    Raises StateMissing when Redis has no usable state, ZooKeeper has a position, and the policy is ``halt``.
    """
    if state is None or (state.position is None and stored is not None):
        return _without_state(stored, state, policy)
    if state.position is None:
        return Resume(kind=ResumeKind.NEW, adopt=state, position=None, explanation="first batch of this stream")
    if stored is None:
        return _resume(ResumeKind.REBUILT, state, "ZooKeeper has no position; rebuilt from Redis' state key")
    if state.seq < stored.seq:
        return _rewind(stored, state)
    if _goes_back(stored.position, state.redo_from or state.position):
        return _moved_back(stored, state)
    return _continue(stored, state)


def _without_state(stored: Acknowledged | None, state: SinkState | None, policy: MissingStatePolicy) -> Resume:
    if stored is None:
        return Resume(kind=ResumeKind.NEW, adopt=state, position=None, explanation="new stream: no state, no position")
    if policy is MissingStatePolicy.HALT:
        raise StateMissing(
            f"Redis has no state for this stream, ZooKeeper has position {stored.position} (batch {stored.seq})",
            hint="Redis was flushed or is another database: restore it, or set on_missing_state: resume, "
            "or run 'hasync position reset'",
        )
    adopt = SinkState(epoch=stored.epoch, seq=stored.seq, position=stored.position, source=stored.position.server_uuid)
    return Resume(
        kind=ResumeKind.REPLACED,
        adopt=adopt,
        position=stored.position,
        explanation=f"Redis' state is missing; policy resume: going on from ZooKeeper's position {stored.position}",
    )


def _rewind(stored: Acknowledged, state: SinkState) -> Resume:
    lost = stored.seq - state.seq
    return _resume(
        ResumeKind.REWIND,
        state,
        f"Redis lost {lost} acknowledged batches (it has {state.seq}, ZooKeeper saw {stored.seq}); "
        f"rewinding to {state.position}",
        lost,
    )


def _goes_back(stored: Position, state: Position) -> bool:
    return stored.server_uuid == state.server_uuid and state.order() < stored.order()


def _moved_back(stored: Acknowledged, state: SinkState) -> Resume:
    """The state was put at an earlier place without losing its count: a position reset that broke off half-way."""
    return _resume(
        ResumeKind.REWIND,
        state,
        f"Redis is at {state.position}, before ZooKeeper's {stored.position}, though no batch is missing: "
        "a position reset, or a refused batch; going on from there",
    )


def _continue(stored: Acknowledged, state: SinkState) -> Resume:
    ahead = state.seq - stored.seq
    how = "agree" if ahead == 0 else f"Redis is {ahead} batches ahead of ZooKeeper's copy, as it may be"
    return _resume(ResumeKind.CONTINUE, state, how)


def _resume(kind: ResumeKind, state: SinkState, explanation: str, lost: int = 0) -> Resume:
    if state.redo_from is not None:
        kind = kind if kind is ResumeKind.REWIND else ResumeKind.REDO
        explanation += f"; the last batch may hold refused commands, replaying it from {state.redo_from}"
    position = state.redo_from or state.position
    return Resume(kind=kind, adopt=state, position=position, explanation=explanation, lost_batches=lost)
