"""Lost connections, silent networks and other servers: an error soon, and nothing lost or doubled after it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from hasync.binlog.source import BinlogSource
from hasync.errors import PositionLost, SourceRefused, SourceUnavailable
from testbed import MariaDb, MySql, Proxy, wait_until, workdir
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, ids, is_mysql, opened, read_to_end, read_until, source_of
from tests.integration.binlog.test_transactions import run, values

SOON_S = 10.0


@pytest.fixture
def table(server: SqlServer, schema: str) -> str:
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))")
    return schema


@pytest.fixture
def proxy(server: SqlServer) -> Iterator[Proxy]:
    with Proxy(server) as running:
        yield running


def through(*places: Proxy | SqlServer, **options: object) -> BinlogSource:
    return source_of(*places, **options)  # type: ignore[arg-type]  # only the address is used


def outcome_of(action: Callable[[], object], interrupt: Callable[[], None]) -> BaseException | None:
    """Run a call in a thread, interrupt it from here, and return how it ended."""
    ended: list[BaseException | None] = []

    def attempt() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - a test's thread reports it
            ended.append(error)
        else:
            ended.append(None)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    interrupt()
    thread.join(SOON_S)
    assert not thread.is_alive()
    return ended[0]


def test_interrupt_ends_a_read(server: SqlServer, table: str) -> None:
    """A blocked read ends, the source stays interrupted until it is closed, and can be used again."""
    source = source_of(server, heartbeat_s=60.0)
    begin = source.open(LATEST, Wanted(table))
    assert isinstance(outcome_of(source.read, source.interrupt), SourceUnavailable)
    with pytest.raises(SourceUnavailable, match="interrupted"):
        source.read()
    with pytest.raises(SourceUnavailable, match="interrupted"):
        source.open(begin, Wanted(table))
    source.close()
    run(server, table, "INSERT INTO t VALUES (1, 'a')")
    source.open(begin, Wanted(table))
    assert ids(read_to_end(source, server)) == [b"1"]
    source.close()


def test_interrupt_ends_an_open(server: SqlServer, proxy: Proxy) -> None:
    """Also while a server that accepts connections says nothing."""
    proxy.blackhole()
    source = through(proxy, connect_timeout_s=60.0)

    def interrupt() -> None:
        wait_until("the connection", lambda: proxy.connections > 0)
        source.interrupt()

    error = outcome_of(lambda: source.open(LATEST, Wanted("none")), interrupt)
    assert isinstance(error, SourceUnavailable)
    source.close()


def test_close_may_come_twice(server: SqlServer) -> None:
    """And before anything was opened."""
    source = source_of(server)
    source.close()
    source.open(LATEST, Wanted("none"))
    source.close()
    source.close()
    with pytest.raises(SourceUnavailable, match="not open"):
        source.read()


def test_silent_network_is_noticed(server: SqlServer, table: str, proxy: Proxy) -> None:
    """Missed heartbeats are a lost connection, though TCP says nothing."""
    source = through(proxy)
    begin = source.open(LATEST, Wanted(table))
    proxy.blackhole()
    with pytest.raises(SourceUnavailable):
        read_until(source, lambda read: False)
    with pytest.raises(SourceUnavailable):
        through(proxy, connect_timeout_s=0.3).open(begin, Wanted(table))
    proxy.restore()
    run(server, table, "INSERT INTO t VALUES (1, 'a')")
    source.open(begin, Wanted(table))
    assert ids(read_to_end(source, server)) == [b"1"]
    source.close()


def test_cut_in_a_stream_of_rows_loses_and_doubles_nothing(server: SqlServer, table: str, proxy: Proxy) -> None:
    """Cut again and again between reads, resumed at the last segment."""
    source = through(proxy, max_rows=7)
    at = source.open(LATEST, Wanted(table))
    for first in range(0, 300, 30):
        run(server, table, f"INSERT INTO t VALUES {values(range(first, first + 29))}")
        run(server, table, f"INSERT INTO t VALUES {values(range(first + 29, first + 30))}")
    found: list[bytes] = []
    file_and_pos = server.binlog_position()
    while (at.file, at.pos) < file_and_pos:
        for _ in range(3):
            segment = source.read()
            at = segment.position
            found += ids([segment])
        proxy.cut()
        with pytest.raises(SourceUnavailable):
            read_until(source, lambda read: False)
        proxy.restore()
        source.open(at, Wanted(table))
    assert found == [str(number).encode() for number in range(300)]
    source.close()


def connections(server: SqlServer) -> int:
    """Return how many connections the reader's account has."""
    return sum(row[1] == server.reader_user for row in server.sql("SHOW PROCESSLIST"))


def test_dump_ends_with_the_source(server: SqlServer) -> None:
    """A closed source leaves no dump and no connection behind."""
    source = source_of(server)
    source.open(LATEST, Wanted("none"))
    wait_until("the dump", lambda: server.dump_threads() >= 1)
    wait_until("no other connection", lambda: connections(server) == 1)
    source.close()
    wait_until("its end", lambda: connections(server) == 0)


# --------------------------------------------------------------------------- other hosts


def test_next_host_is_taken(server: SqlServer, table: str, proxy: Proxy) -> None:
    """Hosts are tried in order; each open begins with the first again."""
    proxy.cut()
    source = through(proxy, server)
    source.open(LATEST, Wanted(table))
    assert source.host == server.address
    proxy.restore()
    source.open(LATEST, Wanted(table))
    assert source.host == proxy.address
    source.close()


def test_refusal_counts_when_all_hosts_answer(server: SqlServer, proxy: Proxy) -> None:
    """One host refuses and another is away: that one may still do. With all hosts there, the refusal stands."""
    proxy.cut()
    with pytest.raises(SourceUnavailable) as away:
        through(server, proxy, password="wrong").open(LATEST, Wanted("none"))
    assert "refused the account" in away.value.message
    proxy.restore()
    with pytest.raises(SourceRefused):
        through(server, proxy, password="wrong").open(LATEST, Wanted("none"))


@pytest.fixture(scope="module")
def pair(server: SqlServer) -> Iterator[tuple[SqlServer, SqlServer]]:
    """Yield a primary and its replica, which keeps the primary's GTIDs in a binlog of other offsets."""
    with workdir() as place, _second(server, place, 11) as primary, _second(server, place, 12) as replica:
        replica.script(_follow(primary))
        yield primary, replica


def _second(server: SqlServer, place: Path, number: int) -> SqlServer:
    kind = MySql if is_mysql(server) else MariaDb
    return kind(place, name=f"server{number}", server_id=number, options={"log-slave-updates": "ON"})


def _follow(primary: SqlServer) -> str:
    if is_mysql(primary):
        return (
            f"CREATE DATABASE local; RESET BINARY LOGS AND GTIDS; CHANGE REPLICATION SOURCE TO SOURCE_HOST = "
            f"'{primary.host}', SOURCE_PORT = {primary.port}, SOURCE_USER = 'hasync', SOURCE_PASSWORD = 'hasync', "
            "SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA"
        )
    return (
        f"CHANGE MASTER TO MASTER_HOST = '{primary.host}', MASTER_PORT = {primary.port}, MASTER_USER = 'hasync', "
        "MASTER_PASSWORD = 'hasync', MASTER_USE_GTID = slave_pos; START SLAVE"
    )


def in_step(primary: SqlServer, replica: SqlServer) -> None:
    """Wait until the replica has all of the primary."""
    wait_until("the replica", lambda: replica.gtid_set() == primary.gtid_set(), timeout_s=30.0)


@pytest.mark.parametrize("max_rows", [2, 1000])
def test_failover_by_gtid(pair: tuple[SqlServer, SqlServer], max_rows: int) -> None:
    """At every stop, also inside a cut transaction, the replica takes over with the row behind."""
    primary, replica = pair
    name = f"f{max_rows}"
    source = source_of(primary, max_rows=max_rows)
    primary.sql(f"CREATE DATABASE {name}")
    run(primary, name, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))")
    begin = source.open(LATEST, Wanted(name))
    run(primary, name, "INSERT INTO t VALUES (0, 'a')", f"INSERT INTO t VALUES {values(range(1, 6))}")
    run(primary, name, "FLUSH BINARY LOGS", "INSERT INTO t VALUES (6, 'z')")
    in_step(primary, replica)
    segments = read_to_end(source, primary)
    source.close()
    everything = [str(number).encode() for number in range(7)]
    assert ids(segments) == everything
    before: list[bytes] = []
    for position in (begin, *(segment.position for segment in segments)):
        before += [] if position == begin else ids(segments[:1])
        if position != begin:
            segments = segments[1:]
        other = source_of(replica, max_rows=max_rows)
        opened = other.open(position, Wanted(name))
        assert opened.server_uuid != position.server_uuid
        assert (opened.gtid_set, opened.rows_done) == (position.gtid_set, position.rows_done)
        after = read_to_end(other, replica)
        assert [*before, *ids(after)] == everything
        # From there on the replica is read by file and offset.
        assert other.open(after[-1].position, Wanted(name)) == after[-1].position
        other.close()


def test_lagging_replica_is_not_taken(pair: tuple[SqlServer, SqlServer]) -> None:
    """A server that lacks applied transactions would lead to rows applied twice, or never."""
    primary, replica = pair
    in_step(primary, replica)
    replica.sql("STOP REPLICA" if is_mysql(replica) else "STOP SLAVE")
    primary.sql("CREATE DATABASE ahead")
    source = source_of(primary)
    position = source.open(LATEST, Wanted("ahead"))
    source.close()
    with pytest.raises(PositionLost, match="lacks"):
        source_of(replica).open(position, Wanted("ahead"))
    replica.sql("START REPLICA" if is_mysql(replica) else "START SLAVE")
    in_step(primary, replica)
    other = source_of(replica)
    other.open(position, Wanted("ahead"))
    other.close()


def test_restored_server_of_the_same_name_is_recognised(pair: tuple[SqlServer, SqlServer]) -> None:
    """A file of the same name at the same offset is another place when other transactions lie before it."""
    primary, replica = pair
    in_step(primary, replica)
    primary.sql("CREATE DATABASE again")
    in_step(primary, replica)
    source = source_of(primary)
    begin = source.open(LATEST, Wanted("again"))
    run(primary, "again", "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    in_step(primary, replica)
    source.close()
    other = source_of(replica)
    impostor = other.open(begin, Wanted("again")).server_uuid
    other.close()
    if is_mysql(primary):  # its server_uuid is made anew for each data directory
        assert impostor != begin.server_uuid
    else:
        # Refused: as if its binlog had been reset and had grown again. Unless it happens to have the
        # same transactions at the very same offset; then nothing may be missing.
        with suppress(PositionLost):
            opened = other.open(replace(begin, server_uuid=impostor), Wanted("again"))
            assert (opened.gtid_set, ids(read_to_end(other, replica))) == (begin.gtid_set, [b"1"])
    other.close()


def test_branch_prepared_before_the_failover_commits_behind_it(pair: tuple[SqlServer, SqlServer]) -> None:
    """The replica's binlog has the prepared rows at another place: they are found there."""
    primary, replica = pair
    primary.sql("CREATE DATABASE xa")
    run(primary, "xa", "CREATE TABLE t (id INT PRIMARY KEY)")
    source, other = source_of(primary), source_of(replica, max_rows=2)
    with opened(source, LATEST, Wanted("xa")):
        rows = "INSERT INTO t VALUES (1), (2), (3), (4), (5)"
        run(primary, "xa", "XA START 'f'", rows, "XA END 'f'", "XA PREPARE 'f'")
        run(primary, "xa", "INSERT INTO t VALUES (6)")
        position = read_to_end(source, primary)[-1].position
    in_step(primary, replica)
    replica.sql("FLUSH BINARY LOGS")
    with opened(other, position, Wanted("xa")):
        primary.sql("XA COMMIT 'f'")
        in_step(primary, replica)
        segments = read_to_end(other, replica)
    assert ids(segments) == [b"1", b"2", b"3", b"4", b"5"]
    with opened(other, segments[1].position, Wanted("xa")):
        assert ids(read_to_end(other, replica)) == [b"5"]
