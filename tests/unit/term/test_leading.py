"""How a term ends, for every way it can."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from hasync.errors import EndReason, SinkRefused, SourceRefused
from hasync.term.leading import Leading, Outcome
from testbed import wait_until
from tests.fakes.coordination import FakeMember
from tests.fakes.sink import FakeSink
from tests.unit.term.world import PRODUCT, Watching, World, at_end, compiled

Trigger = Callable[[Leading, FakeMember], object]


def run_until(world: World, what: str, trigger: Trigger, **options: Any) -> tuple[Outcome, Watching]:
    """Run a term in a thread until everything is applied, pull the trigger, and return how it ended."""
    observer = Watching()
    observer.goal = at_end(world)
    member = world.cluster.member("a")
    leading = world.leading(member, observer=observer, **options)
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(leading.run()), name=what)
    thread.start()
    assert observer.caught.wait(10)
    trigger(leading, member)
    thread.join(10)
    assert not thread.is_alive()
    member.session.expire(reconnect=False)  # its lock goes with it
    return outcomes[0], observer


@pytest.fixture
def world() -> World:
    world = World()
    world.fill()
    return world


def test_drained_term_ends_with_the_reason_it_was_asked_for(world: World) -> None:
    """I11: everything read is applied, the position acknowledged, the record complete."""
    outcome, _ = run_until(world, "drain", lambda leading, _: leading.drain(EndReason.SHUTDOWN))
    assert outcome.reason is EndReason.SHUTDOWN
    streams = world.cluster.member("eyes").stream("orders")
    stored, record = streams.positions.load().value, streams.terms.history()[0]
    assert stored is not None
    assert world.store.state is not None
    assert stored.seq == world.store.state.seq
    assert (record.end_reason, record.end) == (EndReason.SHUTDOWN, world.store.state.position)
    assert streams.terms.leader() is None


def test_lost_session_ends_the_term_for_good(world: World) -> None:
    """LOST is final, though the member is connected again at once under a new session."""
    outcome, _ = run_until(world, "expire", lambda _, member: member.session.expire())
    assert outcome.reason is EndReason.SESSION_LOST


def test_suspended_session_does_not_end_the_term(world: World) -> None:
    """Redis fences by itself: the leader goes on while ZooKeeper is away."""

    def trigger(leading: Leading, member: FakeMember) -> None:
        member.session.suspend(past_deadline=True)
        world.server.commit(PRODUCT.insert((b"9", b"nine")))
        wait_until("the leader goes on", lambda: b"product:9" in world.store.content)
        leading.drain(EndReason.HANDOVER)

    outcome, _ = run_until(world, "suspend", trigger)
    assert outcome.reason is EndReason.HANDOVER


def lose_writes(world: World) -> Trigger:
    def trigger(_leading: Leading, _member: FakeMember) -> None:
        world.store.lose_last(2)
        world.server.commit(PRODUCT.insert((b"9", b"nine")))

    return trigger


def test_regress_is_healed_by_a_new_term_under_the_same_lock(world: World) -> None:
    """I5: older than what was written means that Redis lost writes."""
    outcome, _ = run_until(world, "regress", lose_writes(world))
    assert outcome.reason is EndReason.REGRESSED
    assert outcome.keeps_leadership


def test_regress_past_the_deadline_ends_the_term_instead(world: World) -> None:
    """Past the session's deadline somebody else may have been elected; nothing is healed then."""

    def trigger(leading: Leading, member: FakeMember) -> None:
        member.session.suspend(past_deadline=True)
        lose_writes(world)(leading, member)

    outcome, _ = run_until(world, "regress past the deadline", trigger)
    assert outcome.reason is EndReason.DEADLINE
    assert not outcome.keeps_leadership


@pytest.mark.parametrize(("missing", "reason"), [("halt", EndReason.HALTED), ("resume", EndReason.REGRESSED)])
def test_missing_state_follows_the_policy(world: World, missing: str, reason: EndReason) -> None:
    """A flushed Redis halts the stream, unless the config says to resume."""

    def trigger(_leading: Leading, _member: FakeMember) -> None:
        world.store.flush()
        world.server.commit(PRODUCT.insert((b"9", b"nine")))

    outcome, _ = run_until(world, "missing", trigger, missing=missing)
    assert outcome.reason is reason


def test_newer_claim_fences_the_term(world: World) -> None:
    """I3: a claim under a higher epoch ends this term at its next write."""

    def trigger(_leading: Leading, _member: FakeMember) -> None:
        other = FakeSink(world.store)
        other.claim(99, other.peek())
        world.server.commit(PRODUCT.insert((b"9", b"nine")))

    outcome, _ = run_until(world, "fence", trigger)
    assert outcome.reason is EndReason.FENCED
    assert b"product:9" not in world.store.content


def test_refused_command_halts_with_the_position_in_front_of_it(world: World) -> None:
    """Nothing is lost: the batch is repeated once the key is mended."""

    def trigger(_leading: Leading, _member: FakeMember) -> None:
        world.store.refuse(b"product:9")
        world.server.commit(PRODUCT.insert((b"9", b"nine")))

    outcome, _ = run_until(world, "refuse", trigger)
    assert outcome.reason is EndReason.HALTED
    assert isinstance(outcome.error, SinkRefused)
    world.store.accept(b"product:9")
    _, _ = run_until(world, "again", lambda leading, _: leading.drain(EndReason.SHUTDOWN), above_epoch=1)
    assert world.store.content[b"product:9"] == {b"name": b"nine"}


@pytest.mark.parametrize(("able", "reason"), [(True, EndReason.LOCAL_FAULT), (False, EndReason.HALTED)])
def test_fault_that_may_be_local_halts_only_if_nobody_else_could_lead(
    world: World, able: bool, reason: EndReason
) -> None:
    """A wrong password in one pod must not stop a stream that another pod could lead."""
    refused = SourceRefused("access denied")
    refused.local = True

    def trigger(_leading: Leading, _member: FakeMember) -> None:
        world.server.fail(refused)

    outcome, _ = run_until(world, "local", trigger, others_able=able)
    assert outcome.reason is reason


def test_other_rules_are_followed_and_other_servers_need_a_new_term(world: World) -> None:
    """Config without restarts: rules change at a transaction boundary, a source or sink begins a new term."""

    def trigger(leading: Leading, _member: FakeMember) -> None:
        leading.follow(compiled(2))
        changed = compiled(3)
        batch = changed.config.batch.model_copy(update={"max_rows": 9})
        leading.follow(
            type(changed)(revision=3, config=changed.config.model_copy(update={"batch": batch}), rules=changed.rules)
        )

    outcome, _ = run_until(world, "follow", trigger)
    assert outcome.reason is EndReason.CONFIG
    assert outcome.keeps_leadership


def test_epoch_is_above_a_claim_that_redis_lost(world: World) -> None:
    """I4: an epoch that this instance held and Redis forgot is never used again."""
    _, observer = run_until(world, "above", lambda leading, _: leading.drain(EndReason.SHUTDOWN), above_epoch=7)
    assert observer.states[0].epoch == 8


def test_halt_is_of_the_config_that_the_term_ran_under(world: World) -> None:
    """A config applied after the fault may be its remedy: it must not be halted as well."""

    def trigger(leading: Leading, _member: FakeMember) -> None:
        leading.follow(compiled(2))
        world.store.refuse(b"product:9")
        world.server.commit(PRODUCT.insert((b"9", b"nine")))

    outcome, _ = run_until(world, "revision", trigger)
    assert (outcome.reason, outcome.config_revision) == (EndReason.HALTED, 2)


def test_new_stream_whose_first_batches_redis_lost_is_read_from_its_beginning_again(world: World) -> None:
    """I2: the claim, which Redis kept, says where reading began; so nothing is skipped under ``resume`` either."""
    outcome, _ = run_until(world, "first", lambda leading, _: leading.drain(EndReason.SHUTDOWN), missing="resume")
    assert outcome.reason is EndReason.SHUTDOWN
    whole = world.store.content
    world.store.lose_last(len(world.store.applied) - 1)
    assert world.store.content == {}
    observer = Watching()
    observer.goal = at_end(world)
    leading = world.leading(world.cluster.member("b"), observer=observer, missing="resume")
    thread = threading.Thread(target=leading.run, daemon=True)
    thread.start()
    assert observer.caught.wait(10)
    leading.drain(EndReason.SHUTDOWN)
    thread.join(10)
    assert world.store.content == whole
