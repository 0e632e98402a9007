"""``hasync member``: drained, undrained, and what is said of it."""

import pytest

from hasync.model.drain import Drain
from tests.unit.cli.stage import NOW, Stage


@pytest.fixture
def led(stage: Stage) -> Stage:
    """A leads, b stands by."""
    stage.apply()
    stage.elect("a")
    stage.show("b", "standby", able=True)
    return stage


def test_drain_keeps_who_wanted_it_and_why(led: Stage) -> None:
    """The wish is in ZooKeeper until it is taken away."""
    answer = led.run("member", "drain", "a", "--yes", "--reason", "new kernel")
    assert answer.exit_code == 0
    assert led.drains.kept == {"a": Drain(member="a", by="ann@here", at=NOW, reason="new kernel")}


def test_drain_of_a_leader_asks_first_and_a_script_has_to_say_yes(led: Stage) -> None:
    """One that leads nothing is drained without a question: nothing is interrupted."""
    assert led.run("member", "drain", "a").exit_code == 1
    assert led.run("member", "drain", "a", "--dry-run").exit_code == 0
    assert led.drains.kept == {}
    assert led.run("member", "drain", "b").exit_code == 0
    led.interactive = True
    assert led.run("member", "drain", "a", typed="n\n").exit_code == 1
    assert "a" not in led.drains.kept
    assert led.run("member", "drain", "a", typed="y\n").exit_code == 0


def test_stream_that_nobody_else_can_lead_is_told(led: Stage) -> None:
    """It would stay where it is."""
    led.show("b", "standby", able=False)
    assert "orders: no other instance can lead it now" in led.run("member", "drain", "a", "--dry-run").stderr


def test_wait_returns_when_the_instance_leads_nothing(led: Stage) -> None:
    """And fails when that does not come about."""
    assert led.run("member", "drain", "a", "--yes", "--wait", "--within", "2s").exit_code == 1

    def hand_over() -> None:
        if led.lock is not None:
            led.instances["a"].stream("orders").terms.unpublish(led.lock)

    led.clock.during_wait = hand_over
    answer = led.run("member", "drain", "a", "--yes", "--wait")
    assert answer.exit_code == 0
    assert "a: leads nothing" in answer.stderr


def test_undrain_takes_the_wish_away_also_of_one_that_is_not_there(led: Stage) -> None:
    """A second time is no error, a mistyped name is."""
    led.drains.put(Drain(member="gone", by="bob@desk", at=NOW))
    assert "drained by bob@desk" in led.run("member", "list").stderr
    assert led.run("member", "undrain", "gone", "--dry-run").exit_code == 0
    assert "gone" in led.drains.kept
    assert "it was drained by bob@desk" in led.run("member", "undrain", "gone").stderr
    assert led.drains.kept == {}
    assert led.run("member", "undrain", "a").exit_code == 0
    assert led.run("member", "undrain", "aa").exit_code == 1


def test_own_instance_is_named_by_the_environment(led: Stage) -> None:
    """A preStop hook knows no name; naming both or none is wrong usage."""
    assert led.run("member", "drain", "--self", environ={"HASYNC_MEMBER_ID": "b"}).exit_code == 0
    assert set(led.drains.kept) == {"b"}
    assert led.run("member", "drain", "b", "--self").exit_code == 2
    assert led.run("member", "drain").exit_code == 2


def test_unknown_instance_is_answered_with_the_nearest(led: Stage) -> None:
    """To drain nobody in silence would be worse than an error."""
    answer = led.run("member", "drain", "aa", "--yes")
    assert answer.exit_code == 1
    assert "did you mean 'a'?" in answer.stderr


def test_list_shows_what_each_leads(led: Stage) -> None:
    """Also as data."""
    assert [(each["id"], each["leads"]) for each in led.json("member", "list")] == [("a", 1), ("b", 0)]
