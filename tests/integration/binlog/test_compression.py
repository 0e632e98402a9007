"""Compressed transactions and events give the same rows as plain ones."""

from collections.abc import Iterator

import pytest

from hasync.binlog.source import BinlogSource
from hasync.model.position import Position, Start, StartKind
from testbed.mariadb import MariaDb
from testbed.mysql import MySql
from testbed.sql import SqlServer
from tests.integration.binlog.bench import (
    LATEST,
    Wanted,
    changes_of,
    ids,
    opened,
    read_to_end,
    source_of,
)
from tests.integration.binlog.mirror import mirrored, selected
from tests.integration.binlog.test_transactions import run, values

COMPRESSED = "SET binlog_transaction_compression = ON"


@pytest.fixture
def table(server: SqlServer, schema: str) -> str:
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(500))")
    return schema


@pytest.fixture
def source(server: SqlServer) -> Iterator[BinlogSource]:
    subject = source_of(server)
    yield subject
    subject.close()


@pytest.fixture
def compressing(server: SqlServer) -> Iterator[SqlServer]:
    """Yield the server with all that it can compress switched on."""
    if isinstance(server, MySql):
        switches = [("binlog_transaction_compression", "ON", "OFF")]
    else:
        switches = [("log_bin_compress", "ON", "OFF"), ("log_bin_compress_min_len", "10", "256")]
    for name, value, _ in switches:
        server.sql(f"SET GLOBAL {name} = {value}")
    yield server
    for name, _, value in switches:
        server.sql(f"SET GLOBAL {name} = {value}")


def types_in(server: SqlServer, file: str) -> set[str]:
    return {row[2] for row in server.sql(f"SHOW BINLOG EVENTS IN '{file}'")}


def test_compressed_rows_are_those_of_the_table(compressing: SqlServer, table: str, source: BinlogSource) -> None:
    """INSERT, UPDATE, DELETE, savepoints, a table without transactions, and DDL in between."""
    run(compressing, table, "FLUSH BINARY LOGS", "CREATE TABLE m (id INT PRIMARY KEY, v TEXT) ENGINE=MyISAM")
    source.open(LATEST, Wanted(table))
    run(
        compressing,
        table,
        f"INSERT INTO t VALUES {values(range(1, 200))}",
        *("BEGIN", "UPDATE t SET v = REPEAT(v, 20) WHERE id < 90", "SAVEPOINT a", "DELETE FROM t WHERE id < 50"),
        *("ROLLBACK TO a", "DELETE FROM t WHERE id % 7 = 0", "COMMIT"),
        *("INSERT INTO m VALUES (1, REPEAT('m', 400)), (2, '')", "ALTER TABLE t ADD COLUMN n INT DEFAULT 7"),
        *("CREATE TABLE c AS SELECT id, v FROM t", "INSERT INTO t VALUES (1000, REPEAT('x', 400), NULL)"),
    )
    segments = read_to_end(source, compressing)
    found = types_in(compressing, compressing.binlog_files()[-1])
    assert found & {"Transaction_payload", "Write_rows_compressed_v1"}
    changes = changes_of(segments)
    assert {key: (*row, b"7")[:3] for key, row in mirrored(changes).items()} == selected(compressing, table)
    assert mirrored(changes, "m") == selected(compressing, table, "m")
    assert mirrored(changes, "c") == selected(compressing, table, "c")
    assert segments[-1].position.gtid_set == compressing.gtid_set()


@pytest.mark.parametrize("max_rows", [1, 7, 1000])
def test_resume_at_each_piece_of_a_compressed_transaction(compressing: SqlServer, table: str, max_rows: int) -> None:
    """Cut like a plain one: rows_done counts, and a resume skips what is done."""
    source = source_of(compressing, max_rows=max_rows)
    with opened(source, LATEST, Wanted(table)):
        run(compressing, table, "BEGIN", f"INSERT INTO t VALUES {values(range(20))}", "DELETE FROM t", "COMMIT")
        segments = read_to_end(source, compressing)
    whole = ids(segments)
    assert len(whole) == 40
    done = 0
    for segment in segments:
        done += len(ids([segment]))
        with opened(source, segment.position, Wanted(table)):
            assert ids(read_to_end(source, compressing)) == whole[done:]


def test_start_behind_a_compressed_transaction(compressing: SqlServer, table: str, source: BinlogSource) -> None:
    """At the end, in the middle, by GTID: what lies in front of the start may be compressed."""
    run(compressing, table, f"INSERT INTO t VALUES {values(range(30))}")
    file, pos = compressing.binlog_position()
    gtid_set = compressing.gtid_set()
    for start in (
        LATEST,
        Start(kind=StartKind.FILE, file=file, pos=pos),
        Start(kind=StartKind.GTID, gtid_set=gtid_set),
    ):
        begin = source.open(start, Wanted(table))
        assert isinstance(begin, Position)
        assert (begin.file, begin.pos, begin.gtid_set) == (file, pos, gtid_set)


@pytest.mark.mysql
def test_levels_and_sessions(mysql: MySql) -> None:
    """Each session chooses for itself, up to the highest level, whose window is the largest."""
    mysql.sql("CREATE DATABASE levels")
    source = source_of(mysql)
    try:
        run(mysql, "levels", "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(500))")
        source.open(LATEST, Wanted("levels"))
        for level in (1, 3, 22):
            run(
                mysql,
                "levels",
                *(COMPRESSED, f"SET binlog_transaction_compression_level_zstd = {level}"),
                f"INSERT INTO t SELECT {level * 100000} + a.n * 1000 + b.n, REPEAT(SHA2(RAND(), 256), 7) FROM "
                f"({numbers(100)}) a, ({numbers(60)}) b",
            )
        assert mirrored(changes_of(read_to_end(source, mysql))) == selected(mysql, "levels")
    finally:
        source.close()
        mysql.sql("DROP DATABASE levels")


def numbers(count: int) -> str:
    return f"WITH RECURSIVE s AS (SELECT 1 n UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s"


@pytest.mark.mariadb
def test_compressed_statement_is_read(mariadb: MariaDb) -> None:
    """DDL longer than the threshold comes as QUERY_COMPRESSED; it means what it says."""
    mariadb.sql("SET GLOBAL log_bin_compress = ON")
    mariadb.sql("SET GLOBAL log_bin_compress_min_len = 10")
    source = source_of(mariadb)
    try:
        source.open(LATEST, Wanted("long"))
        columns = ", ".join(f"column_{number} INT" for number in range(50))
        mariadb.sql("CREATE DATABASE `long`")
        run(mariadb, "long", f"CREATE TABLE t (id INT PRIMARY KEY, {columns})", "INSERT INTO t (id) VALUES (1), (2)")
        assert ids(read_to_end(source, mariadb)) == [b"1", b"2"]
        assert "Query_compressed" in types_in(mariadb, mariadb.binlog_files()[-1])
    finally:
        source.close()
        mariadb.sql("SET GLOBAL log_bin_compress = OFF")
        mariadb.sql("SET GLOBAL log_bin_compress_min_len = 256")
        mariadb.sql("DROP DATABASE IF EXISTS `long`")
