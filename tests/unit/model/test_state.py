"""The state key's value and its copy in ZooKeeper."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.model.position import Flavor, Position
from hasync.model.state import FORMAT, Acknowledged, SinkState, state_key

POSITIONS = st.builds(
    Position,
    flavor=st.sampled_from(Flavor),
    server_uuid=st.sampled_from(["u-1", "u-2"]),
    file=st.sampled_from(["binlog.000001", "binlog.000002"]),
    pos=st.integers(4, 2**33),
    rows_done=st.integers(0, 9),
)
NUMBERS = st.integers(0, 2**53)
STATES = st.builds(
    SinkState,
    epoch=NUMBERS,
    seq=NUMBERS,
    position=st.none() | POSITIONS,
    source=st.sampled_from(["", "u-1"]),
    applied_at=st.floats(0, 2e9),
    redo_from=st.none() | POSITIONS,
)
ACKNOWLEDGED = st.builds(
    Acknowledged, epoch=NUMBERS, seq=NUMBERS, position=POSITIONS, acknowledged_at=st.floats(0, 2e9)
)
PLACE = Position(flavor=Flavor.MYSQL, server_uuid="u", file="binlog.000001", pos=4)


@given(STATES)
def test_stored_state_gives_back_the_state(state: SinkState) -> None:
    """Through JSON text."""
    assert SinkState.from_json(json.loads(json.dumps(state.to_json()))) == state


@given(ACKNOWLEDGED)
def test_stored_acknowledged_position_gives_it_back(acknowledged: Acknowledged) -> None:
    """Through JSON text."""
    assert Acknowledged.from_json(json.loads(json.dumps(acknowledged.to_json()))) == acknowledged


@pytest.mark.parametrize("read", [SinkState.from_json, Acknowledged.from_json])
@pytest.mark.parametrize(
    ("change", "why"),
    [({"v": FORMAT + 1}, "format v=2"), ({"v": ...}, "format v=None"), ({"seq": ...}, "lacks the field 'seq'")],
)
def test_unreadable_form_is_refused(read: Callable[[dict[str, Any]], object], change: dict[str, Any], why: str) -> None:
    """A newer version is not guessed at."""
    document = {"v": FORMAT, "epoch": 1, "seq": 2, "position": PLACE.to_json(), **change}
    with pytest.raises(ValueError, match=why):
        read({name: value for name, value in document.items() if value is not ...})


def test_same_write_is_same_epoch_sequence_and_place() -> None:
    """When it was written does not matter, nor what is to be redone."""
    state = SinkState(epoch=3, seq=7, position=PLACE, applied_at=1.0)
    assert state.same_write(SinkState(epoch=3, seq=7, position=PLACE, applied_at=2.0, redo_from=PLACE))
    assert not state.same_write(SinkState(epoch=4, seq=7, position=PLACE))
    assert not state.same_write(SinkState(epoch=3, seq=8, position=PLACE))
    assert not state.same_write(SinkState(epoch=3, seq=7, position=PLACE.after_rows(1)))
    assert not state.same_write(SinkState(epoch=3, seq=7, position=None))
    assert SinkState(epoch=3, seq=0, position=None).same_write(SinkState(epoch=3, seq=0, position=None))


def test_state_key_keeps_a_streams_keys_in_one_slot() -> None:
    """The hash tag is the stream's name."""
    assert state_key("orders") == "hasync:{orders}:state"
