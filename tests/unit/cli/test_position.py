"""``hasync position``: three places side by side, and moving a stream by hand."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hasync.errors import EndReason, PositionLost, SourceUnavailable
from hasync.model.cluster import Intent, IntentKind
from hasync.model.position import Flavor, Position, Start, StartKind
from tests.unit.cli.stage import DOCUMENT, NOW, STREAM, Stage, acknowledged, place

TARGET = ("--to-file", "binlog.000001", "--to-pos", "200")


@pytest.fixture
def settled(stage: Stage) -> Stage:
    """A stream that stood at 400 when it was paused; the source is at 900, and 200 is where it shall go."""
    stage.apply()
    stage.acknowledge(acknowledged(seq=7, pos=400, epoch=3))
    stage.write(seq=9, pos=500, epoch=3)
    stage.ports.intents.put(Intent(kind=IntentKind.PAUSE, by="bob", at=NOW))
    stage.source.answer = place(200)
    return stage


# ----------------------------------------------------------------------------------- show


def test_show_tells_all_three_places_and_what_they_mean(settled: Stage) -> None:
    """The explanation is the one a new term would log."""
    settled.source.answer = place(900)
    document = settled.json("position", "show")
    assert document["acknowledged"]["position"]["pos"] == 400
    assert document["state"]["position"]["pos"] == 500
    assert document["source"]["pos"] == 900
    assert document["resume"].startswith("at binlog.000001:500: Redis is 2 batches ahead")
    assert settled.source.opened == [Start(kind=StartKind.LATEST)]
    assert "binlog.000001:500 on server-1  epoch 3, batch 9" in settled.run("position", "show").stdout


def test_show_tells_what_it_could_learn_when_servers_are_away(settled: Stage) -> None:
    """What is unknown is said, with exit code 1; what is known is shown."""
    settled.source.answer = SourceUnavailable("mysql-0 does not answer")
    settled.store.fail()
    answer = settled.run("position", "show")
    assert answer.exit_code == 1
    assert "binlog.000001:400" in answer.stdout
    assert "unknown without Redis" in answer.stdout
    assert "warning: source: mysql-0 does not answer" in answer.stderr
    assert "warning: Redis: " in answer.stderr


def test_show_says_when_a_new_term_would_refuse(settled: Stage) -> None:
    """A missing state key halts under the default policy, and that is foretold."""
    settled.store.delete_state()
    document = settled.json("position", "show")
    assert document["state"] is None
    assert document["resume"].startswith("it would not: Redis has no state for this stream")


def test_show_needs_a_config(stage: Stage) -> None:
    """Without it nobody knows the servers."""
    stage.ports.intents.put(Intent(kind=IntentKind.PAUSE, by="bob", at=NOW))
    answer = stage.run("position", "show")
    assert answer.exit_code == 1
    assert "has no config" in answer.stderr


# ----------------------------------------------------------------------------------- plan


def test_reset_without_execute_changes_nothing(settled: Stage) -> None:
    """The plan says from where to where, what it means, and how to do it."""
    answer = settled.run("position", "reset", *TARGET)
    assert answer.exit_code == 0
    assert "changes from binlog.000001:200 to binlog.000001:500 are applied again" in answer.stdout
    assert "--execute" in answer.stderr
    assert settled.store.state is not None
    assert settled.store.state.position == place(500)
    assert settled.ports.positions.load().value.position == place(400)
    assert settled.source.opened == [Start(kind=StartKind.FILE, file="binlog.000001", pos=200)]


def test_plan_forward_says_that_changes_are_lost(settled: Stage) -> None:
    """Skipping is what an operator must not do by accident."""
    settled.source.answer = place(4, file=2)
    (consequence,) = settled.json("position", "reset", "--to-latest")["consequences"]
    assert consequence.startswith("changes from binlog.000001:500 to binlog.000002:4 never reach Redis")


def test_plan_back_warns_of_handlers_that_count(settled: Stage) -> None:
    """INCR and its like are counted again."""
    settled.apply(DOCUMENT + "  shop.views:\n    - {handler: 'acme.handlers:on_view'}\n")
    assert "counts twice: acme.handlers:on_view" in settled.json("position", "reset", *TARGET)["consequences"][1]


def test_plan_to_another_server_does_not_pretend_to_know(settled: Stage) -> None:
    """Offsets of two servers do not compare."""
    settled.source.answer = place(200, server="server-2")
    assert "of two servers" in settled.json("position", "reset", *TARGET)["consequences"][0]


def test_plan_of_a_new_stream_replaces_the_configs_start(stage: Stage) -> None:
    """A stream that never ran can be given its place, too."""
    stage.apply()
    stage.source.answer = place(200)
    assert "no position yet" in stage.json("position", "reset", *TARGET)["consequences"][0]


def test_target_that_does_not_exist_is_refused(settled: Stage) -> None:
    """The source itself proves the place, also for a plan."""
    settled.source.answer = PositionLost("mysql-0 has no binlog file binlog.000099", hint="choose another start")
    answer = settled.run("position", "reset", "--to-file", "binlog.000099", "--to-pos", "4")
    assert answer.exit_code == 1
    assert "no binlog file binlog.000099" in answer.stderr


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (("--to-earliest",), Start(kind=StartKind.EARLIEST)),
        (("--to-latest",), Start(kind=StartKind.LATEST)),
        (("--to-datetime", "2026-01-31T12:00:00Z"), Start(kind=StartKind.TIMESTAMP, timestamp=1769860800.0)),
        (("--to-datetime", "1769860800"), Start(kind=StartKind.TIMESTAMP, timestamp=1769860800.0)),
    ],
)
def test_every_kind_of_target_is_understood(settled: Stage, words: tuple[str, ...], start: Start) -> None:
    """The options say what a config's ``start`` can say."""
    assert settled.run("position", "reset", *words).exit_code == 0
    assert settled.source.opened == [start]


UUID = "8a1f4c6e-2f0b-11f0-9d5e-0242ac110002"
OTHER_UUID = "11111111-2f0b-11f0-9d5e-0242ac110002"


def test_executed_gtid_set_is_a_target(settled: Stage) -> None:
    """The source tells what it has first."""
    settled.source.answer = replace(place(900), gtid_set=f"{UUID}:1-9")
    assert settled.run("position", "reset", "--to-gtid", f"{UUID}:1-5").exit_code == 0
    assert settled.source.opened[1] == Start(kind=StartKind.GTID, gtid_set=f"{UUID}:1-5")


@pytest.mark.parametrize(
    ("gtid_set", "told"),
    [
        (f"{UUID}:1-9999", f"the source has only {UUID}:1-9"),
        (f"{UUID}:1-3,{OTHER_UUID}:1-5", f"the source has no transaction of {OTHER_UUID}"),
        ("0-1-5", "is a GTID set of mariadb's, the source is mysql"),
    ],
)
def test_gtid_set_that_was_never_executed_is_refused(settled: Stage, gtid_set: str, told: str) -> None:
    """It would skip, unseen, what is made one day; the hint shows where to read the real one."""
    settled.source.answer = replace(place(900), gtid_set=f"{UUID}:1-9")
    answer = settled.run("position", "reset", "--to-gtid", gtid_set)
    assert answer.exit_code == 1
    assert told in answer.stderr
    assert "SELECT @@gtid_executed" in answer.stderr


def test_mariadb_has_its_own_gtids(settled: Stage) -> None:
    """One position for each domain, and another variable to read it from."""
    settled.source.answer = Position(
        flavor=Flavor.MARIADB, server_uuid="mariadb-1", gtid_set="0-1-50", file="b.000001", pos=4
    )
    assert settled.run("position", "reset", "--to-gtid", "0-1-5").exit_code == 0
    for gtid_set in ("0-1-51", "7-1-5", f"{UUID}:1-5"):
        answer = settled.run("position", "reset", "--to-gtid", gtid_set)
        assert answer.exit_code == 1
        assert "SELECT @@gtid_current_pos" in answer.stderr


def test_moment_in_the_future_is_refused(settled: Stage) -> None:
    """Nobody has asked the source for it."""
    answer = settled.run("position", "reset", "--to-datetime", "2030-01-01T00:00:00Z")
    assert answer.exit_code == 1
    assert "2030-01-01T00:00:00Z lies in the future, it is 2027-01-15T08:00:00Z" in answer.stderr
    assert settled.source.opened == []


def test_moment_is_told_as_it_was_understood(settled: Stage) -> None:
    """Zones and Unix seconds are both shown in UTC."""
    for text in ("2026-01-31T14:00:00+02:00", "1769860800"):
        answer = settled.run("position", "reset", "--to-datetime", text)
        assert "to the first transaction since 2026-01-31T12:00:00Z" in answer.stderr


def test_moment_without_zone_is_refused_with_the_two_ways_to_write_it(settled: Stage) -> None:
    """Local time or UTC: nobody guesses."""
    answer = settled.run("position", "reset", "--to-datetime", "2026-01-31 12:00")
    assert answer.exit_code == 2
    assert "'2026-01-31 12:00' has no zone: write 2026-01-31T12:00:00Z if it is UTC" in answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--to-earliest", "--to-latest"),
        ("--to-file", "binlog.000001"),
        ("--to-pos", "200"),
        ("--to-file", "binlog", "--to-pos", "200"),
        ("--to-file", "binlog.000001", "--to-pos", "3"),
        ("--to-gtid", "nonsense"),
        ("--to-datetime", "2026-01-31T12:00:00"),
        ("--to-datetime", "yesterday"),
    ],
    ids=" ".join,
)
def test_unclear_target_is_wrong_usage(settled: Stage, words: tuple[str, ...]) -> None:
    """None, two, half a one, or one that cannot be: exit code 2, and nobody is asked."""
    answer = settled.run("position", "reset", *words)
    assert answer.exit_code == 2
    assert settled.source.opened == []


# -------------------------------------------------------------------------------- execute


def test_executed_reset_moves_redis_and_zookeeper_under_a_new_epoch(settled: Stage) -> None:
    """Both agree, the sequence has no gap, the old epoch is fenced, and the lock is free again."""
    answer = settled.run("position", "reset", *TARGET, "--execute", "--yes")
    assert answer.exit_code == 0, answer.stderr
    state, stored = settled.store.state, settled.ports.positions.load().value
    assert state is not None
    assert (state.epoch, state.seq, state.position) == (4, 9, place(200))
    assert (stored.epoch, stored.seq, stored.position) == (4, 9, place(200))
    assert settled.ports.election.contenders() == ()
    assert "hasync resume -s orders" in answer.stderr
    assert all(sink.closed for sink in settled.sinks)


def test_executed_reset_is_a_term_of_its_own(settled: Stage) -> None:
    """History says who did it, and from where to where."""
    settled.run("position", "reset", *TARGET, "--execute", "--yes")
    (term,) = settled.ports.terms.history()
    assert (term.epoch, term.member, term.end_reason) == (4, "cli-here-7", EndReason.HANDOVER)
    assert (term.begin, term.end) == (place(500), place(200))
    assert term.note == "position reset by ann@here: binlog.000001:500 to binlog.000001:200"


def test_reset_claims_above_every_epoch_ever_seen(settled: Stage) -> None:
    """A ZooKeeper that was set up anew counts from 1, but Redis remembers the epochs before."""
    settled.write(seq=9, pos=500, epoch=12)
    assert settled.run("position", "reset", *TARGET, "--execute", "--yes").exit_code == 0
    assert settled.store.state is not None
    assert settled.store.state.epoch == 13


def test_reset_of_a_stream_whose_state_is_gone_mends_it(settled: Stage) -> None:
    """After a flushed Redis the operator chooses a place, and the next term continues there."""
    settled.store.delete_state()
    assert settled.run("position", "reset", *TARGET, "--execute", "--yes").exit_code == 0
    assert settled.store.state is not None
    assert (settled.store.state.seq, settled.store.state.position) == (7, place(200))
    assert settled.json("position", "show")["resume"].startswith("at binlog.000001:200: agree")


def test_reset_is_refused_while_somebody_leads(settled: Stage) -> None:
    """The remedy is the pause that waits; the plan alone shows what is in the way."""
    settled.elect("a", epoch=5)
    answer = settled.run("position", "reset", *TARGET, "--execute", "--yes")
    assert answer.exit_code == 1
    assert "orders is not idle: a leads, epoch 5" in answer.stderr
    assert "hasync pause -s orders --wait" in answer.stderr
    assert "a leads, epoch 5" in settled.run("position", "reset", *TARGET).stdout
    assert settled.store.state is not None
    assert settled.store.state.position == place(500)


def test_reset_is_refused_while_somebody_contends(settled: Stage) -> None:
    """An instance in the queue could lead at any moment."""
    settled.instances["b"].stream(STREAM).election.acquire(threading.Event(), 1.0)
    answer = settled.run("position", "reset", *TARGET, "--execute", "--yes")
    assert answer.exit_code == 1
    assert "ready to lead: b" in answer.stderr


def test_reset_without_yes_and_without_anybody_to_ask_is_refused(settled: Stage) -> None:
    """A script has to say that it means it."""
    answer = settled.run("position", "reset", *TARGET, "--execute")
    assert answer.exit_code == 1
    assert "--yes" in answer.stderr
    assert settled.store.state is not None
    assert settled.store.state.position == place(500)


@pytest.mark.parametrize(("typed", "pos"), [("y\n", 200), ("n\n", 500), ("\n", 500)])
def test_reset_asks_on_a_terminal(settled: Stage, typed: str, pos: int) -> None:
    """The plan is shown first, and only a yes moves the stream."""
    settled.interactive = True
    answer = settled.run("position", "reset", *TARGET, "--execute", typed=typed)
    assert answer.exit_code == (0 if pos == 200 else 1)
    assert "are applied again" in answer.stdout
    assert settled.store.state is not None
    assert settled.store.state.position == place(pos)


def test_reset_stops_when_the_stream_moved_since_the_plan(settled: Stage) -> None:
    """A leader that lost its session writes on until it is fenced: the plan is not worth anything any more."""
    ports = settled.operator.stream(STREAM)
    original = ports.election.acquire

    def acquire(stop: threading.Event, timeout_s: float) -> object:
        settled.write(seq=10, pos=600, epoch=3)
        return original(stop, timeout_s)

    ports.election.acquire = acquire  # type: ignore[method-assign,assignment]
    settled.operator.stream = lambda name: ports  # type: ignore[method-assign]
    answer = settled.run("position", "reset", *TARGET, "--execute", "--yes")
    assert answer.exit_code == 1
    assert "moved since the plan was made" in answer.stderr
    assert ports.election.contenders() == ()


def test_reset_that_broke_off_can_be_repeated(settled: Stage) -> None:
    """Redis is claimed, ZooKeeper did not answer: the same command again completes it."""
    settled.operator.session.lose_reply(1)
    first = settled.run("position", "reset", *TARGET, "--execute", "--yes")
    assert first.exit_code == 1
    assert settled.run("position", "reset", *TARGET, "--execute", "--yes").exit_code == 0
    assert settled.ports.positions.load().value.position == place(200)


# ------------------------------------------------------------------- export, history, times


def test_exported_position_can_be_reset_to(settled: Stage, tmp_path: Path) -> None:
    """It is where a new term would resume: Redis' place wins; without a file it goes to standard output."""
    file = tmp_path / "orders.json"
    assert settled.run("position", "export", str(file)).exit_code == 0
    assert json.loads(file.read_text())["position"]["pos"] == 500
    assert json.loads(settled.run("position", "export").stdout)["stream"] == STREAM
    settled.source.answer = place(500)
    plan = settled.json("position", "reset", "--from-file", str(file))
    assert plan["target"]["pos"] == 500
    assert settled.source.opened[-1] == place(500)


def test_other_file_is_no_exported_position(settled: Stage, tmp_path: Path) -> None:
    """One line, and where such a file comes from."""
    file = tmp_path / "x.json"
    for text in ("{}", "[]", "no"):
        file.write_text(text)
        answer = settled.run("position", "reset", "--from-file", str(file))
        assert answer.exit_code == 1
        assert "position export" in answer.stderr


def test_stream_without_a_position_exports_nothing(stage: Stage) -> None:
    """The config's start is not a position."""
    stage.apply()
    answer = stage.run("position", "export")
    assert answer.exit_code == 1
    assert "source.start" in answer.stderr


def test_reset_by_a_duration_goes_back_from_now(settled: Stage) -> None:
    """The moment that is meant is said before anything is done."""
    answer = settled.run("position", "reset", "--by-duration", "2h")
    assert answer.exit_code == 0
    assert "the first transaction since 2027-01-15T06:00:00Z" in answer.stderr
    assert settled.source.opened[-1] == Start(kind=StartKind.TIMESTAMP, timestamp=NOW - 7200)


def test_history_of_positions_has_a_line_for_each_term(settled: Stage) -> None:
    """From where to where; a reset is a term of the command's."""
    settled.run("position", "reset", *TARGET, "--execute", "--yes")
    (term, *_) = settled.json("position", "history")
    assert (term["member"], term["end"]["pos"]) == ("cli-here-7", 200)
    assert "binlog.000001:200" in settled.run("position", "history").stdout
