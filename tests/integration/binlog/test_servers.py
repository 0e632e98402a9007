"""What is asked of a server besides its rows, and servers that are set up otherwise."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hasync.binlog.connection import Login
from hasync.binlog.preflight import checks
from hasync.binlog.server import Distance, Head, Server
from hasync.errors import PositionLost, SourceRefused, SourceUnavailable
from hasync.model.position import Start, StartKind
from testbed import MariaDb, MySql, workdir
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, ids, is_mysql, opened, read_to_end, source_of
from tests.integration.binlog.test_transactions import run, values


def login_to(server: SqlServer) -> Login:
    return Login(host=server.address, user=server.reader_user, password=server.reader_password)


@pytest.fixture
def table(server: SqlServer, schema: str) -> str:
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))")
    return schema


def test_head_measures_the_lag(server: SqlServer, table: str) -> None:
    """Bytes between a position and the end, over files; none at the end; unknown on another server."""
    source = source_of(server)
    with opened(source, LATEST, Wanted(table)) as begin:
        run(server, table, "INSERT INTO t VALUES (1, 'a')", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
        end = read_to_end(source, server)[-1].position
    head = Head(login_to(server))
    assert (head.end().file, head.end().pos, head.end().gtid_set) == (*server.binlog_position(), server.gtid_set())
    sizes = {str(row[0]): int(row[1]) for row in server.sql("SHOW BINARY LOGS")}
    spare = list(sizes).index(begin.file)
    at_end = f"{end.file}:{sizes[end.file]}"
    assert head.distance(end) == Distance(count_bytes=0, count_files=0, spare_files=spare + 1, end=at_end)
    behind = head.distance(begin)
    assert behind is not None
    assert behind.count_bytes == sizes[begin.file] - begin.pos + sizes[end.file]
    assert head.distance(replace(begin, server_uuid="another")) is None
    with pytest.raises(PositionLost):
        head.distance(replace(begin, file="mysql-bin.000000"))
    head.close()
    head.close()


def test_head_comes_back_after_a_restart(server: SqlServer) -> None:
    """It asks over a connection of its own, made anew when it was lost."""
    head = Head(login_to(server))
    head.end()
    server.stop()
    with pytest.raises(SourceUnavailable):
        head.end()
    server.start()
    assert head.end().file == server.binlog_position()[0]
    head.close()


def test_identity_is_kept_over_a_restart(server: SqlServer) -> None:
    """Positions are bound to it."""
    identities = []
    for _ in range(2):
        found = Server(login_to(server))
        identities.append(found.identity)
        found.close()
        server.stop()
        server.start()
    assert identities[0] == identities[1] != ""


def test_reset_server_is_recognised(server: SqlServer, table: str) -> None:
    """After RESET the files begin anew under the same names: the position is lost, not misread."""
    source = source_of(server)
    with opened(source, LATEST, Wanted(table)):
        run(server, table, f"INSERT INTO t VALUES {values(range(5))}")
        position = read_to_end(source, server)[-1].position
    server.sql("RESET BINARY LOGS AND GTIDS" if is_mysql(server) else "RESET MASTER")
    run(server, table, "INSERT INTO t VALUES (100, 'a')", "INSERT INTO t VALUES (101, 'a')")
    with pytest.raises(PositionLost):
        source.open(position, Wanted(table))
    source.close()


@pytest.fixture(scope="module")
def plain() -> Iterator[MySql]:
    """Yield a MySQL without GTIDs."""
    with workdir() as place, MySql(place, options={"gtid-mode": "OFF", "enforce-gtid-consistency": "OFF"}) as server:
        yield server


@pytest.mark.mysql
def test_mysql_without_gtids(plain: MySql) -> None:
    """File and offset carry the stream; nothing else is claimed, and preflight warns."""
    plain.sql("CREATE DATABASE p")
    run(plain, "p", "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))")
    source = source_of(plain, max_rows=2)
    with opened(source, LATEST, Wanted("p")) as begin:
        run(
            plain, "p", f"INSERT INTO t VALUES {values(range(5))}", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (5, 'x')"
        )
        segments = read_to_end(source, plain)
    assert {segment.position.gtid_set for segment in segments} == {""}
    assert ids(segments) == [str(number).encode() for number in range(6)]
    for done, segment in enumerate(segments, 1):
        with opened(source_of(plain), segment.position, Wanted("p")) as at:
            assert at == segment.position
        resumed = source_of(plain)
        with opened(resumed, segment.position, Wanted("p")):
            assert ids(segments[:done]) + ids(read_to_end(resumed, plain)) == ids(segments)
    for start in (Start(kind=StartKind.FILE, file=begin.file, pos=begin.pos), Start(kind=StartKind.EARLIEST)):
        with opened(source, start, Wanted("p")):
            assert ids(read_to_end(source, plain)) == ids(segments)
    with pytest.raises(PositionLost, match="no GTIDs to find it by"):
        source.open(replace(begin, server_uuid="another"), Wanted("p"))
    server = Server(login_to(plain))
    assert [(check.name, check.warning) for check in checks(server) if not check.ok] == [("source.gtid", True)]
    server.close()


OLD = {"mysql56-temporal-format": "OFF"}
OLD_ROWS = (
    "INSERT INTO t VALUES (1, '-01:02:03', NOW(), NOW(), 'x')",
    "INSERT INTO t VALUES (2, '838:59:59', '0000-00-00', '0000-00-00', 'y'), (3, NULL, NULL, NULL, NULL)",
    "INSERT INTO f VALUES (1, '01:02:03.5', NOW(6), NOW(6), 'x')",
)


@pytest.mark.mariadb
def test_mariadbs_old_times_are_read() -> None:
    """Tables from before 10.1 keep their old column formats when the server is upgraded."""
    with workdir() as place, MariaDb(place, options=OLD) as server:
        server.sql("CREATE DATABASE o")
        run(
            server,
            "o",
            "CREATE TABLE t (id INT PRIMARY KEY, a TIME, b DATETIME, c TIMESTAMP NULL, v CHAR(3))",
            "CREATE TABLE f (id INT PRIMARY KEY, a TIME(3), b DATETIME(6), c TIMESTAMP(1) NULL, v CHAR(3))",
            "SET GLOBAL mysql56_temporal_format = ON",
        )
        source = source_of(server)
        with opened(source, LATEST, Wanted("o", ("t",))):
            run(server, "o", "SET time_zone = '+00:00', sql_mode = ''", *OLD_ROWS)
            segments = read_to_end(source, server)
        with server.connect(conv={}, use_unicode=False, init_command="SET time_zone = '+00:00'") as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT * FROM o.t")
            assert [change.after for change in changes_of(segments)] == list(cursor.fetchall())
        # What neither the binlog nor the catalog tells is counted as one row, or refused.
        assert sum(segment.rows for segment in segments) == 4
        with opened(source, LATEST, Wanted("o", ("f",))):
            run(server, "o", "INSERT INTO f VALUES (2, NULL, NULL, NULL, NULL)", "ALTER TABLE f DROP COLUMN a")
            with pytest.raises(SourceRefused, match="old time format"):
                read_to_end(source, server)
