"""An operator moves a stream to another instance: in order, within a fraction of a second, and nothing else happens."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import orjson
import pytest

from hasync.errors import EndReason
from hasync.model.cluster import Intent, IntentKind
from hasync.model.state import state_key
from testbed import wait_until
from tests.failover.fleet import ROOT, STREAM, Backends, Fleet, Running, Workload, assert_equal

ROUNDS = int(os.environ.get("SWITCHOVERS", "4"))
MEMBERS = ("a", "b", "c")

Record = Callable[[str, object], None]


class WriteGaps:
    """Samples the state key, and knows the longest time in which nothing was written around each change of epoch."""

    def __init__(self, backends: Backends) -> None:
        self._client = backends.redis.client()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.gaps_s: dict[int, float] = {}

    def _run(self) -> None:
        last: tuple[float, int, int] | None = None
        while not self._stop.wait(0.001):
            raw = self._client.get(state_key(STREAM))
            if raw is None:
                continue
            state, now = orjson.loads(raw), time.monotonic()
            epoch, seq = state["epoch"], state["seq"]
            if last is not None and seq != last[2]:
                if epoch != last[1]:
                    self.gaps_s[epoch] = now - last[0]
                last = (now, epoch, seq)
            elif last is None:
                last = (now, epoch, seq)

    @property
    def gaps_ms(self) -> list[float]:
        return sorted(round(gap_s * 1000, 1) for gap_s in self.gaps_s.values())


@contextmanager
def watched(backends: Backends) -> Iterator[WriteGaps]:
    gaps = WriteGaps(backends)
    gaps._thread.start()
    try:
        yield gaps
    finally:
        gaps._stop.set()
        gaps._thread.join(5)


def hasync(backends: Backends, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator does."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HASYNC_ZOOKEEPER__HOSTS": backends.zookeeper.hosts,
        "HASYNC_ZOOKEEPER__ROOT": backends.root,
        "HASYNC_STREAMS": STREAM,
    }
    command = [sys.executable, "-m", "hasync", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


def able(fleet: Fleet, *others: Running) -> None:
    """Wait until all others stand by and have tried their servers."""
    for instance in others:
        wait_until(f"{instance.member} could lead", lambda i=instance: _able(fleet, i), timeout_s=30)


def _able(fleet: Fleet, instance: Running) -> bool:
    members = {member.id: member for member in fleet.members()}
    status = members[instance.member].streams.get(STREAM) if instance.member in members else None
    return status is not None and status.able and status.role in {"standby", "leader"}


@pytest.mark.timeout(120 + 20 * ROUNDS)
def test_switchover_moves_the_stream_to_who_was_named(mysql_fleet: Fleet, record_property: Record) -> None:
    """Round and round: each time the one named leads, by one new term, and every row arrives exactly once."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    running = {each.member: each for each in mysql_fleet.start(*MEMBERS, HASYNC_REBALANCE__ENABLED="false")}
    leader = mysql_fleet.leader()
    able(mysql_fleet, *running.values())
    with Workload(backends.database) as workload, watched(backends) as gaps:
        for round_ in range(ROUNDS):
            target = MEMBERS[(MEMBERS.index(leader.member) + 1 + round_ % 2) % 3]
            able(mysql_fleet, running[target])
            workload.wait_commits(30)
            answer = hasync(
                backends, "switchover", "--yes", STREAM, "--to", target, "--wait", "--reason", f"round {round_}"
            )
            assert (answer.returncode, target in answer.stderr) == (0, True), answer.stderr
            leader = running[target]
        workload.wait_commits(30)
    assert_equal(backends.database, backends.redis)
    terms = mysql_fleet.coordination.terms.history()
    assert [term.epoch for term in terms] == list(range(ROUNDS + 1, 0, -1))
    assert {term.end_reason for term in terms[1:]} == {EndReason.HANDOVER}
    assert all(f"to {terms[at - 1].member}, asked for by " in terms[at].message for at in range(1, len(terms)))
    assert "round 0" in terms[-1].message
    assert mysql_fleet.coordination.intents.get() is None
    record_property("gaps_ms", gaps.gaps_ms)
    print(f"{len(gaps.gaps_ms)} switchovers: write gap p50 {median(gaps.gaps_ms)} ms, max {gaps.gaps_ms[-1]} ms")  # noqa: T201 - for pytest -s


def test_frozen_target_falls_back_to_the_next_one(mysql_fleet: Fleet) -> None:
    """It stands next and never leads: its session's end gives the stream to the third, and nothing is lost."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    # On a busy machine the command takes seconds to start; until then the frozen one has to stand in the queue.
    patient = {"HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": "10", "HASYNC_SUPERVISOR__HEARTBEAT_S": "6"}
    running = {each.member: each for each in mysql_fleet.start(*MEMBERS, HASYNC_REBALANCE__ENABLED="false", **patient)}
    leader = mysql_fleet.leader()
    able(mysql_fleet, *running.values())
    target, third = (each for each in running.values() if each is not leader)
    with Workload(backends.database) as workload:
        workload.wait_commits(30)
        worker = next(member.pid for member in mysql_fleet.members() if member.id == target.member)
        os.kill(worker, signal.SIGSTOP)
        answer = hasync(backends, "switchover", "--yes", "--to", target.member)
        assert answer.returncode == 0, answer.stderr
        wait_until("one of the others leads", lambda: third.leads or (leader.leads and _epoch(mysql_fleet) > 1))
        workload.wait_commits(30)
    assert_equal(backends.database, backends.redis)
    assert _epoch(mysql_fleet) == 2  # the frozen one was killed by its supervisor, and never claimed


def _epoch(fleet: Fleet) -> int:
    state = fleet.state
    return state.epoch if state else 0


def test_pinned_stream_follows_its_pin_and_avoided_instance_gives_way(mysql_fleet: Fleet) -> None:
    """A new placement comes into force at once: whoever is barred hands over, a reserve as soon as another can lead."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    quick = {"HASYNC_REBALANCE__AFTER_S": "1", "HASYNC_REBALANCE__PAUSE_S": "0.3"}
    running = {each.member: each for each in mysql_fleet.start(*MEMBERS, **quick)}
    leader = mysql_fleet.leader()
    able(mysql_fleet, *running.values())
    pinned = next(name for name in MEMBERS if name != leader.member)
    mysql_fleet.apply(backends.config(extra=f"placement: {{pin: [{pinned}]}}\n"))
    wait_until("the pinned one leads", lambda: running[pinned].leads)
    assert leader.standing["state"] == "barred"
    assert leader.get("/readyz")[0] == 200
    mysql_fleet.apply(backends.config(extra=f"placement: {{avoid: [{pinned}]}}\n"))
    follower = mysql_fleet.leader(other_than=running[pinned])
    reasons = [term.message for term in mysql_fleet.coordination.terms.history()]
    assert f"{pinned} is only a reserve" in " ".join(reasons)
    follower.process.signal(signal.SIGTERM)
    assert follower.process.wait(15) == 0
    successor = mysql_fleet.leader(other_than=follower)
    assert successor.member != pinned  # it gives way though it may have been the first in the queue


def test_pause_and_resume_are_maintenance_that_everybody_can_see(mysql_fleet: Fleet) -> None:
    """Nobody is elected, whatever dies; status, metrics and readiness say why."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    one, two = mysql_fleet.start("a", "b")
    mysql_fleet.leader()
    assert hasync(backends, "pause", "--all", "--wait", "--reason", "moving Redis").returncode == 0
    for instance in (one, two):
        wait_until("it is in maintenance", lambda i=instance: i.metric("hasync_maintenance") == 1)
        status, body = instance.get("/readyz")
        assert (status, "moving Redis" in body) == (200, True)
    one.process.kill()
    shown = hasync(backends, "status", "-o", "json")
    assert (shown.returncode, orjson.loads(shown.stdout)["streams"][0]["state"]) == (3, "paused")
    assert hasync(backends, "resume", "--all", "--wait").returncode == 0
    wait_until("maintenance is over", lambda: two.metric("hasync_maintenance") == 0)
    wish = Intent(kind=IntentKind.PAUSE, by="x", at=1.0)
    assert mysql_fleet.coordination.intents.settle(wish) is False
