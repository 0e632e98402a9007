"""A leader dies in front of each step it takes in turn; its successor finishes, and no invariant is broken."""

import threading
from contextlib import suppress
from itertools import pairwise

import pytest

from hasync.errors import EndReason
from hasync.model.state import Acknowledged
from tests.unit.term.world import Crash, Mortal, Watching, World, at_end

DEMANDED = {
    b"account:1": b"11",
    b"changes:1": b"2",
    b"account:2": b"22",
    b"changes:2": b"2",
    **{b"account:%d" % number: b"0" for number in range(3, 12)},
    **{b"changes:%d" % number: b"1" for number in range(3, 12)},
    b"product:2": {b"name": b"two"},
}


@pytest.fixture(scope="module", autouse=True)
def threads_end() -> None:
    """Who dies here cleans nothing up: the dead leaders' acknowledgers wait for ever, as they should."""


def lead_to_the_end(world: World, member: str, mortal: Mortal) -> Watching:
    """Lead until everything is applied, then hand over; or die on the way."""
    observer = Watching()
    observer.goal = at_end(world)
    leading = world.leading(world.cluster.member(member), mortal=mortal, observer=observer)
    stopper = threading.Thread(target=lambda: (observer.caught.wait(10), leading.drain(EndReason.HANDOVER)))
    stopper.start()
    try:
        leading.run()
    finally:
        observer.caught.set()
        stopper.join()
    return observer


STEPS = 30
"""More than a whole term takes, so that every step is met; the last ones are never reached and nobody dies."""


def test_a_whole_term_takes_fewer_steps_than_are_interrupted() -> None:
    """Else the test below would leave the last ones out."""
    world, mortal = World(), Mortal()
    world.fill()
    lead_to_the_end(world, "a", mortal)
    assert world.store.content == DEMANDED
    assert 15 < len(mortal.steps) < STEPS


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("dies_at", range(1, STEPS))
def test_leader_that_dies_in_front_of_any_step_is_continued_exactly(dies_at: int) -> None:
    """I1, I2, I4, I5, I8: the successor goes on; strings, hashes and counters are what the binlog demands."""
    world = World()
    world.fill()
    with suppress(Crash):  # the threads race, so a whole term may take a step less: then it has ended well
        lead_to_the_end(world, "a", Mortal(dies_at))
    acknowledged, state = acknowledged_of(world), world.store.state
    assert acknowledged is None or (state is not None and acknowledged.seq <= state.seq), "ZooKeeper ran ahead of Redis"
    world.cluster.ensemble.end_session(1)  # the dead process's session expires
    successor = lead_to_the_end(world, "b", Mortal())
    assert world.store.content == DEMANDED
    assert_sequence_has_no_gap(world)
    assert state is None or successor.states[0].epoch > state.epoch


def acknowledged_of(world: World) -> Acknowledged | None:
    return world.cluster.member("eyes").stream("orders").positions.load().value


def assert_sequence_has_no_gap(world: World) -> None:
    """I4, I5: epochs never fall, and each batch has the number after the one before; a claim repeats it."""
    applied = world.store.applied
    for earlier, later in pairwise(applied):
        assert later.epoch >= earlier.epoch
        assert later.seq == earlier.seq + (1 if later.epoch == earlier.epoch else 0)
