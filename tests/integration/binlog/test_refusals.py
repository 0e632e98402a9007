"""What would lose or corrupt rows stops the stream and says how to mend it."""

from collections.abc import Iterator

import pytest

from hasync.binlog.connection import Login, Tls
from hasync.binlog.preflight import checks
from hasync.binlog.server import Server
from hasync.binlog.source import BinlogSource
from hasync.errors import EndReason, SourceRefused, TermEnded
from hasync.model.check import Check
from testbed.sql import SqlServer
from tests.integration.binlog.bench import (
    LATEST,
    Wanted,
    changes_of,
    ids,
    is_mariadb,
    is_mysql,
    read_to_end,
    read_until,
    source_of,
)
from tests.integration.binlog.test_resume import open_and_read
from tests.integration.binlog.test_transactions import run


@pytest.fixture
def table(server: SqlServer, schema: str) -> str:
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50), j JSON)")
    return schema


@pytest.fixture
def source(server: SqlServer) -> Iterator[BinlogSource]:
    subject = source_of(server)
    yield subject
    subject.close()


def test_statement_format_is_refused_by_name(server: SqlServer, source: BinlogSource) -> None:
    """Opening fails with the variable, and the SQL of the hint mends it."""
    server.sql("SET GLOBAL binlog_format = STATEMENT")
    try:
        with pytest.raises(SourceRefused, match="binlog_format") as refused:
            source.open(LATEST, Wanted("none"))
        server.sql(refused.value.hint.split(";")[0])
        source.open(LATEST, Wanted("none"))
    finally:
        server.sql("SET GLOBAL binlog_format = ROW")


def test_old_time_format_is_warned(server: SqlServer, schema: str, source: BinlogSource) -> None:
    """MariaDB's tables that are made meanwhile are read through the catalog, which takes SELECT; doctor says so."""
    if is_mysql(server):
        pytest.skip("the server has no such variable")
    server.sql("SET GLOBAL mysql56_temporal_format = OFF")
    try:
        [found] = [check for check in looked_at(server) if not check.ok]
        assert (found.name, found.warning) == ("source.mysql56_temporal_format", True)
        assert "SELECT" in found.detail
        source.open(LATEST, Wanted(schema))
        run(server, schema, "CREATE TABLE t (at TIME(3), id INT)", "INSERT INTO t VALUES ('01:02:03.004', 1)")
        assert [change.after for change in changes_of(read_to_end(source, server))] == [(b"01:02:03.004", b"1")]
        server.sql(found.remedy.split(";")[0])
        assert all(check.ok for check in looked_at(server))
    finally:
        server.sql("SET GLOBAL mysql56_temporal_format = ON")


def refused_after(server: SqlServer, source: BinlogSource, table: str, *statements: str) -> SourceRefused:
    """Return the refusal that a session's statements lead to; the place in the message is the event's."""
    begin = source.open(LATEST, Wanted(table))
    run(server, table, *statements)
    with pytest.raises(SourceRefused) as refused:
        read_to_end(source, server)
    assert refused.value.hint
    # The stream stays refused: a second attempt meets the same event.
    with pytest.raises(SourceRefused):
        open_and_read(server, source, begin, table)
    return refused.value


def test_minimal_image_is_refused(server: SqlServer, table: str, source: BinlogSource) -> None:
    """A row without a wanted column is refused by table and column, not read as NULL."""
    run(server, table, "INSERT INTO t VALUES (1, 'a', NULL)")
    refused = refused_after(
        server, source, table, "SET SESSION binlog_row_image = MINIMAL", "UPDATE t SET v = 'b' WHERE id = 1"
    )
    assert f"{table}.t" in refused.message
    assert "column" in refused.message
    assert "binlog_row_image" in refused.hint


def test_minimal_image_of_an_unwanted_table_is_counted(server: SqlServer, table: str, source: BinlogSource) -> None:
    """What nobody wants may be written as it likes."""
    run(server, table, "INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', NULL)")
    source.open(LATEST, Wanted("none"))
    run(server, table, "SET SESSION binlog_row_image = MINIMAL", "UPDATE t SET v = 'c'", "DELETE FROM t")
    assert sum(segment.rows for segment in read_to_end(source, server)) == 4


def test_statement_format_is_refused(server: SqlServer, table: str, source: BinlogSource) -> None:
    """Rows that a session changes by statement would be lost; the statement's values are not shown (I12)."""
    refused = refused_after(
        server, source, table, "SET SESSION binlog_format = STATEMENT", "INSERT INTO t VALUES (1, 'secret', NULL)"
    )
    assert "INSERT" in refused.message
    assert "secret" not in str(refused)


def test_definition_by_statement_is_no_loss(server: SqlServer, table: str, source: BinlogSource) -> None:
    """DDL always is a statement."""
    source.open(LATEST, Wanted(table))
    run(
        server,
        table,
        *("CREATE VIEW w AS SELECT 1", "CREATE PROCEDURE p() SELECT 1", "DROP PROCEDURE p", "TRUNCATE TABLE t"),
        *("ANALYZE TABLE t", "OPTIMIZE TABLE t", "RENAME TABLE t TO u", "CREATE INDEX i ON u (v)", "DROP VIEW w"),
        *("CREATE TRIGGER g BEFORE INSERT ON u FOR EACH ROW SET NEW.v = 'g'", "INSERT INTO u VALUES (1, 'a', NULL)"),
        *("CREATE USER IF NOT EXISTS someone", "GRANT SELECT ON *.* TO someone", "DROP USER someone", "FLUSH TABLES"),
    )
    assert [change.after[:2] for change in changes_of(read_to_end(source, server))] == [(b"1", b"g")]


# ----------------------------------------------------------------------------- accounts


def test_wrong_password_is_refused(server: SqlServer) -> None:
    """Waiting does not help; the password is not shown."""
    with pytest.raises(SourceRefused) as refused:
        source_of(server, password="geheim").open(LATEST, Wanted("none"))
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("granted", ["", "REPLICATION CLIENT", "REPLICATION SLAVE"])
def test_missing_grants_are_refused(server: SqlServer, granted: str) -> None:
    """The hint is the SQL that mends it."""
    server.sql("CREATE USER poor IDENTIFIED BY 'poor'")
    try:
        if granted:
            server.sql(f"GRANT {granted} ON *.* TO poor")
        source = source_of(server, user="poor", password="poor")
        with pytest.raises(SourceRefused) as refused:
            source.open(LATEST, Wanted("none"))
        own, other = ("BINLOG MONITOR", "REPLICATION CLIENT")[:: 1 if is_mariadb(server) else -1]
        assert own in refused.value.hint
        assert other not in f"{refused.value.message} {refused.value.hint}"
        server.sql(refused.value.hint.replace("the account", "poor"))
        source.open(LATEST, Wanted("none"))
        source.close()
    finally:
        server.sql("DROP USER poor")


def test_second_reader_ends_the_first(server: SqlServer, table: str, source: BinlogSource) -> None:
    """One server id, one dump: the older one is told that it was replaced, which is no fault."""
    source.open(LATEST, Wanted(table))
    second = source_of(server)
    second.open(LATEST, Wanted(table))
    with pytest.raises(TermEnded) as ended:
        read_until(source, lambda read: False)
    assert ended.value.reason is EndReason.SOURCE_CLAIMED
    run(server, table, "INSERT INTO t VALUES (1, 'a', NULL)")
    assert ids(read_to_end(second, server)) == [b"1"]
    second.close()


@pytest.mark.parametrize("mode", ["preferred", "required"])
def test_encrypted_dump_is_read(server: SqlServer, table: str, mode: str) -> None:
    """TLS changes nothing in what is read."""
    if is_mariadb(server):
        pytest.skip("MariaDB 10.11 has no certificate by itself")
    source = source_of(server, tls=Tls(mode=mode))  # type: ignore[arg-type]
    source.open(LATEST, Wanted(table))
    run(server, table, "INSERT INTO t VALUES (1, REPEAT('x', 50), NULL)")
    assert ids(read_to_end(source, server)) == [b"1"]
    source.close()


def test_tls_is_checked(server: SqlServer) -> None:
    """A certificate of its own authority is trusted by that authority only, and only under its name."""
    if is_mariadb(server):
        with pytest.raises(SourceRefused):
            source_of(server, tls=Tls(mode="required")).open(LATEST, Wanted("none"))
        return
    ca_file = str(server.data / "ca.pem")
    with pytest.raises(SourceRefused, match="not trusted"):
        source_of(server, tls=Tls(mode="authority")).open(LATEST, Wanted("none"))
    with pytest.raises(SourceRefused, match="not trusted"):
        source_of(server, tls=Tls(mode="verified", ca_file=ca_file)).open(LATEST, Wanted("none"))
    with pytest.raises(SourceRefused, match="TLS files"):
        source_of(server, tls=Tls(mode="verified", ca_file="/nowhere/ca.pem")).open(LATEST, Wanted("none"))
    trusted = source_of(server, tls=Tls(mode="authority", ca_file=ca_file))
    trusted.open(LATEST, Wanted("none"))
    trusted.close()


def looked_at(server: SqlServer, user: str = SqlServer.reader_user) -> list[Check]:
    """Return what doctor prints, for an account with its name as its password."""
    found = Server(Login(host=server.address, user=user, password=user))
    try:
        return checks(found)
    finally:
        found.close()


def test_checks_of_a_good_server_are_all_ok(server: SqlServer) -> None:
    """What doctor prints; names are stable."""
    results = looked_at(server)
    assert [check for check in results if not check.ok] == []
    assert {"source.version", "source.log_bin", "source.binlog_format", "source.grants", "source.gtid"} <= {
        check.name for check in results
    }
