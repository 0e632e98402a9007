"""Real servers: each starts, is what it says, and comes back on its port with its data after a crash."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pymysql
import pytest
import redis
from kazoo.client import KazooClient

from testbed import Ensemble, MariaDb, MySql, Proxy, Redis, SqlServer, Testbed, ZooKeeper, wait_until, workdir

ROOT = Path(__file__).parents[2]
DATABASES = [pytest.param(MySql, marks=pytest.mark.mysql), pytest.param(MariaDb, marks=pytest.mark.mariadb)]


@pytest.fixture(scope="module", params=DATABASES)
def database(request: pytest.FixtureRequest) -> Iterator[SqlServer]:
    """Yield a running server; tests do not depend on what others left in it."""
    with workdir() as path, request.param(path) as server:
        yield server


@contextmanager
def session(hosts: str) -> Iterator[KazooClient]:
    client = KazooClient(hosts)
    client.start(timeout=15)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def test_database_writes_full_row_events_with_gtids(database: SqlServer) -> None:
    """What hasync's preflight demands is what tests get by default."""
    wanted = {"log_bin": "1", "binlog_format": "ROW", "binlog_row_metadata": "FULL", "binlog_row_image": "FULL"}
    found = {name: str(database.sql(f"SELECT @@GLOBAL.{name}")[0][0]) for name in wanted}
    assert found == wanted
    before = database.gtid_set()
    database.sql("CREATE DATABASE IF NOT EXISTS gtids")
    database.sql("DROP DATABASE gtids")
    assert database.gtid_set() != before


def test_reader_account_can_read_the_binlog_and_cannot_write(database: SqlServer) -> None:
    """Tests run hasync with the rights its documentation asks for, and no more."""
    reader = database.connect(user=database.reader_user, password=database.reader_password)
    with reader, reader.cursor() as cursor:
        cursor.execute("SHOW BINARY LOGS")
        with pytest.raises(pymysql.MySQLError, match="denied"):
            cursor.execute("CREATE DATABASE forbidden")


def test_another_reader_can_be_created(database: SqlServer) -> None:
    """Tests of credentials make accounts of their own."""
    database.create_reader("other", "pass%word")
    with database.connect(user="other", password="pass%word") as connection:
        assert connection.open


def test_committed_rows_survive_a_kill_on_the_same_port(database: SqlServer) -> None:
    """A crash of the process loses nothing that was committed, and clients find the server where it was."""
    database.script("CREATE DATABASE crash; CREATE TABLE crash.t (id INT PRIMARY KEY); INSERT INTO crash.t VALUES (1)")
    port, (file, position) = database.port, database.binlog_position()
    database.kill()
    assert not database.running
    database.start()
    assert (database.port, database.sql("SELECT id FROM crash.t")) == (port, [(1,)])
    assert file in database.binlog_files()
    assert (file, position) != database.binlog_position()


@pytest.mark.mysql
def test_two_servers_from_one_template_differ_in_uuid(place: Path) -> None:
    """Replicas and takeovers tell servers apart by it."""
    with MySql(place, name="one") as one, MySql(place, name="two", server_id=2) as two:
        assert one.server_uuid() != two.server_uuid()
        assert one.gtid_set() == two.gtid_set() == ""


@pytest.mark.mysql
def test_options_override_the_defaults(place: Path) -> None:
    """A test of preflight starts the server it refuses."""
    with MySql(place, options={"binlog-row-metadata": "MINIMAL"}) as server:
        assert server.sql("SELECT @@GLOBAL.binlog_row_metadata") == [("MINIMAL",)]


def test_redis_forgets_unless_told_to_append(place: Path) -> None:
    """Both kinds of loss can be tested: everything, and nothing."""
    with Redis(place) as forgets, Redis(place, name="appends", options={"appendonly": "yes"}) as appends:
        for server in (forgets, appends):
            server.command("SET", "k", "v")
            server.kill()
            server.start()
        assert (forgets.command("GET", "k"), appends.command("GET", "k")) == (None, b"v")


def test_redis_with_a_password_refuses_strangers(place: Path) -> None:
    """The password is asked of clients and given by replicas."""
    with ExitStack() as stack:
        primary = stack.enter_context(Redis(place, password="secret"))
        replica = stack.enter_context(Redis(place, name="replica", replica_of=primary, password="secret"))
        primary.command("SET", "k", "v")
        replica.wait_in_sync(primary)
        assert replica.command("GET", "k") == b"v"
        with primary.client(password=None) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_lagging_replica_is_promoted_with_what_it_has(place: Path) -> None:
    """How Redis loses acknowledged writes: the replica behind a held link takes over."""
    with ExitStack() as stack:
        primary = stack.enter_context(Redis(place, name="primary"))
        link = stack.enter_context(Proxy(primary))
        replica = stack.enter_context(Redis(place, name="replica", replica_of=link))
        primary.command("SET", "k", "old")
        replica.wait_in_sync(primary)
        link.blackhole()
        primary.command("SET", "k", "new")
        primary.kill()
        replica.promote()
        assert (replica.command("GET", "k"), replica.info("replication")["role"]) == (b"old", "master")
        primary.start()
        primary.follow(replica)
        assert primary.command("GET", "k") == b"old"


def test_zookeeper_keeps_nodes_over_a_kill(place: Path) -> None:
    """It comes back on its port with its data, or without when wiped."""
    with ZooKeeper(place) as server:
        with session(server.hosts) as client:
            client.create("/kept", b"x")
        server.kill()
        server.start()
        assert "Node count: 6" in server.four_letters("srvr")
        server.stop()
        server.wipe()
        assert "Node count: 5" in server.start().four_letters("srvr")


def test_ensemble_survives_the_loss_of_its_leader(place: Path) -> None:
    """Two of three elect a new leader and serve; the third joins again with what it missed."""
    with Ensemble(place) as ensemble:
        lost = ensemble.leader
        assert len(ensemble.followers) == 2
        lost.kill()
        with session(ensemble.hosts) as client:
            client.create("/after", b"x")
        assert ensemble.leader is not lost
        lost.start()
        assert lost.mode() == "follower"
        assert "Node count: 6" in lost.four_letters("srvr")


def test_ensemble_without_a_majority_serves_nothing(place: Path) -> None:
    """A frozen minority is survived, a lost majority is not."""
    with Ensemble(place) as ensemble:
        first, second = ensemble.followers
        first.freeze()
        assert ensemble.leader.mode() == "leader"
        first.thaw()
        second.kill()
        first.kill()
        wait_until("nobody leads", lambda: all(member.mode() is None for member in ensemble), timeout_s=20)


def test_bed_starts_one_of_each_and_removes_everything() -> None:
    """Three servers, one directory, and nothing of either afterwards."""
    with Testbed(database="mariadb") as bed:
        assert bed.database.flavor == "mariadb"
        assert bed.redis.command("SET", "k", "v")
        assert bed.zookeeper.hosts.count(":") == 1
        servers, directory = [bed.database, bed.redis], bed.directory
    assert not directory.exists()
    assert [server.running for server in servers] == [False, False]


UP = [sys.executable, "-m", "testbed", "up", "--db", "mariadb"]


@contextmanager
def command_line(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_command_line_prints_addresses_and_ends_at_ctrl_c() -> None:
    """`python -m testbed up --json` is for scripts: one line, then silence until the signal."""
    with command_line([*UP, "--json"]) as up:
        assert up.stdout is not None
        facts = json.loads(up.stdout.readline())
        host, port = facts["database_address"].split(":")
        account = {"user": facts["database_user"], "password": facts["database_password"], "ssl_disabled": True}
        pymysql.connect(host=host, port=int(port), **account).close()
        up.send_signal(signal.SIGINT)
        assert (up.wait(30), up.stdout.read()) == (130, "")
    assert not Path(facts["directory"]).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_background_job_of_a_script_ends_at_a_signal(number: signal.Signals) -> None:
    """Such a job begins with SIGINT ignored; both signals end it all the same, and nothing is left."""
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    with command_line([sys.executable, "-c", ignoring, *UP, "--json"]) as up:
        assert up.stdout is not None
        directory = Path(json.loads(up.stdout.readline())["directory"])
        assert directory.exists()
        up.send_signal(number)
        assert up.wait(30) == 128 + number
    assert not directory.exists()
