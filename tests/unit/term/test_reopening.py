"""Who may take the source again: the lock decides, and the state key while ZooKeeper is away."""

import threading
from collections.abc import Callable

import pytest

from hasync.errors import EndReason, SinkUnavailable, SourceUnavailable, TermEnded
from hasync.term.guard import TermGuard
from hasync.term.reopening import PATIENCE_S, TAKEN_TIMES, TAKEN_WITHIN_S, Reopening
from testbed import wait_until
from tests.fakes.coordination import FakeCluster, FakeMember
from tests.fakes.sink import FakeSink
from tests.fakes.source import FakeSource
from tests.unit.term.world import PRODUCT, Watching, World, at_end, compiled

STREAM = "orders"
EPOCH = 3


class Hands:
    """A clock that a test moves."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.is_set()

    def random(self) -> float:
        return 0.5


class Stage:
    """A leader of one stream, and what Redis says when it is asked."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.member: FakeMember = self.cluster.member("a")
        self.clock = Hands()
        self.asked = 0
        self.in_redis: int | None = EPOCH
        election = self.member.stream(STREAM).election
        leadership = election.acquire(threading.Event(), 5)
        assert leadership is not None
        self.lock_path = leadership.lock_path
        self.reopening = Reopening(
            leadership=leadership,
            epoch=EPOCH,
            election=election,
            guard=TermGuard(leadership=leadership, election=election, session=self.member.session),
            look=self._look,
            clock=self.clock,
        )

    def _look(self) -> int:
        self.asked += 1
        if self.in_redis is None:
            raise SinkUnavailable("down")
        return self.in_redis


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_living_session_asks_nobody_for_the_first_opening(stage: Stage) -> None:
    """A takeover pays nothing for this."""
    stage.cluster.delete(stage.lock_path)
    stage.reopening.check(again=False)
    assert stage.asked == 0


def test_leader_that_holds_the_lock_takes_the_source_again(stage: Stage) -> None:
    """ZooKeeper's word is enough: Redis is not asked."""
    stage.reopening.check(again=True)
    assert stage.asked == 0


def test_leader_whose_lock_is_gone_leaves_the_source_alone(stage: Stage) -> None:
    """Also when its session's own deadline has not passed: the session may have been closed by somebody else."""
    stage.cluster.delete(stage.lock_path)
    with pytest.raises(TermEnded) as ended:
        stage.reopening.check(again=True)
    assert ended.value.reason is EndReason.LOCK_LOST


def test_claim_of_a_higher_epoch_is_believed_while_zookeeper_is_away(stage: Stage) -> None:
    """A leader that woke too late is told by the state key."""
    stage.member.session.suspend(past_deadline=True)
    stage.in_redis = EPOCH + 1
    with pytest.raises(SourceUnavailable):  # ZooKeeper may be about to say that the session is over
        stage.reopening.check(again=True)
    stage.clock.now_s += PATIENCE_S
    with pytest.raises(TermEnded) as ended:
        stage.reopening.check(again=True)
    assert ended.value.reason is EndReason.FENCED


def test_leader_past_its_deadline_waits_a_while_and_then_trusts_the_state_key(stage: Stage) -> None:
    """A successor that is about to claim has claimed by then; through a long outage the leader goes on."""
    stage.member.session.suspend(past_deadline=True)
    with pytest.raises(SourceUnavailable, match="another may lead"):
        stage.reopening.check(again=False)
    stage.clock.now_s += PATIENCE_S / 2
    with pytest.raises(SourceUnavailable):
        stage.reopening.check(again=True)
    stage.clock.now_s += PATIENCE_S
    stage.reopening.check(again=True)
    assert stage.asked == 3


def test_doubt_begins_anew_after_zookeeper_has_answered(stage: Stage) -> None:
    """Each outage has its own patience."""
    stage.member.session.suspend(past_deadline=True)
    with pytest.raises(SourceUnavailable):
        stage.reopening.check(again=True)
    stage.member.session.resume()
    stage.reopening.check(again=True)
    stage.clock.now_s += 10 * PATIENCE_S
    stage.member.session.suspend(past_deadline=True)
    with pytest.raises(SourceUnavailable):
        stage.reopening.check(again=True)


@pytest.mark.parametrize(("past_deadline", "expected"), [(False, None), (True, SinkUnavailable)])
def test_redis_away_too_stops_only_a_leader_past_its_deadline(
    stage: Stage, past_deadline: bool, expected: type[Exception] | None
) -> None:
    """Before the deadline nobody else can have been elected."""
    stage.member.session.suspend(past_deadline=past_deadline)
    stage.in_redis = None
    if expected is None:
        stage.reopening.check(again=True)
        return
    with pytest.raises(expected):
        stage.reopening.check(again=True)


def test_source_taken_again_and_again_is_given_up(stage: Stage) -> None:
    """Another deployment under this stream's name also holds its lock; the two would cut each other off for ever."""
    claimed = TermEnded(EndReason.SOURCE_CLAIMED)
    made = [stage.reopening.taken(claimed) for _ in range(TAKEN_TIMES)]
    assert all(isinstance(each, SourceUnavailable) for each in made)
    assert stage.reopening.taken(claimed) is claimed
    stage.clock.now_s += TAKEN_WITHIN_S + 1
    assert isinstance(stage.reopening.taken(claimed), SourceUnavailable)


def test_dump_taken_by_an_old_leader_is_taken_back_within_the_term() -> None:
    """I7: one change of term for one fault, though the old leader reopens its dump once more."""
    world = World()
    world.fill()
    observer = Watching()
    observer.goal = at_end(world)
    member = world.cluster.member("a")
    leading = world.leading(member, observer=observer)
    outcomes: list[object] = []
    thread = threading.Thread(target=lambda: outcomes.append(leading.run().reason), daemon=True)
    thread.start()
    assert observer.caught.wait(10)
    FakeSource(world.server).open(world.server.end(), compiled().rules)
    world.server.commit(PRODUCT.insert((b"9", b"nine")))
    wait_until("the leader reads on", lambda: b"product:9" in world.store.content)
    leading.drain(EndReason.SHUTDOWN)
    thread.join(10)
    assert outcomes == [EndReason.SHUTDOWN]


Rival = Callable[[World, FakeMember], None]


def _freed(world: World, member: FakeMember) -> None:
    """End the lock behind the leader's back, as an expiry that it has not been told of."""
    queue = world.cluster.ensemble.children("/hasync/streams/orders/election")
    world.cluster.delete(f"/hasync/streams/orders/election/{queue[0]}")


def _claimed(world: World, member: FakeMember) -> None:
    """Cut the leader off from ZooKeeper, and claim on the other side of the partition."""
    member.session.suspend(past_deadline=True)
    sink = FakeSink(world.store)
    sink.claim(99, sink.peek())


@pytest.mark.parametrize("deposed", [_freed, _claimed])
def test_deposed_leader_does_not_take_its_dump_back(deposed: Rival) -> None:
    """It lost the dump to its successor, and ends its term without having touched the source again."""
    world = World()
    world.fill()
    observer = Watching()
    observer.goal = at_end(world)
    member = world.cluster.member("a")
    leading = world.leading(member, observer=observer)
    reasons: list[EndReason] = []
    thread = threading.Thread(target=lambda: reasons.append(leading.run().reason), daemon=True)
    thread.start()
    assert observer.caught.wait(10)
    deposed(world, member)
    opens = world.server.opens
    world.server.cut()
    thread.join(10)
    assert reasons[0] in {EndReason.LOCK_LOST, EndReason.FENCED}
    assert world.server.opens == opens
