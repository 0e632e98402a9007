"""Wherever a reader stops, the next one goes on with the row behind, on the same server or on another."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hasync.binlog.source import BinlogSource
from hasync.errors import PositionLost, SourceUnavailable
from hasync.model.change import Segment
from hasync.model.position import Flavor, Position, Start, StartKind
from testbed import wait_until
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, ids, is_mysql, opened, read_to_end, read_until, source_of
from tests.integration.binlog.test_transactions import run, values


@pytest.fixture
def table(server: SqlServer, schema: str) -> str:
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))", "CREATE TABLE o LIKE t")
    return schema


@pytest.fixture
def source(server: SqlServer) -> Iterator[BinlogSource]:
    subject = source_of(server)
    yield subject
    subject.close()


def write_history(server: SqlServer, table: str) -> None:
    """Write small transactions around one of 12 rows in two tables, one of them unwanted."""
    run(
        server,
        table,
        *("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (2, 'b'), (3, 'c')", "BEGIN"),
        *(f"INSERT INTO t VALUES {values(range(10, 15))}", f"INSERT INTO o VALUES {values(range(4))}"),
        *(f"INSERT INTO t VALUES {values(range(15, 18))}", "COMMIT"),
        *("INSERT INTO t VALUES (20, 'z')", "ALTER TABLE t ADD COLUMN w INT", "INSERT INTO t VALUES (21, 'y', 1)"),
    )


HISTORY = [b"1", b"2", b"3", *(str(number).encode() for number in range(10, 18)), b"20", b"21"]


def stops(server: SqlServer, begin: Position, table: str, max_rows: int) -> list[tuple[Position, list[bytes]]]:
    """Return each position that a reader with this limit passes, and the ids that came before it."""
    source = source_of(server, max_rows=max_rows)
    with opened(source, begin, Wanted(table, ("t",))):
        segments = read_to_end(source, server)
    passed: list[tuple[Position, list[bytes]]] = [(begin, [])]
    for segment in segments:
        passed.append((segment.position, [*passed[-1][1], *ids([segment])]))
    return passed


@pytest.mark.parametrize("max_rows", [1, 2, 5, 11, 12, 1000])
def test_resume_at_each_stop_loses_and_doubles_nothing(server: SqlServer, table: str, max_rows: int) -> None:
    """Cut at every limit, resumed at every place with another limit: each row comes exactly once."""
    source = source_of(server)
    with opened(source, LATEST, Wanted(table)) as begin:
        write_history(server, table)
    for position, before in stops(server, begin, table, max_rows):
        resumed = source_of(server, max_rows=3)
        with opened(resumed, position, Wanted(table, ("t",))):
            after = ids(read_to_end(resumed, server))
        assert [*before, *after] == HISTORY


def test_large_transaction_is_cut_small_ones_are_not(server: SqlServer, table: str) -> None:
    """Pieces hold at most the limit and keep the position at the transaction's start; the last piece ends it."""
    with opened(source_of(server), LATEST, Wanted(table)) as begin:
        write_history(server, table)
    source = source_of(server, max_rows=5)
    with opened(source, begin, Wanted(table)):
        segments = read_to_end(source, server)
    assert max(segment.rows for segment in segments) == 5
    pieces = [segment for segment in segments if not segment.ends_transaction]
    assert [segment.position.rows_done for segment in pieces] == [5, 9]
    before = segments[segments.index(pieces[0]) - 1]
    assert {segment.position.pos for segment in pieces} == {before.position.pos}
    assert sum(segment.transactions for segment in segments) == 6


def test_rows_done_does_not_depend_on_the_interest(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A position taken under one config holds under another: rows of all tables count."""
    begin = source.open(LATEST, Wanted(table))
    run(server, table, "BEGIN", f"INSERT INTO o VALUES {values(range(3))}")
    run(
        server,
        table,
        *("BEGIN", f"INSERT INTO o VALUES {values(range(3))}", f"INSERT INTO t VALUES {values(range(3))}", "COMMIT"),
    )
    source.open(replace(begin, rows_done=4), Wanted(table, ("t",)))
    assert ids(read_to_end(source, server)) == [b"1", b"2"]


def test_position_waits_inside_a_transaction(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Heartbeats before the half-done transaction comes keep its rows_done."""
    begin = source.open(LATEST, Wanted(table))
    position = source.open(replace(begin, rows_done=2), Wanted(table))
    assert position.rows_done == 2
    idle = source.read()
    assert (idle.position.rows_done, idle.ends_transaction) == (2, False)
    run(server, table, f"INSERT INTO t VALUES {values(range(3))}")
    assert ids(read_to_end(source, server)) == [b"2"]


def test_more_rows_done_than_rows_is_refused(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A transaction with fewer rows than were applied of it is not the same transaction."""
    begin = source.open(LATEST, Wanted(table))
    run(server, table, "INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (2, 'a')")
    source.open(replace(begin, rows_done=2), Wanted(table))
    with pytest.raises(PositionLost, match="1 rows less"):
        read_to_end(source, server)


# ------------------------------------------------------------------------------- starts


def read_from(server: SqlServer, table: str, start: Start | Position) -> tuple[Position, list[Segment]]:
    source = source_of(server)
    with opened(source, start, Wanted(table, ("t",))) as begin:
        return begin, read_to_end(source, server)


def test_start_at_earliest(server: SqlServer, table: str) -> None:
    """Earliest is the head of the oldest file."""
    server.sql("RESET BINARY LOGS AND GTIDS" if is_mysql(server) else "RESET MASTER")  # what other tests wrote
    write_history(server, table)
    begin, segments = read_from(server, table, Start(kind=StartKind.EARLIEST))
    assert begin.file == server.binlog_files()[0]
    assert ids(segments) == HISTORY
    assert segments[-1].position.gtid_set == server.gtid_set()


def test_start_at_file_knows_its_gtids(server: SqlServer, table: str) -> None:
    """A start in the middle of a file has the GTIDs that lie before it, and continues them."""
    run(server, table, "INSERT INTO t VALUES (1, 'a')", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
    file, pos = server.binlog_position()
    executed = server.gtid_set()
    run(server, table, "INSERT INTO t VALUES (3, 'c')")
    begin, segments = read_from(server, table, Start(kind=StartKind.FILE, file=file, pos=pos))
    assert (begin.file, begin.pos, begin.gtid_set) == (file, pos, executed)
    assert ids(segments) == [b"3"]
    assert segments[-1].position.gtid_set == server.gtid_set()


def test_start_at_the_end_of_a_file(server: SqlServer, table: str) -> None:
    """Nothing is behind the place yet, or only the next file."""
    run(server, table, "INSERT INTO t VALUES (1, 'a')")
    file, pos = server.binlog_position()
    begin, _ = read_from(server, table, Start(kind=StartKind.FILE, file=file, pos=pos))
    assert (begin.file, begin.pos) == (file, pos)
    run(server, table, "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
    size = next(row[1] for row in server.sql("SHOW BINARY LOGS") if row[0] == file)
    for place in (pos, size):
        _, segments = read_from(server, table, Start(kind=StartKind.FILE, file=file, pos=place))
        assert ids(segments) == [b"2"]


def test_start_by_gtid(server: SqlServer, table: str) -> None:
    """The first transaction that is not in the set comes first, and its place is known before it is read."""
    run(server, table, "INSERT INTO t VALUES (1, 'a')")
    executed, (file, pos) = server.gtid_set(), server.binlog_position()
    run(server, table, "INSERT INTO t VALUES (2, 'b')")
    begin, segments = read_from(server, table, Start(kind=StartKind.GTID, gtid_set=executed))
    assert (begin.file, begin.pos, begin.gtid_set) == (file, pos, executed)
    assert ids(segments) == [b"2"]


def test_start_by_gtid_at_the_end(server: SqlServer, table: str) -> None:
    """With nothing behind the set, the start is the end of the binlog."""
    run(server, table, "INSERT INTO t VALUES (1, 'a')")
    source = source_of(server)
    with opened(source, Start(kind=StartKind.GTID, gtid_set=server.gtid_set()), Wanted(table)) as begin:
        assert (begin.file, begin.pos) == server.binlog_position()
        run(server, table, "INSERT INTO t VALUES (2, 'b')")
        assert ids(read_to_end(source, server)) == [b"2"]


def test_start_by_gtid_behind_a_rotation(server: SqlServer, table: str) -> None:
    """Whole files are skipped by the server."""
    run(server, table, "INSERT INTO t VALUES (1, 'a')")
    executed = server.gtid_set()
    run(server, table, "FLUSH BINARY LOGS", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
    begin, segments = read_from(server, table, Start(kind=StartKind.GTID, gtid_set=executed))
    assert ids(segments) == [b"2"]
    again, segments = read_from(server, table, begin)
    assert (again, ids(segments)) == (begin, [b"2"])


def test_start_by_timestamp(server: SqlServer, table: str) -> None:
    """The first transaction at or after the time comes first, also files back; a time to come starts at the end."""
    at = float(server.sql("SELECT CEIL(UNIX_TIMESTAMP(NOW(6))) + 1")[0][0])
    run(server, table, "INSERT INTO t VALUES (1, 'a')", "FLUSH BINARY LOGS")
    wait_until("the clock", lambda: server.sql("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0] >= at)
    run(server, table, "INSERT INTO t VALUES (2, 'b')", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (3, 'c')")
    begin, segments = read_from(server, table, Start(kind=StartKind.TIMESTAMP, timestamp=at))
    assert ids(segments) == [b"2", b"3"]
    assert begin.rows_done == 0
    _, segments = read_from(server, table, begin)
    assert ids(segments) == [b"2", b"3"]
    begin, _ = read_from(server, table, Start(kind=StartKind.TIMESTAMP, timestamp=at + 1e6))
    assert (begin.file, begin.pos) == server.binlog_position()


def test_position_from_before_gtids_learns_them(server: SqlServer, table: str, source: BinlogSource) -> None:
    """MySQL was given GTIDs since: the set must hold those before the position too, or a failover repeats them."""
    begin = source.open(LATEST, Wanted(table))
    run(server, table, f"INSERT INTO t VALUES {values(range(3))}")
    half = replace(begin, gtid_set="", rows_done=1)
    if not is_mysql(server):
        with pytest.raises(PositionLost):
            source.open(half, Wanted(table))
        return
    opened_at = source.open(half, Wanted(table))
    assert (opened_at.pos, opened_at.gtid_set, opened_at.rows_done) == (begin.pos, begin.gtid_set, 1)
    assert ids(read_to_end(source, server)) == [b"1", b"2"]


# ------------------------------------------------------------------------ positions lost


def purge(server: SqlServer, source: BinlogSource) -> None:
    """Purge all but the last file; one that a dump reads, or that crash recovery needs, stays for a while."""
    source.close()

    def purged() -> bool:
        server.sql(f"PURGE BINARY LOGS TO '{server.binlog_files()[-1]}'")
        return len(server.binlog_files()) == 1

    wait_until("the purge", purged)


def open_and_read(server: SqlServer, source: BinlogSource, start: Start | Position, table: str) -> list[Segment]:
    """Open and read to the end: some errors come with the first packets only."""
    source.open(start, Wanted(table))
    return read_to_end(source, server)


def test_purged_file_is_lost_without_gtids(server: SqlServer, table: str, source: BinlogSource) -> None:
    """The file is gone, and nothing else says where the position was."""
    begin = source.open(LATEST, Wanted(table))
    run(server, table, "INSERT INTO t VALUES (1, 'a')", "FLUSH BINARY LOGS")
    purge(server, source)
    with pytest.raises(PositionLost, match="purged"):
        source.open(replace(begin, gtid_set=""), Wanted(table))


def test_purged_transactions_are_lost(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Transactions that were never read are purged."""
    begin = source.open(LATEST, Wanted(table))
    run(server, table, "INSERT INTO t VALUES (1, 'a')", "FLUSH BINARY LOGS")
    purge(server, source)
    with pytest.raises(PositionLost):
        open_and_read(server, source, begin, table)


def test_purged_file_without_unread_transactions_is_no_loss(
    server: SqlServer, table: str, source: BinlogSource
) -> None:
    """The position's file is gone, but all that was in it is applied: its GTIDs prove it."""
    run(server, table, "INSERT INTO t VALUES (1, 'a')")
    begin = source.open(LATEST, Wanted(table))
    run(server, table, "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
    purge(server, source)
    source.open(begin, Wanted(table))
    assert ids(read_to_end(source, server)) == [b"2"]


def test_position_beyond_the_end_is_lost(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A file of the same name that is shorter is another one."""
    begin = source.open(LATEST, Wanted(table))
    with pytest.raises(PositionLost):
        source.open(Start(kind=StartKind.FILE, file=begin.file, pos=begin.pos + 1000), Wanted(table))
    with pytest.raises(PositionLost):
        open_and_read(server, source, replace(begin, pos=begin.pos + 1000, gtid_set=""), table)


def test_position_inside_a_transaction_is_lost(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A start between table map and rows would lose rows without a sound."""
    begin = source.open(LATEST, Wanted(table))
    run(server, table, "BEGIN", f"INSERT INTO t VALUES {values(range(3))}", "INSERT INTO o VALUES (1, 'a')", "COMMIT")
    events = server.sql(f"SHOW BINLOG EVENTS IN '{begin.file}' FROM {begin.pos}")
    inside = [event[1] for event in events[1:] if event[2] != "Annotate_rows"]
    assert len(inside) >= 5
    for pos in inside:
        with pytest.raises(PositionLost):
            open_and_read(server, source, Start(kind=StartKind.FILE, file=begin.file, pos=pos), table)
    with pytest.raises(PositionLost):
        open_and_read(server, source, replace(begin, pos=inside[-1], gtid_set=""), table)


def test_position_inside_an_event_is_lost(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Garbage is not read as events."""
    begin = source.open(LATEST, Wanted(table))
    run(server, table, f"INSERT INTO t VALUES {values(range(3))}")
    with pytest.raises(PositionLost):
        open_and_read(server, source, replace(begin, pos=begin.pos + 7, gtid_set=""), table)


def test_unknown_gtids_are_lost(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Transactions were applied that this server never had: it was reset, or lags, or is another's."""
    begin = source.open(LATEST, Wanted(table))
    ahead = "00000000-0000-0000-0000-00000000abcd:1-5" if is_mysql(server) else "0-1-99999999"
    for lost in (replace(begin, gtid_set=ahead), replace(begin, gtid_set=ahead, server_uuid="another")):
        with pytest.raises(PositionLost, match="lacks"):
            source.open(lost, Wanted(table))


def test_position_of_another_server_without_gtids_is_lost(server: SqlServer, table: str, source: BinlogSource) -> None:
    """File and offset mean nothing elsewhere; an empty set is only right where nothing was purged."""
    begin = source.open(LATEST, Wanted(table))
    run(server, table, "FLUSH BINARY LOGS")
    purge(server, source)
    with pytest.raises(PositionLost):
        source.open(replace(begin, server_uuid="another", gtid_set=""), Wanted(table))


def test_position_of_the_other_flavor_is_lost(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A MariaDB position is not tried on MySQL."""
    begin = source.open(LATEST, Wanted(table))
    other = Flavor.MARIADB if is_mysql(server) else Flavor.MYSQL
    with pytest.raises(PositionLost, match="position is"):
        source.open(replace(begin, flavor=other, gtid_set=""), Wanted(table))


def test_restart_of_the_server_is_survived(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A stopped server is SourceUnavailable, at once and while it is away; then nothing is lost or doubled."""
    at = source.open(LATEST, Wanted(table))
    run(server, table, "INSERT INTO t VALUES (1, 'a')")
    segments = read_to_end(source, server)
    at = segments[-1].position
    run(server, table, "INSERT INTO t VALUES (2, 'b')")
    server.stop()
    with pytest.raises(SourceUnavailable):
        read_until(source, lambda read: False)
    with pytest.raises(SourceUnavailable):
        source.open(at, Wanted(table))
    server.start()
    run(server, table, "INSERT INTO t VALUES (3, 'c')")
    source.open(at, Wanted(table))
    assert ids(read_to_end(source, server)) == [b"2", b"3"]


@contextmanager
def load(server: SqlServer, table: str) -> Iterator[None]:
    """Commit from many sessions at once."""
    stop = threading.Event()

    def write(first: int) -> None:
        with server.connect(database=table) as connection, connection.cursor() as cursor:
            for number in itertools.count(first, 10):
                if stop.is_set():
                    return
                cursor.execute(f"INSERT INTO t VALUES ({number}, 'x')")

    writers = [threading.Thread(target=write, args=(first,), daemon=True) for first in range(6)]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_latest_knows_its_gtids_under_load(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Many sessions commit at once: place and GTID set of a start belong together, or a failover brings rows back."""
    with load(server, table):
        places = [source.open(LATEST, Wanted(table)) for _ in range(20)]
    for place in places[::4]:
        again = source.open(Start(kind=StartKind.FILE, file=place.file, pos=place.pos), Wanted("none"))
        assert (again.pos, again.gtid_set) == (place.pos, place.gtid_set)


def test_resume_under_load_is_not_taken_for_another_history(
    server: SqlServer, table: str, source: BinlogSource
) -> None:
    """MySQL sends a transaction before it counts it as executed: a quick reconnect must not look like a reset."""
    found: list[bytes] = []
    with load(server, table):
        begin = at = source.open(LATEST, Wanted(table))
        for _ in range(25):
            segment = source.read()
            found += ids([segment])
            at = source.open(segment.position, Wanted(table))
    found += ids(read_to_end(source, server))
    source.open(begin, Wanted(table))
    assert found == ids(read_to_end(source, server))
    assert at.order() > begin.order()
