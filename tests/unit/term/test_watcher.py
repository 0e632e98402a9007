"""Configs come into force or are refused; the last good one never goes."""

import threading

import pytest

from hasync.clock import SystemClock
from hasync.errors import CoordinationRefused, CoordinationUnavailable, HasyncError
from hasync.model.cluster import ConfigRevision, Halt, Intent, IntentKind
from hasync.term.role import Identity, role_of
from hasync.term.watcher import Compiled, StreamView, Watcher
from tests.fakes.coordination import FakeCluster, FakeMember
from tests.unit.term.world import CONFIG, STREAM, compiled

GOOD = CONFIG.replace("MISSING", "halt")
BAD = GOOD.replace("set:", "sett:")


class Told:
    def __init__(self) -> None:
        self.applied: list[int] = []
        self.refused: list[int] = []

    def config_applied(self, compiled: Compiled) -> None:
        self.applied.append(compiled.revision)

    def config_refused(self, revision: int, error: HasyncError) -> None:
        self.refused.append(revision)


@pytest.fixture
def member() -> FakeMember:
    return FakeCluster().member("a")


def watcher_of(member: FakeMember, told: Told, views: list[StreamView] | None = None) -> Watcher:
    streams = member.stream(STREAM)
    return Watcher(
        configs=streams.configs,
        halts=streams.halts,
        intents=streams.intents,
        session=member.session,
        clock=SystemClock(),
        observer=told,
        on_change=(views if views is not None else []).append,
    )


def test_new_revision_comes_into_force(member: FakeMember) -> None:
    """A good document is compiled and published once."""
    told = Told()
    watcher = watcher_of(member, told)
    configs = member.stream(STREAM).configs
    configs.put(GOOD, based_on=0, applied_by="op")
    assert watcher.look()
    assert watcher.look()
    assert watcher.view.compiled is not None
    assert (watcher.view.compiled.revision, told.applied) == (1, [1])


def test_bad_document_by_another_road_leaves_the_last_good_one_in_force(member: FakeMember) -> None:
    """It got past `config apply`; the stream goes on as before and says why."""
    told = Told()
    watcher = watcher_of(member, told)
    configs = member.stream(STREAM).configs
    configs.put(GOOD, based_on=0, applied_by="op")
    watcher.look()
    configs.put(BAD, based_on=1, applied_by="zkCli")
    watcher.look()
    view = watcher.view
    assert view.compiled is not None
    assert (view.compiled.revision, view.newest) == (1, 2)
    assert "sett" in view.refusal
    assert told.refused == [2]


def test_instance_that_starts_under_a_bad_document_uses_the_last_good_revision(member: FakeMember) -> None:
    """A restart must not turn a bad document into an outage."""
    configs = member.stream(STREAM).configs
    configs.put(GOOD, based_on=0, applied_by="op")
    configs.put(BAD, based_on=1, applied_by="zkCli")
    told = Told()
    watcher = watcher_of(member, told)
    watcher.look()
    assert watcher.view.compiled is not None
    assert (told.applied, told.refused) == ([1], [2])


def test_mended_document_clears_the_refusal(member: FakeMember) -> None:
    """Good, bad, good: the refusal goes with the bad one."""
    watcher = watcher_of(member, Told())
    configs = member.stream(STREAM).configs
    for revision, document in enumerate((GOOD, BAD, GOOD + "\n# mended\n")):
        configs.put(document, based_on=revision, applied_by="op")
        watcher.look()
    assert watcher.view.compiled is not None
    assert (watcher.view.compiled.revision, watcher.view.refusal) == (3, "")


def test_unreachable_zookeeper_leaves_the_view_as_it_was(member: FakeMember) -> None:
    """What was decided stays decided while nobody can be asked."""
    watcher = watcher_of(member, Told())
    member.stream(STREAM).configs.put(GOOD, based_on=0, applied_by="op")
    watcher.look()
    before = watcher.view
    member.session.suspend()
    assert not watcher.look()
    assert watcher.view == before


def test_payload_of_a_newer_release_is_reported_and_looked_at_again(member: FakeMember) -> None:
    """What this release cannot read neither ends the watcher nor goes unnoticed."""

    class Newer:
        def get(self, wake: threading.Event | None = None) -> Halt | None:
            raise CoordinationRefused("halt has format v=2, this release reads v=1")

    told = Told()
    watcher = watcher_of(member, told)
    watcher._halts = Newer()  # type: ignore[assignment]
    assert not watcher.look()
    assert not watcher.look()
    assert told.refused == [0]
    assert "format v=2" in watcher.view.refusal
    assert "format v=2" in role_of(watcher.view, ME).detail
    watcher._halts = member.stream(STREAM).halts
    member.stream(STREAM).configs.put(GOOD, based_on=0, applied_by="op")
    assert watcher.look()
    assert watcher.view.refusal == ""


def test_bad_document_met_while_zookeeper_goes_away_is_looked_at_again(member: FakeMember) -> None:
    """The last good revision could not be read just then: the instance must not stand idle for ever."""
    configs = member.stream(STREAM).configs
    configs.put(GOOD, based_on=0, applied_by="op")
    configs.put(BAD, based_on=1, applied_by="zkCli")
    watcher = watcher_of(member, Told())
    real = watcher._configs

    class Cut:
        def get(self, wake: threading.Event | None = None) -> ConfigRevision | None:
            return real.get(wake)

        def history(self, limit: int = 100) -> tuple[ConfigRevision, ...]:
            raise CoordinationUnavailable("cut")

    watcher._configs = Cut()  # type: ignore[assignment]
    assert not watcher.look()
    watcher._configs = real
    assert watcher.look()
    assert watcher.view.compiled is not None


def test_watcher_wakes_on_a_change_without_being_asked(member: FakeMember) -> None:
    """The wake-up comes from ZooKeeper's watch; the reading is done in the watcher's own thread."""
    changed = threading.Event()
    streams = member.stream(STREAM)
    watcher = Watcher(
        configs=streams.configs,
        halts=streams.halts,
        intents=streams.intents,
        session=member.session,
        clock=SystemClock(),
        observer=Told(),
        on_change=lambda view: changed.set() if view.compiled else None,
    )
    thread = threading.Thread(target=watcher.run)
    thread.start()
    streams.configs.put(GOOD, based_on=0, applied_by="op")
    assert changed.wait(5)
    watcher.stop()
    thread.join(5)


HALT = Halt(
    code="sink_refused", reason="WRONGTYPE", hint="", member="a", epoch=1, position=None, config_revision=1, at=0.0
)
PAUSE = Intent(kind=IntentKind.PAUSE, by="op", at=0.0, reason="upgrade")
ME = Identity(member="a")
DISABLED = compiled(1, CONFIG + "\nenabled: false\n")


@pytest.mark.parametrize(
    ("view", "state", "contends"),
    [
        pytest.param(StreamView(), "waiting", False, id="ZooKeeper has not answered"),
        pytest.param(StreamView(answered=True), "waiting", False, id="no config"),
        pytest.param(StreamView(answered=True, compiled=compiled()), "standby", True, id="ready"),
        pytest.param(StreamView(answered=True, compiled=DISABLED), "disabled", False, id="switched off"),
        pytest.param(StreamView(answered=True, compiled=compiled(), halt=HALT), "halted", False, id="halted"),
        pytest.param(
            StreamView(answered=True, compiled=compiled(2), halt=HALT), "standby", True, id="halt of an older config"
        ),
        pytest.param(StreamView(answered=True, compiled=compiled(), intent=PAUSE), "paused", False, id="paused"),
        pytest.param(
            StreamView(answered=True, compiled=compiled(), newest=2, refusal="x"), "standby", True, id="refused newer"
        ),
    ],
)
def test_role_follows_from_what_operators_decided(view: StreamView, state: str, contends: bool) -> None:
    """Who may be elected, for every combination that matters."""
    role = role_of(view, ME)
    assert (role.state, role.contends) == (state, contends)


def test_pause_whose_time_is_up_is_taken_away(member: FakeMember) -> None:
    """Any instance does it at its next look; one that lasts, and one without an end, stay."""
    intents, now_s = member.stream(STREAM).intents, SystemClock().wall()
    watcher = watcher_of(member, Told())
    for until, stays in ((now_s + 3600, True), (None, True), (now_s - 1, False)):
        pause = Intent(kind=IntentKind.PAUSE, by="ann", at=now_s - 60, until=until)
        intents.put(pause)
        watcher.look()
        assert watcher.view.intent == (pause if stays else None)
        assert (intents.get() is not None) is stays
