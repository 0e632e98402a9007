"""What every coordination promises: the one on a real ZooKeeper and the fake the unit tests use.

``world`` is either; ``party`` is one instance in it, with switches for the faults both can have.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from hasync.coordination import RevisionConflict, StoredPosition
from hasync.errors import ConfigInvalid, CoordinationRefused, CoordinationUnavailable, EndReason, TermEnded
from hasync.model.cluster import Halt, Intent, IntentKind, Leader, Leadership, TermRecord
from hasync.model.member import Member, StreamStatus
from hasync.model.position import Flavor, Position
from hasync.model.state import Acknowledged
from testbed import wait_until
from tests.contract.worlds import FakeWorld, Party, RealWorld, World

STREAM = "orders"
TIMEOUT_S = 10.0
ROOTS = itertools.count()


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Either world, empty."""
    if request.param == "fake":
        chosen: World = FakeWorld()
    else:
        chosen = RealWorld(request.getfixturevalue("zookeeper"), f"/contract-{next(ROOTS)}")
    yield chosen
    chosen.close()


def position(pos: int = 4, server: str = "server-1") -> Position:
    """Return a place in the first file."""
    return Position(flavor=Flavor.MYSQL, server_uuid=server, file="mysql-bin.000001", pos=pos)


def acknowledged(seq: int, *, epoch: int = 1, pos: int | None = None) -> Acknowledged:
    """Return the state after batch ``seq``."""
    return Acknowledged(epoch=epoch, seq=seq, position=position(4 + seq if pos is None else pos))


def elected(party: Party, stream: str = STREAM) -> Leadership:
    """Have a party win the election."""
    leadership = party.stream(stream).election.acquire(threading.Event(), TIMEOUT_S)
    assert leadership is not None
    return leadership


def ended(act: Callable[[], object]) -> EndReason:
    """Return the reason for which ``act`` says that the term is over."""
    with pytest.raises(TermEnded) as caught:
        act()
    return caught.value.reason


def over(party: Party, leadership: Leadership) -> EndReason | None:
    """Return why the party's leadership is over, None while it stands."""
    try:
        party.stream(STREAM).election.check(leadership)
    except TermEnded as end:
        return end.reason
    return None


@dataclass
class Contender:
    """A party that waits for the lock in a thread of its own, as an instance does."""

    party: Party

    def __post_init__(self) -> None:
        self.stop = threading.Event()
        self.leadership: Leadership | None = None
        self.thread = threading.Thread(target=self._contend, daemon=True)
        self.thread.start()
        election = self.party.stream(STREAM).election
        wait_until("it is in the queue", lambda: self.party.id in election.contenders())

    def _contend(self) -> None:
        while self.leadership is None and not self.stop.is_set():
            try:
                self.leadership = self.party.stream(STREAM).election.acquire(self.stop, 1.0)
            except CoordinationUnavailable:
                continue

    def elected(self) -> Leadership:
        """Wait until it leads."""
        return wait_until("the next contender leads", lambda: self.leadership)


# ------------------------------------------------------------------------------ election


def test_first_contender_leads_and_owns_lock(world: World) -> None:
    """One contender alone is elected, and its leadership names its member and session."""
    a = world.party("a")
    leadership = elected(a)
    assert (leadership.stream, leadership.member, leadership.generation) == (STREAM, "a", a.session.generation)
    assert over(a, leadership) is None


def test_confirming_asks_zookeeper_whether_the_lock_is_still_held(world: World) -> None:
    """Before anything is touched that a successor may have: one question, and its answer ends the term or not."""
    a = world.party("a")
    leadership = elected(a)
    a.stream(STREAM).election.confirm(leadership)
    a.stream(STREAM).election.release(leadership, TIMEOUT_S)
    assert ended(lambda: a.stream(STREAM).election.confirm(leadership)) is EndReason.LOCK_LOST


def test_second_contender_waits_until_release(world: World) -> None:
    """Two never lead at once, and a released lock goes to the next in the queue."""
    a, b = world.party("a"), world.party("b")
    first = elected(a)
    waiting = Contender(b)
    assert a.stream(STREAM).election.contenders() == ("a", "b")
    assert waiting.leadership is None
    a.stream(STREAM).election.release(first, TIMEOUT_S)
    second = waiting.elected()
    assert over(a, first) is EndReason.LOCK_LOST
    assert second.czxid > first.czxid


def test_stop_ends_waiting_for_lock(world: World) -> None:
    """A contender that shall stop returns without leadership."""
    a, b = world.party("a"), world.party("b")
    elected(a)
    stop = threading.Event()
    stop.set()
    assert b.stream(STREAM).election.acquire(stop, TIMEOUT_S) is None


def test_place_in_queue_is_kept_between_waits(world: World) -> None:
    """Waiting in slices does not send a contender back to the end of the queue."""
    a, b, c = world.party("a"), world.party("b"), world.party("c")
    first = elected(a)
    assert b.stream(STREAM).election.acquire(threading.Event(), 0.2) is None
    assert c.stream(STREAM).election.acquire(threading.Event(), 0.2) is None
    assert b.stream(STREAM).election.acquire(threading.Event(), 0.2) is None
    assert a.stream(STREAM).election.contenders() == ("a", "b", "c")
    a.stream(STREAM).election.release(first, TIMEOUT_S)
    assert elected(b).member == "b"


def test_withdrawing_leaves_no_contender(world: World) -> None:
    """Who withdraws is out of the queue and blocks nobody."""
    a, b, c = world.party("a"), world.party("b"), world.party("c")
    first = elected(a)
    assert b.stream(STREAM).election.acquire(threading.Event(), 0.2) is None
    waiting = Contender(c)
    b.stream(STREAM).election.withdraw()
    assert a.stream(STREAM).election.contenders() == ("a", "c")
    a.stream(STREAM).election.release(first, TIMEOUT_S)
    assert waiting.elected().member == "c"


def test_withdrawing_leader_gives_lock_back(world: World) -> None:
    """Withdrawing also releases a lock that is held."""
    a, b = world.party("a"), world.party("b")
    leadership = elected(a)
    a.stream(STREAM).election.withdraw()
    assert elected(b).member == "b"
    assert over(a, leadership) is EndReason.LOCK_LOST


def test_deleted_lock_node_ends_term(world: World) -> None:
    """An operator who deletes the lock node ends the term, and another one leads."""
    a, b = world.party("a"), world.party("b")
    leadership = elected(a)
    waiting = Contender(b)
    world.delete(leadership.lock_path)
    assert wait_until("the term is over", lambda: over(a, leadership)) is EndReason.LOCK_LOST
    assert waiting.elected().member == "b"


def test_expired_session_ends_term_for_good(world: World) -> None:
    """A lost session ends its terms, though a new session is there at once (K4)."""
    a, b = world.party("a"), world.party("b")
    leadership = elected(a)
    waiting = Contender(b)
    a.expire()
    assert wait_until("the term is over", lambda: over(a, leadership)) is EndReason.SESSION_LOST
    second = waiting.elected()
    wait_until("it is connected again", lambda: a.session.connected and a.session.confirmed)
    assert over(a, leadership) is EndReason.SESSION_LOST
    assert ended(lambda: a.stream(STREAM).terms.raise_epoch(leadership, 0)) is EndReason.SESSION_LOST
    b.stream(STREAM).election.release(second, TIMEOUT_S)
    wait_until("it leads again", lambda: _elected_again(a))


def _elected_again(party: Party) -> Leadership | None:
    try:
        return party.stream(STREAM).election.acquire(threading.Event(), 1.0)
    except CoordinationUnavailable:
        return None


def test_suspended_leader_keeps_its_term_when_session_resumes(world: World) -> None:
    """A dropped connection is no lost session: nobody else is elected and the term goes on."""
    a = world.party("a")
    leadership = elected(a)
    a.suspend()
    wait_until("it is suspended", lambda: not a.session.connected)
    assert over(a, leadership) is None
    a.resume()
    wait_until("it is connected again", lambda: a.session.connected)
    assert over(a, leadership) is None
    a.stream(STREAM).terms.raise_epoch(leadership, 0)


def test_requests_of_suspended_session_are_refused_at_once(world: World) -> None:
    """Nothing is queued while there is no connection, so nothing is applied when it is back (K3)."""
    a = world.party("a")
    leadership = elected(a)
    ports = a.stream(STREAM)
    a.suspend()
    wait_until("it is suspended", lambda: not a.session.connected)
    for act in (
        lambda: ports.terms.raise_epoch(leadership, 0),
        lambda: ports.positions.save(leadership, StoredPosition(value=None, version=None), acknowledged(1)),
        lambda: ports.configs.put("version: 1", based_on=0, applied_by="me"),
        ports.configs.get,
    ):
        with pytest.raises(CoordinationUnavailable):
            act()
    a.resume()
    wait_until("it is connected again", lambda: a.session.connected)
    assert ports.positions.load().value is None
    assert ports.configs.get() is None


def test_session_change_wakes_subscribers(world: World) -> None:
    """Whoever subscribed learns of a dropped connection, until it unsubscribes."""
    a = world.party("a")
    woken, silent = threading.Event(), threading.Event()
    a.session.subscribe(woken)
    a.session.subscribe(silent)
    a.session.unsubscribe(silent)
    a.suspend()
    assert woken.wait(TIMEOUT_S)
    assert not silent.is_set()


# --------------------------------------------------------------------------------- terms


def test_epoch_rises_above_counter_and_sinks(world: World) -> None:
    """A new epoch is above every epoch in ZooKeeper and in the sinks (I4)."""
    a, b = world.party("a"), world.party("b")
    first = elected(a)
    assert a.stream(STREAM).terms.raise_epoch(first, 0) == 1
    a.stream(STREAM).election.release(first, TIMEOUT_S)
    second = elected(b)
    assert b.stream(STREAM).terms.raise_epoch(second, 41) == 42


def test_raising_epoch_again_returns_the_one_raised(world: World) -> None:
    """Repeating it under one leadership is harmless, unless the sinks have seen that epoch."""
    a = world.party("a")
    terms, leadership = a.stream(STREAM).terms, elected(a)
    assert terms.raise_epoch(leadership, 0) == 1
    assert terms.raise_epoch(leadership, 0) == 1
    assert terms.raise_epoch(leadership, 1) == 2


def test_epoch_whose_answer_was_lost_is_found_again(world: World) -> None:
    """An unknown outcome is settled by reading back: the epoch is raised once, not twice (K19)."""
    a = world.party("a")
    terms, leadership = a.stream(STREAM).terms, elected(a)
    a.lose_reply()
    with pytest.raises(CoordinationUnavailable):
        terms.raise_epoch(leadership, 7)
    assert terms.raise_epoch(leadership, 7) == 8


def test_epoch_is_not_raised_without_lock(world: World) -> None:
    """Who lost the lock cannot raise the epoch, not even before it notices."""
    a = world.party("a")
    terms, leadership = a.stream(STREAM).terms, elected(a)
    terms.raise_epoch(leadership, 0)
    world.delete(leadership.lock_path)
    assert ended(lambda: terms.raise_epoch(leadership, 5)) is EndReason.LOCK_LOST
    again = elected(world.party("b"))
    assert world.party("c").stream(STREAM).terms.raise_epoch(replace(again), 0) == 2


def test_leader_is_named_until_its_session_ends(world: World) -> None:
    """The leader's name goes with its session."""
    a, b = world.party("a"), world.party("b")
    leadership = elected(a)
    leader = Leader(member="a", epoch=1, since=1.5, address="10.0.0.1:9178")
    a.stream(STREAM).terms.publish(leadership, leader)
    assert b.stream(STREAM).terms.leader() == leader
    a.expire()
    wait_until("the name is gone", lambda: b.stream(STREAM).terms.leader() is None)


def test_new_leader_replaces_name_of_one_that_lost_its_lock(world: World) -> None:
    """A living session that lost its lock does not keep the next leader from naming itself, nor removes its name."""
    a, b = world.party("a"), world.party("b")
    first = elected(a)
    a.stream(STREAM).terms.publish(first, Leader(member="a", epoch=1, since=1.0))
    world.delete(first.lock_path)
    second = elected(b)
    b.stream(STREAM).terms.publish(second, Leader(member="b", epoch=2, since=2.0))
    a.stream(STREAM).terms.unpublish(first)
    assert a.stream(STREAM).terms.leader() == Leader(member="b", epoch=2, since=2.0)
    assert ended(lambda: a.stream(STREAM).terms.publish(first, Leader(member="a", epoch=1, since=1.0)))
    b.stream(STREAM).terms.unpublish(second)
    assert b.stream(STREAM).terms.leader() is None


def test_term_record_is_completed_after_lock_is_gone(world: World) -> None:
    """An ended term can still say how it ended."""
    a = world.party("a")
    terms, leadership = a.stream(STREAM).terms, elected(a)
    terms.raise_epoch(leadership, 0)
    record = TermRecord(epoch=1, member="a", since=1.0, begin=position(), note="from the state key")
    terms.record(leadership, record)
    a.stream(STREAM).election.release(leadership, TIMEOUT_S)
    complete = replace(record, until=2.0, end_reason=EndReason.SHUTDOWN, end=position(99))
    terms.record(leadership, complete)
    assert terms.history() == (complete,)


def test_history_of_terms_is_newest_first_and_bounded(world: World) -> None:
    """Only the last hundred terms are kept (I9)."""
    a = world.party("a")
    terms, leadership = a.stream(STREAM).terms, elected(a)
    terms.raise_epoch(leadership, 0)
    for epoch in range(1, 104):
        terms.record(leadership, TermRecord(epoch=epoch, member="a", since=float(epoch)))
    assert [record.epoch for record in terms.history()] == list(range(103, 3, -1))
    assert [record.epoch for record in terms.history(2)] == [103, 102]


# ----------------------------------------------------------------------------- positions


def saved(party: Party, leadership: Leadership, *states: Acknowledged) -> StoredPosition:
    """Save states one after the other."""
    positions = party.stream(STREAM).positions
    stored = positions.load()
    for state in states:
        stored = positions.save(leadership, stored, state)
    return stored


def test_saved_position_is_loaded_by_the_next_leader(world: World) -> None:
    """What was acknowledged is what the next one reads, with the version to replace it."""
    a, b = world.party("a"), world.party("b")
    leadership = elected(a)
    a.stream(STREAM).terms.raise_epoch(leadership, 0)
    assert a.stream(STREAM).positions.load() == StoredPosition(value=None, version=None)
    stored = saved(a, leadership, acknowledged(1), acknowledged(2))
    assert stored.value == acknowledged(2)
    assert b.stream(STREAM).positions.load() == stored


def test_position_is_not_saved_without_lock(world: World) -> None:
    """A leader that was overtaken cannot move the position, however late it tries."""
    a, b = world.party("a"), world.party("b")
    first = elected(a)
    a.stream(STREAM).terms.raise_epoch(first, 0)
    stored = saved(a, first, acknowledged(1))
    world.delete(first.lock_path)
    late = acknowledged(5)
    assert ended(lambda: a.stream(STREAM).positions.save(first, stored, late)) is EndReason.LOCK_LOST
    assert a.stream(STREAM).positions.load() == stored
    second = elected(b)
    newer = b.stream(STREAM).positions.save(second, stored, acknowledged(2, epoch=2))
    assert ended(lambda: a.stream(STREAM).positions.save(first, stored, late)) is EndReason.LOCK_LOST
    assert a.stream(STREAM).positions.load() == newer


@pytest.mark.parametrize(
    "older",
    [acknowledged(4), acknowledged(6, epoch=1), acknowledged(6, epoch=2, pos=7)],
    ids=["sequence", "epoch", "place"],
)
def test_position_never_goes_back_by_itself(world: World, older: Acknowledged) -> None:
    """Sequence, epoch and place move forward only, unless a loss was detected (I5)."""
    a = world.party("a")
    leadership = elected(a)
    a.stream(STREAM).terms.raise_epoch(leadership, 0)
    stored = saved(a, leadership, acknowledged(5, epoch=2))
    with pytest.raises(CoordinationRefused):
        a.stream(STREAM).positions.save(leadership, stored, older)
    assert a.stream(STREAM).positions.load() == stored
    assert a.stream(STREAM).positions.save(leadership, stored, older, rewind=True).value == older


def test_position_on_another_server_may_have_lower_coordinates(world: World) -> None:
    """After a source failover file and position start anew; sequence alone orders them."""
    a = world.party("a")
    leadership = elected(a)
    a.stream(STREAM).terms.raise_epoch(leadership, 0)
    stored = saved(a, leadership, acknowledged(5, pos=900))
    moved = Acknowledged(epoch=1, seq=6, position=position(4, "server-2"))
    assert a.stream(STREAM).positions.save(leadership, stored, moved).value == moved


@pytest.mark.parametrize("first", [True, False], ids=["created", "replaced"])
def test_position_whose_answer_was_lost_is_saved_once(world: World, first: bool) -> None:
    """Saving again after an unknown outcome finds the own write and goes on (K19)."""
    a = world.party("a")
    positions, leadership = a.stream(STREAM).positions, elected(a)
    a.stream(STREAM).terms.raise_epoch(leadership, 0)
    stored = positions.load() if first else saved(a, leadership, acknowledged(1))
    a.lose_reply()
    with pytest.raises(CoordinationUnavailable):
        positions.save(leadership, stored, acknowledged(2))
    again = positions.save(leadership, stored, acknowledged(2))
    assert again == positions.load()
    assert again.value == acknowledged(2)


def test_later_position_replaces_own_one_whose_answer_was_lost(world: World) -> None:
    """By the time ZooKeeper answers again there is a newer position; it follows the own lost one (K19)."""
    a = world.party("a")
    positions, leadership = a.stream(STREAM).positions, elected(a)
    a.stream(STREAM).terms.raise_epoch(leadership, 0)
    stored = saved(a, leadership, acknowledged(1))
    a.lose_reply()
    with pytest.raises(CoordinationUnavailable):
        positions.save(leadership, stored, acknowledged(2))
    assert positions.save(leadership, stored, acknowledged(9)).value == acknowledged(9)


def test_position_of_another_epoch_ends_term(world: World) -> None:
    """A position that somebody else wrote is not overwritten: the term ends."""
    a, b = world.party("a"), world.party("b")
    first = elected(a)
    a.stream(STREAM).terms.raise_epoch(first, 0)
    stored = saved(a, first, acknowledged(1))
    b.stream(STREAM).positions.save(first, stored, acknowledged(2, epoch=3))
    late = acknowledged(2)
    assert ended(lambda: a.stream(STREAM).positions.save(first, stored, late)) is EndReason.LOCK_LOST


# ------------------------------------------------------------------------------- configs


def test_config_revisions_count_up_and_are_kept(world: World) -> None:
    """Each put is a revision of its own, readable later."""
    configs = world.party("a").stream(STREAM).configs
    assert configs.get() is None
    one = configs.put("version: 1 # ü", based_on=0, applied_by="ann", comment="first")
    two = configs.put("version: 1", based_on=1, applied_by="bob")
    assert (one.revision, two.revision) == (1, 2)
    assert configs.get() == two
    assert configs.history() == (two, one)
    assert (configs.revision(1), configs.revision(7)) == (one, None)
    assert configs.history(1) == (two,)


def test_two_operators_cannot_overwrite_each_other(world: World) -> None:
    """A put that is based on an older revision is refused and names the one in force."""
    a, b = world.party("a").stream(STREAM).configs, world.party("b").stream(STREAM).configs
    a.put("one", based_on=0, applied_by="ann")
    b.put("two", based_on=1, applied_by="bob")
    with pytest.raises(RevisionConflict) as caught:
        a.put("three", based_on=1, applied_by="ann")
    assert caught.value.current == 2
    with pytest.raises(RevisionConflict):
        a.put("three", based_on=0, applied_by="ann")
    assert [revision.document for revision in a.history()] == ["two", "one"]


def test_config_whose_answer_was_lost_is_applied_once(world: World) -> None:
    """Applying again after an unknown outcome returns the revision that went in (K19)."""
    party = world.party("a")
    configs = party.stream(STREAM).configs
    configs.put("one", based_on=0, applied_by="ann")
    party.lose_reply()
    with pytest.raises(CoordinationUnavailable):
        configs.put("two", based_on=1, applied_by="ann")
    assert configs.put("two", based_on=1, applied_by="ann").revision == 2
    assert len(configs.history()) == 2


def test_revision_numbers_do_not_repeat_after_config_was_deleted(world: World) -> None:
    """A halt or a log that names a revision means one document, for ever."""
    configs = world.party("a").stream(STREAM).configs
    configs.put("one", based_on=0, applied_by="ann")
    world.delete(f"{world.root}/streams/{STREAM}/config")
    assert configs.get() is None
    assert configs.put("two", based_on=0, applied_by="ann").revision == 2


def test_reader_is_woken_by_first_and_by_next_config(world: World) -> None:
    """A watch set before there is a config, or on the one in force, wakes its reader once."""
    writer, reader = world.party("a").stream(STREAM).configs, world.party("b").stream(STREAM).configs
    for based_on in (0, 1):
        wake = threading.Event()
        before = reader.get(wake)
        assert (before.revision if before else 0) == based_on
        writer.put(f"document {based_on}", based_on=based_on, applied_by="ann")
        assert wake.wait(TIMEOUT_S)
        after = reader.get()
        assert after is not None
        assert after.revision == based_on + 1


def test_too_large_config_is_refused_with_its_size(world: World) -> None:
    """What would not fit into a ZooKeeper packet is refused before it is sent."""
    configs = world.party("a").stream(STREAM).configs
    with pytest.raises(ConfigInvalid):
        configs.put("x" * 400_001, based_on=0, applied_by="ann")
    assert configs.get() is None
    assert configs.put("x" * 400_000, based_on=0, applied_by="ann").revision == 1


# ------------------------------------------------------------- halts, intents, members


def halt(revision: int = 1, reason: str = "unknown event") -> Halt:
    """Return a halt under a config revision."""
    return Halt(
        code="source_refused",
        reason=reason,
        hint="upgrade",
        member="a",
        epoch=1,
        position=position(),
        config_revision=revision,
        at=3.5,
    )


def test_halt_is_seen_by_all_until_cleared(world: World) -> None:
    """A leader's halt wakes and stops the others; an operator's resume removes it."""
    a, b = world.party("a"), world.party("b")
    leadership = elected(a)
    wake = threading.Event()
    assert b.stream(STREAM).halts.get(wake) is None
    a.stream(STREAM).halts.put(leadership, halt())
    assert wake.wait(TIMEOUT_S)
    assert b.stream(STREAM).halts.get() == halt()
    a.stream(STREAM).halts.put(leadership, halt(reason="worse"))
    assert b.stream(STREAM).halts.get() == halt(reason="worse")
    assert b.stream(STREAM).halts.clear() is True
    assert b.stream(STREAM).halts.clear() is False
    assert a.stream(STREAM).halts.get() is None


def test_only_leader_halts_stream(world: World) -> None:
    """A leader that was overtaken cannot halt the stream of its successor."""
    a = world.party("a")
    leadership = elected(a)
    world.delete(leadership.lock_path)
    assert ended(lambda: a.stream(STREAM).halts.put(leadership, halt())) is EndReason.LOCK_LOST
    assert a.stream(STREAM).halts.get() is None


def test_intent_is_seen_by_all_until_withdrawn(world: World) -> None:
    """An operator's wish reaches all instances and outlives nobody's session but its own clearing."""
    a, b = world.party("a").stream(STREAM).intents, world.party("b").stream(STREAM).intents
    pause = Intent(kind=IntentKind.PAUSE, by="ann", at=1.0, reason="migration")
    wake = threading.Event()
    assert b.get(wake) is None
    a.put(pause)
    assert wake.wait(TIMEOUT_S)
    assert b.get() == pause
    a.put(replace(pause, reason="longer"))
    assert b.get() == replace(pause, reason="longer")
    assert (b.clear(), b.clear()) == (True, False)


def test_wish_is_made_only_where_there_is_none_and_settled_only_by_name(world: World) -> None:
    """A leader's wish never replaces an operator's, and whoever fulfils one takes away no other."""
    a, b = world.party("a").stream(STREAM).intents, world.party("b").stream(STREAM).intents
    wish = Intent(kind=IntentKind.SWITCHOVER, by="a to spread streams", at=1.0, to="b", epoch=3)
    assert a.ask(wish) is True
    assert a.ask(wish) is True  # an earlier try whose answer was lost
    assert b.ask(replace(wish, to="c")) is False
    assert b.settle(replace(wish, to="c")) is False
    pause = Intent(kind=IntentKind.PAUSE, by="ann", at=2.0)
    b.put(pause)
    assert a.settle(wish) is False
    assert a.get() == pause
    assert (b.settle(pause), b.settle(pause), a.get()) == (True, False, None)


def test_members_are_listed_with_their_latest_status(world: World) -> None:
    """Every instance sees all, and a status that changes."""
    a, b = world.party("a"), world.party("b")
    mine = Member(id="b", instance="2", host="h2", pid=12, version="0.1.0", started_at=1.0)
    a.members.join(Member(id="a", instance="1"))
    b.members.join(mine)
    wait_until("both are there", lambda: [member.id for member in a.members.list()] == ["a", "b"])
    leading = replace(mine, streams={STREAM: StreamStatus(role="leader", epoch=4)})
    b.members.update(leading)
    wait_until("the new status is there", lambda: leading in a.members.list())
    b.members.leave()
    wait_until("it is gone", lambda: [member.id for member in a.members.list()] == ["a"])


def test_member_is_shown_again_after_lost_session(world: World) -> None:
    """A lost session takes the status away, and the member puts it back (K15)."""
    a, b = world.party("a"), world.party("b")
    a.members.join(Member(id="a", instance="1"))
    wait_until("it is there", lambda: len(b.members.list()) == 1)
    a.expire()
    wait_until("it is there again", lambda: a.session.generation == 1 and len(b.members.list()) == 1)
    a.members.check()


def test_second_live_process_with_same_id_is_refused(world: World) -> None:
    """Two living instances cannot share an id; the later one is told so."""
    a, twin = world.party("a"), world.party("a")
    a.members.join(Member(id="a", instance="1", host="h1", pid=7))
    wait_until("it is there", lambda: len(a.members.list()) == 1)
    twin.members.join(Member(id="a", instance="2"))
    error = wait_until("it is refused", lambda: _refusal(twin), timeout_s=20)
    assert "'a'" in str(error)
    a.members.check()
    assert [member.instance for member in twin.members.list()] == ["1"]


def _refusal(party: Party) -> CoordinationRefused | None:
    try:
        party.members.check()
    except CoordinationRefused as refused:
        return refused
    return None


def test_streams_are_listed_and_new_ones_wake(world: World) -> None:
    """An instance learns of a stream as soon as its config is applied."""
    a, b = world.party("a"), world.party("b")
    wake = threading.Event()
    assert list(b.streams.names(wake)) == []
    a.stream("orders").configs.put("x", based_on=0, applied_by="ann")
    assert wake.wait(TIMEOUT_S)
    wake.clear()
    assert list(b.streams.names(wake)) == ["orders"]
    a.stream("carts").configs.put("x", based_on=0, applied_by="ann")
    assert wake.wait(TIMEOUT_S)
    assert list(b.streams.names()) == ["carts", "orders"]
