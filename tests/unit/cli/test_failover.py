"""``hasync failover``: the lock is taken from a leader that does not give it; refused where nobody is to lead."""

import threading

import pytest

from hasync.cli.failover import PATIENCE_S
from hasync.coordination import StreamCoordination
from hasync.model.cluster import Intent, IntentKind, Leader
from tests.unit.cli.stage import NOW, STREAM, Stage, halt


@pytest.fixture
def waiting(stage: Stage) -> dict[str, StreamCoordination]:
    """The ports of those who stand in the queue."""
    stage.instances["c"] = stage.cluster.member("c")
    return {name: stage.instances[name].stream(STREAM) for name in "bc"}


@pytest.fixture
def led(stage: Stage, waiting: dict[str, StreamCoordination]) -> Stage:
    """A leads and hangs, b is next in the queue, c is unfit behind it."""
    stage.apply()
    stage.elect("a", epoch=4)
    for name, role in (("b", "standby"), ("c", "unfit")):
        waiting[name].election.acquire(threading.Event(), 0.0)
        stage.show(name, role, able=role == "standby")
    return stage


def lead(ports: StreamCoordination, epoch: int) -> None:
    """Have the one who is first in the queue lead."""
    leadership = ports.election.acquire(threading.Event(), 1.0)
    assert leadership is not None
    assert ports.terms.raise_epoch(leadership, epoch - 1) == epoch
    ports.terms.publish(leadership, Leader(member=leadership.member, epoch=epoch, since=NOW))


def test_lock_is_taken_from_a_leader_that_hangs(led: Stage, waiting: dict[str, StreamCoordination]) -> None:
    """It had three seconds; the candidate leads under a higher epoch."""

    def elect() -> None:
        if led.ports.election.contenders()[:1] == ("b",):
            led.clock.during_wait = lambda: None
            lead(waiting["b"], 5)

    led.clock.during_wait = elect
    answer = led.run("failover", "--candidate", "b", "--yes", "--reason", "NFS")
    assert answer.exit_code == 0, answer.stderr
    assert led.deposed == ["a"]
    assert led.clock.now_s >= PATIENCE_S
    assert "a did not hand over, its lock is taken" in answer.stderr
    assert "b leads, epoch 5" in answer.stderr


def test_leader_that_hands_over_in_order_keeps_its_lock_until_then(
    led: Stage, waiting: dict[str, StreamCoordination]
) -> None:
    """Nothing is taken by force that is given."""

    def hand_over() -> None:
        if led.ports.intents.get() is not None and led.lock is not None:
            led.cluster.delete(led.lock.lock_path)
            led.clock.during_wait = lambda: None
            lead(waiting["b"], 5)

    led.clock.during_wait = hand_over
    answer = led.run("failover", "--candidate", "b", "--yes", "-o", "json")
    assert answer.exit_code == 0, answer.stderr
    assert led.deposed == []
    assert '"forced": false' in answer.stdout


def test_candidate_that_does_not_come_forward_is_an_error_and_the_wish_is_withdrawn(led: Stage) -> None:
    """The others are not kept out of the queue for it."""
    answer = led.run("failover", "--candidate", "b", "--yes", "--within", "10s")
    assert answer.exit_code == 1
    assert "b does not lead after 10 s" in answer.stderr
    assert led.ports.intents.get() is None


def test_nothing_is_done_without_consent_nor_by_a_dry_run(led: Stage) -> None:
    """A script has to say --yes."""
    refused = led.run("failover", "--candidate", "b")
    assert refused.exit_code == 1
    assert "--yes" in refused.stderr
    assert led.run("failover", "--dry-run").exit_code == 0
    assert led.json("failover", "--dry-run")["to"] == "b"
    assert led.ports.intents.get() is None


def test_candidate_that_could_not_lead_well_is_a_warning(led: Stage) -> None:
    """At night an unfit one may be better than none."""
    assert "c says that it could not lead well" in led.run("failover", "--candidate", "c", "--dry-run").stderr


def test_unknown_candidate_is_answered_with_the_nearest(led: Stage) -> None:
    """And with what each of the others could."""
    answer = led.run("failover", "--candidate", "bb", "--yes")
    assert answer.exit_code == 1
    assert "there is no such instance" in answer.stderr
    assert "b: could lead" in answer.stderr


def test_one_that_leads_already_is_left_alone(led: Stage) -> None:
    """Asking twice is no error."""
    assert "a leads already" in led.run("failover", "--candidate", "a").stderr


def test_paused_halted_and_unconfigured_streams_are_refused(led: Stage) -> None:
    """Another leader would not lead either; the remedy is named."""
    led.ports.intents.put(Intent(kind=IntentKind.PAUSE, by="bob", at=NOW))
    assert "paused by bob" in led.run("failover", "--yes").stderr
    led.ports.intents.clear()
    assert led.lock is not None
    led.ports.halts.put(led.lock, halt(1))
    answer = led.run("failover", "--yes")
    assert answer.exit_code == 1
    assert "hasync resume" in answer.stderr
