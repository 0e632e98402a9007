"""Redis loses writes, its state, or refuses a command: noticed, healed or halted, never silently wrong."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hasync.model.state import state_key
from testbed import Proxy, Redis, SqlServer, ZooKeeper, wait_until
from tests.failover.conftest import backends_of
from tests.failover.fleet import STREAM, Fleet, Workload, assert_equal, fleet_on


@pytest.fixture
def proxied(
    one_database: SqlServer, redis: Redis, zookeeper: ZooKeeper, tmp_path: Path
) -> Iterator[tuple[Fleet, Proxy]]:
    """A fleet that reaches Redis through a proxy: its virtual address."""
    with Proxy(redis) as proxy:
        backends = replace(backends_of(one_database, redis, zookeeper, tmp_path), sink=proxy.address)
        with fleet_on(backends) as fleet:
            yield fleet, proxy


def test_lagging_replica_is_promoted_and_the_stream_rewinds(
    proxied: tuple[Fleet, Proxy], redis: Redis, tmp_path: Path
) -> None:
    """I5: a promoted replica that lacks acknowledged batches is noticed; Redis equals MySQL afterwards."""
    fleet, proxy = proxied
    database = fleet.backends.database
    fleet.apply(fleet.backends.config())
    with Redis(tmp_path, name="replica") as replica:
        replica.follow(redis)
        replica.wait_in_sync(redis)
        fleet.start("a", "b")
        leader = fleet.leader()
        with Workload(database) as workload:
            workload.wait_commits(100)
            replica.promote()  # its link is cut here, while the old primary goes on
            workload.wait_commits(100)
            wait_until("ZooKeeper knows more than the replica has", lambda: _ahead_of(fleet, replica))
            redis.kill()
            proxy.retarget(replica)
            wait_until("a rewind", lambda: leader.metric("hasync_regressions_total") >= 1, timeout_s=20)
            workload.wait_commits(100)
        assert_equal(database, replica)
        assert leader.leads
        assert "lost" in leader.standing["resumed"]


def _ahead_of(fleet: Fleet, replica: Redis) -> bool:
    stored = fleet.coordination.positions.load().value
    kept = Fleet(replace(fleet.backends, redis=replica)).state
    return stored is not None and kept is not None and stored.seq > kept.seq + 10


def test_replies_lost_after_apply_are_not_applied_again(proxied: tuple[Fleet, Proxy]) -> None:
    """I8: ten replies in a row are lost after Redis applied the batch; counters still count once."""
    fleet, proxy = proxied
    fleet.apply(fleet.backends.config())
    fleet.start("a")
    leader = fleet.leader()
    with Workload(fleet.backends.database) as workload:
        workload.wait_commits(30)
        proxy.drop_replies(b"EXEC", times=10)
        proxy.wait_dropped(10, timeout_s=60)
        workload.wait_commits(30)
    assert_equal(fleet.backends.database, fleet.backends.redis)
    assert leader.leads
    assert fleet.state is not None
    assert fleet.state.epoch == 1


def test_redis_away_is_waited_for_without_a_new_term(proxied: tuple[Fleet, Proxy]) -> None:
    """A sink that cannot be reached costs time, not rows and not the term."""
    fleet, proxy = proxied
    fleet.apply(fleet.backends.config())
    fleet.start("a")
    leader = fleet.leader()
    with Workload(fleet.backends.database) as workload:
        workload.wait_commits(30)
        proxy.cut()
        wait_until("it says so", lambda: leader.standing.get("degraded"), timeout_s=20)
        workload.wait_commits(30)
        proxy.restore()
        workload.wait_commits(30)
    assert_equal(fleet.backends.database, fleet.backends.redis)
    assert leader.leads
    assert leader.standing["epoch"] == 1


def test_flushed_redis_halts_the_stream_for_all_instances(mysql_fleet: Fleet) -> None:
    """on_missing_state: halt. No instance goes on, everyone says why, and a resume alone does not hide it."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    mysql_fleet.start("a", "b")
    mysql_fleet.leader()
    with Workload(backends.database) as workload:
        workload.wait_commits(30)
        wait_until("a position is acknowledged", lambda: mysql_fleet.coordination.positions.load().value)
        backends.redis.command("FLUSHALL")
        workload.wait_commits(30)
        halt = wait_until("the stream is halted", mysql_fleet.coordination.halts.get, timeout_s=20)
        wait_until("both say so", lambda: all(each.standing.get("state") == "halted" for each in mysql_fleet.instances))
    assert halt.code == "state_missing"
    assert "on_missing_state" in halt.hint or "position reset" in halt.hint
    assert mysql_fleet.instances[0].get("/readyz")[0] == 503
    assert mysql_fleet.instances[0].get("/livez")[0] == 200
    assert mysql_fleet.state is None


def test_flushed_redis_is_resumed_when_the_policy_says_so(mysql_fleet: Fleet) -> None:
    """on_missing_state: resume. The stream goes on from ZooKeeper's position in a new term."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config(missing="resume"))
    mysql_fleet.start("a")
    leader = mysql_fleet.leader()
    backends.database.sql("INSERT INTO app.account VALUES (1, 'o', 1, 1)")
    wait_until("acknowledged", lambda: (mysql_fleet.coordination.positions.load().value or _NOTHING).seq >= 1)
    backends.redis.command("FLUSHALL")
    backends.database.sql("INSERT INTO app.account VALUES (2, 'o', 5, 1)")
    wait_until("the stream goes on", lambda: backends.redis.command("GET", "account:2") == b"5", timeout_s=20)
    assert leader.leads
    assert "policy resume" in leader.standing["resumed"]


class _Nothing:
    seq = 0


_NOTHING = _Nothing()


def test_refused_command_halts_and_is_repeated_after_the_key_is_mended(mysql_fleet: Fleet) -> None:
    """A hash rule meets a key of another type: the stream halts with the key's name and loses nothing."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    backends.redis.command("SET", "product:5", "somebody else's")
    mysql_fleet.start("a", "b")
    mysql_fleet.leader()
    backends.database.script(
        "INSERT INTO app.product VALUES (4, 'four', 4); INSERT INTO app.product VALUES (5, 'five', 5);"
    )
    halt = wait_until("the stream is halted", mysql_fleet.coordination.halts.get, timeout_s=20)
    assert halt.code == "sink_refused"
    assert "product:5" in halt.reason
    assert "five" not in halt.reason
    backends.redis.command("DEL", "product:5")
    assert mysql_fleet.coordination.halts.clear()
    mysql_fleet.leader()
    assert_equal(backends.database, backends.redis)


def test_foreign_write_to_the_state_key_ends_the_term(mysql_fleet: Fleet) -> None:
    """Whoever else writes the state key is taken for another leader: this one stops before it writes."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    mysql_fleet.start("a")
    leader = mysql_fleet.leader()
    raw = backends.redis.command("GET", state_key(STREAM)).decode()
    backends.redis.command("SET", state_key(STREAM), raw.replace('"epoch":1', '"epoch":5'))
    backends.database.sql("INSERT INTO app.account VALUES (1, 'o', 1, 1)")
    wait_until("a term above it", lambda: mysql_fleet.state and mysql_fleet.state.epoch >= 6, timeout_s=20)
    assert_equal(backends.database, backends.redis)
    assert leader.metric("hasync_fenced_writes_total") >= 1
