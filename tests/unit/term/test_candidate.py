"""Several candidates in one process contend for a stream, hand it over, give way, and stand back."""

import io
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry

from hasync.errors import EndReason
from hasync.logs import open_log
from hasync.metrics import Metrics
from hasync.model.cluster import Intent, IntentKind
from hasync.term.candidate import Candidate
from hasync.term.report import StreamReport
from hasync.term.role import Identity
from testbed import wait_until
from tests.unit.term.world import CONFIG, STREAM, Builders, Mortal, World


class FastClock:
    """The system's clock, so many times as fast: pauses of seconds pass in hundredths."""

    def __init__(self, speed: float) -> None:
        self._speed = speed

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    def wall(self) -> float:
        return time.time()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s / self._speed)

    def random(self) -> float:
        return 1.0


class Company(Builders):
    """Adapters of one instance that is told what to think of the others."""

    preferred = ""

    def better(self, contenders: Callable[[], tuple[str, ...]]) -> str:
        return self.preferred if self.preferred in contenders() else ""

    def set_others_able(self, able: bool) -> None:
        self._others_able = able


class Contestant:
    """One instance's candidate in a thread."""

    def __init__(self, world: World, name: str, *, speed: float) -> None:
        self.name = name
        self.member = world.cluster.member(name)
        self.company = Company(world, Mortal())
        clock = FastClock(speed)
        log = open_log(level="info", as_json=True, out=io.BytesIO(), clock=clock, member=name)
        self.report = StreamReport(stream=STREAM, process=Metrics(CollectorRegistry(), clock), log=log, clock=clock)
        self.candidate = Candidate(
            coordination=self.member.stream(STREAM),
            session=self.member.session,
            adapters=self.company,
            address="",
            identity=Identity(member=name),
            clock=clock,
            acknowledge_every_s=0.001,
            observer=self.report,
        )
        self._thread = threading.Thread(target=self.candidate.run, name=f"candidate-{name}")
        self._thread.start()

    @property
    def state(self) -> str:
        return self.report.standing_now.role.state

    def stop(self) -> None:
        self.candidate.shut_down()
        self._thread.join(10)
        assert not self._thread.is_alive()


class Contest:
    """The world, its candidates, and eyes of our own."""

    def __init__(self) -> None:
        self.world = World()
        self.world.fill()
        self.ports = self.world.cluster.member("eyes").stream(STREAM)
        self.ports.configs.put(CONFIG.replace("MISSING", "halt"), based_on=0, applied_by="test")
        self.running: list[Contestant] = []

    def enter(self, name: str, *, speed: float = 50.0) -> Contestant:
        """Start one more candidate and wait until it is in the queue."""
        contestant = Contestant(self.world, name, speed=speed)
        self.running.append(contestant)
        wait_until(f"{name} is in the queue", lambda: name in self.ports.election.contenders())
        return contestant

    def leader(self, name: str, epoch: int, timeout_s: float = 10.0) -> None:
        """Wait until this one leads under this epoch."""

        def leads() -> bool:
            found = self.ports.terms.leader()
            return found is not None and (found.member, found.epoch) == (name, epoch)

        wait_until(f"{name} leads under epoch {epoch}", leads, timeout_s=timeout_s)

    def switch(self, to: str, epoch: int) -> None:
        self.ports.intents.put(Intent(kind=IntentKind.SWITCHOVER, by="ann", at=0.0, to=to, epoch=epoch))


@pytest.fixture
def contest() -> Iterator[Contest]:
    contest = Contest()
    yield contest
    for contestant in contest.running:
        contestant.stop()


def test_named_one_leads_though_another_stood_in_front_of_it(contest: Contest) -> None:
    """B leaves the queue for c and comes back behind it; the wish is gone, and the history says who asked."""
    for name in "abc":
        contest.enter(name)
    contest.leader("a", 1)
    contest.switch("c", epoch=1)
    contest.leader("c", 2)
    wait_until("all stand in the queue again", lambda: set(contest.ports.election.contenders()) == set("abc"))
    assert contest.ports.intents.get() is None
    record = contest.ports.terms.history()[-1]
    assert (record.end_reason, record.message) == (
        EndReason.HANDOVER,
        "to c, asked for by ann at 1970-01-01T00:00:00Z",
    )


def test_wish_that_outlived_its_leader_is_taken_away_by_the_next_one(contest: Contest) -> None:
    """The leader died with the wish; whoever leads next does not end its own term for it."""
    contest.enter("a")
    contest.leader("a", 1)
    contest.switch("b", epoch=0)
    wait_until("the wish is gone", lambda: contest.ports.intents.get() is None)
    contest.leader("a", 1)


def test_instance_asks_for_its_own_streams_only_and_never_over_another_wish(contest: Contest) -> None:
    """Spreading streams is the least of all wishes."""
    a, b = contest.enter("a"), contest.enter("b")
    contest.leader("a", 1)
    assert not b.candidate.ask_hand_over("a", "b leads 2, a 0")
    pause = Intent(kind=IntentKind.PAUSE, by="ann", at=0.0)
    contest.ports.intents.put(pause)
    assert not a.candidate.ask_hand_over("b", "a leads 2, b 0")
    assert contest.ports.intents.get() == pause
    contest.ports.intents.clear()
    wait_until("somebody leads again", contest.ports.terms.leader)
    leader, other = (a, b) if a.state == "leader" else (b, a)
    wait_until("it can ask", lambda: leader.candidate.ask_hand_over(other.name, "2 against 0"))
    wait_until("the other one leads", lambda: other.state == "leader")
    assert "to spread streams" in contest.ports.terms.history()[1].message


def test_elected_reserve_gives_the_lock_to_who_is_meant(contest: Contest) -> None:
    """It stays in the queue, so that a crash loses no time, and leads only if nobody better is in it."""
    a = contest.enter("a")
    contest.leader("a", 1)
    b = contest.enter("b")
    b.company.preferred = "c"
    contest.enter("c")
    a.stop()
    contest.running.remove(a)
    contest.leader("c", 2)


def test_flapping_instance_stands_back_only_while_others_can_lead(contest: Contest) -> None:
    """Three sessions lost within a minute: it waits for the others, and no longer once there are none."""
    a = contest.enter("a", speed=1.0)
    a.company.set_others_able(True)
    for epoch in (1, 2, 3):
        contest.leader("a", epoch)
        a.member.session.expire()
    wait_until("it stands back", lambda: "standing back after session_lost" in a.report.standing_now.role.detail)
    assert contest.ports.election.contenders() == ()
    a.company.set_others_able(False)
    contest.leader("a", 4, timeout_s=7.0)  # in a second; the delay alone is ten
