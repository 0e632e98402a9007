"""Definitions, rollbacks, restarts and other shapes of a binlog: afterwards the rows are those of the table."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hasync.binlog.source import BinlogSource
from hasync.model.change import Operation
from hasync.model.position import Start, StartKind
from testbed import MariaDb, MySql, workdir
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, ids, opened, read_to_end, source_of
from tests.integration.binlog.mirror import mirrored, selected
from tests.integration.binlog.test_transactions import run, values


@pytest.fixture
def table(server: SqlServer, schema: str) -> str:
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))")
    return schema


@pytest.fixture
def source(server: SqlServer) -> Iterator[BinlogSource]:
    subject = source_of(server)
    yield subject
    subject.close()


def attempt(server: SqlServer, schema: str, *statements: str) -> None:
    """Run statements in one session; those that fail are rolled back by the server alone."""
    with server.connect(database=schema) as connection, connection.cursor() as cursor:
        for statement in statements:
            try:
                cursor.execute(statement)
            except connection.Error:
                continue


def test_failed_statements_leave_nothing(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A statement that fails at its last row is taken back by itself, inside and outside a transaction."""
    run(server, table, "CREATE TABLE m (id INT PRIMARY KEY, v INT) ENGINE=MyISAM")
    source.open(LATEST, Wanted(table))
    attempt(
        server,
        table,
        "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (1, 'twice')",
        *("BEGIN", "INSERT INTO t VALUES (3, 'c')", "INSERT INTO t VALUES (4, 'd'), (3, 'twice')", "COMMIT"),
        "INSERT INTO m VALUES (1, 1), (2, 2), (1, 3)",  # what a table without transactions took stays
        *("BEGIN", "UPDATE t SET v = 'x' WHERE id = 3", "UPDATE t SET id = NULL", "SAVEPOINT a"),
        *("DELETE FROM t", "ROLLBACK TO a", "RELEASE SAVEPOINT a", "COMMIT"),
    )
    changes = changes_of(read_to_end(source, server))
    assert mirrored(changes) == selected(server, table)
    assert mirrored(changes, "m") == selected(server, table, "m")


def test_definitions_inside_a_transaction(server: SqlServer, table: str, source: BinlogSource) -> None:
    """DDL commits what is open; temporary tables do not, and their rows never come."""
    source.open(LATEST, Wanted(table))
    run(
        server,
        table,
        *("BEGIN", "INSERT INTO t VALUES (1, 'a')", "ALTER TABLE t ADD COLUMN n INT DEFAULT 4, RENAME COLUMN v TO w"),
        *("INSERT INTO t VALUES (2, 'b', 5)", "ROLLBACK", "BEGIN", "INSERT INTO t VALUES (3, 'c', 6)"),
        *("CREATE TEMPORARY TABLE x (id INT)", "INSERT INTO x VALUES (9)", "DROP TEMPORARY TABLE x", "COMMIT"),
        *(
            "BEGIN",
            "DELETE FROM t WHERE id = 3",
            "CREATE INDEX i ON t (w)",
            "ROLLBACK",
            "ALTER TABLE t MODIFY n BIGINT",
        ),
        *("RENAME TABLE t TO u", "INSERT INTO u VALUES (4, 'd', 7)", "RENAME TABLE u TO t", "UPDATE t SET n = 8"),
    )
    segments = read_to_end(source, server)
    found = {change.after[0]: change.after for change in changes_of(segments) if change.operation is Operation.UPDATE}
    assert found == selected(server, table)
    assert b"9" not in ids(segments)


def test_rename_dance_under_traffic(server: SqlServer, table: str, source: BinlogSource) -> None:
    """As online schema change tools do it: triggers fill a copy, which is swapped in; each row comes once."""
    stop = threading.Event()
    written: list[int] = []

    def write(connection: Any) -> None:
        with connection, connection.cursor() as cursor:
            while not stop.is_set():
                number = len(written)
                cursor.execute("INSERT INTO t (id, v) VALUES (%s, 'new')", (number,))
                cursor.execute("UPDATE t SET v = 'changed' WHERE id = %s", (number,))
                written.append(number)

    wanted = Wanted(table, ("t",))
    source.open(LATEST, wanted)
    writer = threading.Thread(target=write, args=(server.connect(database=table),))
    writer.start()
    try:
        for round_ in range(3):
            run(
                server,
                table,
                "CREATE TABLE _t_new LIKE t",
                f"ALTER TABLE _t_new ADD COLUMN n{round_} INT DEFAULT {round_} FIRST",
                "CREATE TRIGGER u AFTER UPDATE ON t FOR EACH ROW REPLACE INTO _t_new (id, v) VALUES (NEW.id, NEW.v)",
                "CREATE TRIGGER i AFTER INSERT ON t FOR EACH ROW REPLACE INTO _t_new (id, v) VALUES (NEW.id, NEW.v)",
                "INSERT IGNORE INTO _t_new (id, v) SELECT id, v FROM t",
                "RENAME TABLE t TO _t_old, _t_new TO t",
                "DROP TABLE _t_old",
            )
    finally:
        stop.set()
        writer.join()
    changes = changes_of(read_to_end(source, server))
    found = {change.after[-2]: change.after[-1] for change in changes}
    there = server.sql(f"SELECT id, v FROM {table}.t")
    assert found == {str(number).encode(): value.encode() for number, value in there}
    assert [change.after[-2] for change in changes] == [str(n).encode() for n in written for _ in range(2)]
    assert [len(seen.columns) for seen in wanted.seen] == [2, 3, 4, 5]


@pytest.fixture(params=["mysql", "mariadb"])
def own(request: pytest.FixtureRequest) -> Iterator[SqlServer]:
    """Yield a server that may be restarted."""
    kind = MySql if request.param == "mysql" else MariaDb
    with workdir() as place, kind(place) as server:
        server.sql("CREATE DATABASE d")
        yield server


def table_ids(server: SqlServer) -> dict[str, set[str]]:
    """Return the numbers under which each table was written, from the table maps of all files."""
    found: dict[str, set[str]] = {}
    for file in server.binlog_files():
        for row in server.sql(f"SHOW BINLOG EVENTS IN '{file}'"):
            if row[2] == "Table_map":
                _, number, name = row[5].split()[:3]
                found.setdefault(name, set()).add(number)
    return found


@pytest.mark.mysql
@pytest.mark.mariadb
def test_table_numbers_begin_anew_after_a_restart(own: SqlServer) -> None:
    """A number that was one table's before is another's behind the restart, in the same dump."""
    for name, column in (("a", "v INT"), ("b", "v VARCHAR(50)")):
        run(own, "d", f"CREATE TABLE {name} (id INT PRIMARY KEY, {column})")
    for order in ("ab", "ba"):
        own.restart()
        for at, name in enumerate(order):
            run(own, "d", f"INSERT INTO {name} VALUES ({ord(order[0]) * 10 + at}, 7)")
    numbers = table_ids(own)
    assert numbers["(d.a)"] & numbers["(d.b)"]
    source = source_of(own)
    with opened(source, Start(kind=StartKind.EARLIEST), Wanted("d")):
        changes = changes_of(read_to_end(source, own))
    for name in "ab":
        assert mirrored(changes, name) == selected(own, "d", name)


@pytest.mark.mysql
def test_engines_mixed_without_gtids() -> None:
    """Without GTIDs MySQL lets a transaction change tables of both kinds; ROLLBACK takes back those of one."""
    options = {"gtid-mode": "OFF", "enforce-gtid-consistency": "OFF"}
    with workdir() as place, MySql(place, options=options) as server:
        server.sql("CREATE DATABASE d")
        run(
            server,
            "d",
            "CREATE TABLE t (id INT PRIMARY KEY, v INT)",
            "CREATE TABLE m (id INT PRIMARY KEY, v INT) ENGINE=MyISAM",
        )
        source = source_of(server)
        with opened(source, LATEST, Wanted("d")):
            attempt(
                server,
                "d",
                *("BEGIN", "INSERT INTO t VALUES (1, 1)", "INSERT INTO m VALUES (1, 1)", "ROLLBACK"),
                *("BEGIN", "INSERT INTO t VALUES (2, 1)", "SAVEPOINT s", "INSERT INTO m VALUES (2, 2)"),
                *("INSERT INTO t VALUES (3, 1)", "UPDATE t JOIN m ON t.id = m.id SET t.v = 9, m.v = 9"),
                *("ROLLBACK TO s", "INSERT INTO t VALUES (4, 1)", "COMMIT"),
                *("BEGIN", "INSERT INTO m VALUES (5, 5), (6, 6), (5, 5)", "INSERT INTO t VALUES (7, 7)", "COMMIT"),
            )
            changes = changes_of(read_to_end(source, server))
        assert mirrored(changes) == selected(server, "d")
        assert mirrored(changes, "m") == selected(server, "d", "m")


@pytest.mark.parametrize("checksum", ["NONE", "CRC32"])
def test_checksums_change_while_much_is_going_on(
    server: SqlServer, table: str, source: BinlogSource, checksum: str
) -> None:
    """A branch prepared under one setting commits under the other; so do compressed transactions around it."""
    before = "CRC32" if checksum == "NONE" else "NONE"
    compress = (
        "SET SESSION sql_log_bin = 1" if isinstance(server, MariaDb) else "SET binlog_transaction_compression = ON"
    )
    server.sql(f"SET GLOBAL binlog_checksum = {before}")
    try:
        source.open(LATEST, Wanted(table))
        run(server, table, "XA START 'k'", "INSERT INTO t VALUES (1, 'xa')", "XA END 'k'", "XA PREPARE 'k'")
        run(server, table, compress, f"INSERT INTO t VALUES {values(range(10, 60))}")
        server.sql(f"SET GLOBAL binlog_checksum = {checksum}")
        run(server, table, compress, f"INSERT INTO t VALUES {values(range(60, 90))}")
        server.sql("XA COMMIT 'k'")
        run(server, table, "DELETE FROM t WHERE id % 3 = 0")
        assert mirrored(changes_of(read_to_end(source, server))) == selected(server, table)
    finally:
        server.sql("SET GLOBAL binlog_checksum = CRC32")


def test_large_events_of_every_kind(server: SqlServer, table: str, source: BinlogSource) -> None:
    """More than 16 MiB, as INSERT, UPDATE and DELETE, with checksum at the seam, compressed where that is possible."""
    run(server, table, "CREATE TABLE big (id INT PRIMARY KEY, b LONGTEXT)")
    server.sql("SET GLOBAL max_allowed_packet = 134217728")
    source.open(LATEST, Wanted(table))
    switches = ["DO 1"] if isinstance(server, MariaDb) else ["DO 1", "SET binlog_transaction_compression = ON"]
    for number, switch in enumerate(switches):
        run(
            server,
            table,
            switch,
            f"INSERT INTO big VALUES ({number}, REPEAT('{number}', 17000000)), ({number + 5}, 'small')",
            f"UPDATE big SET b = CONCAT(b, 'end') WHERE id = {number}",
            f"DELETE FROM big WHERE id = {number + 5}",
        )
    for seam in (16777215 - 70, 16777215, 33554430):  # around the size at which packets are joined
        run(server, table, f"REPLACE INTO big VALUES (99, REPEAT('s', {seam} - 40))")
    found = mirrored(changes_of(read_to_end(source, server)), "big")
    [[count, total]] = server.sql(f"SELECT COUNT(*), SUM(LENGTH(b)) FROM {table}.big")
    assert (len(found), sum(len(row[1] or b"") for row in found.values())) == (count, total)
