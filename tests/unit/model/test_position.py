"""Positions: their order on one server, and their stored form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.model.gtid import MariadbGtidSet, MysqlGtidSet
from hasync.model.position import FORMAT, Flavor, Position

POSITIONS = st.builds(
    Position,
    flavor=st.sampled_from(Flavor),
    server_uuid=st.sampled_from(["", "u-1", "u-2"]),
    gtid_set=st.sampled_from(["", "0-1-5"]),
    file=st.builds(
        lambda base, number: f"{base}.{number:06d}", st.sampled_from(["binlog", "a.b"]), st.integers(1, 10**7)
    ),
    pos=st.integers(4, 2**40),
    rows_done=st.integers(0, 10**6),
    timestamp=st.floats(0, 2e9),
)


def at(file: str, pos: int, rows_done: int = 0, server_uuid: str = "u") -> Position:
    return Position(flavor=Flavor.MYSQL, server_uuid=server_uuid, file=file, pos=pos, rows_done=rows_done)


@given(POSITIONS)
def test_stored_form_gives_back_the_position(position: Position) -> None:
    """Through JSON text, as Redis and ZooKeeper keep it."""
    assert Position.from_json(json.loads(json.dumps(position.to_json()))) == position


def test_positions_order_by_file_number_then_offset_then_rows() -> None:
    """binlog.1000000 comes after binlog.999999, though not as text."""
    ordered = [
        at("binlog.000009", 900),
        at("binlog.000010", 4),
        at("binlog.000010", 157),
        at("binlog.000010", 157, 1),
        at("binlog.000010", 157, 20),
        at("binlog.000010", 200),
        at("binlog.999999", 4),
        at("binlog.1000000", 4),
    ]
    backwards = list(reversed(ordered))
    assert sorted(backwards, key=Position.order) == ordered


@given(POSITIONS, POSITIONS)
def test_same_place_is_same_server_file_offset_and_row(one: Position, other: Position) -> None:
    """Whatever GTIDs and times say."""
    same = (one.server_uuid, one.file, one.pos, one.rows_done) == (
        other.server_uuid,
        other.file,
        other.pos,
        other.rows_done,
    )
    assert one.same_place(other) is same
    assert one.same_place(one)


def test_rows_done_count_up_from_a_transactions_start() -> None:
    """Inside a transaction only the count moves."""
    inside = at("binlog.000001", 157).after_rows(5).after_rows(2)
    assert (inside.pos, inside.rows_done, inside.at_boundary) == (157, 7, False)
    assert (str(inside), str(at("binlog.000001", 157))) == ("binlog.000001:157+7", "binlog.000001:157")


def test_file_without_number_sorts_first() -> None:
    """Such a name is no binlog's, and must not raise in the middle of a resume."""
    assert at("weird", 4).order() == (0, 4, 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"v": FORMAT + 1}, "format v=2"),
        ({"v": None}, "format v=None"),
        ({"file": ...}, "lacks the field 'file'"),
        ({"rows_done": ...}, "lacks the field 'rows_done'"),
        ({"flavor": "oracle"}, "oracle"),
        ({"pos": "many"}, "many"),
    ],
)
def test_unreadable_form_is_refused(change: dict[str, Any], why: str) -> None:
    """A newer version, a missing field, a wrong value."""
    document = {**at("binlog.000001", 4).to_json(), **change}
    with pytest.raises(ValueError, match=why):
        Position.from_json({name: value for name, value in document.items() if value is not ...})


def test_flavor_knows_its_notation() -> None:
    """The same text means different things to the two."""
    assert Flavor.MARIADB.gtid_set("0-1-5") == MariadbGtidSet({0: (1, 5)})
    assert isinstance(Flavor.MYSQL.gtid_set(""), MysqlGtidSet)
    with pytest.raises(ValueError, match="GTID set part"):
        Flavor.MYSQL.gtid_set("0-1-5")
