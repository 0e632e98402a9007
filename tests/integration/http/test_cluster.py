"""The cluster's view and admin actions, over two real instances."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from testbed import wait_until
from tests.browser.stage import LONG, STREAM, TOKEN, Stage
from tests.failover.fleet import ROOT, Running

READ_S = 30.0


@contextmanager
def following(instance: Running) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
    """Follow an instance's events: each one's name and data."""
    connection = http.client.HTTPConnection("127.0.0.1", instance._lease.port, timeout=READ_S)
    connection.request("GET", "/events")
    response = connection.getresponse()
    assert response.status == 200

    def events() -> Iterator[tuple[str, dict[str, Any]]]:
        name = ""
        for line in response:
            field, _, value = line.decode().rstrip("\n").partition(": ")
            name = value if field == "event" else name
            if field == "data":
                yield name, orjson.loads(value)

    try:
        yield events()
    finally:
        response.close()
        connection.close()


def instance_of(stage: Stage, member: str) -> Running:
    return next(each for each in stage.fleet.instances if each.member == member)


def test_both_instances_tell_the_same_of_the_cluster(stage: Stage) -> None:
    """Whichever one an operator asks, leader, epoch and revision are the same; each knows which one it is."""
    first, second = stage.view(stage.a), stage.view(stage.b)
    assert [each["served_by"]["member"] for each in (first, second)] == ["a", "b"]
    for name in (STREAM, LONG):
        one, other = stage.stream(name, stage.a), stage.stream(name, stage.b)
        assert (one["leader"], one["config"]["revision"]) == (other["leader"], other["config"]["revision"])
        assert one["state"] == other["state"] == "running"
    assert [(each["id"], each["ready"]) for each in first["instances"]] == [("a", True), ("b", True)]
    assert (first["actions"], second["actions"]) == (True, False)


def test_lag_and_places_are_the_leaders_own(stage: Stage) -> None:
    """Lag, rate and the end of the source come from whoever leads, also when another instance tells them."""

    def known() -> bool:
        streams = [stage.stream(name, instance) for name in (STREAM, LONG) for instance in (stage.a, stage.b)]
        return all(each["lag_s"] is not None and each["rows_per_s"] and each["source_end"] for each in streams)

    wait_until("both tell lag, rate and the end of the source", known, timeout_s=READ_S)
    acknowledged = stage.stream()["acknowledged"]
    assert acknowledged["place"].startswith("mysql-bin.")
    assert acknowledged["gtid_set"]


def test_switchover_over_the_api_is_followed_live(stage: Stage) -> None:
    """Follow one instance, act over the other: the new leader and its takeover arrive as a change."""
    before = stage.stream()["leader"]
    to = "b" if before["member"] == "a" else "a"
    with following(stage.b) as events:
        assert next(events)[0] == "snapshot"
        assert stage.act("switchover", to=to, reason="kernel")["to"] == to
        for name, data in events:
            changed = [each for each in data.get("streams", []) if name == "changes" and each["name"] == STREAM]
            if changed and (changed[0]["leader"] or {}).get("member") == to and changed[0]["takeovers"][0]["steps_ms"]:
                break
    assert changed[0]["leader"]["epoch"] > before["epoch"]
    takeover = changed[0]["takeovers"][0]
    assert (takeover["from"], takeover["member"], takeover["after"]) == (before["member"], to, "handover")
    assert "kernel" in takeover["why"]


def test_dead_leader_is_shown_and_so_is_its_successor(stage: Stage) -> None:
    """SIGKILL: the survivor's page names the new leader, and that the old one died without a word."""
    before = stage.stream()["leader"]
    survivor = stage.b if before["member"] == "a" else stage.a
    instance_of(stage, before["member"]).signal_worker(signal.SIGKILL)

    def led_again() -> bool:
        stream = stage.stream(STREAM, survivor)
        return bool(stream["leader"]) and stream["leader"]["epoch"] > before["epoch"] and stream["state"] == "running"

    wait_until("the stream is led again", led_again, timeout_s=READ_S)
    last = stage.stream(STREAM, survivor)["takeovers"][0]
    assert (last["from"], last["after"], last["gap_s"]) == (before["member"], "without a word", None)


def test_pause_and_resume_over_the_api(stage: Stage) -> None:
    """Paused with who, why and until; running again after resume."""
    stage.act("pause", reason="new Redis", **{"for": "10m"})
    wait_until("it is paused", lambda: stage.stream()["state"] == "paused", timeout_s=READ_S)
    pause = stage.stream()["pause"]
    assert (pause["reason"], round(pause["until"] - pause["at"])) == ("new Redis", 600)
    assert "at a" in pause["by"]
    assert "is withdrawn" in stage.act("resume")["outcome"]
    wait_until("it runs", lambda: stage.stream()["state"] == "running", timeout_s=READ_S)


def test_what_was_done_is_in_the_log_and_secrets_are_nowhere(stage: Stage) -> None:
    """An audit line for each action; neither token nor password in any answer, log line or wish."""
    stage.act("resume")
    assert stage.act("pause", token="a-guess-of-some-length")["error"] == "unauthorized"
    lines = [event for event in stage.a.events() if event["event"] == "admin_action"]
    assert {(line["action"], line["status"]) for line in lines} >= {("resume", 200), ("pause", 401)}
    paths = ("/", "/api/cluster", "/status", "/metrics", "/readyz", "/static/page.js")
    told = "".join(stage.a.get(path)[1] for path in paths) + stage.a.process.log.read_text()
    for secret in (TOKEN, "a-guess-of-some-length"):
        assert secret not in told
    view = stage.a.get("/api/cluster")[1] + stage.a.get("/")[1]
    for server in (stage.mysql.address, stage.redis.address):
        assert server not in view


def test_cluster_is_read_only_while_somebody_looks(stage: Stage) -> None:
    """The view's own requests to ZooKeeper rise while there is a reader, and then stop."""

    def asked() -> float:
        name = 'hasync_zookeeper_request_duration_seconds_count{operation="streams.list"}'
        found = [line for line in stage.b.get("/metrics")[1].splitlines() if line.startswith(name)]
        return float(found[0].rsplit(" ", 1)[1]) if found else 0.0

    stage.view(stage.b)
    began = asked()
    wait_until("the reader's view is renewed", lambda: asked() > began, timeout_s=READ_S)
    seen = [asked()]

    def at_rest() -> bool:
        seen.append(asked())
        return len(seen) > 6 and len(set(seen[-6:])) == 1

    wait_until("nothing is read any more", at_rest, timeout_s=READ_S, poll_s=0.5)


def test_instance_that_stops_lets_its_followers_go(stage: Stage) -> None:
    """SIGTERM with pages open: the lines end, and the exit is as orderly and as quick as without."""
    with following(stage.b) as events:
        next(events)
        stage.b.process.signal(signal.SIGTERM)
        assert [name for name, _ in events if name == "snapshot"] == []
        assert stage.b.process.wait(READ_S) == 0
    stage.b.process.start()


def test_token_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    """Exit code 2 and the reference's name, before anything is connected."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
    told = subprocess.run(
        [sys.executable, "-m", "hasync", "run"],
        cwd=ROOT,
        env={
            **inherited,
            "HASYNC_STREAMS": STREAM,
            "HASYNC_HTTP__PORT": "0",
            "HASYNC_HTTP__ADMIN_TOKEN": f"file:{tmp_path}/missing",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (told.returncode, f"file:{tmp_path}/missing cannot be read" in told.stderr) == (2, True)


@pytest.mark.parametrize("path", ["/", "/api/cluster"])
def test_view_of_an_instance_without_zookeeper_answers(stage: Stage, path: str) -> None:
    """The port answers also when ZooKeeper does not, and says that what it has is old."""
    zookeeper = stage.fleet.backends.zookeeper
    stage.view()
    zookeeper.stop()
    try:
        wait_until("it says so", lambda: stage.view()["stale"], timeout_s=READ_S)
        assert stage.a.get(path)[0] == 200
        assert stage.view()["trouble"]
    finally:
        zookeeper.start()
    wait_until("it is fresh again", lambda: not stage.view()["stale"], timeout_s=READ_S)
