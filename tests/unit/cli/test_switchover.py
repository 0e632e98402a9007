"""``hasync switchover``: asked for, refused, waited for."""

import threading

import pytest

from hasync.errors import EndReason
from hasync.model.cluster import Intent, IntentKind, TermRecord
from hasync.model.member import Eligibility
from tests.unit.cli.stage import NOW, STREAM, Stage


@pytest.fixture
def led(stage: Stage) -> Stage:
    """A leads, b and then c stand by, in the queue and able."""
    stage.apply()
    stage.elect("a", epoch=4)
    stage.instances["c"] = stage.cluster.member("c")
    for name in ("b", "c"):
        stage.instances[name].stream(STREAM).election.acquire(threading.Event(), 0.0)
        stage.show(name, "standby", able=True)
    return stage


def wish(stage: Stage) -> Intent | None:
    """Return the wish in ZooKeeper."""
    found: Intent | None = stage.ports.intents.get()
    return found


def test_wish_names_who_asked_whom_and_which_term_is_to_end(led: Stage) -> None:
    """The term makes it safe to see twice: a later leader finds it fulfilled."""
    answer = led.run("switchover", "--yes", "orders", "--to", "c", "--reason", "new kernel")
    assert answer.exit_code == 0
    assert "ann@here asked a to hand over to c" in answer.stderr
    assert wish(led) == Intent(kind=IntentKind.SWITCHOVER, by="ann@here", at=NOW, reason="new kernel", to="c", epoch=4)


def test_next_in_the_queue_that_can_lead_is_asked_where_nobody_is_named(led: Stage) -> None:
    """An unfit one is passed over, and a reserve while there is a preferred one."""
    assert led.json("switchover", "--yes", "--dry-run")["to"] == "b"
    led.show("b", "standby", able=True, eligibility=Eligibility.RESERVE)
    assert led.json("switchover", "--yes", "--dry-run")["to"] == "c"
    led.show("c", "unfit", detail="redis: NOAUTH")
    assert led.json("switchover", "--yes", "--dry-run")["to"] == "b"


def test_dry_run_asks_for_nothing(led: Stage) -> None:
    """It only says what would happen."""
    assert led.json("switchover", "--yes", "--to", "b", "--dry-run") == {
        "stream": "orders",
        "from": "a",
        "epoch": 4,
        "to": "b",
        "asked": False,
        "leader": None,
        "leader_epoch": None,
    }
    assert wish(led) is None


@pytest.mark.parametrize(
    ("role", "able", "why"),
    [
        ("unfit", False, "c cannot lead orders: it is unfit"),
        ("standby", False, "c cannot lead orders: it has not tried its servers yet"),
        ("barred", False, "c cannot lead orders: it is barred"),
    ],
)
def test_target_that_could_not_lead_is_refused(led: Stage, role: str, able: bool, why: str) -> None:
    """Before anything is interrupted, and with who could."""
    led.show("c", role, able=able)
    answer = led.run("switchover", "--yes", "--to", "c")
    assert answer.exit_code == 1
    assert why in answer.stderr
    assert "b: could lead" in answer.stderr
    assert wish(led) is None


def test_target_that_is_not_there_is_refused(led: Stage) -> None:
    """With the nearest name."""
    answer = led.run("switchover", "--yes", "--to", "bb")
    assert answer.exit_code == 1
    assert "there is no such instance that runs it" in answer.stderr


def test_target_that_is_not_in_the_queue_is_refused(led: Stage) -> None:
    """It says that it stands by, but it does not."""
    led.instances["c"].stream(STREAM).election.withdraw()
    led.instances["c"].session.expire()
    led.show("c", "standby", able=True)
    assert "c cannot lead orders: it is not in the election now" in led.run("switchover", "--yes", "--to", "c").stderr


def test_switchover_to_the_leader_is_done_already(led: Stage) -> None:
    """A script may call it twice."""
    answer = led.run("switchover", "--yes", "--to", "a", "--wait")
    assert answer.exit_code == 0
    assert "a leads already, epoch 4" in answer.stderr
    assert wish(led) is None


def test_same_wish_again_is_no_error_and_another_one_is(led: Stage) -> None:
    """Two operators cannot cross each other."""
    assert led.run("switchover", "--yes", "--to", "b").exit_code == 0
    first = wish(led)
    assert led.run("switchover", "--yes", "--to", "b").exit_code == 0
    assert led.run("switchover", "--yes").exit_code == 0
    assert wish(led) == first
    answer = led.run("switchover", "--yes", "--to", "c")
    assert answer.exit_code == 1
    assert "orders is being handed over to b, as ann@here wants" in answer.stderr


def test_wish_of_an_earlier_term_does_not_stand_in_the_way(led: Stage) -> None:
    """Its leader died before it could take it away."""
    led.ports.intents.put(Intent(kind=IntentKind.SWITCHOVER, by="old", at=1.0, to="c", epoch=3))
    assert led.run("switchover", "--yes", "--to", "b").exit_code == 0
    found = wish(led)
    assert found is not None
    assert (found.to, found.epoch) == ("b", 4)


def test_paused_and_leaderless_streams_are_refused(led: Stage) -> None:
    """There is nobody to hand over."""
    led.run("pause")
    assert "orders is paused by ann@here" in led.run("switchover", "--yes").stderr
    led.run("resume")
    led.instances["a"].session.expire()
    answer = led.run("switchover", "--yes")
    assert answer.exit_code == 1
    assert "nobody leads orders, so there is nothing to hand over" in answer.stderr


def hand_over(stage: Stage, to: str, epoch: int) -> None:
    """Have the leader go and somebody else lead, as instances would."""
    stage.clock.during_wait = lambda: None
    standing = wish(stage)
    stage.instances["a"].session.expire()
    if standing is not None:
        stage.ports.intents.settle(standing)
    for name in ("b", "c"):
        stage.instances[name].session.expire()
    stage.elect(to, epoch=epoch)


def test_wait_returns_when_the_target_leads(led: Stage) -> None:
    """With its epoch."""
    led.clock.during_wait = lambda: hand_over(led, "b", 5)
    answer = led.run("switchover", "--yes", "--to", "b", "--wait", "-o", "json")
    assert answer.exit_code == 0
    assert "b leads, epoch 5" in answer.stderr
    assert '"leader": "b"' in answer.stdout


def test_wait_fails_when_somebody_else_leads(led: Stage) -> None:
    """The target died on its way."""
    led.clock.during_wait = lambda: hand_over(led, "c", 5)
    answer = led.run("switchover", "--yes", "--to", "b", "--wait")
    assert answer.exit_code == 1
    assert "c leads, epoch 5, not b" in answer.stderr


def test_wait_fails_when_the_leader_gave_it_up(led: Stage) -> None:
    """It goes on, and nothing was interrupted."""

    def give_up() -> None:
        standing = wish(led)
        if standing is not None:
            led.ports.intents.settle(standing)

    led.clock.during_wait = give_up
    answer = led.run("switchover", "--yes", "--to", "b", "--wait")
    assert answer.exit_code == 1
    assert "given up, a goes on: b did not come forward in time" in answer.stderr


def test_wait_tells_that_the_lead_was_given_to_one_who_did_not_take_it(led: Stage) -> None:
    """It was dead or frozen while its place in the queue lived: that was an interruption, and is not denied."""

    def gone_and_back() -> None:
        leadership = led.lock
        term = TermRecord(epoch=4, member="a", since=NOW - 60)
        over = term.ended(EndReason.HANDOVER, "to b", until=NOW, end=None)
        led.instances["a"].stream(STREAM).terms.record(leadership, over)
        hand_over(led, "a", 5)

    led.clock.during_wait = gone_and_back
    answer = led.run("switchover", "--yes", "--to", "b", "--wait")
    assert answer.exit_code == 1
    assert "a leads again, epoch 5: b was given the lead and did not take it" in answer.stderr
    assert "nothing was interrupted" not in answer.stderr


def test_reserve_is_warned_of(led: Stage) -> None:
    """It would hand over again by itself."""
    led.show("c", "standby", able=True, eligibility=Eligibility.RESERVE)
    answer = led.run("switchover", "--yes", "--to", "c")
    assert answer.exit_code == 0
    assert "warning: orders: c is only a reserve" in answer.stderr


def test_drained_target_is_refused(led: Stage) -> None:
    """It would give way to the third, which nobody asked for; where nobody is named, it is the last resort."""
    led.show("c", "standby", able=True, eligibility=Eligibility.RESERVE, drained="ann")
    answer = led.run("switchover", "--yes", "--to", "c")
    assert answer.exit_code == 1
    assert "c is drained: it would give orders away again at once" in answer.stderr
    assert "hasync member undrain c" in answer.stderr
    assert led.json("switchover", "--yes", "--dry-run")["to"] == "b"


@pytest.mark.parametrize("to", [(), ("--to", "b")])
def test_instance_that_has_just_started_is_waited_for(led: Stage, to: tuple[str, ...]) -> None:
    """With --wait; without, it is refused at once, and nothing has been asked for."""
    for name in ("b", "c"):
        led.show(name, "standby", able=False)
    refused = led.run("switchover", "--yes", *to)
    assert (refused.exit_code, wish(led)) == (1, None)
    assert "b: it has not tried its servers yet" in refused.stderr
    led.clock.during_wait = lambda: led.show("b", "standby", able=True) if wish(led) is None else None
    led.run("switchover", "--yes", "--wait", "--within", "2s", *to)
    assert wish(led) is not None


def test_pause_and_resume_of_all_streams(led: Stage) -> None:
    """Maintenance of everything with one command."""
    other = led.operator.stream("carts")
    other.configs.put("x", based_on=0, applied_by="ann")
    assert led.run("pause", "--all", "--reason", "move").exit_code == 0
    assert [led.operator.stream(name).intents.get().reason for name in ("carts", "orders")] == ["move", "move"]  # type: ignore[union-attr]
    answer = led.run("resume", "--all")
    assert "carts: pause by ann@here is withdrawn" in answer.stderr
    assert "orders: pause by ann@here is withdrawn" in answer.stderr
    assert led.run("pause", "--all", "-s", "orders").exit_code == 2


def test_status_shows_how_streams_are_spread(led: Stage) -> None:
    """Weight and leaders of each instance, behind several streams."""
    led.operator.stream("carts").configs.put("x", based_on=0, applied_by="ann")
    assert led.json("status")["instances"][0] == {
        "id": "a",
        "weight": 1,
        "leads": 1,
        "stands_by": 0,
        "paused": 0,
        "streams": 1,
        "address": "a:9187",
        "drained": None,
    }
    lines = led.run("status").stdout.splitlines()
    head = next(at for at, line in enumerate(lines) if line.startswith("INSTANCE"))
    assert [line.split()[:4] for line in lines[head + 1 : head + 4]] == [
        ["a", "1", "1", "0"],
        ["b", "1", "0", "1"],
        ["c", "1", "0", "1"],
    ]


def test_status_of_a_paused_stream_says_paused_and_a_switchover_is_named(led: Stage) -> None:
    """Maintenance is seen at a glance, and exits with 3 all the same."""
    led.run("switchover", "--yes", "--to", "b")
    assert "a switchover to b is asked for by ann@here" in led.run("status").stdout
    led.run("pause")
    led.instances["a"].session.expire()
    for name in ("b", "c"):
        led.instances[name].stream(STREAM).election.withdraw()
    found = led.json("status")["streams"][0]
    assert (found["state"], led.run("status").exit_code) == ("paused", 3)
