"""What an instance does with the order of a drill."""

import threading
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hasync.errors import HasyncError
from hasync.model.cluster import SessionCredential
from hasync.model.drill import Deed, Order, Stage
from hasync.model.member import StreamStatus
from hasync.worker.drilling import Drilling, Hands
from hasync.worker.gates import Gates
from tests.fakes.drills import FakeDrills
from tests.unit.cli.stage import Clock

ORDER = Order(id="1", deed=Deed.FREEZE, member="a", instance="token", by="ann", at=1.0, epoch=3, for_s=2.0)


@dataclass
class Process:
    """A process that only notes what is done to it; ``immortal``: the kernel spares it."""

    done: list[str] = field(default_factory=list)
    on_end: Any = None

    def kill(self) -> None:
        self.done.append("kill")

    def terminate(self) -> None:
        self.done.append("terminate")
        if self.on_end:
            self.on_end()

    def freeze(self, for_s: float) -> None:
        self.done.append(f"freeze {for_s:g}")


@dataclass
class Session:
    """A session that is back as soon as somebody closed it."""

    credential: SessionCredential | None = field(
        default_factory=lambda: SessionCredential(session_id=7, password=b"secret")
    )
    generation: int = 0
    confirmed: bool = True
    connected: bool = True
    closed: list[int] = field(default_factory=list)

    def close(self, credential: SessionCredential) -> None:
        self.closed.append(credential.session_id)
        self.generation += 1


@dataclass
class Streams:
    """What the instance does: it leads in epoch 3."""

    status: StreamStatus | None = field(default_factory=lambda: StreamStatus(role="leader", epoch=3))
    asked: list[tuple[str, str]] = field(default_factory=list)
    takes: bool = True

    def status_of(self, stream: str) -> StreamStatus | None:
        return self.status

    def ask_hand_over(self, stream: str, target: str, reason: str, *, by: str) -> bool:
        self.asked.append((stream, target))
        return self.takes


class Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


class World:
    """One instance with drills, none of it real."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.clock, self.drills = Clock(), FakeDrills()
        self.process, self.session, self.streams = Process(), Session(), Streams()
        self.gates = Gates.of(("orders",), self.clock)
        session: Any = self.session
        self.deeds: list[tuple[Deed, bool]] = []
        self.hands = Hands(
            process=self.process,
            gates=self.gates,
            session=session,
            closer=lambda: session,
            streams=self.streams,
            clock=self.clock,
        )
        self.drilling = Drilling(
            drills={"orders": self.drills},
            enabled=enabled,
            member="a",
            instance="token",
            streams=self.streams,
            hands=self.hands,
            clock=self.clock,
            log=Silent(),  # type: ignore[arg-type]
            on_deed=self.note,
        )

    def note(self, deed: Deed, *, running: bool) -> None:
        self.deeds.append((deed, running))

    def carry_out(self, order: Order) -> list[Stage]:
        self.drills.ask(order)
        self.drilling.look()
        return [answer.stage for answer in self.drills.answers]


def test_order_is_answered_before_and_after() -> None:
    """Before: it may be the last word. After: so that whoever asked knows that it is undone."""
    world = World()
    assert world.carry_out(ORDER) == [Stage.ACCEPTED, Stage.UNDONE]
    assert world.process.done == ["freeze 2"]
    assert world.deeds == [(Deed.FREEZE, True), (Deed.FREEZE, False)]


def test_disabled_drill_is_refused_with_its_remedy() -> None:
    """Nothing is done where drills.enabled is off."""
    world = World(enabled=False)
    assert world.carry_out(ORDER) == [Stage.REFUSED]
    assert world.process.done == []
    assert "HASYNC_DRILLS__ENABLED" in world.drills.answers[0].hint


@pytest.mark.parametrize("other", [{"member": "b"}, {"instance": "the start before"}])
def test_order_to_another_process_is_left_alone(other: dict[str, str]) -> None:
    """A worker that was killed by a drill does not kill itself again when it is back."""
    world = World()
    assert world.carry_out(replace(ORDER, **other)) == []
    assert world.process.done == []


def test_order_to_a_leader_is_refused_by_who_leads_no_longer() -> None:
    """The drill would hit another instance than was asked for."""
    world = World()
    world.streams.status = StreamStatus(role="standby", epoch=3)
    assert world.carry_out(ORDER) == [Stage.REFUSED]
    assert world.process.done == []


@pytest.mark.parametrize("for_s", [0.0, -1.0, 601.0])
def test_fault_without_bounds_is_refused(for_s: float) -> None:
    """A freeze for ever would need a human."""
    world = World()
    assert world.carry_out(replace(ORDER, for_s=for_s)) == [Stage.REFUSED]


def test_order_that_nobody_waits_for_is_not_begun() -> None:
    """The command ended between the look and the answer."""
    world = World()
    world.drills.answer = lambda order, answer: False  # type: ignore[method-assign]
    world.carry_out(ORDER)
    assert world.process.done == []


def test_survived_crash_is_told_as_a_failure() -> None:
    """Process 1 of a container survives its own SIGKILL."""
    world = World()
    assert world.carry_out(replace(ORDER, deed=Deed.CRASH, for_s=0)) == [Stage.ACCEPTED, Stage.FAILED]
    assert "process 1" in world.drills.answers[1].message


def test_expired_session_is_undone_when_another_one_is_there() -> None:
    """The session is closed from outside, by its password."""
    world = World()
    assert world.carry_out(replace(ORDER, deed=Deed.EXPIRE, for_s=0)) == [Stage.ACCEPTED, Stage.UNDONE]
    assert world.session.closed == [7]


def test_session_that_does_not_come_back_is_told() -> None:
    """After a minute it is a failure of its own."""
    world = World()
    world.session.close = lambda credential: None  # type: ignore[method-assign]
    assert world.carry_out(replace(ORDER, deed=Deed.EXPIRE, for_s=0))[-1] is Stage.FAILED


@pytest.mark.parametrize("deed", [Deed.CUT_REDIS, Deed.CUT_MYSQL, Deed.CUT_ZOOKEEPER])
def test_cut_lasts_as_long_as_asked(deed: Deed) -> None:
    """The gate is shut at once, and open again when it is told to be undone."""
    world = World()
    gate = {
        Deed.CUT_REDIS: world.gates.redis["orders"],
        Deed.CUT_MYSQL: world.gates.mysql["orders"],
        Deed.CUT_ZOOKEEPER: world.gates.zookeeper,
    }[deed]
    cuts: list[float] = []
    gate.on_shut(lambda: cuts.append(world.clock.now_s))
    assert world.carry_out(replace(ORDER, deed=deed)) == [Stage.ACCEPTED, Stage.UNDONE]
    assert cuts == [0.0]
    assert world.clock.now_s >= 2.0
    assert not gate.shut


def test_hand_over_is_asked_for_as_operators_do() -> None:
    """The wish goes the way of every switchover."""
    world = World()
    world.carry_out(replace(ORDER, deed=Deed.HAND_OVER, for_s=0, to="b"))
    assert world.streams.asked == [("orders", "b")]


def test_hand_over_beside_another_wish_fails() -> None:
    """A paused stream is not switched over."""
    world = World()
    world.streams.takes = False
    assert world.carry_out(replace(ORDER, deed=Deed.HAND_OVER, for_s=0, to="b"))[-1] is Stage.FAILED


def test_restart_ends_in_order_and_says_no_more() -> None:
    """The next process of that name is the answer."""
    world = World()
    world.process.on_end = world.drilling.stop
    assert world.carry_out(replace(ORDER, deed=Deed.RESTART, epoch=0, for_s=0)) == [Stage.ACCEPTED]
    assert world.process.done == ["terminate"]


def test_last_word_is_repeated_until_zookeeper_takes_it() -> None:
    """After a cut from ZooKeeper the first tries meet nobody."""
    world = World()
    freeze = world.process.freeze

    def cut(for_s: float) -> None:
        freeze(for_s)
        world.drills.away = 3

    world.process.freeze = cut  # type: ignore[method-assign]
    assert world.carry_out(ORDER) == [Stage.ACCEPTED, Stage.UNDONE]


def test_fault_that_could_not_be_done_is_told_with_its_reason() -> None:
    """The drill proved nothing then."""
    world = World()

    def fail(for_s: float) -> None:
        raise HasyncError("no process could be started", hint="raise the limit")

    world.process.freeze = fail  # type: ignore[method-assign]
    assert world.carry_out(ORDER) == [Stage.ACCEPTED, Stage.FAILED]
    assert world.drills.answers[1].hint == "raise the limit"


def test_watching_ends_when_the_instance_does() -> None:
    """A fault that lasts is given up as well."""
    world = World()
    world.drilling.stop()
    assert world.hands.stop.is_set()
    assert isinstance(world.drilling.wake, threading.Event)
