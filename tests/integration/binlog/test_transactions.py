"""What was committed comes, once and in order; what was rolled back does not."""

from collections.abc import Iterator, Sequence

import pytest

from hasync.binlog.source import BinlogSource
from hasync.model.change import Operation
from hasync.model.position import Start, StartKind
from testbed.sql import SqlServer
from tests.integration.binlog.bench import (
    LATEST,
    Change,
    Wanted,
    changes_of,
    ids,
    is_mysql,
    read_to_end,
    read_until,
    source_of,
)


@pytest.fixture
def source(server: SqlServer) -> Iterator[BinlogSource]:
    subject = source_of(server)
    yield subject
    subject.close()


def run(server: SqlServer, schema: str, *statements: str) -> None:
    """Run statements in one session."""
    with server.connect(database=schema) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def values(rows: Sequence[int]) -> str:
    return ", ".join(f"({number}, 'v{number}')" for number in rows)


@pytest.fixture
def table(server: SqlServer, schema: str) -> str:
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))")
    return schema


def test_statements_come_as_rows(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A multi-row INSERT, an UPDATE of the key, and a DELETE give both images, in order."""
    source.open(LATEST, Wanted(table))
    run(
        server,
        table,
        f"INSERT INTO t VALUES {values(range(1, 4))}",
        "UPDATE t SET id = id + 10 WHERE id > 1 ORDER BY id",
        "DELETE FROM t WHERE id = 13",
    )
    segments = read_to_end(source, server)
    assert changes_of(segments) == [
        Change(Operation.INSERT, "t", (), (b"1", b"v1")),
        Change(Operation.INSERT, "t", (), (b"2", b"v2")),
        Change(Operation.INSERT, "t", (), (b"3", b"v3")),
        Change(Operation.UPDATE, "t", (b"2", b"v2"), (b"12", b"v2")),
        Change(Operation.UPDATE, "t", (b"3", b"v3"), (b"13", b"v3")),
        Change(Operation.DELETE, "t", (b"13", b"v3"), ()),
    ]
    assert sum(segment.transactions for segment in segments) == 3
    assert sum(segment.rows for segment in segments) == 6
    assert segments[-1].position.pos == server.binlog_position()[1]
    assert segments[-1].position.gtid_set == server.gtid_set()


def test_transaction_comes_whole(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Statements of one transaction are in one segment, those of others not in between."""
    source.open(LATEST, Wanted(table))
    run(server, table, "BEGIN", f"INSERT INTO t VALUES {values(range(5))}", "UPDATE t SET v = 'x'", "COMMIT")
    first, *_ = read_until(source, lambda read: bool(read[-1].changes))
    assert (first.rows, first.transactions, first.ends_transaction) == (10, 1, True)


def test_rolled_back_rows_do_not_come(server: SqlServer, table: str, source: BinlogSource) -> None:
    """ROLLBACK and ROLLBACK TO SAVEPOINT leave nothing behind."""
    source.open(LATEST, Wanted(table))
    run(
        server,
        table,
        *("BEGIN", "INSERT INTO t VALUES (1, 'gone')", "ROLLBACK"),
        *("BEGIN", "INSERT INTO t VALUES (2, 'kept')", "SAVEPOINT a", "INSERT INTO t VALUES (3, 'gone')"),
        *("ROLLBACK TO SAVEPOINT a", "INSERT INTO t VALUES (4, 'kept')", "COMMIT"),
    )
    assert ids(read_to_end(source, server)) == [b"2", b"4"]


def test_savepoint_with_temporary_table(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A temporary table makes the server keep what a savepoint took back, with a statement that says so."""
    source.open(LATEST, Wanted(table))
    run(
        server,
        table,
        *("BEGIN", "INSERT INTO t VALUES (1, 'kept')", "CREATE TEMPORARY TABLE x (i INT)", "SAVEPOINT a"),
        *("INSERT INTO t VALUES (2, 'gone')", "ROLLBACK TO SAVEPOINT a", "INSERT INTO t VALUES (3, 'kept')", "COMMIT"),
    )
    assert ids(read_to_end(source, server)) == [b"1", b"3"]


def test_layout_follows_definition(server: SqlServer, table: str, source: BinlogSource) -> None:
    """ADD, DROP and RENAME COLUMN between transactions: each row comes in the layout it was written in."""
    wanted = Wanted(table)
    source.open(LATEST, wanted)
    run(
        server,
        table,
        *("INSERT INTO t VALUES (1, 'a')", "ALTER TABLE t ADD COLUMN n INT FIRST", "INSERT INTO t VALUES (7, 2, 'b')"),
        *("ALTER TABLE t DROP COLUMN v", "INSERT INTO t VALUES (8, 3)"),
        *("ALTER TABLE t CHANGE COLUMN n m INT", "INSERT INTO t VALUES (9, 4)"),
    )
    assert [change.after for change in changes_of(read_to_end(source, server))] == [
        (b"1", b"a"),
        (b"7", b"2", b"b"),
        (b"8", b"3"),
        (b"9", b"4"),
    ]
    names = [[column.name for column in seen.columns] for seen in wanted.seen]
    assert names == [["id", "v"], ["n", "id", "v"], ["n", "id"], ["m", "id"]]


def test_other_tables_move_the_position(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Rows of a table that nobody wants are counted, not decoded."""
    run(server, table, "CREATE TABLE other (id INT PRIMARY KEY, b LONGTEXT, j JSON, g GEOMETRY)")
    begin = source.open(LATEST, Wanted(table, ("t",)))
    run(server, table, "INSERT INTO other VALUES (1, REPEAT('x', 100000), '{}', NULL), (2, NULL, NULL, NULL)")
    run(server, table, "UPDATE other SET j = '[1]'", "DELETE FROM other")
    segments = read_to_end(source, server)
    assert sum(segment.rows for segment in segments) == 6
    assert changes_of(segments) == []
    assert segments[-1].position.pos > begin.pos


def test_create_table_select_gives_its_rows(server: SqlServer, table: str, source: BinlogSource) -> None:
    """The one statement that is definition and rows at once."""
    run(server, table, f"INSERT INTO t VALUES {values(range(3))}")
    source.open(LATEST, Wanted(table))
    run(server, table, "CREATE TABLE c AS SELECT * FROM t", "INSERT INTO c VALUES (9, 'x')")
    segments = read_to_end(source, server)
    assert ids(segments) == [b"0", b"1", b"2", b"9"]
    assert segments[-1].position.gtid_set == server.gtid_set()


def test_tables_without_transactions(server: SqlServer, table: str, source: BinlogSource) -> None:
    """MyISAM rows are groups that end with a COMMIT statement; those written before a ROLLBACK stay."""
    run(server, table, "CREATE TABLE m (id INT PRIMARY KEY, v INT) ENGINE=MyISAM")
    source.open(LATEST, Wanted(table))
    run(server, table, "INSERT INTO m VALUES (1, 1), (2, 2)", "UPDATE m SET v = 3 WHERE id = 2")
    if is_mysql(server):  # it refuses to mix them in one transaction while it enforces GTIDs
        run(server, table, "INSERT INTO m VALUES (3, 3)")
    else:
        run(server, table, "BEGIN", "INSERT INTO t VALUES (10, 'gone')", "INSERT INTO m VALUES (3, 3)", "ROLLBACK")
    assert ids(read_to_end(source, server)) == [b"1", b"2", b"2", b"3"]


def test_two_tables_in_one_statement(server: SqlServer, table: str, source: BinlogSource) -> None:
    """One statement with two table maps gives rows of both."""
    run(server, table, "CREATE TABLE u (id INT PRIMARY KEY, v VARCHAR(9))", "INSERT INTO t VALUES (1, 'a')")
    run(server, table, "INSERT INTO u VALUES (1, 'b')")
    source.open(LATEST, Wanted(table))
    run(server, table, "UPDATE t JOIN u ON t.id = u.id SET t.v = 'x', u.v = 'y'")
    assert {(change.table, change.after) for change in changes_of(read_to_end(source, server))} == {
        ("t", (b"1", b"x")),
        ("u", (b"1", b"y")),
    }


def test_large_row_spans_packets(server: SqlServer, table: str, source: BinlogSource) -> None:
    """An event of more than 16 MiB comes in several packets."""
    run(server, table, "CREATE TABLE big (id INT PRIMARY KEY, b LONGBLOB)")
    server.sql("SET GLOBAL max_allowed_packet = 67108864")
    source.open(LATEST, Wanted(table))
    run(server, table, "INSERT INTO big VALUES (1, CONCAT(REPEAT('x', 17000000), 'end'))", "DELETE FROM big")
    inserted, deleted = changes_of(read_to_end(source, server))
    assert inserted.after[1] is not None
    assert (len(inserted.after[1]), inserted.after[1][-3:]) == (17000003, b"end")
    assert deleted.before == inserted.after


def test_columns_that_are_not_wanted_are_left_out(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Only selected columns are decoded, those behind skipped ones too."""
    run(server, table, "CREATE TABLE w (id INT PRIMARY KEY, a TEXT, b INT, c BLOB, d DECIMAL(9,3), e CHAR(3))")
    source.open(LATEST, Wanted(table, skip=("a", "c", "d")))
    run(server, table, "INSERT INTO w VALUES (1, 'aaa', 7, x'00', 1.5, 'e'), (2, NULL, NULL, NULL, 1, 'f')")
    assert [change.after for change in changes_of(read_to_end(source, server))] == [
        (b"1", b"7", b"e"),
        (b"2", None, b"f"),
    ]


def test_hidden_and_generated_columns(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Generated, invisible and functionally indexed columns do not shift the others."""
    extra = "k JSON, INDEX m ((CAST(k AS UNSIGNED ARRAY)))," if is_mysql(server) else "k JSON,"
    run(
        server,
        table,
        f"CREATE TABLE h (id INT PRIMARY KEY, a INT, b INT AS (a * 2) STORED, c INT AS (a + 1) VIRTUAL, {extra} "
        "i INT INVISIBLE DEFAULT 5, z CHAR(1))",
    )
    wanted = Wanted(table)
    source.open(LATEST, wanted)
    run(server, table, "INSERT INTO h (id, a, k, z) VALUES (1, 10, '[1, 2]', 'z')")
    [change] = changes_of(read_to_end(source, server))
    named = dict(zip((column.name for column in wanted.seen[0].columns), change.after, strict=True))
    assert (named["id"], named["a"], named["b"], named["i"], named["z"]) == (b"1", b"10", b"20", b"5", b"z")


def test_rotation_is_followed(server: SqlServer, table: str, source: BinlogSource) -> None:
    """FLUSH BINARY LOGS: rows before and behind come, the position is in the new file."""
    source.open(LATEST, Wanted(table))
    run(server, table, "INSERT INTO t VALUES (1, 'a')", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
    segments = read_to_end(source, server)
    assert ids(segments) == [b"1", b"2"]
    file, pos = server.binlog_position()
    assert (segments[-1].position.file, segments[-1].position.pos) == (file, pos)


def test_idle_source_is_heard(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Without traffic, reads return empty segments at the position."""
    begin = source.open(LATEST, Wanted(table))
    for segment in [source.read(), source.read()]:
        assert (segment.changes, segment.transactions, segment.rows) == ((), 0, 0)
        assert segment.position.same_place(begin)


def test_checksum_none_is_read(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Files with and without checksums, one after the other, in one dump."""
    source.open(LATEST, Wanted(table))
    try:
        run(server, table, "INSERT INTO t VALUES (1, 'a')")
        server.sql("SET GLOBAL binlog_checksum = NONE")
        run(server, table, "INSERT INTO t VALUES (2, 'b')")
        assert ids(read_to_end(source, server)) == [b"1", b"2"]
        source.open(Start(kind=StartKind.FILE, file=server.binlog_files()[-1]), Wanted(table))
        assert ids(read_to_end(source, server)) == [b"2"]
    finally:
        server.sql("SET GLOBAL binlog_checksum = CRC32")
    run(server, table, "INSERT INTO t VALUES (3, 'c')")
    assert ids(read_to_end(source, server)) == [b"3"]


def test_interest_changes_between_transactions(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A new interest holds from the next transaction on."""
    run(server, table, "CREATE TABLE u (id INT PRIMARY KEY)")
    source.open(LATEST, Wanted(table, ("t",)))
    run(server, table, "INSERT INTO u VALUES (1)", "INSERT INTO t VALUES (2, 'x')")
    assert ids(read_to_end(source, server)) == [b"2"]
    source.follow(Wanted(table, ("u",)))
    run(server, table, "INSERT INTO u VALUES (3)", "INSERT INTO t VALUES (4, 'x')")
    assert ids(read_to_end(source, server)) == [b"3"]


def test_commit_time_is_told(server: SqlServer, table: str, source: BinlogSource) -> None:
    """The timestamp is the commit's, in seconds of the server's clock."""
    source.open(LATEST, Wanted(table))
    before = float(server.sql("SELECT UNIX_TIMESTAMP(NOW())")[0][0])
    run(server, table, "INSERT INTO t VALUES (1, 'a')")
    segment = read_to_end(source, server)[-1]
    after = float(server.sql("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0])
    assert before <= segment.timestamp <= after
    assert segment.position.timestamp == segment.timestamp
