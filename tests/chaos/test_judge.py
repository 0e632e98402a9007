"""The judge of the chaos suite says no to each planted violation, and yes to what is allowed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.judge import Baseline, judge
from chaos.promise import Promise
from chaos.record import Heard, Pair, Record, Standing, State
from chaos.workload import TOTAL
from hasync.model.position import Flavor

ONE, TWO = "10.99.0.11", "10.99.0.12"
PRIMARY = "10.99.0.41"
BASELINE = Baseline(fds=20, threads=18, rss_mib=100.0, ephemerals=7)
LOSING = Promise(loses_redis=True)


def state(epoch: int, seq: int, upto: int | None = None) -> State:
    return State(epoch=epoch, seq=seq, gtid_set=f"ef051957-e57a-11f1-96b1-72ed7a4ee44b:1-{100 + (upto or seq)}")


def write(epoch: int, seq: int, peer: str = ONE, upto: int | None = None) -> Heard:
    return Heard(kind="write", at=float(seq), peer=peer, state=state(epoch, seq, upto))


def look(epoch: int, seq: int, role: str = "master") -> Heard:
    return Heard(kind="look", at=float(seq), role=role, state=state(epoch, seq))


def healthy(*lines: Heard) -> Record:
    """A round in which a takeover happened and nothing went wrong; ``lines``: heard at the primary instead."""
    heard = list(lines) or [look(1, 1), write(1, 2), write(2, 2, TWO), write(2, 3, TWO), look(2, 3)]
    last = next(line.state for line in reversed(heard) if line.state)
    return Record(
        began=1.0,
        fault_at=2.0,
        healed_at=3.0,
        converged_at=4.0,
        ended=5.0,
        heard={"rd1": heard},
        pairs=[Pair(at=1.0, acknowledged_seq=1, state=state(1, 2), source_has=True)],
        standings=[Standing(at=1.0, member="w1", answered=True, state="leader", fds=21, threads=18, rss_mib=101.0)],
        sums=[(1.0, TOTAL)],
        dumps=[(1.0, 1)],
        started=state(1, 1),
        final=last,
        final_server="rd1",
        ready={"w1": 200},
        leaders=("w2",),
        ephemerals=7,
    )


def invariants(record: Record, promise: Promise | None = None) -> set[str]:
    return {found.invariant for found in judge(record, promise or Promise(), BASELINE, Flavor.MYSQL)}


def changed(change: Callable[[Record], object]) -> Record:
    record = healthy()
    change(record)
    return record


def test_round_without_fault_is_not_blamed() -> None:
    """A judge that always says no would be worth nothing."""
    assert judge(healthy(), Promise(), BASELINE, Flavor.MYSQL) == []


CHAINS = {
    "an older epoch writes": ("I3", [look(2, 1), write(2, 2), write(1, 3, TWO)]),
    "an older epoch writes behind a claim": ("I3", [look(1, 1), write(2, 1, TWO), write(1, 2)]),
    "a batch twice": ("I5", [look(1, 1), write(1, 2), write(1, 2)]),
    "a batch left out": ("I5", [look(1, 1), write(1, 2), write(1, 4)]),
    "a claim that takes a batch back": ("I5", [look(1, 1), write(1, 2), write(2, 1, TWO)]),
    "a position that goes back": ("I5", [look(1, 1), write(1, 2, upto=50), write(1, 3, upto=40)]),
    "a state out of nothing": ("I5", [Heard(kind="gone", at=1.0, peer=PRIMARY), write(1, 2)]),
    "a key removed": ("I3", [look(1, 1), Heard(kind="gone", at=1.0, peer=ONE), look(1, 1)]),
    "a change that nobody wrote": ("I3", [look(1, 1), look(1, 5)]),
    "two writers under one epoch": ("I4", [look(1, 1), write(1, 2, ONE), write(1, 3, TWO)]),
    "a zombie on the new primary": ("I3", [look(2, 2), write(3, 2, TWO), write(2, 3, ONE)]),
    "more terms than the fault explains": ("I7", [look(1, 1), write(2, 1, TWO), write(3, 1, ONE), write(3, 2, ONE)]),
}


@pytest.mark.parametrize(("invariant", "lines"), CHAINS.values(), ids=CHAINS)
def test_broken_chain_of_writes_is_seen(invariant: str, lines: list[Heard]) -> None:
    """Each write has to follow from the one before it, on the same server."""
    assert invariant in invariants(healthy(*lines))


RECORDS: dict[str, tuple[str, Callable[[Record], object]]] = {
    "never converged": ("I1", lambda r: setattr(r, "converged_at", 0.0)),
    "keys differ": ("I1", lambda r: setattr(r, "different", 1)),
    "an acknowledged row gone": ("I2", lambda r: setattr(r, "unacked", 1)),
    "a change lost": ("I2", lambda r: setattr(r, "lost", 1)),
    "a change doubled": ("I8", lambda r: setattr(r, "doubled", 1)),
    "half a transfer": ("I6", lambda r: r.sums.append((1.0, TOTAL - 7))),
    "ZooKeeper ahead of Redis": ("I5", lambda r: r.pairs.append(replace(r.pairs[0], acknowledged_seq=9))),
    "ZooKeeper goes back": ("I5", lambda r: r.pairs.append(replace(r.pairs[0], acknowledged_seq=0))),
    "Redis ahead of the source": ("I5", lambda r: r.pairs.append(replace(r.pairs[0], source_has=False))),
    "late": ("I7", lambda r: setattr(r, "converged_at", 99.0)),
    "a dump too many": ("I9", lambda r: setattr(r, "dumps", [(1.0, 2)] * 3)),
    "no dump": ("I9", lambda r: setattr(r, "dumps", [(1.0, 0)] * 3)),
    "descriptors leak": ("I9", lambda r: r.standings.append(replace(r.standings[0], fds=200))),
    "threads leak": ("I9", lambda r: r.standings.append(replace(r.standings[0], threads=200))),
    "memory leaks": ("I9", lambda r: r.standings.append(replace(r.standings[0], rss_mib=900.0))),
    "a session too many": ("I9", lambda r: setattr(r, "ephemerals", 9)),
    "a session too few": ("I9", lambda r: setattr(r, "ephemerals", 6)),
    "two leaders": ("I10", lambda r: setattr(r, "leaders", ("w1", "w2"))),
    "nobody leads": ("I10", lambda r: setattr(r, "leaders", ())),
    "not ready": ("I10", lambda r: setattr(r, "ready", {"w1": 503})),
    "a fault that could not be undone": ("I10", lambda r: setattr(r, "trouble", ("w1 did not come back",))),
    "SIGTERM does not end it": ("I11", lambda r: setattr(r, "trouble", ("w1 ended with 1 on SIGTERM",))),
    "a row value in a log": ("I12", lambda r: setattr(r, "leaked", ("sesame in the log of w1",))),
    "accounts never seen": ("deaf", lambda r: r.sums.clear()),
    "positions never seen": ("deaf", lambda r: r.pairs.clear()),
    "dumps never seen": ("deaf", lambda r: r.dumps.clear()),
    "an eye that was shut": ("deaf", lambda r: setattr(r, "unseen", ("rd1 not heard for 9 s",))),
    "nothing heard": ("deaf", lambda r: r.heard.clear()),
    "the last write not heard": ("deaf", lambda r: setattr(r, "final", state(2, 4))),
    "a write in the middle not heard": ("deaf", lambda r: setattr(r, "started", state(1, 0))),
    "no state in the beginning": ("deaf", lambda r: setattr(r, "started", None)),
}


@pytest.mark.parametrize(("invariant", "change"), RECORDS.values(), ids=RECORDS)
def test_planted_violation_is_seen(invariant: str, change: Callable[[Record], object]) -> None:
    """Each invariant has at least one way to be broken, and the observer's own deafness is one."""
    assert invariant in invariants(changed(change))


def test_lost_fence_is_allowed_while_the_sequence_holds() -> None:
    """A failover that loses a claim lets the old leader go on, on the new primary, until the next claim."""
    record = healthy(look(1, 1), write(1, 2), write(3, 2, TWO), write(3, 3, TWO))
    record.heard["rd2"] = [look(1, 1), write(2, 1, TWO), Heard(kind="deaf", at=9.0)]
    assert invariants(record, Promise(terms=2, loses_redis=True)) == set()


def test_zookeeper_may_go_back_after_a_loss_that_was_logged() -> None:
    """I5: only after a detected loss."""
    record = changed(lambda r: r.pairs.append(replace(r.pairs[0], acknowledged_seq=0)))
    assert "I5" in invariants(record, LOSING)
    record.events.append(("w1", {"event": "resumed", "kind": "rewind"}))
    assert invariants(record, LOSING) == set()


def test_replication_is_not_taken_for_a_writer() -> None:
    """A replica repeats what its primary took; a full copy in between is no gap."""
    lines = [look(1, 1, "slave"), write(1, 2, PRIMARY), write(1, 9, PRIMARY), write(1, 10)]
    assert invariants(healthy(*lines)) == {"deaf"}  # what was copied was written elsewhere, and not heard there


def test_chain_begins_anew_behind_silence() -> None:
    """After a restart of Redis what was before is unknown: the first look says it."""
    lines = [look(1, 1), write(1, 2), Heard(kind="deaf", at=3.0), look(1, 2), write(1, 3)]
    assert invariants(healthy(*lines)) == set()
    assert "I5" in invariants(healthy(*lines[:-1], write(1, 4)))
