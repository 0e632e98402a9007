"""``hasync pause``, ``resume`` and ``history``."""

from hasync.errors import EndReason
from hasync.model.cluster import Halt, TermRecord
from tests.unit.cli.stage import NOW, OTHER, STREAM, Stage, halt, place


def test_pause_keeps_who_wanted_it_and_why(stage: Stage) -> None:
    """The wish is in ZooKeeper with its author, its time and its reason."""
    stage.apply()
    assert stage.run("pause", "--reason", "schema change").exit_code == 0
    intent = stage.ports.intents.get()
    assert (intent.by, intent.at, intent.reason) == ("ann@here", NOW, "schema change")


def test_pause_waits_until_nobody_leads_or_contends(stage: Stage) -> None:
    """The leader is given time to step down."""
    stage.apply()
    instance, leadership = stage.elect("a")
    ports = instance.stream(STREAM)

    def step_down() -> None:
        if stage.clock.now_s > 1:
            ports.terms.unpublish(leadership)
            stage.cluster.delete(leadership.lock_path)
            stage.clock.during_wait = lambda: None

    stage.clock.during_wait = step_down
    answer = stage.run("pause", "--wait")
    assert answer.exit_code == 0
    assert "paused, nobody leads" in answer.stderr
    assert stage.clock.now_s > 1


def test_pause_for_a_time_says_and_keeps_its_end(stage: Stage) -> None:
    """The instances withdraw it then; status says when."""
    stage.apply()
    answer = stage.run("pause", "--for", "30m", "--reason", "Redis upgrade")
    assert answer.exit_code == 0
    assert "until 2027-01-15T08:30:00Z" in answer.stderr
    assert stage.ports.intents.get().until == NOW + 1800
    assert "paused by ann@here until 2027-01-15T08:30:00Z (Redis upgrade)" in stage.run("status").stdout


def test_dry_run_of_a_resume_says_what_it_would_take_away(stage: Stage) -> None:
    """The pause stays."""
    stage.apply()
    assert "neither paused nor halted" in stage.run("resume", "--dry-run").stderr
    stage.run("pause")
    assert "would withdraw the pause by ann@here" in stage.run("resume", "--dry-run", "--wait").stderr
    assert stage.ports.intents.get() is not None


def test_dry_run_of_a_pause_changes_nothing(stage: Stage) -> None:
    """It says who would step down."""
    stage.apply()
    stage.elect()
    assert "a would step down" in stage.run("pause", "--dry-run", "--wait").stderr
    assert stage.ports.intents.get() is None


def test_pause_that_takes_too_long_fails_and_stands(stage: Stage) -> None:
    """The time is up, but the wish stays."""
    stage.apply()
    stage.elect("a")
    answer = stage.run("pause", "--wait", "--within", "3s")
    assert answer.exit_code == 1
    assert "orders: somebody still leads or contends after 3 s" in answer.stderr
    assert stage.ports.intents.get() is not None


def test_resume_says_what_it_withdrew(stage: Stage) -> None:
    """Pause and halt are both taken away, and both named."""
    stage.apply()
    stage.run("pause", "--reason", "schema change")
    _, leadership = stage.elect("a")
    stage.instances["a"].stream(STREAM).halts.put(
        leadership,
        Halt(
            code="handler_failed",
            reason="boom",
            hint="",
            member="a",
            epoch=1,
            position=None,
            config_revision=1,
            at=NOW,
        ),
    )
    answer = stage.run("resume")
    assert answer.exit_code == 0
    assert "pause by ann@here is withdrawn (its reason: schema change)" in answer.stderr
    assert "halt is cleared (handler_failed: boom)" in answer.stderr
    assert stage.ports.intents.get() is None
    assert stage.ports.halts.get() is None


def test_resume_of_a_running_stream_changes_nothing(stage: Stage) -> None:
    """It says so, and is no failure: a script may call it twice."""
    stage.apply()
    answer = stage.run("resume")
    assert answer.exit_code == 0
    assert "neither paused nor halted" in answer.stderr


def test_resume_waits_for_a_leader(stage: Stage) -> None:
    """It returns with the leader's name."""
    stage.apply()
    stage.clock.during_wait = lambda: stage.elect("b", epoch=3) if stage.clock.now_s == 0 else None
    answer = stage.run("resume", "--wait")
    assert answer.exit_code == 0
    assert "b leads, epoch 3" in answer.stderr


def test_resume_that_halts_again_ends_at_once(stage: Stage) -> None:
    """Whoever waits is not kept for a minute, and reads why it halted."""
    stage.apply()

    def halt_again() -> None:
        stage.clock.during_wait = lambda: None
        instance, leadership = stage.elect("b", epoch=3)
        instance.stream(STREAM).halts.put(leadership, halt(revision=1))

    stage.clock.during_wait = halt_again
    answer = stage.run("resume", "--wait")
    assert answer.exit_code == 1
    assert "error: orders: halted again by a: sink_refused: WRONGTYPE" in answer.stderr
    assert "hint: remove the key; then 'hasync resume -s orders'" in answer.stderr
    assert stage.clock.now_s < 1


def test_resume_without_instances_says_that_nobody_leads(stage: Stage) -> None:
    """The time is up."""
    stage.apply()
    answer = stage.run("resume", "--wait", "--within", "10s")
    assert answer.exit_code == 1
    assert "error: orders: no instance leads after 10 s" in answer.stderr


def test_halt_that_another_config_has_lifted_is_not_said_to_be_cleared(stage: Stage) -> None:
    """The node is an old one and goes, but it held nobody up."""
    stage.apply()
    instance, leadership = stage.elect("a")
    instance.stream(STREAM).halts.put(leadership, halt(revision=1))
    stage.apply(OTHER)
    answer = stage.run("resume")
    assert "no halt in force; the old one of config revision 1 is removed" in answer.stderr
    assert stage.ports.halts.get() is None


def test_resume_takes_away_what_nobody_understands(stage: Stage) -> None:
    """An intent that was written by hand is repaired by withdrawing it."""
    stage.apply()
    stage.run("pause")
    reads = stage.ports.intents
    stage.garble("intents")
    assert "a pause that this release cannot read is withdrawn" in stage.run("resume").stderr
    assert reads.get() is None


def test_wait_lives_through_a_zookeeper_that_does_not_answer(stage: Stage) -> None:
    """A look that fails counts as not yet."""
    stage.apply()

    def outage() -> None:
        if stage.clock.now_s == 0:
            stage.elect("b")
            stage.operator.session.fail(2)

    stage.clock.during_wait = outage
    assert stage.run("resume", "--wait").exit_code == 0


def test_history_says_why_a_term_ended(stage: Stage) -> None:
    """A halt without its reason would send everybody to the logs of a machine that may be gone."""
    stage.apply()
    instance, leadership = stage.elect("a")
    term = TermRecord(epoch=1, member="a", since=NOW)
    over = term.ended(EndReason.HALTED, "WRONGTYPE at key x" + 600 * "!", until=NOW + 1, end=None)
    instance.stream(STREAM).terms.record(leadership, over)
    assert "WRONGTYPE at key x" in stage.run("history").stdout
    assert stage.json("history")[0]["message"] == over.message
    assert len(over.message) == 200


def test_term_of_an_older_release_is_read() -> None:
    """It has no message."""
    document = TermRecord(epoch=1, member="a", since=NOW, message="why").to_json()
    assert TermRecord.from_json(document).message == "why"
    del document["message"]
    assert TermRecord.from_json(document).message == ""


def test_history_tells_terms_newest_first(stage: Stage) -> None:
    """A term that said how it ended, one that never did, one that runs."""
    stage.apply()
    for epoch, reason in ((1, EndReason.SHUTDOWN), (2, None), (3, None)):
        instance, leadership = stage.elect("a", epoch=epoch)
        term = TermRecord(epoch=epoch, member="a", since=NOW, end_reason=reason, begin=place(4), note="new [stream]")
        instance.stream(STREAM).terms.record(leadership, term)
        if epoch < 3:
            instance.session.expire()
    assert [term["ended"] for term in stage.json("history")] == ["running", "without a word", "shutdown"]
    lines = stage.run("history", "-e", "-n", "1").stdout.splitlines()
    assert len(lines) == 2
    assert "binlog.000001:4" in lines[1]
    assert "new [stream]" in lines[1]
