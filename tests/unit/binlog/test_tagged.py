"""Tagged GTIDs: their event, their place in the growing set, and the form in which a dump is asked for."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.binlog.commands import encode
from hasync.binlog.frames import EventType
from hasync.binlog.gtids import packed, varlen
from hasync.errors import HasyncError, SourceRefused
from hasync.model.gtid import MysqlGtidSet
from hasync.model.position import Flavor, Position
from tests.unit.binlog.events import UUID, Wire, feed, feed_closed, ids, machine
from tests.unit.binlog.shapes import tagged


def test_tagged_transaction_is_read() -> None:
    """Rows, the tag in the set, the commit time with microseconds."""
    wire = Wire()
    packets = [tagged(wire, 5, "blue", micros=1_700_000_000_123_456), *wire.transaction(0, 1)[1:]]
    packets += [wire.gtid(7), *wire.transaction(0, 2)[1:], tagged(wire, 6, "blue"), *wire.transaction(0, 3)[1:]]
    segments = feed_closed(machine(), *packets)
    assert ids(segments) == [1, 2, 3]
    assert segments[-1].position.gtid_set == f"{UUID}:7:blue:5-6"
    assert feed_closed(machine(), *packets[:5])[0].timestamp == 1_700_000_000.123456


def test_event_as_mysql_writes_it() -> None:
    """Bytes of a server's own event (9.7.4): number 300, tag z."""
    body = bytes.fromhex(
        "0270000000020022446688aaccee21026502a902ed0231037503b903fd0304610906027a08040a0c0c7f70f2e506c160061089041283120b"
    )
    wire = Wire()
    [segment] = feed_closed(machine(), wire.event(EventType.GTID_TAGGED, body), *wire.transaction(0, 1)[1:])
    assert segment.position.gtid_set == "00112233-4455-6677-8899-aabbccddeeff:z:300"
    assert 1_795_000_000 < segment.timestamp < 1_796_000_000


def test_tagged_transaction_that_comes_again_is_lost() -> None:
    """The same number with another tag is another transaction."""
    start = Position(
        flavor=Flavor.MYSQL, server_uuid="s", file="bin.000001", pos=4, gtid_set=f"{UUID}:1-9:blue:1-9:red:1"
    )
    wire = Wire()
    assert ids(feed_closed(machine(start=start), tagged(wire, 2, "red"), *wire.transaction(0, 1)[1:])) == [1]
    again = Wire()
    with pytest.raises(HasyncError, match="comes again"):
        feed_closed(machine(start=start), tagged(again, 9, "blue"))


@given(st.binary(max_size=80))
def test_garbage_is_an_error_of_ours(body: bytes) -> None:
    """Whatever the bytes are."""
    wire = Wire()
    with pytest.raises(HasyncError):
        feed(machine(), wire.event(EventType.GTID_TAGGED, b"\2" + body), wire.gtid(1))


def test_newer_event_is_refused() -> None:
    """A field that must not be ignored and is not known, or another version."""
    for packet in (tagged(Wire(), 1, "a", needed=12), Wire().event(EventType.GTID_TAGGED, packed(2) + bytes(50))):
        with pytest.raises(SourceRefused, match=r"\b42\b.*not known"):
            feed(machine(), packet)


@given(st.integers(0, (1 << 56) - 1), st.binary(max_size=4))
def test_integers_come_back(number: int, behind: bytes) -> None:
    """Packed and read, with anything behind them."""
    text = packed(number)
    assert varlen(text + behind, 0, len(text + behind)) == (number, len(text))


def test_integers_as_mysql_packs_them() -> None:
    """Bytes of real events: as many set bits at the low end as bytes follow; all eight, then eight bytes."""
    for text, number in (("02", 1), ("b0", 0x58), ("9503", 0xE5), ("6109", 600), ("83120b", 90704)):
        assert varlen(bytes.fromhex(text), 0, 9) == (number, len(text) // 2)
    assert varlen(b"\xff" + pack("<Q", 1 << 63), 0, 9) == (1 << 63, 9)
    assert packed(90704).hex() == "83120b"


def test_set_is_encoded_as_mysql_does() -> None:
    """Bytes of a server's own PREVIOUS_GTIDS event."""
    gtids = MysqlGtidSet.parse(f"{UUID}:z:300,{UUID[:-1]}e:1-16:tag_1:1")
    one = "0100000000000000"
    head = "0103000000000001"
    first = "00112233445566778899aabbccddeefe" + "00" + one + one + "1100000000000000"
    second = "00112233445566778899aabbccddeefe" + "0a" + b"tag_1".hex() + one + one + "0200000000000000"
    third = "00112233445566778899aabbccddeeff" + "02" + b"z".hex() + one + "2c01000000000000" + "2d01000000000000"
    assert encode(gtids).hex() == head + first + second + third
