"""What every sink promises (:class:`hasync.ports.Sink`), on the store in memory and on a real Redis behind a proxy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hasync.errors import EndReason, Regressed, SinkRefused, SinkUnavailable, StateMissing, TermEnded
from hasync.model.command import Command, command
from hasync.model.state import SinkState
from hasync.ports import Sink
from testbed import Proxy, Redis
from tests.integration.sinks.bench import Bench, FakeBench, RedisBench, at, run

ADD: Command = command("INCRBY", "counter", 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(params=["fake", "redis"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "fake":
        yield FakeBench()
        return
    server = request.getfixturevalue("server")
    with Proxy(server) as proxy:
        subject = RedisBench(server, proxy)
        yield subject
        subject.end()


def lead(bench: Bench, epoch: int = 1, *, bypass: bool = False) -> Sink:
    """Return a sink that has claimed what is there."""
    sink = bench.sink(bypass=bypass)
    sink.claim(epoch, sink.peek())
    return sink


def leader_at(bench: Bench, pos: int = 100, epoch: int = 1) -> Sink:
    """Return a leader that stands at ``pos`` with sequence 1."""
    sink = lead(bench, epoch)
    sink.apply((), at(pos))
    return sink


def stored(bench: Bench) -> tuple[int, int, int | None]:
    """Return epoch, sequence and pos of the stored state."""
    state = bench.state()
    assert state is not None
    return state.epoch, state.seq, state.position.pos if state.position else None


# -------------------------------------------------------------------------- the claim


def test_first_claim_begins_at_sequence_zero(bench: Bench) -> None:
    """A new stream's state is written by its first claim."""
    sink = bench.sink()
    assert sink.peek() is None
    claimed = sink.claim(1, None)
    assert (claimed.epoch, claimed.seq, claimed.position) == (1, 0, None)
    assert stored(bench) == (1, 0, None)


def test_claim_takes_sequence_and_position_over(bench: Bench) -> None:
    """A new term goes on where the last one stopped."""
    leader_at(bench)
    successor = bench.sink()
    claimed = successor.claim(2, successor.peek())
    assert (claimed.epoch, claimed.seq, claimed.position) == (2, 1, at(100))
    assert stored(bench) == (2, 1, 100)


@pytest.mark.parametrize("epoch", [4, 5])
def test_claim_under_an_epoch_that_is_not_higher_is_refused(bench: Bench, epoch: int) -> None:
    """Epochs strictly rise (I4), whatever ZooKeeper said."""
    leader_at(bench, epoch=5)
    late = bench.sink()
    seen = late.peek()
    with pytest.raises(TermEnded) as ended:
        late.claim(epoch, seen)
    assert ended.value.reason is EndReason.FENCED
    assert stored(bench) == (5, 1, 100)


def test_claim_whose_reply_was_lost_is_repeated_safely(bench: Bench) -> None:
    """The stored state is exactly this claim, so it is this claim."""
    leader_at(bench)
    sink = bench.sink()
    seen = sink.peek()
    with bench.replies_lost(), pytest.raises(SinkUnavailable):
        sink.claim(2, seen)
    assert sink.claim(2, seen).epoch == 2
    assert run(sink, ADD, position=at(200)).seq == 2


def test_claim_that_did_not_get_through_is_repeated_safely(bench: Bench) -> None:
    """Nothing was written, so the second try writes it."""
    sink = bench.sink()
    seen = sink.peek()
    with bench.away(), pytest.raises(SinkUnavailable):
        sink.claim(1, seen)
    assert bench.state() is None
    sink.claim(1, seen)
    assert stored(bench) == (1, 0, None)


def test_two_claims_under_one_epoch_leave_one_leader(bench: Bench) -> None:
    """Should ZooKeeper give an epoch out twice, Redis accepts it once."""
    one, two = bench.sink(), bench.sink()
    seen_by_one, seen_by_two = one.peek(), two.peek()
    one.claim(1, seen_by_one)
    with pytest.raises(TermEnded):
        two.claim(1, seen_by_two)


def test_claim_adopts_what_an_older_leader_still_applied_after_the_peek(bench: Bench) -> None:
    """A zombie that keeps writing between peek and claim cannot keep its successor from the claim."""
    zombie, successor = leader_at(bench), bench.sink()
    seen = successor.peek()
    zombie.apply([ADD], at(200))
    claimed = successor.claim(2, seen)
    assert (claimed.epoch, claimed.seq, claimed.position) == (2, 2, at(200))
    with pytest.raises(TermEnded):
        zombie.apply([ADD], at(300))
    assert bench.content() == {b"counter": b"1"}


def test_claim_with_another_position_is_refused_when_the_state_changed_since_the_peek(bench: Bench) -> None:
    """A decision to replace the state holds only for the state it was made on."""
    old, successor = leader_at(bench), bench.sink()
    seen = successor.peek()
    assert seen is not None
    old.apply([ADD], at(200))
    with pytest.raises(TermEnded):
        successor.claim(2, replace(seen, position=at(50)))
    assert stored(bench) == (1, 2, 200)


def test_claim_is_refused_when_the_state_vanished_since_the_peek(bench: Bench) -> None:
    """What was peeked is gone: the term has to look again."""
    leader_at(bench)
    successor = bench.sink()
    seen = successor.peek()
    bench.flush()
    with pytest.raises(TermEnded):
        successor.claim(2, seen)
    assert bench.state() is None


def test_claim_may_put_a_state_where_none_is(bench: Bench) -> None:
    """Policy resume: the caller goes on from ZooKeeper's copy though Redis was flushed."""
    sink = bench.sink()
    assert sink.peek() is None
    claimed = sink.claim(4, SinkState(epoch=3, seq=70, position=at(700)))
    assert (claimed.epoch, claimed.seq, claimed.position) == (4, 70, at(700))
    assert run(sink, ADD, position=at(800)).seq == 71


def test_claim_may_replace_the_peeked_state(bench: Bench) -> None:
    """`position reset`: the caller's decision, while nothing changed since the peek."""
    leader_at(bench)
    sink = bench.sink()
    seen = sink.peek()
    assert seen is not None
    assert sink.claim(2, replace(seen, position=at(7))).position == at(7)


# ------------------------------------------------------------------------- one batch


def test_batch_and_state_go_in_together(bench: Bench) -> None:
    """Content, sequence and position move as one."""
    sink = leader_at(bench)
    state = sink.apply([command("SET", "a", "1"), command("HSET", "h", "f", "2"), ADD], at(200))
    assert (state.epoch, state.seq, state.position, state.source) == (1, 2, at(200), "u1")
    assert stored(bench) == (1, 2, 200)
    assert bench.content() == {b"a": b"1", b"h": {b"f": b"2"}, b"counter": b"1"}


def test_batch_without_commands_moves_the_position_on(bench: Bench) -> None:
    """Traffic of other tables is acknowledged too."""
    sink = leader_at(bench)
    assert sink.apply((), at(200)).seq == 2
    assert stored(bench) == (1, 2, 200)
    assert bench.content() == {}


def test_split_transaction_moves_by_rows(bench: Bench) -> None:
    """Inside a transaction the place is its start and the rows done."""
    sink = leader_at(bench)
    sink.apply([ADD], at(100, rows_done=500))
    with bench.replies_lost(), pytest.raises(SinkUnavailable):
        sink.apply([ADD], at(100, rows_done=1000))
    assert run(sink, ADD, position=at(100, rows_done=1000)).seq == 3
    assert bench.content() == {b"counter": b"2"}


def test_unclaimed_sink_applies_nothing(bench: Bench) -> None:
    """Without a claim there is no epoch to write under."""
    with pytest.raises(TermEnded) as ended:
        bench.sink().apply([ADD], at(100))
    assert ended.value.reason is EndReason.LOCAL_FAULT
    assert bench.content() == {}


@pytest.mark.parametrize("times", range(1, 11))
def test_reply_lost_again_and_again_applies_the_batch_once(bench: Bench, times: int) -> None:
    """However many replies are lost, a counter counts once (I8)."""
    sink = leader_at(bench)
    with bench.replies_lost():
        for _ in range(times):
            with pytest.raises(SinkUnavailable):
                sink.apply([ADD], at(200))
    assert run(sink, ADD, position=at(200)).seq == 2
    assert bench.content() == {b"counter": b"1"}


def test_reply_lost_for_each_batch_leaves_no_gap_and_no_double(bench: Bench) -> None:
    """A connection that breaks after every batch costs time and nothing else (I5, I8)."""
    sink = leader_at(bench)
    for number in range(2, 12):
        with bench.replies_lost(), pytest.raises(SinkUnavailable):
            sink.apply([ADD], at(100 * number))
        assert run(sink, ADD, position=at(100 * number)).seq == number
    assert bench.content() == {b"counter": b"10"}


def test_batch_that_did_not_get_through_is_applied_once(bench: Bench) -> None:
    """The state says that it is not in, so it is sent."""
    sink = leader_at(bench)
    with bench.away(), pytest.raises(SinkUnavailable):
        sink.apply([ADD], at(200))
    assert bench.content() == {}
    assert run(sink, ADD, position=at(200)).seq == 2
    assert bench.content() == {b"counter": b"1"}


def test_other_batch_after_one_that_went_in_unnoticed_is_not_applied(bench: Bench) -> None:
    """It was cut at a place that is not where Redis is."""
    sink = leader_at(bench)
    with bench.replies_lost(), pytest.raises(SinkUnavailable):
        sink.apply([ADD], at(200))
    for _ in range(2):
        with pytest.raises(TermEnded) as ended:
            run(sink, ADD, ADD, position=at(300))
        assert ended.value.reason is EndReason.LOCAL_FAULT
    assert bench.content() == {b"counter": b"1"}


def test_other_batch_after_one_that_did_not_go_in_is_applied(bench: Bench) -> None:
    """Redis is where this leader thinks it is, so the batch may be another."""
    sink = leader_at(bench)
    with bench.away(), pytest.raises(SinkUnavailable):
        sink.apply([ADD], at(200))
    assert run(sink, ADD, ADD, position=at(300)).seq == 2
    assert bench.content() == {b"counter": b"2"}


def test_sink_may_be_closed_twice_and_used_again(bench: Bench) -> None:
    """Closing drops the connection, not the knowledge of what was written."""
    sink = leader_at(bench)
    sink.close()
    sink.close()
    assert run(sink, ADD, position=at(200)).seq == 2


# ------------------------------------------------------------------------- the fence


def test_zombie_batch_already_sent_is_not_applied_after_a_new_claim(bench: Bench) -> None:
    """Bytes on the wire when the new term began are rejected by Redis itself (I3)."""
    zombie = leader_at(bench)
    with bench.held(), pytest.raises(SinkUnavailable):
        zombie.apply([ADD], at(200))
    successor = lead(bench, 2, bypass=True)
    bench.release()
    assert bench.content() == {}
    assert stored(bench) == (2, 1, 100)
    with pytest.raises(TermEnded) as ended:
        run(zombie, ADD, position=at(200))
    assert ended.value.reason is EndReason.FENCED
    assert bench.fenced(zombie) == 1
    assert run(successor, ADD, position=at(200)).seq == 2
    assert bench.content() == {b"counter": b"1"}


def test_zombie_batch_sent_right_after_a_reconnect_is_not_applied_after_a_new_claim(bench: Bench) -> None:
    """Reading the state is not enough: the connection watches it from the read to the write."""
    zombie = leader_at(bench)
    zombie.close()
    with bench.held(), pytest.raises(SinkUnavailable):
        zombie.apply([ADD], at(200))
    lead(bench, 2, bypass=True)
    bench.release()
    assert bench.content() == {}
    assert stored(bench) == (2, 1, 100)


def test_claim_already_sent_does_not_overwrite_a_higher_claim(bench: Bench) -> None:
    """A candidate that was overtaken on the way stays behind."""
    slow = bench.sink()
    seen = slow.peek()
    with bench.held(), pytest.raises(SinkUnavailable):
        slow.claim(1, seen)
    lead(bench, 2, bypass=True).apply([ADD], at(100))
    bench.release()
    assert stored(bench) == (2, 1, 100)
    with pytest.raises(TermEnded):
        slow.claim(1, seen)


def test_batch_held_on_the_wire_without_a_new_claim_counts_once(bench: Bench) -> None:
    """A late batch and its retry are one batch, in whichever order they arrive."""
    sink = leader_at(bench)
    with bench.held(), pytest.raises(SinkUnavailable):
        sink.apply([ADD], at(200))
    bench.release()
    assert run(sink, ADD, position=at(200)).seq == 2
    assert bench.content() == {b"counter": b"1"}


def test_zombie_on_its_living_connection_is_fenced(bench: Bench) -> None:
    """A leader that noticed nothing has its next batch rejected, and again if it insists."""
    zombie = leader_at(bench)
    lead(bench, 2)
    for _ in range(2):
        with pytest.raises(TermEnded) as ended:
            zombie.apply([ADD], at(200))
        assert ended.value.reason is EndReason.FENCED
    assert bench.fenced(zombie) == 2
    assert bench.content() == {}


def test_zombie_on_a_new_connection_is_fenced(bench: Bench) -> None:
    """A reconnect reads the state before it writes."""
    zombie = leader_at(bench)
    zombie.close()
    lead(bench, 2)
    with pytest.raises(TermEnded):
        zombie.apply([ADD], at(200))
    assert bench.content() == {}


def test_batch_that_went_in_before_the_new_claim_is_kept_and_its_leader_fenced(bench: Bench) -> None:
    """The successor goes on behind it; the zombie's retry does not double it."""
    zombie = leader_at(bench)
    with bench.replies_lost(), pytest.raises(SinkUnavailable):
        zombie.apply([ADD], at(200))
    successor = bench.sink()
    assert successor.claim(2, successor.peek()).position == at(200)
    with pytest.raises(TermEnded):
        run(zombie, ADD, position=at(200))
    assert bench.content() == {b"counter": b"1"}


def test_foreign_write_under_our_own_epoch_ends_the_term(bench: Bench) -> None:
    """An edited state, or an epoch given out twice, is not written over."""
    sink = leader_at(bench)
    bench.set_state(SinkState(epoch=1, seq=9, position=at(900)))
    with pytest.raises(TermEnded) as ended:
        sink.apply([ADD], at(200))
    assert ended.value.reason is EndReason.FENCED
    assert stored(bench) == (1, 9, 900)


def test_state_written_again_unchanged_does_not_stop_the_stream(bench: Bench) -> None:
    """The transaction fails, the state is found to be ours, the batch is sent again."""
    sink = leader_at(bench)
    bench.set_state(bench.state())
    assert sink.apply([ADD], at(200)).seq == 2
    assert bench.content() == {b"counter": b"1"}


# ------------------------------------------------------------------------- lost writes


def test_lost_writes_are_found_and_the_stream_goes_back(bench: Bench) -> None:
    """After a failover that lost acknowledged batches the leader is told what is left, and goes on from there."""
    sink = leader_at(bench)
    bench.mark()
    for number in (2, 3, 4):
        sink.apply([ADD], at(100 * number))
    bench.fail_over()
    with pytest.raises(Regressed) as regressed:
        run(sink, ADD, position=at(500))
    assert isinstance(regressed.value.state, SinkState)
    assert (regressed.value.state.seq, regressed.value.state.position) == (1, at(100))
    with pytest.raises(Regressed):
        run(sink, ADD, position=at(500))
    sink.claim(2, regressed.value.state)
    for number in (2, 3, 4, 5):
        assert run(sink, ADD, position=at(100 * number)).seq == number
    assert bench.content() == {b"counter": b"4"}


def test_lost_claim_is_a_regress_and_the_older_leader_is_fenced_again(bench: Bench) -> None:
    """A failover that loses the fence itself is found, and the zombie that used it is stopped by the next claim."""
    zombie = leader_at(bench)
    bench.mark()
    sink = lead(bench, 2)
    sink.apply([ADD], at(200))
    bench.fail_over()
    run(zombie, ADD, position=at(250))  # Redis has forgotten epoch 2
    with pytest.raises(Regressed) as regressed:
        run(sink, ADD, position=at(300))
    assert isinstance(regressed.value.state, SinkState)
    claimed = sink.claim(3, regressed.value.state)
    assert (claimed.epoch, claimed.seq, claimed.position) == (3, 2, at(250))
    with pytest.raises(TermEnded):
        run(zombie, ADD, position=at(350))
    run(sink, ADD, position=at(300))
    assert bench.content() == {b"counter": b"2"}


def test_batch_of_unknown_outcome_lost_in_a_failover_is_a_regress_or_sent_again(bench: Bench) -> None:
    """The last confirmed write is there, so the batch that nobody acknowledged is simply sent."""
    sink = leader_at(bench)
    bench.mark()
    with bench.replies_lost(), pytest.raises(SinkUnavailable):
        sink.apply([ADD], at(200))
    bench.fail_over()
    assert run(sink, ADD, position=at(200)).seq == 2
    assert bench.content() == {b"counter": b"1"}


def test_missing_state_stops_the_leader_and_may_be_replaced(bench: Bench) -> None:
    """A flush is told apart from a regress; going on is the caller's decision."""
    sink = leader_at(bench)
    bench.flush()
    for _ in range(2):
        with pytest.raises(StateMissing):
            sink.apply([ADD], at(200))
    assert bench.content() == {}
    claimed = sink.claim(2, SinkState(epoch=1, seq=1, position=at(100)))
    assert claimed.seq == 1
    assert run(sink, ADD, position=at(200)).seq == 2


def test_claim_lost_before_the_first_batch_is_noticed(bench: Bench) -> None:
    """A state that goes missing right after the claim does not pass for a new stream."""
    sink = lead(bench)
    bench.set_state(None)
    with pytest.raises(StateMissing):
        sink.apply([ADD], at(200))
    assert bench.content() == {}


# ---------------------------------------------------------------------------- refusals

BAD_HSET = command("HSET", "text", "field", "secret-value")


def test_refused_repeatable_batch_leaves_the_state_at_its_begin(bench: Bench) -> None:
    """The operator repairs the key, the batch is repeated, nothing is lost."""
    sink = leader_at(bench)
    bench.put(b"text", b"words")
    with pytest.raises(SinkRefused) as refused:
        sink.apply([command("SET", "a", "1"), BAD_HSET], at(200))
    assert "text" in str(refused.value)
    assert "WRONGTYPE" in str(refused.value)
    assert "secret-value" not in str(refused.value)
    state = bench.state()
    assert state is not None
    assert (state.seq, state.position, state.redo_from) == (3, at(100), None)
    bench.remove(b"text")
    assert run(sink, command("SET", "a", "1"), BAD_HSET, position=at(200)).seq == 4
    assert bench.content() == {b"a": b"1", b"text": {b"field": b"secret-value"}}


def test_refusal_whose_reply_was_lost_is_not_taken_for_success(bench: Bench) -> None:
    """The batch is in, but whether all of it, only its replies told; so it is repeated."""
    sink = leader_at(bench)
    bench.put(b"text", b"words")
    with bench.replies_lost(), pytest.raises(SinkUnavailable):
        sink.apply([BAD_HSET], at(200))
    with pytest.raises(SinkRefused):
        run(sink, BAD_HSET, position=at(200))
    assert stored(bench)[2] == 100


def test_repeatable_batch_whose_reply_was_lost_is_repeated_without_harm(bench: Bench) -> None:
    """It goes in twice and the content is the same; the sequence has no gap."""
    sink = leader_at(bench)
    good = command("HSET", "h", "f", "1")
    with bench.replies_lost(), pytest.raises(SinkUnavailable):
        sink.apply([good], at(200))
    assert run(sink, good, position=at(200)).seq == 3
    assert bench.content() == {b"h": {b"f": b"1"}}


def test_successor_of_a_repeatable_batch_begins_at_its_begin(bench: Bench) -> None:
    """Nobody may have heard its replies; until the next write it counts as not done."""
    sink = leader_at(bench)
    sink.apply([command("HSET", "h", "f", "1")], at(200))
    successor = bench.sink()
    claimed = successor.claim(2, successor.peek())
    assert (claimed.position, claimed.redo_from) == (at(200), at(100))
    assert successor.apply([command("HSET", "h", "f", "1")], at(150)).redo_from == at(100)
    assert successor.apply([command("HSET", "h", "f", "1")], at(200)).redo_from == at(150)
    assert successor.apply([command("SET", "a", "1")], at(300)).redo_from is None


def test_counting_batch_is_refused_before_anything_is_written(bench: Bench) -> None:
    """What must not be repeated is checked first, so nothing of it has happened."""
    sink = leader_at(bench)
    bench.put(b"counter", {b"not": b"a counter"})
    with pytest.raises(SinkRefused) as refused:
        sink.apply([command("SET", "a", "1"), ADD], at(200))
    assert "counter" in str(refused.value)
    assert stored(bench) == (1, 1, 100)
    assert b"a" not in bench.content()
    bench.remove(b"counter")
    assert run(sink, command("SET", "a", "1"), ADD, position=at(200)).seq == 2
    assert bench.content() == {b"a": b"1", b"counter": b"1"}


def test_counting_batch_refused_in_the_act_says_what_had_no_effect(bench: Bench) -> None:
    """No check foresees text in a counter; the rest of the batch is in and the position is past it."""
    sink = leader_at(bench)
    bench.put(b"counter", b"secret-text")
    with pytest.raises(SinkRefused) as refused:
        sink.apply([command("SET", "a", "1"), ADD], at(200))
    assert "counter" in str(refused.value)
    assert "no effect" in str(refused.value)
    assert "secret-text" not in str(refused.value)
    assert stored(bench) == (1, 2, 200)
    assert bench.content() == {b"a": b"1", b"counter": b"secret-text"}


# ----------------------------------------------------------------------- interruptions

BATCHES: tuple[tuple[Command, ...], ...] = (
    (),
    (ADD, command("SET", "a", "1")),
    (command("HSET", "h", "f", "1"),),
    (command("HSET", "h", "g", "2"), command("SET", "a", "2")),
    (ADD, command("HSET", "h", "f", "3")),
    (command("DEL", "a"), ADD),
    (command("SET", "b", "9"),),
)
EXPECTED = {b"counter": b"3", b"h": {b"f": b"3", b"g": b"2"}, b"b": b"9"}


def steps(sink: Sink, epoch: int) -> Iterator[None]:
    """Lead to the end, pausing before each call of the sink."""
    yield
    seen = sink.peek()
    yield
    state = sink.claim(epoch, seen)
    begin = state.redo_from or state.position
    done = begin.pos if begin else 0
    for number, batch in enumerate(BATCHES, start=1):
        if number > done:
            yield
            sink.apply(batch, at(number))


@contextmanager
def broken(bench: Bench, fault: str) -> Iterator[None]:
    """Break what is done meanwhile, in one of the ways of the test below."""
    ways = {"away": bench.away, "reply lost": bench.replies_lost}
    with ways.get(fault, bench.held)():
        yield
    if fault == "held":
        bench.release()


@pytest.mark.parametrize("step", range(2 + len(BATCHES)))
@pytest.mark.parametrize("fault", ["away", "reply lost", "held", "held past the takeover"])
def test_leader_that_dies_between_any_two_steps_loses_and_doubles_nothing(bench: Bench, step: int, fault: str) -> None:
    """Wherever the old leader stops, with whatever on the wire, its successor ends at the right content (I1-I5, I8)."""
    leader, successor = bench.sink(), bench.sink(bypass=True)
    walk = steps(leader, 1)
    for _ in range(step + 1):
        next(walk)
    with broken(bench, fault), pytest.raises(SinkUnavailable):
        for _ in walk:
            pass
    for _ in steps(successor, 2):
        pass
    if fault == "held past the takeover":
        bench.release()
    assert bench.content() == EXPECTED
    state = bench.state()
    assert state is not None
    assert (state.epoch, state.position) == (2, at(len(BATCHES)))
