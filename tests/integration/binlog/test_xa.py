"""Rows of XA transactions come with XA COMMIT, wherever they were prepared, and never after XA ROLLBACK."""

from collections.abc import Iterator

import pytest

from hasync.binlog.source import BinlogSource
from hasync.errors import PositionLost
from hasync.model.position import Position
from testbed import MariaDb, MySql, workdir
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, ids, is_mysql, opened, read_to_end, source_of
from tests.integration.binlog.mirror import mirrored, selected
from tests.integration.binlog.test_resume import purge
from tests.integration.binlog.test_transactions import run, values


@pytest.fixture
def table(server: SqlServer, schema: str) -> str:
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(500))")
    return schema


@pytest.fixture
def source(server: SqlServer) -> Iterator[BinlogSource]:
    subject = source_of(server)
    yield subject
    subject.close()


def prepare(server: SqlServer, schema: str, xid: str, *statements: str) -> None:
    """Prepare a branch in a session of its own."""
    run(server, schema, f"XA START {xid}", *statements, f"XA END {xid}", f"XA PREPARE {xid}")


def finish(server: SqlServer, statement: str) -> None:
    """Decide upon a branch that another session prepared."""
    server.sql(statement)


def test_rows_come_with_the_commit(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Not with PREPARE; behind what was committed in between; never after ROLLBACK; at once in one phase."""
    source.open(LATEST, Wanted(table))
    prepare(server, table, "'a','b',7", "INSERT INTO t VALUES (1, 'xa')", "INSERT INTO t VALUES (2, 'xa')")
    prepare(server, table, "'gone'", "INSERT INTO t VALUES (3, 'gone')")
    assert changes_of(read_to_end(source, server)) == []
    run(server, table, "INSERT INTO t VALUES (4, 'plain')")
    finish(server, "XA ROLLBACK 'gone'")
    finish(server, "XA COMMIT 'a','b',7")
    run(server, table, "XA START 'o'", "INSERT INTO t VALUES (5, 'one')", "XA END 'o'", "XA COMMIT 'o' ONE PHASE")
    segments = read_to_end(source, server)
    assert ids(segments) == [b"4", b"1", b"2", b"5"]
    assert mirrored(changes_of(segments)) == selected(server, table)
    assert segments[-1].position.gtid_set == server.gtid_set()
    assert segments[-1].position.pos == server.binlog_position()[1]


def test_several_at_once_and_names_that_come_again(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Decided in another order than prepared; a name is free again once its branch has ended."""
    source.open(LATEST, Wanted(table))
    for number in range(1, 6):
        prepare(server, table, f"'x{number}'", f"INSERT INTO t VALUES ({number}, 'a')")
    for number in (4, 1, 3):
        finish(server, f"XA COMMIT 'x{number}'")
    finish(server, "XA ROLLBACK 'x2'")
    prepare(server, table, "'x1'", "UPDATE t SET v = 'again' WHERE id = 1")
    prepare(server, table, "'x2'", "INSERT INTO t VALUES (2, 'second')")
    for number in (1, 2, 5):
        finish(server, f"XA COMMIT 'x{number}'")
    assert mirrored(changes_of(read_to_end(source, server))) == selected(server, table)


def test_savepoints_and_empty_branches(server: SqlServer, table: str, source: BinlogSource) -> None:
    """What a savepoint took back does not come; a branch that changed nothing is no trouble."""
    source.open(LATEST, Wanted(table))
    prepare(
        server,
        table,
        "'s'",
        *("INSERT INTO t VALUES (1, 'kept')", "SAVEPOINT a", "INSERT INTO t VALUES (2, 'gone')", "ROLLBACK TO a"),
        "INSERT INTO t VALUES (3, 'kept')",
    )
    prepare(server, table, "'e'", "SELECT 1")
    finish(server, "XA COMMIT 's'")
    run(server, table, "XA START 'f'", "XA END 'f'", "XA COMMIT 'f' ONE PHASE", "INSERT INTO t VALUES (4, 'z')")
    assert ids(read_to_end(source, server)) == [b"1", b"3", b"4"]
    assert source.host


@pytest.mark.parametrize("rotations", [0, 2])
def test_commit_after_another_reader_took_over(server: SqlServer, table: str, rotations: int) -> None:
    """The new one has not seen PREPARE: it finds it, in this file or in one before, past the same name's last life."""
    first, second = source_of(server), source_of(server)
    with opened(first, LATEST, Wanted(table)):
        prepare(server, table, "'x'", "INSERT INTO t VALUES (1, 'former life')")
        finish(server, "XA ROLLBACK 'x'")
        prepare(server, table, "'x'", f"INSERT INTO t VALUES {values(range(10, 20))}")
        place = read_to_end(first, server)[-1].position
    for _ in range(rotations):
        run(server, table, f"INSERT INTO t VALUES ({30 + _}, 'between')", "FLUSH BINARY LOGS")
    with opened(second, place, Wanted(table)):
        finish(server, "XA COMMIT 'x'")
        found = read_to_end(second, server)
    assert mirrored(changes_of(found)) == selected(server, table)


@pytest.mark.parametrize("max_rows", [1, 7])
def test_resume_inside_a_large_branch(server: SqlServer, table: str, max_rows: int) -> None:
    """Cut at the same rows by each reader; rows_done counts in the transaction that commits."""
    source = source_of(server, max_rows=max_rows)
    with opened(source, LATEST, Wanted(table)):
        prepare(server, table, "'big'", f"INSERT INTO t VALUES {values(range(15))}", "DELETE FROM t WHERE id < 5")
        run(server, table, "FLUSH BINARY LOGS")
        finish(server, "XA COMMIT 'big'")
        segments = read_to_end(source, server)
    whole = ids(segments)
    assert len(whole) == 20
    assert mirrored(changes_of(segments)) == selected(server, table)
    done = 0
    for segment in segments:
        done += len(ids([segment]))
        with opened(source, segment.position, Wanted(table)):
            assert ids(read_to_end(source, server)) == whole[done:]


def test_purged_prepare_is_lost(server: SqlServer, table: str) -> None:
    """Its rows are nowhere: the branch is named, and nothing is skipped."""
    source = source_of(server)
    with opened(source, LATEST, Wanted(table)):
        prepare(server, table, "'p','q',3", "INSERT INTO t VALUES (1, 'a')")
        run(server, table, "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
        place = read_to_end(source, server)[-1].position
    purge(server, source)
    with opened(source, place, Wanted(table)):
        finish(server, "XA COMMIT 'p','q',3")
        with pytest.raises(PositionLost, match=r"X'70',X'71',3") as lost:
            read_to_end(source, server)
    assert "purged" in lost.value.hint


def test_dump_is_not_ended_by_the_second_one(server: SqlServer, table: str, source: BinlogSource) -> None:
    """The second dump has an identity of its own, and is gone afterwards."""
    begin = source.open(LATEST, Wanted(table))
    prepare(server, table, "'d'", "INSERT INTO t VALUES (1, 'a')")
    finish(server, "XA COMMIT 'd'")
    run(server, table, "INSERT INTO t VALUES (2, 'b')")
    assert ids(read_to_end(source, server)) == [b"1", b"2"]
    assert source.read().position.order() > begin.order()
    assert server.dump_threads() == 1


@pytest.fixture(params=["mysql", "mariadb"])
def own(request: pytest.FixtureRequest) -> Iterator[SqlServer]:
    """Yield a server that may be restarted and killed."""
    kind = MySql if request.param == "mysql" else MariaDb
    with workdir() as place, kind(place) as server:
        server.sql("CREATE DATABASE d")
        run(server, "d", "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))")
        yield server


@pytest.mark.mysql
@pytest.mark.mariadb
@pytest.mark.parametrize("crash", [False, True], ids=["restart", "crash"])
def test_prepared_branch_survives_the_server(own: SqlServer, crash: bool) -> None:
    """Recovered by the server after a restart or a crash, decided upon then: in a file behind the one of PREPARE."""
    source = source_of(own)
    with opened(source, LATEST, Wanted("d")):
        for xid in ("'c'", "'r'"):
            prepare(own, "d", xid, f"INSERT INTO t VALUES ({ord(xid[1])}, 'xa')")
        run(own, "d", "INSERT INTO t VALUES (1, 'a')")
        segments = read_to_end(source, own)
    place: Position = segments[-1].position
    if crash:
        own.kill()
        own.start()
    else:
        own.restart()
    assert len(own.sql("XA RECOVER")) == 2
    with opened(source, place, Wanted("d")):
        finish(own, "XA COMMIT 'c'")
        finish(own, "XA ROLLBACK 'r'")
        run(own, "d", "INSERT INTO t VALUES (2, 'b')")
        segments += read_to_end(source, own)
    assert mirrored(changes_of(segments)) == selected(own, "d")


def test_compressed_branch(server: SqlServer, table: str) -> None:
    """Two phases and one, compressed; found again by a reader that has not seen PREPARE."""
    compress = "SET binlog_transaction_compression = ON" if is_mysql(server) else "SET GLOBAL log_bin_compress = ON"
    source, second = source_of(server), source_of(server)
    text = "REPEAT('x', 400)"
    try:
        with opened(source, LATEST, Wanted(table)):
            run(server, table, compress, "XA START 'z'", f"INSERT INTO t VALUES (1, {text})", "XA END 'z'")
            run(
                server,
                table,
                *(compress, "XA START 'c'", f"INSERT INTO t VALUES (2, {text})", "XA END 'c'", "XA PREPARE 'c'"),
            )
            run(
                server,
                table,
                *(compress, "XA START 'o'", f"INSERT INTO t VALUES (3, {text})"),
                *("XA END 'o'", "XA COMMIT 'o' ONE PHASE"),
            )
            segments = read_to_end(source, server)
        with opened(second, segments[-1].position, Wanted(table)):
            finish(server, "XA COMMIT 'c'")
            segments += read_to_end(second, server)
        assert ids(segments) == [b"3", b"2"]
        assert mirrored(changes_of(segments)) == selected(server, table)
    finally:
        if not is_mysql(server):
            server.sql("SET GLOBAL log_bin_compress = OFF")
