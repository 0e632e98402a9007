"""The state key, as the demo reads it."""

from orjson import dumps

from demo.ledger import BinlogEnd
from demo.statekey import State
from hasync.model.position import Flavor, Position
from hasync.model.state import SinkState

POSITION = Position(flavor=Flavor.MYSQL, server_uuid="u", file="mysql-bin.000009", pos=99)


def test_state_that_hasync_writes_is_understood() -> None:
    """The demo reads the very document that the sink stores."""
    stored = SinkState(epoch=2, seq=7, position=POSITION).to_json()
    assert State.of(dumps(stored)) == State(epoch=2, seq=7, reached=BinlogEnd(9, 99))


def test_claim_of_a_new_stream_has_reached_nothing_yet() -> None:
    """The workload must not start before the stream has a place in the binlog."""
    assert State.of(dumps(SinkState(epoch=1, seq=0, position=None).to_json())).reached is None


def test_binlog_files_compare_by_number() -> None:
    """After 999999 comes 1000000, which is less as text."""
    assert BinlogEnd.of("bin.999999", 500) < BinlogEnd.of("bin.1000000", 4)
    assert BinlogEnd.of("bin.000002", 4) < BinlogEnd.of("bin.000002", 5)
