"""XA transactions: rows come with the commit, read again from where they were prepared."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.binlog import xa
from hasync.binlog.frames import EventType
from hasync.errors import PositionLost, SourceRefused
from hasync.model.position import Flavor, Position
from tests.unit.binlog.events import TABLE, UUID, Shelf, Wire, feed, feed_closed, ids, image, machine
from tests.unit.binlog.shapes import end_of, mariadb_xa, payload, xa_prepare, xid_text

X = xid_text(b"x")


def branch(wire: Wire, number: int, *rows: int, name: bytes = b"x", one_phase: bool = False) -> list[bytes]:
    """Return the transaction that prepares a branch with one event per row."""
    head = [wire.gtid(number), wire.query(f"XA START {xid_text(name)}"), wire.table_map(7, TABLE)]
    events = [wire.rows(7, EventType.WRITE_ROWS, 2, image(row), last=False) for row in rows]
    return [*head, *events, wire.query(f"XA END {xid_text(name)}"), xa_prepare(wire, name, one_phase=one_phase)]


def decision(wire: Wire, number: int, verb: str, name: bytes = b"x") -> list[bytes]:
    """Return the transaction that ends a branch."""
    return [wire.gtid(number), wire.query(f"XA {verb} {xid_text(name)}")]


def shelf(*packets: bytes, before: dict[str, list[bytes]] | None = None) -> Shelf:
    """Return an archive in which these packets are ``bin.000001``, behind older files."""
    wire = Wire()
    return Shelf({**(before or {}), "bin.000001": [wire.rotate("bin.000001"), wire.format(), *packets]})


def at(pos: int, **more: object) -> Position:
    return Position(flavor=Flavor.MYSQL, server_uuid="s", file="bin.000001", pos=pos, **more)  # type: ignore[arg-type]


def test_rows_come_with_the_commit() -> None:
    """In the place and under the GTID of the commit; the second dump begins at PREPARE's transaction, and is closed."""
    wire = Wire()
    packets = [*branch(wire, 1, 1, 2), *wire.transaction(2, 3)]
    archive = shelf(*packets)
    subject = machine(archive=archive)
    assert ids(feed(subject, *packets)) == [3]
    [segment] = feed(subject, *decision(wire, 3, "COMMIT"))
    assert (ids([segment]), segment.rows, segment.transactions) == ([1, 2], 2, 1)
    assert (segment.position.pos, segment.position.gtid_set) == (wire.pos, f"{UUID}:1-3")
    assert (archive.asked, archive.open) == ([("bin.000001", 4)], 0)


def test_rollback_gives_nothing() -> None:
    """Nothing is read again either."""
    wire = Wire()
    archive = shelf()
    packets = [*branch(wire, 1, 1, 2), *decision(wire, 2, "ROLLBACK"), *wire.transaction(3, 3)]
    segments = feed(machine(archive=archive), *packets)
    assert ids(segments) == [3]
    assert (segments[-1].position.gtid_set, archive.asked) == (f"{UUID}:1-3", [])


def test_one_phase_gives_its_rows_at_once() -> None:
    """That there is one phase only is known at its end."""
    wire = Wire()
    packets = [*wire.transaction(1, 9), *branch(wire, 2, 1, 2, one_phase=True)]
    segments = feed(machine(archive=shelf(*packets)), *packets)
    assert ids(segments) == [9, 1, 2]
    assert segments[-1].position.pos == wire.pos


@given(done=st.integers(0, 11), max_rows=st.integers(1, 15), known=st.booleans(), one_phase=st.booleans())
def test_any_cut_and_resume_gives_each_row_once(done: int, max_rows: int, known: bool, one_phase: bool) -> None:
    """rows_done counts in the transaction that commits, by whichever reader."""
    wire = Wire()
    first = branch(wire, 1, *range(12), one_phase=one_phase)
    begin = 4 if one_phase else wire.pos
    last = [] if one_phase else decision(wire, 2, "COMMIT")
    archive = shelf(*first, *last)
    if known and not one_phase:
        subject = machine(archive=archive, max_rows=max_rows)
        segments = feed(subject, *first, *last)
        assert ids(segments) == list(range(12))
        for segment in segments[:-1]:
            assert segment.position.pos in (4, begin)
    later = last or first
    resumed = machine(archive=archive, max_rows=max_rows, start=at(begin, rows_done=done))
    assert ids(feed(resumed, *later)) == list(range(done, 12))


def test_prepare_is_searched_for_in_older_files() -> None:
    """Backwards, and only as far as needed; the last life of the name counts."""
    old, older = Wire(), Wire()
    older_file = [*branch(older, 1, 66), *decision(older, 2, "ROLLBACK")]
    old_file = [
        *branch(old, 3, 1, name=b"other"),
        *branch(old, 4, 5),
        *decision(old, 5, "COMMIT"),
        *branch(old, 6, 7, 8),
        *old.transaction(7, 99),
    ]
    wire = Wire()
    packets = [*wire.transaction(8, 3), *decision(wire, 9, "COMMIT")]
    archive = shelf(
        *packets,
        before={
            "bin.000007": [older.format(), *older_file, older.rotate("bin.000008", real=True)],
            "bin.000008": [old.format(), *old_file, old.rotate("bin.000001", real=True)],
        },
    )
    assert ids(feed(machine(archive=archive), *packets)) == [3, 7, 8]
    assert [file for file, _ in archive.asked] == ["bin.000001", "bin.000008", "bin.000008"]
    assert archive.asked[-1][1] == end_of(old_file[-13])
    assert archive.open == 0


def test_search_does_not_go_past_an_end_of_the_branch() -> None:
    """A branch that ended and was not prepared again cannot commit: the history is another one."""
    wire = Wire()
    packets = [*branch(wire, 1, 1), *decision(wire, 2, "COMMIT")]
    begin = wire.pos
    again = decision(wire, 3, "COMMIT")
    with pytest.raises(PositionLost, match="none of the server"):
        feed(machine(archive=shelf(*packets, *again), start=at(begin)), *again)


def test_purged_prepare_is_lost() -> None:
    """Named with the branch and with what to do."""
    wire = Wire(500)
    packets = decision(wire, 2, "COMMIT", b"gone")
    with pytest.raises(PositionLost, match=r"X'676f6e65',X'',1") as lost:
        feed(machine(archive=shelf(), start=at(500)), *packets)
    assert lost.value.hint


def test_place_that_holds_another_branch_is_lost() -> None:
    """The second dump came from a server with other files: its rows are not taken."""
    wire = Wire()
    packets = branch(wire, 1, 1)
    others = branch(Wire(), 1, 5, name=b"y")
    with pytest.raises(PositionLost, match=r"not at bin\.000001:4"):
        feed(machine(archive=shelf(*others)), *packets, *decision(wire, 2, "COMMIT"))


def test_place_with_a_plain_transaction_is_lost() -> None:
    """The same, with rows that were never prepared."""
    wire = Wire()
    packets = branch(wire, 1, 1)
    with pytest.raises(PositionLost, match=r"not at bin\.000001:4"):
        feed(machine(archive=shelf(*Wire().transaction(1, 5))), *packets, *decision(wire, 2, "COMMIT"))


def test_savepoints_of_a_branch() -> None:
    """Taken back rows do not come; those that were handed over already refuse."""
    wire = Wire()
    rows = branch(wire, 1)[:3]
    row = [wire.rows(7, EventType.WRITE_ROWS, 2, image(1), last=False), wire.query("SAVEPOINT `a`")]
    gone = [wire.rows(7, EventType.WRITE_ROWS, 2, image(2), last=False), wire.query("ROLLBACK TO `a`")]
    packets = [*rows, *row, *gone, wire.query(f"XA END {X}"), xa_prepare(wire, b"x")]
    commit = decision(wire, 2, "COMMIT")
    assert ids(feed_closed(machine(archive=shelf(*packets)), *packets, *commit)) == [1]
    with pytest.raises(SourceRefused, match="takes back"):
        feed_closed(machine(archive=shelf(*packets), max_rows=1), *packets, *commit)


def test_compressed_branch_is_found_and_read() -> None:
    """PREPARE inside a payload: remembered, or searched for past payloads of no interest."""
    wire = Wire()
    packets = []
    for number, name in enumerate((b"x", b"y", b"z"), 1):
        inner = branch(Wire(0, checksum=False), 0, number, name=name)[1:]
        packets += [wire.gtid(number), payload(wire, inner)]
    plain = Wire(0, checksum=False).transaction(0, 50)[1:]
    packets += [wire.gtid(4), payload(wire, plain)]
    begin = wire.pos
    commit = decision(wire, 5, "COMMIT", b"y")
    archive = shelf(*packets, *commit)
    assert ids(feed(machine(archive=archive), *packets, *commit)) == [50, 2]
    assert ids(feed(machine(archive=archive, start=at(begin)), *commit)) == [2]


def test_one_phase_in_a_payload() -> None:
    """The payload is read twice; its rows come once."""
    wire = Wire()
    inner = branch(Wire(0, checksum=False), 0, 1, 2, one_phase=True)[1:]
    packets = [wire.gtid(1), payload(wire, inner), *wire.transaction(2, 3)]
    assert ids(feed(machine(archive=shelf(*packets)), *packets)) == [1, 2, 3]


def test_branch_behind_4_gib() -> None:
    """A dump cannot be asked for it: the file is read from its head."""
    pos = (1 << 32) + 1000
    wire = Wire(pos)
    packets = branch(wire, 1, 1)
    commit = decision(wire, 2, "COMMIT")
    archive = shelf(*leaps(pos), *packets, *commit)
    assert ids(feed(machine(archive=archive, start=at(pos)), *packets, *commit)) == [1]
    assert archive.asked == [("bin.000001", 4)]


def leaps(pos: int) -> list[bytes]:
    """Return events that lead from the head to ``pos``; no two ends are more than 2 GiB apart."""
    ends = (1 << 31, 1 << 32, pos)
    return [Wire(end - 33).event(EventType.ROWS_QUERY, bytes(10)) for end in ends]


# -------------------------------------------------------------------------------- MariaDB

PREPARES, COMPLETES = 0x4C, 0x8D


def test_mariadbs_branch() -> None:
    """Its GTID event has the name; there is no XA START."""
    wire = Wire()
    packets = [
        mariadb_xa(wire, 1, b"x", PREPARES),
        wire.table_map(7, TABLE),
        wire.rows(7, EventType.WRITE_ROWS, 2, image(1)),
        wire.query(f"XA END {X}"),
        xa_prepare(wire, b"x"),
        wire.mariadb_gtid(2),
        wire.table_map(7, TABLE),
        wire.rows(7, EventType.WRITE_ROWS, 2, image(2)),
        wire.xid(),
        mariadb_xa(wire, 3, b"x", COMPLETES),
        wire.query(f"XA COMMIT {X}"),
    ]
    archive = shelf(*packets)
    segments = feed(machine(archive=archive, flavor=Flavor.MARIADB), *packets)
    assert ids(segments) == [2, 1]
    assert segments[-1].position.gtid_set == "0-1-3"


# ----------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("sql", "verb", "xid"),
    [
        (b"XA START X'78',X'62',7", xa.Verb.BEGIN, xa.Xid(b"x", b"b", 7)),
        (b"XA COMMIT X'78',X'',1", xa.Verb.COMMIT, xa.Xid(b"x", b"", 1)),
        (b"xa rollback x'7A'", xa.Verb.ROLLBACK, xa.Xid(b"z", b"", 1)),
        (b"XA END X'',X'',4294967295", xa.Verb.NOTHING, xa.Xid(b"", b"", 0xFFFFFFFF)),
    ],
)
def test_statements_are_read_as_servers_write_them(sql: bytes, verb: xa.Verb, xid: xa.Xid) -> None:
    """Hexadecimal names, the format id as an unsigned number."""
    assert xa.statement(sql) == (verb, xid)


def test_statement_of_another_form_is_refused() -> None:
    """Which branch it means would be a guess."""
    wire = Wire()
    with pytest.raises(SourceRefused, match="XA statement"):
        feed(machine(), wire.gtid(1), wire.query("XA COMMIT 'x'"))


@pytest.mark.parametrize("body", [b"", b"\0" * 12, pack("<BIII", 0, 1, 100, 0) + b"short"])
def test_damaged_prepare_is_refused(body: bytes) -> None:
    """By type and place."""
    wire = Wire()
    head = branch(wire, 1, 1)[:-1]
    with pytest.raises(SourceRefused, match=r"\b38\b"):
        feed(machine(), *head, Wire(wire.pos - 39).event(EventType.XA_PREPARE, body))
