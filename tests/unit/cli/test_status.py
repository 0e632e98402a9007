"""``hasync status``: what counts as degraded, and how it is shown."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import yaml

from hasync.fleet.leaderstatus import LeaderStatus, ask_leader
from hasync.model.cluster import Intent, IntentKind, Leader, Leadership
from tests.unit.cli.stage import DOCUMENT, NOW, OTHER, STREAM, Stage, acknowledged, halt

LEADER = Leader(member="a", epoch=2, since=0.0)


class AdminPort:
    """A leader's admin port that says what a test wants."""

    def __init__(self) -> None:
        self.stream: dict[str, Any] = {"state": "leader", "lag_seconds": 0.25, "config_revision": 1, "degraded": {}}
        self.raw: bytes | None = None
        self.code = 200
        said = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = said.raw if said.raw is not None else said.status().encode()
                self.send_response(said.code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"

    def status(self) -> str:
        """Return the status document of the leader ``a`` in epoch 2."""
        return json.dumps({"member": LEADER.member, "streams": {STREAM: {"epoch": LEADER.epoch, **self.stream}}})


@pytest.fixture
def port() -> Iterator[AdminPort]:
    """A leader's admin port."""
    port = AdminPort()
    thread = threading.Thread(target=port.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield port
    port.server.shutdown()
    port.server.server_close()
    thread.join()


@pytest.fixture
def leadership(stage: Stage, port: AdminPort) -> Leadership:
    """A healthy stream: a leads, b stands by."""
    stage.apply()
    stage.acknowledge(acknowledged(seq=7, pos=400))
    _, leadership = stage.elect("a", address=port.address, epoch=2)
    stage.show("b", "standby")
    return leadership


@pytest.mark.usefixtures("leadership")
def test_healthy_stream_exits_with_0(stage: Stage) -> None:
    """Leader, epoch, position, lag and members are there, as data."""
    answer = stage.run("status", "-o", "json")
    assert answer.exit_code == 0
    (stream,) = json.loads(answer.stdout)["streams"]
    assert stream["state"] == "ok"
    assert stream["problems"] == stream["warnings"] == []
    assert (stream["leader"]["member"], stream["leader"]["epoch"], stream["leader"]["reached"]) == ("a", 2, True)
    assert stream["lag_seconds"] == 0.25
    assert stream["acknowledged"]["position"]["pos"] == 400
    assert stream["config"]["revision"] == stream["config"]["in_force"] == 1
    assert [(member["id"], member["role"]) for member in stream["members"]] == [("a", "leader"), ("b", "standby")]


@pytest.mark.usefixtures("leadership")
def test_table_shows_the_same_without_colours(stage: Stage) -> None:
    """A pipe gets plain lines that are not broken."""
    answer = stage.run("status")
    assert "\x1b" not in answer.stdout
    assert "a (epoch 2)" in answer.stdout
    assert "binlog.000001:400 (batch 7, acknowledged 1.0s ago)" in answer.stdout
    assert "0.2s" in answer.stdout
    assert "(1m 00s)" in answer.stdout


@pytest.mark.usefixtures("leadership")
def test_restarts_of_a_worker_are_shown_with_the_last_ones_end(stage: Stage) -> None:
    """An instance that crashes now and then looks healthy in between."""
    members = stage.instances["b"].members
    known = next(member for member in members.list() if member.id == "b")
    members.update(replace(known, restarts=3, last_exit="SIGSEGV"))
    assert "3 (SIGSEGV)" in stage.run("status").stdout
    (stream,) = stage.json("status")["streams"]
    assert [(each["restarts"], each["last_exit"]) for each in stream["members"]] == [(0, None), (3, "SIGSEGV")]


@pytest.mark.usefixtures("leadership")
def test_yaml_is_the_same_document(stage: Stage) -> None:
    """``-o yaml`` and ``-o json`` say the same."""
    assert yaml.safe_load(stage.run("status", "-o", "yaml").stdout) == stage.json("status")


def test_stream_without_leader_is_degraded(stage: Stage) -> None:
    """Nobody leads and nobody contends: exit code 3."""
    stage.apply()
    answer = stage.run("status")
    assert answer.exit_code == 3
    assert "✘ no leader, and no instance contends" in answer.stdout


def test_paused_stream_is_degraded_and_says_who_paused_it(stage: Stage) -> None:
    """Nothing reaches Redis while it is paused, whoever wanted that."""
    stage.apply()
    stage.ports.intents.put(Intent(kind=IntentKind.PAUSE, by="bob@desk", at=NOW, reason="schema change"))
    answer = stage.run("status")
    assert answer.exit_code == 3
    assert "no leader: paused by bob@desk (schema change)" in answer.stdout


def test_disabled_stream_is_not_degraded(stage: Stage) -> None:
    """A config that says ``enabled: false`` wants no leader."""
    stage.apply(DOCUMENT + "enabled: false\n")
    answer = stage.run("status")
    assert answer.exit_code == 0
    assert "enabled: false" in answer.stdout


def test_halt_is_told_with_its_remedy(stage: Stage, leadership: Leadership) -> None:
    """Code, reason and hint are those of the instance that halted."""
    stage.instances["a"].stream(STREAM).halts.put(leadership, halt(revision=1))
    answer = stage.run("status")
    assert answer.exit_code == 3
    assert "halted by a: sink_refused: WRONGTYPE (remove the key); then 'hasync resume'" in answer.stdout


def test_halt_of_an_older_config_is_over(stage: Stage, leadership: Leadership, port: AdminPort) -> None:
    """Another revision lifts a halt, so it is not shown any more."""
    stage.instances["a"].stream(STREAM).halts.put(leadership, halt(revision=1))
    stage.apply(OTHER)
    port.stream["config_revision"] = 2
    assert stage.run("status").exit_code == 0


def test_halt_that_an_instance_still_obeys_is_shown(stage: Stage, leadership: Leadership) -> None:
    """A revision that instances refuse does not lift the halt, though its number is another."""
    stage.instances["a"].stream(STREAM).halts.put(leadership, halt(revision=1))
    stage.apply(OTHER)
    stage.show("b", "halted", detail="sink_refused: WRONGTYPE")
    assert "halted by a" in stage.run("status").stdout


@pytest.mark.usefixtures("leadership")
def test_config_that_is_none_is_degraded(stage: Stage) -> None:
    """A document that got into ZooKeeper by another road is named with its problems."""
    stage.apply("version: 1\n")
    answer = stage.run("status")
    assert answer.exit_code == 3
    assert "revision 2 is refused: " in answer.stdout


@pytest.mark.usefixtures("leadership")
def test_config_that_the_leader_refuses_is_degraded(stage: Stage, port: AdminPort) -> None:
    """A handler that only the instances lack is seen in the leader's own words."""
    port.stream["config_refusal"] = "no module named acme"
    answer = stage.run("status")
    assert answer.exit_code == 3
    assert "the leader refuses the config and keeps revision 1: no module named acme" in answer.stdout


@pytest.mark.usefixtures("leadership")
def test_leader_that_tries_again_is_a_warning_at_first(stage: Stage, port: AdminPort) -> None:
    """A hiccup is not an alarm."""
    port.stream["degraded"] = {"apply": "connection refused"}
    answer = stage.run("status")
    assert answer.exit_code == 0
    assert "! trying again: apply: connection refused" in answer.stdout


@pytest.mark.usefixtures("leadership")
def test_degraded_leader_is_told(stage: Stage, port: AdminPort) -> None:
    """What the leader cannot do for long is shown by operation."""
    port.stream |= {"degraded": {"apply": "connection refused"}, "degraded_long": True}
    answer = stage.run("status")
    assert answer.exit_code == 3
    assert "degraded: apply: connection refused" in answer.stdout


def test_leader_that_cannot_be_asked_is_degraded_and_its_lag_unknown(stage: Stage) -> None:
    """The lag is ``?``, never a number that nobody said."""
    stage.apply()
    stage.elect("a", address="127.0.0.1:1")
    stage.show("b", "standby")
    answer = stage.run("status")
    assert answer.exit_code == 3
    assert "the leader cannot be asked: 127.0.0.1:1 does not answer" in answer.stdout
    assert "lag       ?" in answer.stdout
    assert stage.json("status")["streams"][0]["lag_seconds"] is None


def test_missing_standby_is_a_warning_only(stage: Stage, port: AdminPort) -> None:
    """Nobody would take over, but the stream does its work: exit code 0."""
    stage.apply()
    stage.elect("a", address=port.address, epoch=LEADER.epoch)
    answer = stage.run("status")
    assert answer.exit_code == 0
    assert "! no standby" in answer.stdout


def test_instance_that_waits_says_for_what(stage: Stage, port: AdminPort) -> None:
    """An instance that could not lead is a warning with its own words."""
    stage.apply()
    stage.elect("a", address=port.address)
    stage.show("b", "waiting", detail="mysql-0 does not answer")
    assert "! b: waiting: mysql-0 does not answer" in stage.run("status").stdout


def test_all_streams_are_shown_also_those_without_config(stage: Stage) -> None:
    """A stream that only an instance knows of (its config is missing) is not forgotten."""
    stage.operator.stream("users").configs.put(DOCUMENT, based_on=0, applied_by="ann")
    stage.show("a", "waiting", detail="no config yet")
    names = [stream["stream"] for stream in stage.json("status")["streams"]]
    assert names == ["orders", "users"]
    assert [stream["stream"] for stream in stage.json("status", "-s", "users")["streams"]] == ["users"]


def test_empty_cluster_says_how_to_begin(stage: Stage) -> None:
    """No stream is no failure, but the reader is not left alone."""
    answer = stage.run("status")
    assert answer.exit_code == 0
    assert "no stream below /hasync" in answer.stderr


def test_watch_repeats_until_it_is_interrupted(stage: Stage) -> None:
    """Each round is a document of its own, and Ctrl-C ends it with 130."""
    stage.apply()
    rounds: list[int] = []

    def look() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 3:
            raise KeyboardInterrupt

    stage.clock.during_wait = look
    answer = stage.run("status", "--watch", "-o", "yaml")
    assert answer.exit_code == 130
    assert len(list(yaml.safe_load_all(answer.stdout))) == 3


def test_words_in_brackets_are_shown_as_they_are(stage: Stage) -> None:
    """What people write is no markup."""
    stage.apply()
    stage.ports.intents.put(Intent(kind=IntentKind.PAUSE, by="bob", at=NOW, reason="[red]moving[/red] :rocket:"))
    assert "([red]moving[/red] :rocket:)" in stage.run("status").stdout


def test_halt_is_told_once(stage: Stage, leadership: Leadership) -> None:
    """Members that obey it, and the leader that is missing for it, are no news."""
    instance = stage.instances["a"]
    instance.stream(STREAM).halts.put(leadership, halt(revision=1))
    instance.session.expire()
    stage.show("b", "halted", detail="sink_refused: WRONGTYPE")
    stream = stage.json("status")["streams"][0]
    assert len(stream["problems"]) == 1
    assert stream["warnings"] == []


@pytest.mark.parametrize("port_name", ["halts", "intents"])
def test_unreadable_znode_is_a_problem_of_its_stream_only(stage: Stage, port_name: str) -> None:
    """Somebody edited a znode, or a newer release wrote it: all other streams are still shown."""
    stage.apply()
    stage.operator.stream("users").configs.put(DOCUMENT, based_on=0, applied_by="ann")
    stage.garble(port_name)
    answer = stage.run("status")
    assert answer.exit_code == 3
    assert f"✘ /hasync/streams/orders/{port_name} holds garbage (repair it)" in answer.stdout
    assert "users" in answer.stdout


@pytest.mark.usefixtures("leadership")
def test_refused_config_says_which_revision_is_in_force(stage: Stage) -> None:
    """The stream goes on with the last good one."""
    stage.apply("version: 1\n")
    shown = stage.run("status").stdout
    assert "; the leader keeps revision 1" in shown
    assert "in force: 1" in shown


@pytest.mark.usefixtures("leadership")
def test_idle_stream_does_not_alarm(stage: Stage) -> None:
    """Nothing to acknowledge is not an acknowledgement that is late."""
    stage.clock.now_s = 3600.0
    shown = stage.run("status").stdout
    assert "(batch 7, nothing new since 2027-01-15T07:59:59Z)" in shown
    assert "ago" not in shown


@pytest.mark.usefixtures("leadership")
def test_late_acknowledgement_is_told(stage: Stage, port: AdminPort) -> None:
    """While the leader trails, its last acknowledgement's age matters."""
    stage.clock.now_s = 3600.0
    port.stream["lag_seconds"] = 60.0
    assert "acknowledged 1h 00m ago" in stage.run("status").stdout


# ---------------------------------------------------------------------------- the leader's words


@pytest.mark.parametrize(
    ("raw", "code"), [(b"{", 200), (b"[]", 200), (b'{"streams": {}}', 200), (b"{}", 503), (b"\xff", 200)]
)
def test_answer_that_is_no_status_counts_as_none(port: AdminPort, raw: bytes, code: int) -> None:
    """Whatever listens at that address, the command does not break."""
    port.raw, port.code = raw, code
    told = ask_leader(replace(LEADER, address=port.address), STREAM)
    assert not told.reached
    assert told.why


@pytest.mark.parametrize("address", ["", "no address", "host:99999"])
def test_leader_without_a_usable_address_is_not_asked(address: str) -> None:
    """A leader that published no address is not reachable."""
    assert not ask_leader(replace(LEADER, address=address), STREAM).reached


@pytest.mark.parametrize(("member", "epoch"), [("b", 2), ("a", 1), ("b", 0), (None, 2)])
def test_answer_of_another_instance_is_not_taken_for_the_leaders(member: str | None, epoch: int) -> None:
    """I10: after a restart on the same port a standby answers at the dead leader's address."""
    told = LeaderStatus.of({"member": member, "streams": {STREAM: {"epoch": epoch}}}, STREAM, LEADER)
    assert not told.reached
    assert "not the leader answers" in told.why


def test_status_of_another_release_is_read_as_far_as_it_goes() -> None:
    """Fields that are missing are unknown, fields that are new are ignored."""
    told = LeaderStatus.of({"member": "a", "streams": {STREAM: {"epoch": 2, "new": 1}}}, STREAM, LEADER)
    assert told.reached
    assert told.lag_s is None
