"""Where a new term resumes, for every pair of what ZooKeeper and Redis may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.errors import StateMissing
from hasync.model.position import Flavor, Position
from hasync.model.resume import MissingStatePolicy, Resume, ResumeKind, reconcile
from hasync.model.state import Acknowledged, SinkState

HALT, RESUME = MissingStatePolicy.HALT, MissingStatePolicy.RESUME


def at(pos: int) -> Position:
    return Position(flavor=Flavor.MYSQL, server_uuid="u", file="bin.000001", pos=pos)


def redis(seq: int, pos: int | None, *, epoch: int = 3, redo: int | None = None) -> SinkState:
    return SinkState(
        epoch=epoch,
        seq=seq,
        position=None if pos is None else at(pos),
        redo_from=None if redo is None else at(redo),
    )


def zookeeper(seq: int, pos: int) -> Acknowledged:
    return Acknowledged(epoch=3, seq=seq, position=at(pos))


@pytest.mark.parametrize(
    ("stored", "state", "policy", "kind", "position", "seq"),
    [
        pytest.param(None, None, HALT, ResumeKind.NEW, None, None, id="nothing anywhere is a new stream"),
        pytest.param(None, redis(0, None), HALT, ResumeKind.NEW, None, 0, id="claimed but never written is new"),
        pytest.param(None, redis(7, 700), HALT, ResumeKind.REBUILT, 700, 7, id="wiped ZooKeeper is rebuilt from Redis"),
        pytest.param(zookeeper(7, 700), redis(7, 700), HALT, ResumeKind.CONTINUE, 700, 7, id="both agree"),
        pytest.param(zookeeper(5, 500), redis(7, 700), HALT, ResumeKind.CONTINUE, 700, 7, id="Redis ahead wins"),
        pytest.param(zookeeper(7, 700), redis(5, 500), HALT, ResumeKind.REWIND, 500, 5, id="Redis behind rewinds"),
        pytest.param(zookeeper(7, 700), None, RESUME, ResumeKind.REPLACED, 700, 7, id="missing, policy resume"),
        pytest.param(
            zookeeper(7, 700), redis(0, None), RESUME, ResumeKind.REPLACED, 700, 7, id="emptied, policy resume"
        ),
        pytest.param(
            zookeeper(7, 600), redis(7, 700, redo=600), HALT, ResumeKind.REDO, 600, 7, id="redo repeats a batch"
        ),
        pytest.param(zookeeper(9, 900), redis(7, 700, redo=600), HALT, ResumeKind.REWIND, 600, 7, id="rewind and redo"),
        pytest.param(
            zookeeper(7, 600), redis(7, 700), HALT, ResumeKind.CONTINUE, 700, 7, id="same batch: state key wins"
        ),
        pytest.param(zookeeper(7, 999), redis(7, 700), HALT, ResumeKind.REWIND, 700, 7, id="reset that broke off"),
    ],
)
def test_reconcile_picks_the_safe_place(
    stored: Acknowledged | None,
    state: SinkState | None,
    policy: MissingStatePolicy,
    kind: ResumeKind,
    position: int | None,
    seq: int | None,
) -> None:
    """I5: never forward past Redis; back only after a detected loss; always with an explanation."""
    resume = reconcile(stored, state, policy)
    assert resume.kind is kind
    assert (resume.position.pos if resume.position else None) == position
    assert (resume.adopt.seq if resume.adopt else None) == seq
    assert resume.explanation


@pytest.mark.parametrize("state", [None, redis(0, None)], ids=["missing", "emptied"])
def test_missing_state_with_policy_halt_raises(state: SinkState | None) -> None:
    """A flushed Redis or a wrong database never continues silently."""
    with pytest.raises(StateMissing) as raised:
        reconcile(zookeeper(7, 700), state, HALT)
    assert "on_missing_state" in raised.value.hint


def test_rewind_tells_how_many_batches_were_lost() -> None:
    """The operator learns the size of Redis' loss."""
    resume: Resume = reconcile(zookeeper(9, 900), redis(4, 400), HALT)
    assert resume.lost_batches == 5
    assert resume.rewinds


numbers = st.integers(min_value=0, max_value=9)
states = st.none() | st.builds(
    lambda seq, pos, epoch, redo: redis(seq, pos, epoch=epoch, redo=redo if pos is not None else None),
    numbers,
    st.none() | numbers,
    numbers,
    st.none() | numbers,
)
copies = st.none() | st.builds(zookeeper, numbers, numbers)


@given(stored=copies, state=states, policy=st.sampled_from(MissingStatePolicy))
def test_no_pair_of_answers_ever_skips_forward(
    stored: Acknowledged | None, state: SinkState | None, policy: MissingStatePolicy
) -> None:
    """I5: whatever both say, the stream goes on at what Redis has, or at ZooKeeper's copy if Redis has nothing."""
    try:
        resume = reconcile(stored, state, policy)
    except StateMissing:
        assert (policy, stored is not None) == (HALT, True)
        assert state is None or state.position is None
        return
    if state is not None and state.position is not None:
        assert resume.position == (state.redo_from or state.position)
        assert resume.adopt == state
        back = stored is not None and resume.position.order() < stored.position.order()
        assert resume.rewinds == (stored is not None and (state.seq < stored.seq or back))
    else:
        assert resume.position == (stored.position if stored else None)
        assert not resume.rewinds
