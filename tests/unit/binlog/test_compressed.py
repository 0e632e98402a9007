"""Compressed transactions and events: what they stand for, in bounded memory, whatever they claim."""

from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from hasync.binlog.frames import EventType
from hasync.errors import HasyncError, PositionLost, SourceRefused
from hasync.model.position import Flavor, Position
from tests.unit.binlog.events import TABLE, UUID, Wire, feed, ids, image, machine
from tests.unit.binlog.shapes import NONE, ZSTD, compressed_rows, payload, payload_body

both = pytest.mark.parametrize("compression", [ZSTD, NONE])


def inside(*numbers: int, last: bool = True) -> list[bytes]:
    """Return the events of a transaction as they are inside a payload."""
    packets = Wire(0, checksum=False).transaction(0, *numbers)[1:]
    return packets if last else packets[:-1]


@both
def test_payload_is_the_transaction_inside(compression: int) -> None:
    """Rows, place, GTID and count of what is inside; the place is the outer event's."""
    wire = Wire()
    packets = [wire.gtid(1), payload(wire, inside(1, 2), compression=compression), *wire.transaction(2, 3)]
    segments = feed(machine(), *packets)
    assert ids(segments) == [1, 2, 3]
    assert (segments[-1].position.pos, segments[-1].position.gtid_set) == (wire.pos, f"{UUID}:1-2")
    assert sum(segment.transactions for segment in segments) == 2


def many(rows: int) -> list[bytes]:
    """Return a transaction of many events of ten rows."""
    wire = Wire(0, checksum=False)
    body = [wire.table_map(7, TABLE)]
    for first in range(0, rows, 10):
        images = b"".join(image(number) for number in range(first, first + 10))
        body.append(wire.rows(7, EventType.WRITE_ROWS, 2, images, last=False))
    return [wire.query("BEGIN"), *body, wire.xid()]


def test_payload_is_inflated_as_far_as_it_is_asked_for() -> None:
    """One packet, many segments: none is made before the last one is taken."""
    wire = Wire()
    subject = machine(max_rows=100)
    subject.feed(wire.gtid(1))
    subject.feed(payload(wire, many(20_000)))
    found = 0
    while subject.unfinished or subject.ready:
        subject.go_on()
        while subject.due or not subject.unfinished:
            found += subject.take().rows
            assert not subject.due
            if not subject.unfinished:
                break
    assert found == 20_000


def test_packet_that_comes_too_early_waits() -> None:
    """Who does not ask whether more is inside gets all of it, in order."""
    wire = Wire()
    subject = machine(max_rows=100)
    for packet in [wire.gtid(1), payload(wire, many(2000)), *wire.transaction(2, 5)]:
        subject.feed(packet)
    found = 0
    while subject.due or subject.ready:
        found += subject.take().rows
    assert found == 2001


@given(done=st.integers(0, 39), max_rows=st.integers(1, 45))
def test_resume_inside_a_payload_gives_each_row_once(done: int, max_rows: int) -> None:
    """Rows inside count like any others."""
    wire = Wire()
    packets = [wire.gtid(1), payload(wire, many(40))]
    start = Position(flavor=Flavor.MYSQL, server_uuid="s", file="bin.000001", pos=4, rows_done=done)
    assert ids(feed(machine(start=start, max_rows=max_rows), *packets)) == list(range(done, 40))


def test_rows_of_a_payload_without_begin_are_lost() -> None:
    """A dump that begins at a payload has missed its GTID."""
    wire = Wire()
    with pytest.raises(PositionLost):
        feed(machine(), payload(wire, inside(1)))


GOOD = payload_body(b"".join(packet[1:] for packet in inside(1)))
DAMAGED = [
    b"",
    b"\0",
    GOOD[:20],
    GOOD[:-1],
    GOOD[:-9],
    GOOD + b"x",
    GOOD[:-6] + b"!!!!!!",
    b"\1\xfe\xff\xff\xff\xff\xff\xff\xff\xff" + GOOD,
    payload_body(b"x" * 10),
    payload_body(b"x" * 100),
    payload_body(b"\0" * 9 + pack("<I", 5) + b"\0" * 6),
    payload_body(b"".join(packet[1:] for packet in inside(1)), compression=7),
    payload_body(b"".join(packet[1:] for packet in inside(1)), announced=5000),
    payload_body(b"".join(packet[1:] for packet in inside(1)), announced=150),
    payload_body(Wire(0, checksum=False).gtid(1)[1:]),
    payload_body(Wire(0, checksum=False).event(EventType.FORMAT_DESCRIPTION, bytes(90))[1:]),
    payload_body(Wire(0, checksum=False).event(EventType.TRANSACTION_PAYLOAD, GOOD)[1:]),
    payload_body(b"\0" * 9 + pack("<I", 1 << 31) + b"\0" * 6, announced=1 << 62),
]


@pytest.mark.parametrize("body", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_payload_is_refused_by_place_and_type(body: bytes) -> None:
    """Cut, grown, of an unknown compression, or holding what cannot be inside."""
    wire = Wire()
    with pytest.raises(SourceRefused, match=rf"\b{int(EventType.TRANSACTION_PAYLOAD)}\b.*bin\.000001:\d+"):
        feed(machine(), wire.gtid(1), wire.event(EventType.TRANSACTION_PAYLOAD, body))


@both
@pytest.mark.parametrize(("less", "said"), [(31 - 4, "goes on behind"), (5, "over the payload's end")])
def test_no_more_is_taken_than_was_announced(less: int, said: str, compression: int) -> None:
    """The last event, XID of 27 bytes, is left out or reached into by what is announced: either is damage."""
    wire = Wire()
    whole = b"".join(packet[1:] for packet in inside(1))
    body = payload_body(whole, compression=compression, announced=len(whole) - less)
    with pytest.raises(SourceRefused, match=said):
        feed(machine(), wire.gtid(1), wire.event(EventType.TRANSACTION_PAYLOAD, body))


def test_bomb_is_not_inflated_at_once() -> None:
    """A megabyte that would be a gigabyte stops at its first event, which is none."""
    wire = Wire()
    squeezed = ZstdCompressor().compress(bytes(1 << 28))
    head = b"\2\1\0" + b"\3\5\xfe" + pack("<Q", 1 << 28)[:4] + b"\1\x09\xfe" + pack("<Q", len(squeezed)) + b"\0"
    with pytest.raises(SourceRefused):
        feed(machine(), wire.gtid(1), wire.event(EventType.TRANSACTION_PAYLOAD, head + squeezed))


@given(st.binary(max_size=200), st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_garbage_in_a_payload_is_an_error_of_ours(garbage: bytes, start: int, stop: int) -> None:
    """Never a crash; against bytes that were changed in silence there is the checksum of the outer event."""
    wire = Wire()
    body = GOOD[:start] + garbage + GOOD[stop:]
    with suppress(HasyncError):
        feed(machine(), wire.gtid(1), wire.event(EventType.TRANSACTION_PAYLOAD, body))


# -------------------------------------------------------------------------------- MariaDB

HEADS = {
    EventType.MARIADB_WRITE_ROWS_COMPRESSED_V1: (7).to_bytes(6, "little") + b"\1\0" + b"\2\3",
    EventType.MARIADB_DELETE_ROWS_COMPRESSED_V1: (7).to_bytes(6, "little") + b"\1\0" + b"\2\3",
    EventType.MARIADB_UPDATE_ROWS_COMPRESSED_V1: (7).to_bytes(6, "little") + b"\1\0" + b"\2\3\3",
    EventType.MARIADB_WRITE_ROWS_COMPRESSED: (7).to_bytes(6, "little") + b"\1\0\2\0" + b"\2\3",
    EventType.MARIADB_DELETE_ROWS_COMPRESSED: (7).to_bytes(6, "little") + b"\1\0\2\0" + b"\2\3",
    EventType.MARIADB_UPDATE_ROWS_COMPRESSED: (7).to_bytes(6, "little") + b"\1\0\4\0ab" + b"\2\3\3",
}


@pytest.mark.parametrize("kind", HEADS)
def test_compressed_rows_are_the_plain_ones(kind: EventType) -> None:
    """Of each operation, version 1 and 2, with extra data."""
    wire = Wire()
    images = image(4, b"y" * 90) * (2 if "UPDATE" in kind.name else 1)
    head = [wire.mariadb_gtid(9), wire.table_map(7, TABLE)]
    packets = [*head, compressed_rows(wire, kind, HEADS[kind], images), wire.xid()]
    [segment] = feed(machine(flavor=Flavor.MARIADB), *packets)
    assert ids([segment]) == [4]
    assert segment.position.pos == wire.pos


@pytest.mark.parametrize(
    "how", [{"announced": 5}, {"announced": 5000}, {"algorithm": 1}, {"announced": 0}, {"announced": 1 << 31}]
)
def test_damaged_rows_are_refused(how: dict[str, int]) -> None:
    """More or less than announced, or another algorithm."""
    wire = Wire()
    kind = EventType.MARIADB_WRITE_ROWS_COMPRESSED_V1
    head = [wire.mariadb_gtid(9), wire.table_map(7, TABLE)]
    rows = compressed_rows(wire, kind, HEADS[kind], image(4), **how)
    with pytest.raises(SourceRefused, match=str(int(kind))):
        feed(machine(flavor=Flavor.MARIADB), *head, rows)


@given(st.sampled_from(sorted([*HEADS, EventType.MARIADB_QUERY_COMPRESSED])), st.binary(max_size=60))
def test_garbage_in_a_compressed_event_is_an_error_of_ours(kind: int, body: bytes) -> None:
    """Whatever the bytes are."""
    wire = Wire()
    packets = [wire.mariadb_gtid(9), wire.table_map(7, TABLE), wire.event(kind, body)]
    with pytest.raises(HasyncError):
        feed(machine(flavor=Flavor.MARIADB), *packets)
