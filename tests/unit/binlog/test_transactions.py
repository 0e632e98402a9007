"""The state machine between packets and segments, with events that real servers send rarely."""

from dataclasses import replace
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.binlog.frames import IGNORABLE, EventType
from hasync.binlog.place import Seek
from hasync.errors import HasyncError, PositionLost, SourceRefused
from hasync.model.change import Operation, Selection, Table
from hasync.model.position import Flavor, Position
from tests.unit.binlog.events import (
    ID_AND_TEXT,
    OTHER,
    TABLE,
    UUID,
    All,
    Columns,
    Wire,
    feed,
    feed_closed,
    ids,
    image,
    machine,
    table_body,
)


def test_transaction_becomes_a_segment() -> None:
    """Rows, place, GTID, commit time and counts of one transaction."""
    wire = Wire()
    packets = wire.transaction(5, 1, 2, micros=1_700_000_000_123_456)
    [segment] = feed_closed(machine(), *packets)
    assert ids([segment]) == [1, 2]
    assert (segment.transactions, segment.rows, segment.ends_transaction) == (1, 2, True)
    assert (segment.position.file, segment.position.pos) == ("bin.000001", wire.pos)
    assert segment.position.gtid_set == f"{UUID}:5"
    assert segment.timestamp == 1_700_000_000.123456
    assert segment.bytes == sum(len(packet) - 1 for packet in packets)


def test_update_and_delete_images() -> None:
    """Both images of an update, the before image of a delete."""
    wire = Wire()
    head = [wire.gtid(1), wire.query("BEGIN"), wire.table_map(7, TABLE)]
    update = wire.rows(7, EventType.UPDATE_ROWS, 2, image(1, b"old") + image(1, b"new"), last=False)
    delete = wire.rows(7, EventType.DELETE_ROWS, 2, image(2))
    [segment] = feed(machine(), *head, update, delete, wire.xid())
    updated, deleted = segment.changes
    assert (updated.operation, updated.before, updated.after) == (Operation.UPDATE, [(b"1", b"old")], [(b"1", b"new")])
    assert (deleted.operation, deleted.before, deleted.after) == (Operation.DELETE, [(b"2", b"x")], ())


def test_nothing_is_ready_inside_a_transaction() -> None:
    """What has not committed yet is not handed over."""
    wire = Wire()
    subject = machine()
    assert feed(subject, *wire.transaction(1, 1)[:-1]) == []


def test_version_1_rows_are_read() -> None:
    """MariaDB's rows events have no extra data."""
    wire = Wire()
    images = (7).to_bytes(6, "little") + b"\1\0" + b"\2\3" + image(4)
    packets = [wire.mariadb_gtid(9), wire.table_map(7, TABLE), wire.event(EventType.WRITE_ROWS_V1, images), wire.xid()]
    [segment] = feed(machine(flavor=Flavor.MARIADB), *packets)
    assert ids([segment]) == [4]
    assert segment.position.gtid_set == "0-1-9"


# ---------------------------------------------------------------------------- statements


def test_definition_ends_its_own_transaction() -> None:
    """DDL moves the position by itself."""
    wire = Wire()
    [segment] = feed(machine(), wire.gtid(1), wire.query("ALTER TABLE t ADD c INT"))
    assert (segment.transactions, segment.position.pos, segment.position.gtid_set) == (1, wire.pos, f"{UUID}:1")


def test_rollback_drops_the_rows_but_keeps_the_gtid() -> None:
    """A group may end with ROLLBACK when a temporary table was in it."""
    wire = Wire()
    segments = feed_closed(machine(), *wire.transaction(1, 1)[:-1], wire.query("ROLLBACK"), *wire.transaction(2, 2))
    assert ids(segments) == [2]
    assert segments[-1].position.gtid_set == f"{UUID}:1-2"


def savepoints(wire: Wire) -> list[bytes]:
    return [
        *wire.transaction(1, 1)[:-1],
        wire.query("SAVEPOINT `A`"),
        *wire.transaction(0, 2, 3)[2:-1],
        wire.query("ROLLBACK TO `a`"),
        *wire.transaction(0, 4)[2:],
    ]


def test_rollback_to_savepoint_drops_what_lies_between() -> None:
    """Savepoint names do not heed case."""
    segments = feed_closed(machine(), *savepoints(Wire()))
    assert ids(segments) == [1, 4]
    assert segments[0].rows == 4  # rows of the binlog, so that rows_done means the same on each server


def test_rollback_of_handed_over_rows_is_refused() -> None:
    """Pieces that were applied cannot be taken back."""
    with pytest.raises(SourceRefused, match="takes back"):
        feed_closed(machine(max_rows=1), *savepoints(Wire()))


def test_rollback_of_rows_applied_by_a_former_reader_is_refused() -> None:
    """The same, over a resume."""
    start = Position(flavor=Flavor.MYSQL, server_uuid="server", file="bin.000001", pos=4, rows_done=3)
    with pytest.raises(SourceRefused, match="takes back"):
        feed_closed(machine(start=start), *savepoints(Wire()))


def test_rollback_to_unknown_savepoint_is_refused() -> None:
    """Nobody knows which rows it takes back."""
    wire = Wire()
    with pytest.raises(SourceRefused, match="never set"):
        feed_closed(machine(), *wire.transaction(1, 1)[:-1], wire.query("ROLLBACK TO `b`"))


@pytest.mark.parametrize(
    "sql",
    ["INSERT INTO t VALUES (1)", "update t set a=1", "/* c */ DELETE FROM t", "WITH x AS (SELECT 1) DELETE FROM t"],
)
def test_statement_that_changes_rows_is_refused(sql: str) -> None:
    """Its rows would be lost; the message has the verb, not the values."""
    wire = Wire()
    with pytest.raises(SourceRefused, match="instead of rows") as refused:
        feed(machine(), wire.gtid(1), wire.query("BEGIN"), wire.query(sql))
    assert "VALUES" not in str(refused.value)


REFUSED = [
    EventType.INCIDENT,
    EventType.EXECUTE_LOAD_QUERY,
    EventType.PRE_GA_WRITE_ROWS,
    99,
    200,
]


@pytest.mark.parametrize("kind", REFUSED)
def test_event_that_may_hold_rows_is_refused(kind: int) -> None:
    """By name and place, with a remedy; skipping it would lose rows (M1)."""
    wire = Wire()
    with pytest.raises(SourceRefused, match=rf"\b{int(kind)}\b.* at bin.000001:4\b") as refused:
        feed(machine(), wire.event(kind, b"\0" * 40))
    assert refused.value.hint


def test_ignorable_unknown_event_is_passed() -> None:
    """The server itself says that a replica may skip it."""
    wire = Wire()
    between = [wire.event(99, b"?", flags=IGNORABLE), wire.event(EventType.PREVIOUS_GTIDS, b"?")]
    assert ids(feed(machine(), *between, *wire.transaction(1, 1))) == [1]


# ------------------------------------------------------------------------- starts, places


@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_start_inside_a_transaction_is_lost(first: int) -> None:
    """At BEGIN, TABLE_MAP, rows or XID: rows before it would be missing (M2)."""
    wire = Wire()
    with pytest.raises(PositionLost):
        feed(machine(), *wire.transaction(1, 1, 2)[first:])


def test_crash_of_the_server_drops_the_open_transaction() -> None:
    """A file that ends inside a transaction: it never committed, the next file begins anew."""
    wire = Wire()
    cut = wire.transaction(1, 1)[:-1]
    following = Wire()
    segments = feed(machine(), *cut, wire.rotate("bin.000002"), following.format(), *following.transaction(1, 2))
    assert ids(segments) == [2]
    assert (segments[-1].position.file, segments[-1].position.gtid_set) == ("bin.000002", f"{UUID}:1")


def test_crash_behind_a_piece_is_refused() -> None:
    """Part of a transaction was applied that never committed."""
    wire = Wire()
    with pytest.raises(SourceRefused, match="without COMMIT"):
        feed(machine(max_rows=1), *wire.transaction(1, 1, 2)[:-1], wire.rotate("bin.000002"))


def test_rotation_moves_to_the_head_of_the_next_file() -> None:
    """The real event, then the one that the server makes up again, with and without checksum."""
    wire = Wire()
    packets = [*wire.transaction(1, 1), wire.rotate("bin.000002", real=True)]
    plain = Wire(checksum=False)
    subject = machine()
    feed(subject, *packets, plain.rotate("bin.000002"), wire.format())
    assert (subject.position.file, subject.position.pos) == ("bin.000002", 4)
    assert ids(feed(subject, *wire.transaction(2, 2))) == [2]


def test_offsets_past_4_gib() -> None:
    """Headers hold 32 bits only; the place has 64 (M10)."""
    at = (1 << 32) - 100
    start = Position(flavor=Flavor.MYSQL, server_uuid="server", file="bin.000001", pos=at)
    wire = Wire(at)
    segments = feed(machine(start=start), *wire.transaction(1, 1), *wire.transaction(2, 2))
    assert segments[-1].position.pos == wire.pos > 1 << 32
    again = feed(machine(start=segments[-1].position), *wire.transaction(3, 3))
    assert again[-1].position.pos == wire.pos


def test_heartbeats_move_an_idle_place_only() -> None:
    """Version 1 and 2; one that names another file, or comes inside a transaction, moves nothing."""
    wire = Wire()
    subject = machine()
    assert feed(subject, wire.heartbeat("bin.000001", 900))[0].position.pos == 900
    assert feed(subject, wire.heartbeat("bin.000009", 9000))[0].position.pos == 900
    far = (1 << 32) + 5
    name = b"\1\x0abin.000001"
    version_2 = name + b"\2\x09\xfe" + pack("<Q", far) + b"\0"
    assert feed(subject, wire.event(EventType.HEARTBEAT_V2, version_2, placed=False))[0].position.pos == far
    begun = Wire(far)
    assert feed(subject, begun.gtid(1), begun.query("BEGIN"), begun.heartbeat("bin.000001", far + 1000)) == []
    assert subject.position.pos == far


def test_binlog_that_goes_back_is_lost() -> None:
    """RESET while it is read: files and GTIDs begin anew under the same names."""
    wire = Wire(5000)
    start = at(5000, gtid_set=f"{UUID}:1-4")
    again = Wire(120)
    for packets in ([wire.heartbeat("bin.000001", 500)], again.transaction(9, 1), wire.transaction(4, 1)):
        with pytest.raises(PositionLost, match="went back"):
            feed(machine(start=start), *packets)


def test_gtid_start_is_where_the_first_transaction_begins() -> None:
    """The server skips what was applied; where that ends, the events say."""
    start = Position(flavor=Flavor.MYSQL, server_uuid="s", file="", pos=4, gtid_set=f"{UUID}:1-7")
    subject = machine(start=start, seek=Seek(exact=False))
    wire = Wire(5000)
    feed(subject, wire.rotate("bin.000003"), wire.format(), wire.gtid(8))
    assert subject.settled
    assert (subject.position.file, subject.position.pos) == ("bin.000003", 5000)


def test_start_in_a_file_passes_over_what_lies_before() -> None:
    """Read from the head, to know the GTIDs; even compressed transactions may lie before the start."""
    wire = Wire()
    payload = [wire.gtid(1), wire.event(EventType.TRANSACTION_PAYLOAD, b"zstd")]
    before = [*payload, *wire.transaction(2, 2)]
    pos = wire.pos
    subject = machine(seek=Seek(exact=False, from_pos=pos))
    assert ids(feed(subject, *before, *wire.transaction(3, 3))) == [3]
    assert subject.position.gtid_set == f"{UUID}:1-3"


def test_rows_done_are_skipped_once() -> None:
    """Over several events of the transaction, and not of the next one."""
    wire = Wire()
    head = [wire.gtid(1), wire.query("BEGIN"), wire.table_map(7, TABLE)]
    events = [
        wire.rows(7, EventType.WRITE_ROWS, 2, b"".join(map(image, some)), last=False)
        for some in ((1, 2), (3, 4, 5), (6,))
    ]
    packets = [*head, *events, wire.xid(), *wire.transaction(2, 7)]
    for done in range(7):
        start = Position(flavor=Flavor.MYSQL, server_uuid="s", file="bin.000001", pos=4, rows_done=done)
        segments = feed(machine(start=start, max_rows=2), *packets)
        assert ids(segments) == list(range(done + 1, 8))


def at(pos: int = 4, **more: object) -> Position:
    return Position(flavor=Flavor.MYSQL, server_uuid="s", file="bin.000001", pos=pos, **more)  # type: ignore[arg-type]


def test_heartbeat_before_the_half_done_transaction_keeps_its_rows() -> None:
    """A position without them would apply those rows again."""
    wire = Wire()
    subject = machine(start=at(rows_done=2))
    [idle] = feed(subject, wire.heartbeat("bin.000001", 4))
    assert (idle.position.rows_done, idle.ends_transaction) == (2, False)
    assert ids(feed(subject, *wire.transaction(1, 1, 2, 3))) == [3]


def test_transaction_with_fewer_rows_than_were_done_is_lost() -> None:
    """It is another transaction than the one that was half applied."""
    with pytest.raises(PositionLost, match="1 rows less"):
        feed(machine(start=at(rows_done=3)), *Wire().transaction(1, 1, 2))


def test_what_lies_before_the_start_is_not_handed_over() -> None:
    """Neither its rows nor its counts, however much of it there is."""
    wire = Wire()
    before = [packet for number in range(1, 9) for packet in wire.transaction(number, number)]
    subject = machine(seek=Seek(exact=False, from_pos=wire.pos), max_rows=2, max_bytes=300)
    [segment] = feed(subject, *before, *wire.transaction(9, 9))
    assert (ids([segment]), segment.transactions) == ([9], 1)


@pytest.mark.parametrize("back", [1, 40, 200])
def test_start_between_two_boundaries_is_lost(back: int) -> None:
    """Whether the next transaction shows it, or the end of the binlog, or the next file."""
    for last in (lambda wire: wire.gtid(2), lambda wire: wire.heartbeat("bin.000001", wire.pos)):
        wire = Wire()
        packets = wire.transaction(1, 1, 2, 3)
        subject = machine(seek=Seek(exact=False, from_pos=wire.pos - back))
        with pytest.raises(PositionLost, match="inside a transaction"):
            feed(subject, *packets, last(wire))


def test_start_behind_the_end_is_lost() -> None:
    """The binlog, or the file, ends before it."""
    wire = Wire()
    packets = wire.transaction(1, 1)
    for last in (wire.heartbeat("bin.000001", wire.pos), wire.rotate("bin.000002", real=True)):
        subject = machine(seek=Seek(exact=False, from_pos=5000))
        with pytest.raises(PositionLost):
            feed(subject, *packets, last)


def test_start_by_time_begins_with_the_first_that_is_not_older() -> None:
    """Earlier ones of the same file are read over; at the end of the binlog, the next one is it."""
    wire = Wire()
    packets = []
    for number in (1, 2, 3):
        packets += wire.transaction(number, number, micros=number * 1_000_000)
    segments = feed(machine(seek=Seek(exact=False, since=1.5)), *packets)
    assert ids(segments) == [2, 3]
    subject = machine(seek=Seek(exact=False, since=99.0))
    feed(subject, *packets, wire.heartbeat("bin.000001", wire.pos))
    assert (subject.settled, subject.position.pos) == (True, wire.pos)


# -------------------------------------------------------------------------------- tables


def test_table_number_of_a_former_statement_is_not_used() -> None:
    """Numbers are given anew after a restart: rows of one table must never come as another's (M4)."""
    wire = Wire()
    first = wire.transaction(1, 1)
    second = wire.transaction(2, 2)
    del second[2]
    with pytest.raises(PositionLost, match="table map"):
        feed_closed(machine(), *first, *second)


def test_table_number_ends_with_its_statement() -> None:
    """The last event of a statement says so, even inside a transaction."""
    wire = Wire()
    packets = wire.transaction(1, 1)[:-1]
    with pytest.raises(PositionLost, match="table map"):
        feed_closed(machine(), *packets, wire.rows(7, EventType.WRITE_ROWS, 2, image(2)))


def test_table_number_ends_with_its_transaction() -> None:
    """Also when no event ended the statement."""
    wire = Wire()
    head = [wire.gtid(1), wire.query("BEGIN"), wire.table_map(7, TABLE)]
    open_statement = wire.rows(7, EventType.WRITE_ROWS, 2, image(1), last=False)
    following = [wire.xid(), wire.gtid(2), wire.query("BEGIN"), wire.rows(7, EventType.WRITE_ROWS, 2, image(2))]
    with pytest.raises(PositionLost, match="table map"):
        feed(machine(), *head, open_statement, *following)


def test_layout_is_asked_for_once() -> None:
    """The same body again costs no question, another one does, and so does a new interest."""
    asked: list[Table] = []

    class Asking:
        def emptied(self, schema: str, table: str) -> None: ...

        def select(self, table: Table) -> Selection | None:
            asked.append(table)
            return Columns(0)

    wire = Wire()
    subject = machine(interest=Asking())
    feed(subject, *wire.transaction(1, 1), *wire.transaction(2, 2))
    assert len(asked) == 1
    feed(subject, *wire.transaction(3, 3, table=OTHER))
    assert len(asked) == 2
    subject.follow(Asking())
    feed(subject, *wire.transaction(4, 4))
    assert len(asked) == 3


UNKNOWN_TYPE = table_body("d", "odd", [*ID_AND_TEXT, (200, b"")], ["id", "v", "odd"])
NAMELESS = table_body("d", "t", ID_AND_TEXT, None)


@pytest.mark.parametrize("body", [UNKNOWN_TYPE, NAMELESS])
def test_wanted_table_that_cannot_be_read_is_refused(body: bytes) -> None:
    """A type of unknown length, or columns without names (M6)."""
    wire = Wire()
    with pytest.raises(SourceRefused, match=r"d\.(odd|t)"):
        feed(machine(), wire.gtid(1), wire.query("BEGIN"), wire.table_map(1, body))


@pytest.mark.parametrize("body", [UNKNOWN_TYPE, NAMELESS])
def test_unwanted_table_never_stops_the_stream(body: bytes) -> None:
    """Whatever its columns are; an event whose rows cannot be told apart counts as one."""

    class OnlyT2:
        def emptied(self, schema: str, table: str) -> None: ...

        def select(self, table: Table) -> Selection | None:
            return None

    wire = Wire()
    packets = [
        *(wire.gtid(1), wire.query("BEGIN"), wire.table_map(1, body)),
        wire.rows(1, EventType.WRITE_ROWS, 3 if body is UNKNOWN_TYPE else 2, image(1)),
        wire.xid(),
    ]
    [segment] = feed(machine(interest=OnlyT2()), *packets)
    assert (segment.rows, segment.changes) == (1, ())


def test_missing_column_is_refused_only_when_wanted() -> None:
    """An image without a column that nobody wants is read; without a wanted one it is refused."""

    class First:
        def emptied(self, schema: str, table: str) -> None: ...

        def select(self, table: Table) -> Selection | None:
            return Columns(0)

    def packets() -> list[bytes]:
        wire = Wire()
        body = (7).to_bytes(6, "little") + b"\1\0\2\0\2\1" + b"\0" + pack("<i", 9)
        return [*wire.transaction(1, 1)[:3], wire.event(EventType.WRITE_ROWS, body), wire.xid()]

    assert ids(feed_closed(machine(interest=First()), *packets())) == [9]
    with pytest.raises(SourceRefused, match="lacks column v"):
        feed_closed(machine(interest=All()), *packets())


def test_rows_of_another_width_are_refused() -> None:
    """The table map and the rows contradict each other."""
    wire = Wire()
    packets = wire.transaction(1, 1)[:3]
    with pytest.raises(SourceRefused, match="rows of 3 columns"):
        feed_closed(machine(), *packets, wire.rows(7, EventType.WRITE_ROWS, 3, image(1)))


# -------------------------------------------------------------------------------- damage


def test_wrong_checksum_is_refused() -> None:
    """A flipped bit anywhere behind the type's byte."""
    wire = Wire()
    packets = wire.transaction(1, 1)
    damaged = bytearray(packets[3])
    damaged[-8] ^= 1
    with pytest.raises(SourceRefused, match="checksum"):
        feed(machine(), *packets[:3], bytes(damaged))


@pytest.mark.parametrize("number", range(5))
def test_truncated_event_is_refused_at_every_byte(number: int) -> None:
    """Cut short, but framed and checksummed as if it were whole: an error of ours, never a crash or a wrong row."""
    whole = Wire().transaction(1, 1, 2)
    wire = Wire()
    before = [wire.gtid(1), wire.query("BEGIN"), wire.table_map(7, TABLE)][:number]
    body = whole[number][20:-4]
    kind = whole[number][5]
    for length in range(len(body)):
        cut = Wire(wire.pos).event(kind, body[:length])
        subject = machine()
        try:
            segments = feed(subject, *before, *([whole[3]] if number == 4 else []), cut)
        except HasyncError:
            continue
        assert ids(segments) in ([], [1, 2])


@given(st.binary(max_size=200), st.integers(0, 255))
def test_garbage_is_an_error_of_ours(body: bytes, kind: int) -> None:
    """Whatever comes, only hasync's errors leave the machine."""
    wire = Wire()
    subject = machine()
    try:
        feed(subject, *wire.transaction(1, 1)[:3], wire.event(kind, body))
    except HasyncError:
        return


def test_short_packets_are_refused() -> None:
    """Not even a header."""
    for length in range(1, 24):
        with pytest.raises(SourceRefused):
            feed(machine(), Wire().xid()[:length])


@given(
    sizes=st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=6),
    max_rows=st.integers(1, 6),
    stop=st.integers(0, 40),
    resumed_rows=st.integers(1, 6),
)
def test_any_cut_and_resume_gives_each_row_once(
    sizes: list[list[int]], max_rows: int, stop: int, resumed_rows: int
) -> None:
    """For all histories, limits and stops: what was handed over plus what comes after it is everything, once."""
    wire = Wire()
    places = {4: 0}
    packets: list[bytes] = []
    number = 0
    for gtid, events in enumerate(sizes, 1):
        packets += [wire.gtid(gtid), wire.query("BEGIN")]
        for position, size in enumerate(events):
            body = OTHER if position == 1 else TABLE
            images = b"".join(image(number + one + 1) for one in range(size))
            packets += [wire.table_map(7, body), wire.rows(7, EventType.WRITE_ROWS, 2, images)]
            number += size
        packets.append(wire.xid())
        places[wire.pos] = len(packets)
    whole = feed(machine(max_rows=10**6), *packets)
    segments = feed(machine(max_rows=max_rows), *packets)
    assert ids(segments) == ids(whole)
    assert all(segment.rows <= max_rows for segment in segments)
    done = segments[: stop % (len(segments) + 1)]
    start = done[-1].position if done else replace(whole[0].position, pos=4, gtid_set="")
    rest = feed(machine(start=start, max_rows=resumed_rows), *packets[places[start.pos] :])
    assert ids(done) + ids(rest) == ids(whole)


def test_event_that_is_missing_inside_a_transaction_is_noticed() -> None:
    """A dump with a hole would lose rows in silence; between transactions a dump by GTID has holes."""
    wire = Wire()
    packets = wire.transaction(1, 1, 2)
    with pytest.raises(SourceRefused, match=r"does not follow the event that ended at"):
        feed(machine(), *packets[:3], *packets[4:])
    wire.transaction(2, 3)
    assert ids(feed(machine(), *wire.transaction(3, 4))) == [4]
