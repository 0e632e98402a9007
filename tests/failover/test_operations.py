"""What operators do to a running stream: configs, pauses, restarts of servers; nothing is lost meanwhile."""

from hasync.model.cluster import Intent, IntentKind
from testbed import wait_until
from tests.failover.fleet import STREAM, Fleet, Workload, assert_equal


def test_new_rules_come_into_force_without_a_new_term(mysql_fleet: Fleet) -> None:
    """A config applied while rows flow takes effect at a transaction boundary of the running leader."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    mysql_fleet.start("a")
    leader = mysql_fleet.leader()
    with Workload(backends.database) as workload:
        workload.wait_commits(30)
        extra = '  app.other:\n    - {set: {key: "other:{id}", value: "{note}"}}\n'
        revision = mysql_fleet.apply(backends.config(extra=extra))
        wait_until("it is in force", lambda: leader.standing.get("config_revision") == revision)
        backends.database.sql("INSERT INTO app.other (id, note) VALUES (99999, 'new rule')")
        wait_until("the new rule works", lambda: backends.redis.command("GET", "other:99999") == b"new rule")
    assert leader.standing["epoch"] == 1


def test_bad_config_by_another_road_leaves_the_last_good_one_in_force(mysql_fleet: Fleet) -> None:
    """A document that got past `config apply` changes nothing, and the status says why."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    mysql_fleet.start("a")
    leader = mysql_fleet.leader()
    mysql_fleet.apply("version: 1\ntables: {app.account: [{sett: {}}]}\n")  # the store itself does not judge
    wait_until("it is refused", lambda: leader.standing.get("config_refusal"))
    with Workload(backends.database) as workload:
        workload.wait_commits(50)
    assert_equal(backends.database, backends.redis)
    assert leader.standing["config_revision"] == 1
    assert leader.metric("hasync_config_last_reload_successful") == 0
    leader.process.kill()
    (late,) = mysql_fleet.start("late")
    wait_until("a newcomer takes the last good one too", lambda: late.leads, timeout_s=20)


def test_paused_stream_stands_still_and_goes_on_where_it_was(mysql_fleet: Fleet) -> None:
    """Nobody leads during a pause, everybody says so, and nothing that happened meanwhile is lost."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    mysql_fleet.start("a", "b")
    mysql_fleet.leader()
    intents = mysql_fleet.coordination.intents
    with Workload(backends.database) as workload:
        workload.wait_commits(30)
        intents.put(Intent(kind=IntentKind.PAUSE, by="test", at=0.0, reason="maintenance"))
        wait_until("both pause", lambda: all(each.standing.get("state") == "paused" for each in mysql_fleet.instances))
        before = mysql_fleet.state
        workload.wait_commits(30)
        assert mysql_fleet.state == before
        assert intents.clear()
        mysql_fleet.leader()
        workload.wait_commits(30)
    assert_equal(backends.database, backends.redis)


def test_database_crash_is_waited_for(fleet: Fleet) -> None:
    """MySQL and MariaDB killed and restarted: the same term goes on from the last segment handed over."""
    backends = fleet.backends
    fleet.apply(backends.config())
    fleet.start("a")
    leader = fleet.leader()
    for balance in range(1, 4):
        backends.database.sql(
            "INSERT INTO app.account VALUES (1, 'o', %s, 1) "
            "ON DUPLICATE KEY UPDATE balance = VALUES(balance), version = version + 1",
            (balance,),
        )
        backends.database.kill()
        wait_until("it notices", lambda: leader.metric("hasync_source_connected") == 0, timeout_s=20)
        backends.database.start()
        wait_until("it is back", lambda: leader.metric("hasync_source_connected") == 1, timeout_s=20)
    assert_equal(backends.database, backends.redis)
    assert leader.standing["epoch"] == 1


def test_position_moves_on_when_only_other_tables_change(mysql_fleet: Fleet) -> None:
    """Traffic of tables without rules moves the position too, or it would be purged under the stream."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    mysql_fleet.start("a")
    mysql_fleet.leader()
    for number in range(20):
        backends.database.sql("INSERT INTO app.other (note) VALUES (%s)", (number,))
    end = backends.database.binlog_position()[1]

    def acknowledged() -> bool:
        stored = mysql_fleet.coordination.positions.load().value
        return stored is not None and stored.position.pos >= end

    wait_until("the position follows", acknowledged, timeout_s=10)


def test_second_instance_with_the_same_name_gives_up(mysql_fleet: Fleet) -> None:
    """Two live processes under one member id would hide each other; the second one says so and ends."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    (first,) = mysql_fleet.start("twin")
    mysql_fleet.leader()
    second = type(first)("twin", backends, {})
    mysql_fleet.instances.append(second)
    second.process.start()
    assert second.process.wait(30) == 1
    assert any("twin" in str(event.get("error")) for event in second.events() if event["event"] == "failed")
    assert first.leads


def test_no_secret_and_no_row_value_is_logged(mysql_fleet: Fleet) -> None:
    """I12: neither the password nor a row's content is in any log line, status or metric."""
    backends = mysql_fleet.backends
    backends.database.sql("DROP USER IF EXISTS canary")
    backends.database.create_reader("canary", "canary-secret")
    mysql_fleet.apply(backends.config().replace("user: hasync", "user: canary"))
    (instance,) = mysql_fleet.start("a", HASYNC_LOG__LEVEL="debug", MYSQL_PASSWORD="canary-secret")
    leader = mysql_fleet.leader()
    backends.database.sql("INSERT INTO app.product VALUES (1, 'canary-value', 1)")
    wait_until("it is applied", lambda: backends.redis.command("HGET", "product:1", "name") == b"canary-value")
    backends.redis.command("SET", "product:2", "x")
    backends.database.sql("INSERT INTO app.product VALUES (2, 'canary-value', 1)")
    halt = wait_until("it is halted", mysql_fleet.coordination.halts.get, timeout_s=20)
    seen = instance.process.log.read_text() + leader.get("/status")[1] + leader.get("/metrics")[1] + str(halt)
    assert "canary-value" not in seen
    assert "canary-secret" not in seen
    assert STREAM in seen


def test_instance_with_an_old_password_leaves_the_stream_to_one_that_has_the_new(mysql_fleet: Fleet) -> None:
    """A fault of one instance's own must not halt a stream that another one can lead."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    (stale,) = mysql_fleet.start("stale", MYSQL_PASSWORD="old")
    halt = wait_until("alone, it halts the stream", mysql_fleet.coordination.halts.get, timeout_s=20)
    assert "old" not in halt.reason
    (good,) = mysql_fleet.start("good")
    halts = mysql_fleet.coordination.halts
    # The first resume may come before the two know of each other.
    wait_until("the other one leads", lambda: (halts.clear() or True) and good.leads, timeout_s=40, poll_s=0.5)
    assert stale.standing["state"] != "leader"
