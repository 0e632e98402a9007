"""From a picture of the cluster to what the page shows of it."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from hasync.errors import EndReason
from hasync.fleet.leaderstatus import Said
from hasync.fleet.survey import Picture
from hasync.fleet.takeovers import STEPS
from hasync.http.view import Teller, changes, cluster, takeovers
from hasync.model.cluster import Halt, Intent, IntentKind, TermRecord
from hasync.term.takeover import Step
from tests.unit.http.stage import STREAM, Scene

TELLER = Teller(status={"member": "b", "version": "1.0", "ready": True}, actions=False, root="/hasync")
NOW = 1_800_000_100.0


def viewed(scene: Scene) -> dict[str, Any]:
    return cluster(scene.picture(), TELLER)


def stream(scene: Scene) -> dict[str, Any]:
    return viewed(scene)["streams"][0]  # type: ignore[no-any-return]


def a_halt(revision: int = 1) -> Halt:
    return Halt(
        code="sink_refused",
        reason="WRONGTYPE",
        hint="remove the key",
        member="a",
        epoch=2,
        position=None,
        config_revision=revision,
        at=NOW,
    )


def test_running_stream_shows_leader_lag_and_places(scene: Scene) -> None:
    """What an operator looks for first: who leads, how far behind, where."""
    scene.tells("a", lag_seconds=1.26, behind_bytes=42, source_end="binlog.000001:742", rows_applied=5)
    seen = stream(scene)
    assert (seen["name"], seen["state"], seen["problems"]) == (STREAM, "running", [])
    assert seen["leader"] == {"member": "a", "epoch": 2, "since": 1_800_000_000.0, "reached": True}
    assert (seen["lag_s"], seen["behind_bytes"], seen["source_end"]) == (1.3, 42, "binlog.000001:742")
    assert (seen["acknowledged"]["place"], seen["acknowledged"]["gtid_set"]) == ("binlog.000001:700", "u:1-9")
    assert seen["config"]["revision"] == 1
    assert [member["role"] for member in seen["members"]] == ["leader", "standby"]


def test_source_end_is_never_behind_what_is_acknowledged(scene: Scene) -> None:
    """The end is asked for once a second; a position that is past it has moved it."""
    scene.tells("a", lag_seconds=0.0, behind_bytes=0, source_end="binlog.000001:650")
    assert stream(scene)["source_end"] == "binlog.000001:700"


def test_leader_that_does_not_answer_makes_the_lag_unknown(scene: Scene) -> None:
    """A lag that nobody tells is unknown, not the last one and not zero."""
    scene.says.clear()
    seen = stream(scene)
    assert (seen["state"], seen["lag_s"], seen["leader"]["reached"]) == ("degraded", None, False)
    assert seen["problems"] == ["the leader cannot be asked: nobody there"]


def test_degraded_leader_says_why(scene: Scene) -> None:
    """Its own words are the reason."""
    scene.tells("a", degraded={"apply": "Redis does not answer"}, degraded_long=True)
    seen = stream(scene)
    assert (seen["state"], seen["problems"]) == ("degraded", ["degraded: apply: Redis does not answer"])


def test_halted_stream_shows_the_remedy(scene: Scene) -> None:
    """A halt is somebody's work to do; the page says what."""
    scene.instances["a"].stream(STREAM).halts.put(scene.leadership, a_halt())
    scene.nobody_leads()
    seen = stream(scene)
    assert (seen["state"], seen["halt"]["remedy"], seen["halt"]["reason"]) == ("halted", "remove the key", "WRONGTYPE")


def test_paused_stream_shows_who_why_and_until(scene: Scene) -> None:
    """Nobody has to ask around who paused it."""
    scene.ports.intents.put(Intent(kind=IntentKind.PAUSE, by="ann@desk", at=NOW, reason="new Redis", until=NOW + 60))
    scene.nobody_leads()
    seen = stream(scene)
    assert seen["state"] == "paused"
    assert seen["pause"] == {"by": "ann@desk", "at": NOW, "reason": "new Redis", "until": NOW + 60}


def test_stream_that_nobody_leads_is_not_called_running(scene: Scene) -> None:
    """No leader and no wish for that: the worst case has its own word."""
    scene.nobody_leads()
    scene.instances["b"].stream(STREAM).election.withdraw()
    seen = stream(scene)
    assert (seen["state"], seen["leader"], seen["lag_s"]) == ("no_leader", None, None)


def test_instance_with_an_older_config_is_named(scene: Scene) -> None:
    """A roll-out that got stuck is seen on the page."""
    scene.ports.configs.put("version: 1\n", based_on=1, applied_by="ann")
    scene.tells("b", config_revision=2)
    seen = viewed(scene)
    assert seen["streams"][0]["config"]["older"] == {"a": 1}
    assert {each["id"]: each["older_config"] for each in seen["instances"]} == {"a": [STREAM], "b": []}


def test_instances_show_what_they_lead_and_whether_they_are_ready(scene: Scene) -> None:
    """An instance that cannot be asked is of unknown readiness; the one that serves the page is marked."""
    scene.says["a:9187"] = Said(why="a:9187 does not answer")
    first, second = viewed(scene)["instances"]
    assert (first["id"], first["leads"], first["ready"], first["why"]) == (
        "a",
        [STREAM],
        None,
        "a:9187 does not answer",
    )
    assert (second["ready"], second["stands_by_count"], second["serves_this_page"]) == (True, 1, True)


def test_another_instance_behind_an_address_is_not_believed(scene: Scene) -> None:
    """Every instance may listen on the same loopback address of its own host."""
    scene.says["b:9187"] = Said(document={"member": "x", "ready": True, "streams": {}})
    second = viewed(scene)["instances"][1]
    assert (second["ready"], second["reached"]) == (None, False)
    assert "another instance" in second["why"]


def test_stale_view_keeps_what_was_and_says_so(scene: Scene) -> None:
    """ZooKeeper away: the last picture, its age, and the reason; never a fresh face."""
    seen = cluster(scene.picture(), TELLER, "ZooKeeper does not answer")
    assert (seen["stale"], seen["trouble"], len(seen["streams"])) == (True, "ZooKeeper does not answer", 1)
    nothing = cluster(None, TELLER, "ZooKeeper does not answer")
    assert (nothing["as_of"], nothing["streams"], nothing["stale"]) == (None, [], True)


def test_view_holds_no_address_of_the_servers_and_no_secret(scene: Scene) -> None:
    """The page asks for no password, so it shows none, nor where the source and the sink are."""
    scene.tells("a", degraded={"apply": "redis://app:hunter2@redis:6379 refused"}, degraded_long=True)
    text = orjson.dumps(viewed(scene)).decode()
    for told in ("mysql-0", "hunter2", "SOURCE_PASSWORD", "order:{id}"):
        assert told not in text


TERMS = (
    TermRecord(epoch=3, member="b", since=NOW + 0.25, takeover_ms={"open": 3.0, "lock": 1.0, "later": 9.0}),
    TermRecord(epoch=2, member="a", since=NOW - 9, until=NOW, end_reason=EndReason.HANDOVER, message="to b"),
    TermRecord(epoch=1, member="b", since=NOW - 99),
)


def test_takeovers_tell_from_whom_why_and_the_gap() -> None:
    """Each term came about by the end of the one before it; steps are in their order."""
    last, middle, first = takeovers(TERMS, None)
    assert (last["from"], last["after"], last["why"], last["gap_s"]) == ("a", "handover", "to b", 0.25)
    assert list(last["steps_ms"]) == ["lock", "open"]
    assert (middle["from"], middle["after"], middle["gap_s"]) == ("b", "without a word", None)
    assert (first["from"], first["after"], first["gap_s"]) == (None, None, None)
    assert list(takeovers((), None)) == []


def test_steps_are_those_that_a_takeover_counts() -> None:
    """The page's order is the code's."""
    assert tuple(STEPS) == tuple(step.value for step in Step)


def test_changes_name_only_what_differs(scene: Scene) -> None:
    """A follower is sent what changed, and what is gone by name; another time alone is no change."""
    old = viewed(scene)
    assert changes(old, {**old, "as_of": old["as_of"] + 1}) == {}
    scene.tells("a", lag_seconds=9.0)
    new = viewed(scene)
    assert [each["name"] for each in changes(old, new)["streams"]] == [STREAM]
    assert "instances" not in changes(old, new)
    fewer = {**new, "instances": new["instances"][:1], "stale": True}
    assert changes(new, fewer) == {"stale": True, "gone": {"instances": ["b"]}}


@pytest.mark.parametrize("picture", [None, Picture(taken_at=1.0)])
def test_empty_cluster_is_a_view_too(picture: Picture | None) -> None:
    """Before the first config there is nothing, and that is no fault."""
    seen = cluster(picture, replace(TELLER, status={}))
    assert (seen["streams"], seen["instances"], seen["version"]) == ([], [], 1)
