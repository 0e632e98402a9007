"""Decides from a round's record which invariants held.  Pure: planted records show that it can say no."""

from collections.abc import Iterator
from dataclasses import dataclass

from chaos.chain import Chain, Violation, writers
from chaos.promise import Promise
from chaos.record import Record, State
from chaos.workload import TOTAL
from hasync.model.position import Flavor

REPLICATION = frozenset({"10.99.0.41", "10.99.0.42"})
HIDDEN = REPLICATION | {"10.99.0.1"}
DETECTED = frozenset({"rewind", "rebuilt", "replaced"})
SPARE_FDS, SPARE_THREADS, SPARE_MIB = 40, 16, 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a healthy cluster uses: per instance at most (before any fault), and ephemeral znodes."""

    fds: int
    threads: int
    rss_mib: float
    ephemerals: int


def judge(record: Record, promise: Promise, baseline: Baseline, flavor: Flavor) -> list[Violation]:
    """Return everything that is wrong with the round; empty: every invariant held, and was seen to hold."""
    found = list(_content(record))
    found += _chains(record, promise, flavor)
    found += _positions(record, promise)
    found += _terms(record, promise)
    found += _resources(record, baseline)
    found += _truth(record)
    found += _hearing(record, promise)
    return _counted(found)


def _counted(found: list[Violation]) -> list[Violation]:
    """Return each text once: a thing that is wrong is often seen many times."""
    return list(dict.fromkeys(found))


def _say(invariant: str, text: str) -> Violation:
    return Violation(invariant=invariant, text=text)


def _content(record: Record) -> Iterator[Violation]:
    if not record.converged_at:
        yield _say("I1", f"Redis did not become what the database demands; wrong: {', '.join(record.different_keys)}")
    if record.different:
        yield _say("I1", f"{record.different} keys differ, such as {', '.join(record.different_keys)}")
    if record.unacked:
        yield _say("I2", f"{record.unacked} acknowledged entries are not in the database")
    if record.lost:
        yield _say("I2", f"{record.lost} changes of counters were lost")
    if record.doubled:
        yield _say("I8", f"{record.doubled} changes of counters were applied twice")
    if torn := [total for _, total in record.sums if total != TOTAL]:
        yield _say(
            "I6", f"{len(torn)} of {len(record.sums)} looks saw half a transfer: a sum of {torn[0]}, not {TOTAL}"
        )
    for leak in record.leaked:
        yield _say("I12", leak)


def _chains(record: Record, promise: Promise, flavor: Flavor) -> Iterator[Violation]:
    for server, lines in record.heard.items():
        chain = Chain(server=server, flavor=flavor, promise=promise, replicas=REPLICATION)
        chain.follow(lines)
        yield from chain.violations
    for epoch, peers in writers(record.heard.values(), HIDDEN).items():
        if len(peers) > 1:
            yield _say("I4", f"epoch {epoch} was written by {' and '.join(sorted(peers))}")


def _positions(record: Record, promise: Promise) -> Iterator[Violation]:
    highest = 0
    detected = _detected(record)
    for pair in record.pairs:
        if pair.source_has is False:
            yield _say("I5", f"Redis is ahead of the source, at sequence {pair.state.seq if pair.state else '?'}")
        if pair.acknowledged_seq is None:
            continue
        if pair.state is not None and pair.acknowledged_seq > pair.state.seq and not promise.loses_redis:
            text = f"ZooKeeper says sequence {pair.acknowledged_seq}, Redis only {pair.state.seq}"
            yield _say("I5", text)
        if pair.acknowledged_seq < highest and not (detected or promise.loses_zookeeper or promise.moves):
            yield _say(
                "I5", f"ZooKeeper's position went from {highest} back to {pair.acknowledged_seq}, no loss was logged"
            )
        highest = pair.acknowledged_seq


def _detected(record: Record) -> bool:
    return any(line.get("event") == "resumed" and line.get("kind") in DETECTED for _, line in record.events)


def _terms(record: Record, promise: Promise) -> Iterator[Violation]:
    changes = term_changes(record)
    if changes > promise.terms:
        yield _say("I7", f"{changes} changes of term where the fault explains {promise.terms}")
    took_s = record.converged_at - record.healed_at
    if record.converged_at and took_s > promise.budget_s:
        yield _say("I7", f"{took_s:.1f} s from healing to convergence, the budget is {promise.budget_s:g} s")


def term_changes(record: Record) -> int:
    """Return how many epochs began to write in the round."""
    first = record.started.epoch if record.started else 0
    return len([epoch for epoch in writers(record.heard.values(), REPLICATION) if epoch > first])


def _resources(record: Record, baseline: Baseline) -> Iterator[Violation]:
    if record.dumps and 1 not in {count for _, count in record.dumps[-3:]}:  # a new one ends the old one in a moment
        yield _say("I9", f"{record.dumps[-1][1]} binlog dumps in the end, where one belongs")
    last = {standing.member: standing for standing in record.standings}
    for member, standing in last.items():
        if standing.fds > baseline.fds + SPARE_FDS:
            yield _say("I9", f"{member} has {standing.fds} file descriptors open, {baseline.fds} in the beginning")
        if standing.threads > baseline.threads + SPARE_THREADS:
            yield _say("I9", f"{member} has {standing.threads} threads, {baseline.threads} in the beginning")
        if standing.rss_mib > baseline.rss_mib + SPARE_MIB:
            yield _say("I9", f"{member} uses {standing.rss_mib:.0f} MiB, {baseline.rss_mib:.0f} in the beginning")
    if record.ephemerals != baseline.ephemerals:
        yield _say("I9", f"{record.ephemerals} ephemeral znodes in the end, {baseline.ephemerals} in the beginning")


def _truth(record: Record) -> Iterator[Violation]:
    if len(record.leaders) != 1:
        yield _say("I10", f"{', '.join(record.leaders) or 'nobody'} says it leads, in the end")
    for member, code in record.ready.items():
        if code != 200:
            yield _say("I10", f"/readyz of {member} answers {code or 'nothing'} though all is well again")
    for text in record.trouble:
        yield _say("I11" if "SIGTERM" in text else "I10", text)


def _hearing(record: Record, promise: Promise) -> Iterator[Violation]:
    """What was not observed is not known to have held."""
    for name, looks in (("accounts", record.sums), ("positions", record.pairs), ("binlog dumps", record.dumps)):
        if not looks:
            yield _say("deaf", f"{name} were never seen")
    for text in record.unseen:
        yield _say("deaf", text)
    if record.started is None or record.final is None:
        yield _say("deaf", "the state key was not read in the beginning or the end")
        return
    yield from _sequence(record, record.started, record.final, 3 * promise.redis_kills, moved=promise.moves)


def _sequence(record: Record, started: State, final: State, spare: int, *, moved: bool) -> Iterator[Violation]:
    heard = [line.state for lines in record.heard.values() for line in lines if line.kind == "write" and line.state]
    if not heard:
        yield _say("deaf", "not one write was heard")
    elif not moved and len(unheard := _unheard(heard, started, final)) > spare:
        yield _say("deaf", f"{len(unheard)} writes were not heard, such as sequence {unheard[0]}")
    last = [line for line in record.heard.get(record.final_server, []) if line.kind in {"write", "look"}]
    if not last or last[-1].state is None or last[-1].state.seq < final.seq:
        yield _say("deaf", f"the last write to {record.final_server} was not heard")


def _unheard(heard: list[State], started: State, final: State) -> list[int]:
    known = {state.seq for state in heard}
    return [seq for seq in range(started.seq + 1, final.seq + 1) if seq not in known]
