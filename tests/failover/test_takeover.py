"""The leader dies, leaves, freezes or is deposed: the next one goes on, and nothing is lost or doubled."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hasync.cluster.session import ZooKeeperSession
from hasync.errors import CoordinationUnavailable, EndReason
from testbed import Proxy, Redis, SqlServer, ZooKeeper, wait_until
from tests.failover.conftest import backends_of
from tests.failover.fleet import SESSION_TIMEOUT_S, Fleet, Running, Workload, assert_equal, fleet_on


def ended_terms(instance: Running) -> list[str]:
    return [event["reason"] for event in instance.events() if event["event"] == "term_ended"]


def test_killed_leader_is_replaced_and_nothing_is_lost_or_doubled(fleet: Fleet) -> None:
    """I1, I2, I4, I8: SIGKILL in mid-workload; counters, hashes and strings equal MySQL afterwards."""
    backends = fleet.backends
    fleet.apply(backends.config())
    fleet.start("a", "b", "c")
    first = fleet.leader()
    with Workload(backends.database) as workload:
        workload.wait_commits(200)
        before = fleet.state
        first.process.kill()
        second = fleet.leader(other_than=first)
        workload.wait_commits(200)
    assert_equal(backends.database, backends.redis)
    after = fleet.state
    assert before is not None
    assert after is not None
    assert (second.leads, after.epoch) == (True, before.epoch + 1)
    assert after.seq > before.seq
    assert backends.database.dump_threads() == 1


def test_sigterm_hands_over_in_order(fleet: Fleet, record_property: Callable[[str, object], None]) -> None:
    """I11: the position is acknowledged, the lock released, exit code 0, and the next one leads at once."""
    backends = fleet.backends
    fleet.apply(backends.config())
    fleet.start("a", "b")
    first = fleet.leader()
    with Workload(backends.database) as workload:
        workload.wait_commits(100)
        told = time.monotonic()
        first.process.signal(signal.SIGTERM)
        state = wait_until("the next epoch", lambda: _epoch_above(fleet, 1), timeout_s=10, poll_s=0.002)
        record_property("handover_ms", round((time.monotonic() - told) * 1000))
        assert first.process.wait(10) == 0
        workload.wait_commits(100)
    assert_equal(backends.database, backends.redis)
    assert state == 2
    assert ended_terms(first) == [EndReason.SHUTDOWN]
    terms = fleet.coordination.terms.history()
    assert [(term.epoch, term.end_reason) for term in terms] == [(2, None), (1, EndReason.SHUTDOWN)]


def _epoch_above(fleet: Fleet, epoch: int) -> int | None:
    state = fleet.state
    return state.epoch if state is not None and state.epoch > epoch else None


def test_frozen_leaders_batch_in_flight_is_not_applied_after_a_new_claim(
    one_database: SqlServer, redis: Redis, zookeeper: ZooKeeper, tmp_path: Path
) -> None:
    """I3: a batch already sent towards Redis arrives after the next leader's claim, and is not applied."""
    with Proxy(redis) as proxy:
        backends = replace(backends_of(one_database, redis, zookeeper, tmp_path), sink=proxy.address)
        with fleet_on(backends) as fleet:
            fleet.apply(backends.config())
            fleet.start("zombie", "successor")
            zombie = fleet.leader()
            successor = next(each for each in fleet.instances if each is not zombie)
            proxy.hold(when=_first_batch())
            one_database.sql("INSERT INTO app.account VALUES (1, 'o', 100, 1)")
            proxy.wait_held()
            zombie.freeze()
            wait_until("the successor leads", lambda: successor.leads, timeout_s=20)
            wait_until("its batch is in", lambda: redis.command("GET", "changes:1") == b"1")
            one_database.sql("UPDATE app.account SET balance = 101, version = 2 WHERE id = 1")
            wait_until("the next one too", lambda: redis.command("GET", "changes:1") == b"2")
            proxy.release()
            zombie.thaw()
            wait_until("the zombie's term ends", lambda: ended_terms(zombie), timeout_s=20)
            wait_until("it counts the write", lambda: zombie.metric("hasync_fenced_writes_total") >= 1)
            assert redis.command("GET", "changes:1") == b"2"
            assert_equal(one_database, redis)
            assert successor.leads
            assert ended_terms(successor) == []


def _first_batch() -> Callable[[bytes], bool]:
    """Hold the one connection that sends the first batch; all others pass."""
    seen: list[bytes] = []

    def when(chunk: bytes) -> bool:
        if seen or b"changes:1" not in chunk:
            return False
        seen.append(chunk)
        return True

    return when


def test_leader_that_wakes_past_its_session_leaves_its_successor_alone(fleet: Fleet) -> None:
    """I7: one change of term for one fault; the old leader does not take its dump back."""
    backends = fleet.backends
    fleet.apply(backends.config())
    fleet.start("a", "b", "c")
    first = fleet.leader()
    with Workload(backends.database) as workload:
        workload.wait_commits(50)
        pid = first.signal_worker(signal.SIGSTOP)
        second = fleet.leader(other_than=first)
        workload.wait_commits(20)
        os.kill(pid, signal.SIGCONT)
        wait_until("the old leader's term ends", lambda: ended_terms(first), timeout_s=20)
        workload.wait_commits(100)
    assert_equal(backends.database, backends.redis)
    assert second.leads
    assert [term.epoch for term in fleet.coordination.terms.history()] == [2, 1]
    assert set(ended_terms(first)) <= {EndReason.FENCED, EndReason.SESSION_LOST, EndReason.LOCK_LOST}


def test_expired_session_ends_the_term_and_another_one_leads(mysql_fleet: Fleet) -> None:
    """LOST ends a term for good, though the old leader could still reach Redis and MySQL."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    mysql_fleet.start("a", "b")
    first = mysql_fleet.leader()
    wait_until("the other one is next in the queue", lambda: len(mysql_fleet.coordination.election.contenders()) == 2)
    with Workload(backends.database) as workload:
        workload.wait_commits(50)
        expire(mysql_fleet)
        mysql_fleet.leader(other_than=first)
        workload.wait_commits(50)
    assert_equal(backends.database, backends.redis)
    cut_off = {EndReason.SESSION_LOST, EndReason.LOCK_LOST, EndReason.FENCED, EndReason.SOURCE_CLAIMED}
    assert set(ended_terms(first)) <= cut_off  # whichever of the guards was the first to see it


def expire(fleet: Fleet) -> None:
    """End the leader's session from outside: delete its lock node as ZooKeeper does at expiry."""
    coordination = fleet.coordination
    session: ZooKeeperSession = coordination.election._session  # type: ignore[attr-defined]
    queue = session.call("test", lambda client: client.get_children_async(_election_path(fleet)))
    first = min(queue, key=lambda node: node[-10:])
    session.call("test", lambda client: client.delete_async(f"{_election_path(fleet)}/{first}"))


def _election_path(fleet: Fleet) -> str:
    return f"{fleet.backends.root}/streams/orders/election"


def test_zookeeper_away_for_three_session_timeouts_changes_nothing_but_the_acknowledgement(
    mysql_fleet: Fleet, zookeeper: ZooKeeper
) -> None:
    """I7: Redis keeps following MySQL, no term changes, the position in ZooKeeper catches up afterwards."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    mysql_fleet.start("a", "b")
    leader = mysql_fleet.leader()
    with Workload(backends.database) as workload:
        workload.wait_commits(50)
        zookeeper.kill()
        gone = time.monotonic()
        while time.monotonic() - gone < 3 * SESSION_TIMEOUT_S:
            before = sequence(mysql_fleet)
            workload.wait_commits(20)
            wait_until("Redis follows", lambda before=before: sequence(mysql_fleet) > before)  # type: ignore[misc]
        zookeeper.start()
        workload.wait_commits(50)
    assert_equal(backends.database, backends.redis)
    wait_until("the acknowledgement catches up", lambda: _acknowledged(mysql_fleet), timeout_s=20)
    assert leader.leads
    assert ended_terms(leader) == []
    assert mysql_fleet.state is not None
    assert mysql_fleet.state.epoch == 1


def sequence(fleet: Fleet) -> int:
    state = fleet.state
    return state.seq if state else 0


def _acknowledged(fleet: Fleet) -> bool:
    """Whether ZooKeeper's copy is where Redis is; a session that is still reconnecting says no."""
    try:
        stored, state = fleet.coordination.positions.load().value, fleet.state
    except CoordinationUnavailable:
        return False
    return stored is not None and state is not None and stored.seq == state.seq


def test_epochs_rise_through_many_kills(mysql_fleet: Fleet) -> None:
    """I4: five leaders one after the other, each under a higher epoch, one dump on the source at a time."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    mysql_fleet.start("a", "b")
    mysql_fleet.leader()
    epochs = []
    with Workload(backends.database) as workload:
        for number in range(4):
            leader = mysql_fleet.leader()
            workload.wait_commits(30)
            epochs.append(mysql_fleet.state.epoch if mysql_fleet.state else 0)
            leader.process.kill()
            mysql_fleet.instances.remove(leader)
            leader.close()
            mysql_fleet.start(f"next-{number}")
        mysql_fleet.leader()
        workload.wait_commits(30)
    assert_equal(backends.database, backends.redis)
    assert epochs == sorted(set(epochs))
