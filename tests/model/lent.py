"""The product's own decisions, lent to the model so that the two cannot drift apart.

``reconcile``, ``judge``, what a claim adopts, and what ZooKeeper's position refuses are
called as they are in hasync; here are only the translation of values, and a memory of
answers, since the same few questions come millions of times.
"""

from functools import cache
from typing import Any, cast

from hasync.clock import SystemClock
from hasync.cluster.positions import refuse_regress
from hasync.errors import CoordinationRefused, StateMissing, TermEnded
from hasync.model.position import Flavor, Position
from hasync.model.resume import MissingStatePolicy, ResumeKind, reconcile
from hasync.model.state import Acknowledged, SinkState
from hasync.sinks.redis import RedisSink
from hasync.sinks.verdict import Verdict, judge
from tests.model.world import Saved, Written

_DESK = RedisSink(stream="model", endpoint=cast("Any", None), clock=SystemClock())  # decides, never connects


@cache
def position(place: int) -> Position:
    """Each transaction has two rows and begins a file, so every odd place is inside a transaction."""
    file = f"binlog.{place // 2 + 1:06}"
    return Position(flavor=Flavor.MYSQL, server_uuid="u1", file=file, pos=4, rows_done=place % 2)


def place(of: Position) -> int:
    """Undo :func:`position`."""
    return 2 * (of.file_number - 1) + of.rows_done


@cache
def sink_state(written: Written | None) -> SinkState | None:
    """Return the product's value for the model's."""
    if written is None:
        return None
    return SinkState(
        epoch=written.epoch,
        seq=written.seq,
        position=None if written.place is None else position(written.place),
        redo_from=None if written.redo_from is None else position(written.redo_from),
    )


def acknowledged(saved: Saved | None) -> Acknowledged | None:
    """Return the product's value for the model's."""
    return saved and Acknowledged(epoch=saved.epoch, seq=saved.seq, position=position(saved.place))


def model_state(state: SinkState | None) -> Written | None:
    """Return the model's value for the product's."""
    if state is None:
        return None
    return Written(
        state.epoch,
        state.seq,
        None if state.position is None else place(state.position),
        None if state.redo_from is None else place(state.redo_from),
    )


@cache
def judged(stored: Written | None, written: Written, attempt: Written | None) -> Verdict:
    """Ask :func:`hasync.sinks.verdict.judge`."""
    return judge(sink_state(stored), cast("SinkState", sink_state(written)), sink_state(attempt))


@cache
def resumed(
    saved: Saved | None, state: Written | None, policy: MissingStatePolicy
) -> tuple[ResumeKind, Written | None] | None:
    """Ask :func:`hasync.model.resume.reconcile` for its kind and what to adopt; None when it halts the stream."""
    try:
        resume = reconcile(acknowledged(saved), sink_state(state), policy)
    except StateMissing:
        return None
    adopt = model_state(resume.adopt)
    read_from = None if resume.position is None else place(resume.position)
    assert read_from == (None if adopt is None or adopt.place is None else adopt.safe)
    return resume.kind, adopt


def anchored(adopt: Written | None) -> Written:
    """Return what is claimed, as ``Leading._anchored``: a new stream's claim says where reading begins."""
    return adopt if adopt is not None and adopt.place is not None else (adopt or Written(0, 0, None))._replace(place=0)


@cache
def adopted(epoch: int, seen: Written | None, adopt: Written | None, stored: Written | None) -> Written | None:
    """Ask the sink what a claim under ``epoch`` writes; None when it ends the term."""
    _DESK._seen, _DESK._has_seen = sink_state(seen), True
    try:
        state = _DESK._adopted(epoch, sink_state(adopt), sink_state(stored))
    except TermEnded:
        return None
    return model_state(state)


@cache
def may_save(previous: Saved | None, new: Saved) -> bool:
    """Ask the position's record whether this would go back."""
    try:
        refuse_regress(acknowledged(previous), cast("Acknowledged", acknowledged(new)))
    except CoordinationRefused:
        return False
    return True
