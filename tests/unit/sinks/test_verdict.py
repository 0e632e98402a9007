"""What a state found in Redis means, as a table."""

from dataclasses import replace

import pytest

from hasync.errors import EndReason, Regressed, StateMissing, TermEnded
from hasync.model.position import Flavor, Position
from hasync.model.state import SinkState
from hasync.sinks.verdict import Verdict, judge, trouble


def at(pos: int, *, rows_done: int = 0) -> Position:
    return Position(flavor=Flavor.MYSQL, server_uuid="u1", file="binlog.000001", pos=pos, rows_done=rows_done)


def state(epoch: int, seq: int, pos: int = 100, **more: object) -> SinkState:
    return SinkState(epoch=epoch, seq=seq, position=at(pos), **more)  # type: ignore[arg-type]


WRITTEN, ATTEMPT = state(3, 10), state(3, 11, 200)


@pytest.mark.parametrize(
    ("stored", "verdict"),
    [
        (None, Verdict.MISSING),
        (WRITTEN, Verdict.WRITTEN),
        (replace(WRITTEN, applied_at=99.0, redo_from=at(1)), Verdict.WRITTEN),
        (ATTEMPT, Verdict.ATTEMPT),
        (state(4, 10), Verdict.FENCED),
        (state(4, 2), Verdict.FENCED),
        (state(3, 9), Verdict.REGRESSED),
        (state(2, 9), Verdict.REGRESSED),
        (state(2, 10), Verdict.REGRESSED),
        (state(2, 40), Verdict.REGRESSED),
        (state(3, 10, 101), Verdict.FOREIGN),
        (state(3, 11, 201), Verdict.FOREIGN),
        (replace(ATTEMPT, position=at(200, rows_done=1)), Verdict.FOREIGN),
        (replace(ATTEMPT, position=replace(at(200), server_uuid="u2")), Verdict.FOREIGN),
        (replace(WRITTEN, position=None), Verdict.FOREIGN),
        (state(3, 12, 300), Verdict.FOREIGN),
    ],
)
def test_stored_state_is_judged(stored: SinkState | None, verdict: Verdict) -> None:
    """Each state that Redis may hold has one meaning against what this leader wrote and tried."""
    assert judge(stored, WRITTEN, ATTEMPT) is verdict


def test_attempt_counts_only_while_its_outcome_is_unknown() -> None:
    """Without a batch in flight the next sequence under our epoch is a foreign write."""
    assert judge(ATTEMPT, WRITTEN) is Verdict.FOREIGN


def test_trouble_names_both_states_and_what_to_do() -> None:
    """Each verdict that stops the leader is its own error, with the numbers of both states."""
    missing = trouble(Verdict.MISSING, None, WRITTEN, "key")
    regressed = trouble(Verdict.REGRESSED, state(3, 9), WRITTEN, "key")
    fenced = trouble(Verdict.FENCED, state(4, 10), WRITTEN, "key")
    foreign = trouble(Verdict.FOREIGN, state(3, 12, 300), WRITTEN, "key")
    assert isinstance(missing, StateMissing)
    assert "on_missing_state" in missing.hint
    assert isinstance(regressed, Regressed)
    assert regressed.state == state(3, 9)
    assert isinstance(fenced, TermEnded)
    assert (fenced.reason, str(fenced)) == (EndReason.FENCED, "epoch 4 has claimed key from epoch 3")
    assert isinstance(foreign, TermEnded)
    assert "binlog.000001:300" in str(foreign)
