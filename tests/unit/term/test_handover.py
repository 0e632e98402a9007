"""A switchover interrupts a term only when its successor stands next; who gives way to whom."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from hasync.clock import SystemClock
from hasync.errors import EndReason
from hasync.model.cluster import Intent, IntentKind
from hasync.model.config import parse
from hasync.model.member import Eligibility
from hasync.term import handover
from hasync.term.handover import HandOver
from hasync.term.leading import Leading, Outcome
from hasync.term.role import GIVE_WAY_S, Identity, queueing, role_of
from hasync.term.watcher import Compiled, StreamView
from testbed import wait_until
from tests.fakes.coordination import FakeMember
from tests.unit.term.world import CONFIG, STREAM, Watching, World, compiled

NEVER = threading.Event()


def wish(to: str, epoch: int = 1) -> Intent:
    return Intent(kind=IntentKind.SWITCHOVER, by="ann", at=0.0, reason="new kernel", to=to, epoch=epoch)


@dataclass
class Told:
    """A HandOverObserver that remembers."""

    begun: list[Intent] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def handing_over(self, intent: Intent) -> None:
        self.begun.append(intent)

    def hand_over_failed(self, intent: Intent, why: str) -> None:
        self.failures.append(why)


class Scene:
    """A leads in a thread; b and c are in the queue behind it, c first."""

    def __init__(self) -> None:
        self.world = World()
        self.world.fill()
        self.told = Told()
        self.released = threading.Event()
        self.outcomes: list[Outcome] = []
        self.a, self.b, self.c = (self.world.cluster.member(name) for name in "abc")
        self.leading: Leading = self.world.leading(self.a, observer=Watching())
        self.queues = {member.id: member.stream(STREAM).election for member in (self.c, self.b)}
        for election in self.queues.values():
            election.acquire(NEVER, 0.0)
        self.intents = self.world.cluster.member("eyes").stream(STREAM).intents
        self.thread = threading.Thread(target=self._lead)

    def _lead(self) -> None:
        self.outcomes.append(self.leading.run())
        self.released.set()

    def hand_over(self, intent: Intent, *, first_epoch: int = 0) -> None:
        self.intents.put(intent)
        HandOver(
            intent=intent,
            leading=self.leading,
            first_epoch=first_epoch,
            released=self.released,
            wanted=lambda: self.intents.get() == intent,
            coordination=self.a.stream(STREAM),
            member="a",
            clock=SystemClock(),
            observer=self.told,
        ).start()

    def leave(self, member: FakeMember) -> None:
        self.queues[member.id].withdraw()

    @property
    def settled(self) -> bool:
        return self.intents.get() is None


@contextmanager
def staged() -> Iterator[Scene]:
    scene = Scene()
    scene.thread.start()
    assert scene.leading.begun.wait(10)
    try:
        yield scene
    finally:
        scene.leading.drain(EndReason.SHUTDOWN)
        scene.thread.join(10)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with staged() as scene:
        yield scene


def test_term_is_drained_only_once_the_successor_is_next(scene: Scene) -> None:
    """C stands in between; the leader goes on until it has given way."""
    scene.hand_over(wish("b"))
    assert not scene.released.wait(0.1)
    assert scene.told.begun == []
    scene.leave(scene.c)
    assert scene.released.wait(10)
    outcome = scene.outcomes[0]
    assert outcome.reason is EndReason.HANDOVER
    assert outcome.message == "to b, asked for by ann at 1970-01-01T00:00:00Z: new kernel"
    wait_until("the wish is gone", lambda: scene.settled)


def test_successor_that_does_not_come_interrupts_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader gives up, takes the wish away, and goes on."""
    monkeypatch.setattr(handover, "PATIENCE_S", 0.05)
    scene.leave(scene.b)
    scene.hand_over(wish("b"))
    wait_until("it is given up", lambda: scene.told.failures)
    assert scene.settled
    assert "b did not come" in scene.told.failures[0]
    assert not scene.released.is_set()


def test_withdrawn_wish_is_not_carried_out(scene: Scene) -> None:
    """An operator's resume before the queue is ready ends it."""
    scene.hand_over(wish("b"))
    assert scene.intents.clear()
    scene.leave(scene.c)
    assert not scene.released.wait(0.1)
    assert (scene.told.begun, scene.told.failures) == ([], [])


@pytest.mark.parametrize(("intent", "first_epoch"), [(wish("b", 1), 2), (wish("a", 9), 1)])
def test_fulfilled_wish_is_taken_away_and_the_term_goes_on(scene: Scene, intent: Intent, first_epoch: int) -> None:
    """It ended an earlier term, whose leader died before it could say so; or it asked for this very leader."""
    scene.leave(scene.c)
    scene.hand_over(intent, first_epoch=first_epoch)
    wait_until("the wish is gone", lambda: scene.settled)
    assert not scene.released.is_set()


def test_wish_made_before_a_new_term_under_the_same_lock_still_holds(scene: Scene) -> None:
    """A config that needed a new term has raised the epoch; the leader is the same."""
    scene.leave(scene.c)
    scene.hand_over(wish("b", epoch=1), first_epoch=1)
    assert scene.released.wait(10)


def test_unanswered_look_at_the_queue_is_repeated(scene: Scene) -> None:
    """ZooKeeper being away for a moment is no reason to give up."""
    scene.leave(scene.c)
    scene.a.session.fail(3)
    scene.hand_over(wish("b"))
    assert scene.released.wait(10)


# ------------------------------------------------------------------- who gives way


def view(document: str = CONFIG, intent: Intent | None = None, since_s: float = 100.0) -> StreamView:
    made = compiled(1, document)
    return StreamView(answered=True, compiled=made, newest=1, intent=intent, intent_since_s=since_s)


@pytest.mark.parametrize(
    ("member", "at_s", "contends"),
    [
        pytest.param("c", 100.0, False, id="not meant: leaves the queue"),
        pytest.param("b", 100.0, True, id="meant: stays"),
        pytest.param("c", 100.0 + GIVE_WAY_S, True, id="waited long enough"),
    ],
)
def test_those_who_are_not_meant_leave_the_queue_for_a_while(member: str, at_s: float, contends: bool) -> None:
    """Should the one who is meant die on its way, the others come back."""
    role = queueing(view(intent=wish("b")), Identity(member=member), at_s)
    assert (role.contends, role.state) == (contends, "standby")


def test_leader_does_not_give_way_by_itself() -> None:
    """Its term is ended by the hand-over, not by the wish alone."""
    assert role_of(view(intent=wish("b")), Identity(member="a")).contends


def test_instance_that_the_config_does_not_pin_to_is_barred() -> None:
    """It never contends, and says why."""
    pinned = view(CONFIG + "\nplacement: {pin: [zone-a-*], avoid: [zone-a-1]}\n")
    role = role_of(pinned, Identity(member="zone-b-1"))
    assert (role.state, role.contends) == ("barred", False)
    assert "zone-a-*" in role.detail
    assert role_of(pinned, Identity(member="zone-a-2")).contends
    assert Identity(member="zone-a-1").eligibility(pinned) is Eligibility.RESERVE
    assert Identity(member="x", weight=0).eligibility(StreamView()) is Eligibility.RESERVE


def test_placement_needs_no_new_term() -> None:
    """The data road does not know who leads."""
    before = compiled(1)
    after = parse(CONFIG.replace("MISSING", "halt") + "\nplacement: {avoid: [a]}\n")
    assert not before.needs_new_term(Compiled(revision=2, config=after, rules=before.rules))
