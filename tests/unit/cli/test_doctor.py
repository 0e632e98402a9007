"""``hasync doctor``: what is looked at, and what makes it fail."""

from pathlib import Path

from hasync.errors import CoordinationUnavailable, PositionLost
from hasync.model.check import Check
from hasync.worker.installation import codec_check
from tests.unit.cli.stage import DOCUMENT, STREAM, Stage, acknowledged, halt

BAD = Check(name="source.settings", ok=False, detail="binlog_format=STATEMENT", remedy="SET GLOBAL binlog_format=ROW")
DOUBTFUL = Check(name="redis.persistence", ok=False, warning=True, detail="no AOF", remedy="appendonly yes")


def test_healthy_servers_exit_with_0(stage: Stage) -> None:
    """Every check is a line with its mark."""
    stage.apply()
    answer = stage.run("doctor")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "✔ cluster  zookeeper.reachable: connected",
        "✔ orders  config.valid: 1 table, 1 rule",
        "✔ orders  source.version: 9.7",
        (
            "✔ orders  stream.position: a new term would begin at the config's start, now binlog.000001:900: "
            "new stream: no state, no position"
        ),
    ]


def test_failed_check_exits_with_1_and_names_the_remedy(stage: Stage) -> None:
    """The remedy stands below its check."""
    stage.apply()
    stage.server_checks = (BAD,)
    answer = stage.run("doctor")
    assert answer.exit_code == 1
    assert "✘ orders  source.settings: binlog_format=STATEMENT" in answer.stdout
    assert "    → SET GLOBAL binlog_format=ROW" in answer.stdout


def test_warning_does_not_fail(stage: Stage) -> None:
    """What may stay is shown with its own mark and exit code 0."""
    stage.apply()
    stage.server_checks = (DOUBTFUL,)
    answer = stage.run("doctor")
    assert answer.exit_code == 0
    assert "! orders  redis.persistence: no AOF" in answer.stdout


def test_uncompiled_codec_is_a_warning_that_names_the_remedy(stage: Stage) -> None:
    """It works, so nothing fails; who wonders why it is slow finds it here."""
    stage.apply()
    stage.installation_checks = (codec_check(compiled=False),)
    answer = stage.run("doctor")
    assert answer.exit_code == 0
    first, remedy = answer.stdout.splitlines()[:2]
    assert first == "! instance  codec.compiled: the binlog codec runs uncompiled, many times slower"
    assert "a C compiler" in remedy


def test_compiled_codec_is_shown(stage: Stage) -> None:
    """Every check is a line with its mark."""
    stage.apply()
    stage.installation_checks = (codec_check(compiled=True),)
    assert "✔ instance  codec.compiled: the binlog codec is compiled\n" in stage.run("doctor").stdout


def test_json_has_every_check(stage: Stage) -> None:
    """Programs read the same."""
    stage.apply()
    stage.server_checks = (BAD, DOUBTFUL)
    document = stage.json("doctor")
    assert document["ok"] is False
    assert [check["name"] for check in document["checks"]][2:4] == ["source.settings", "redis.persistence"]
    assert document["checks"][2]["remedy"] == BAD.remedy


def test_unreachable_zookeeper_is_a_finding_and_a_document_is_looked_at_all_the_same(
    stage: Stage, tmp_path: Path
) -> None:
    """Before the first deployment there may be no ZooKeeper yet, but MySQL and Redis can be checked."""
    stage.unreachable = CoordinationUnavailable("no ZooKeeper server answered", hint="tried zk-0:2181")
    file = tmp_path / "orders.yaml"
    file.write_text(DOCUMENT)
    answer = stage.run("doctor", "--config", str(file))
    assert answer.exit_code == 1
    assert "✘ cluster  zookeeper.reachable: no ZooKeeper server answered" in answer.stdout
    assert "✔ orders.yaml  source.version: 9.7" in answer.stdout


def test_bad_document_is_a_finding_for_each_problem(stage: Stage) -> None:
    """Servers of a document that is not understood are not looked at."""
    answer = stage.run("doctor", "--config", "-", typed="version: 1\n")
    assert answer.exit_code == 1
    assert answer.stdout.count("✘ standard input  config.valid") >= 2
    assert "source.version" not in answer.stdout


def test_stream_without_config_says_how_to_begin(stage: Stage) -> None:
    """A stream that instances wait for has to be given a config."""
    answer = stage.run("doctor")
    assert answer.exit_code == 1
    assert "hasync config apply FILE -s orders" in answer.stdout


def test_all_streams_are_looked_at_where_none_is_named(stage: Stage) -> None:
    """Without HASYNC_STREAMS it is those that ZooKeeper knows."""
    stage.apply()
    stage.operator.stream("users").configs.put(DOCUMENT, based_on=0, applied_by="ann")
    answer = stage.run("doctor", environ={"HASYNC_STREAMS": ""})
    assert "✔ orders  config.valid" in answer.stdout
    assert "✔ users  config.valid" in answer.stdout


def test_doctor_waits_for_a_leader(stage: Stage) -> None:
    """A deployment is done when somebody leads."""
    stage.apply()
    stage.clock.during_wait = lambda: stage.elect("b", epoch=2) if stage.clock.now_s == 0 else None
    answer = stage.run("doctor", "--wait-leader", "10s")
    assert answer.exit_code == 0
    assert "✔ orders  stream.leader: b leads, epoch 2" in answer.stdout


def test_doctor_does_not_wait_for_ever(stage: Stage) -> None:
    """Nobody leads within the time: that is a finding."""
    stage.apply()
    answer = stage.run("doctor", "--wait-leader", "2s")
    assert answer.exit_code == 1
    assert "✘ orders  stream.leader: no instance leads after 2 s" in answer.stdout


def test_unknown_stream_is_an_error(stage: Stage) -> None:
    """A mistyped name is not looked at as if it were there."""
    stage.apply()
    answer = stage.run("doctor", "-s", "oders")
    assert answer.exit_code == 1
    assert "did you mean 'orders'?" in answer.stderr


# ------------------------------------------------------------------------- the stream itself


def test_halted_stream_is_a_finding_with_its_remedy(stage: Stage) -> None:
    """Servers may be fine and the stream stand still all the same; what halted it is said, and what ends that."""
    stage.apply()
    _, leadership = stage.elect("a")
    stage.instances["a"].stream(STREAM).halts.put(leadership, halt(revision=1))
    answer = stage.run("doctor")
    assert answer.exit_code == 1
    assert "✘ orders  stream.halt: halted by a: sink_refused: WRONGTYPE" in answer.stdout
    waiting = stage.run("doctor", "--wait-leader", "1000s")  # for nobody
    assert "✘ orders  stream.leader: nobody leads a halted stream" in waiting.stdout
    assert "    → remove the key; then 'hasync resume -s orders'" in answer.stdout


def test_halt_of_an_older_config_is_no_finding(stage: Stage) -> None:
    """Another revision has lifted it."""
    stage.apply()
    _, leadership = stage.elect("a")
    stage.instances["a"].stream(STREAM).halts.put(leadership, halt(revision=7))
    assert "stream.halt" not in stage.run("doctor").stdout


def test_flushed_redis_is_a_finding(stage: Stage) -> None:
    """ZooKeeper has a position, Redis has no state, and the policy is to halt: the next term would."""
    stage.apply()
    stage.acknowledge(acknowledged(seq=7, pos=400))
    answer = stage.run("doctor")
    assert answer.exit_code == 1
    assert "✘ orders  stream.position: Redis has no state for this stream, ZooKeeper has position" in answer.stdout
    assert "hasync position reset" in answer.stdout


def test_place_that_the_source_has_purged_is_a_finding(stage: Stage) -> None:
    """The next term could not resume, and that is known before it tries."""
    stage.apply()
    stage.acknowledge(acknowledged(seq=7, pos=400))
    stage.write(seq=7, pos=400)
    stage.source.answer = PositionLost("mysql-0 has purged it", hint="rebuild")
    answer = stage.run("doctor")
    assert answer.exit_code == 1
    assert "✘ orders  stream.position: mysql-0 has purged it\n    → rebuild" in answer.stdout


def test_znode_that_is_not_understood_is_a_finding_of_its_stream_only(stage: Stage) -> None:
    """Other streams are looked at all the same."""
    stage.apply()
    stage.operator.stream("users").configs.put(DOCUMENT, based_on=0, applied_by="ann")
    stage.garble("intents")
    answer = stage.run("doctor", environ={"HASYNC_STREAMS": ""})
    assert answer.exit_code == 1
    assert "✘ orders  stream.readable: /hasync/streams/orders/intents holds garbage\n    → repair it" in answer.stdout
    assert "✔ users  stream.position" in answer.stdout


def test_document_of_no_stream_is_looked_at_without_a_state(stage: Stage) -> None:
    """The state key of a stream that nobody named would be somebody else's, or nobody's."""
    stage.server_checks = (Check(name="redis.state", ok=True, detail="hasync:{doctor}:state: none yet"),)
    answer = stage.run("doctor", "--config", "-", typed=DOCUMENT)
    assert answer.exit_code == 0
    assert "doctor" not in answer.stdout
    assert "--stream NAME" in answer.stderr
    assert "redis.state" in stage.run("doctor", "-s", "orders", "--config", "-", typed=DOCUMENT).stdout


def test_every_failure_has_a_remedy(stage: Stage) -> None:
    """Also one whose error came without a hint."""
    stage.unreachable = CoordinationUnavailable("no answer")
    lines = stage.run("doctor", "--config", "-", typed="version: 1\n").stdout.splitlines()
    for at, line in enumerate(lines):
        assert not line.startswith("✘") or lines[at + 1].startswith("    → "), line
