"""Planted bugs: the protocol with one rule taken out, and the bounds within which that must be noticed.

The bounds name only the faults that the bug needs, so that the trace is about it.
"""

from dataclasses import dataclass

from hasync.model.resume import MissingStatePolicy
from tests.model.protocol import Protocol
from tests.model.world import Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One planted bug. ``breaks``: the invariant that has to be seen broken."""

    name: str
    rules: Protocol
    bounds: Bounds
    breaks: str


def _bounds(*kinds: str, faults: int = 1, rows: str = "++", lag: int = 2) -> Bounds:
    policy = MissingStatePolicy.RESUME
    return Bounds(rows=rows, faults=faults, kinds=frozenset(kinds), lag=lag, policy=policy)


MUTANTS = (
    Mutant(
        name="no fence: the epoch in the state is not looked at",
        rules=Protocol(judges_epoch=False),
        bounds=_bounds("expire"),
        breaks="I3",
    ),
    Mutant(
        name="no sequence check: the state of the own epoch is taken for the last write",
        rules=Protocol(judges_sequence=False),
        bounds=_bounds("timeout"),
        breaks="I8",
    ),
    Mutant(
        name="a claim without WATCH",
        rules=Protocol(watches_for_claim=False),
        bounds=_bounds("expire"),
        breaks="I4",
    ),
    Mutant(name="no WATCH", rules=Protocol(watches=False), bounds=_bounds("expire"), breaks="I3"),
    Mutant(
        name="GET before WATCH",
        rules=Protocol(watches_before_reading=False),
        bounds=_bounds("expire", "timeout", faults=2),
        breaks="I8",
    ),
    Mutant(
        name="a retry that does not read the state",
        rules=Protocol(reads_before_retry=False),
        bounds=_bounds("timeout"),
        breaks="I8",
    ),
    Mutant(
        name="acknowledged before it is applied",
        rules=Protocol(applies_before_ack=False),
        bounds=_bounds("crash"),
        breaks="I5",
    ),
    Mutant(
        name="ZooKeeper's position wins over the state key",
        rules=Protocol(state_key_wins=False),
        bounds=_bounds("crash"),
        breaks="I8",
    ),
    Mutant(
        name="epoch from ZooKeeper's counter only",
        rules=Protocol(epoch_above_both=False),
        bounds=_bounds("wipe"),
        breaks="I4",
    ),
    Mutant(
        name="position saved without lock and version",
        rules=Protocol(saves_under_lock=False),
        bounds=_bounds("expire"),
        breaks="I5",
    ),
    Mutant(
        name="a claim writes what was peeked, not what it watches",
        rules=Protocol(claim_looks_again=False),
        bounds=_bounds("expire"),
        breaks="I4",
    ),
    Mutant(
        name="reading begins where it was peeked, not where it was claimed",
        rules=Protocol(begins_at_claimed=False),
        bounds=_bounds("expire"),
        breaks="I8",
    ),
    Mutant(
        name="a new stream's claim does not say where reading begins",
        rules=Protocol(anchors_claim=False),
        bounds=_bounds("failover"),
        breaks="I2",
    ),
    Mutant(
        name="no redo_from",
        rules=Protocol(keeps_redo_from=False),
        bounds=_bounds("refusal", "crash", rows="+h", faults=2),
        breaks="I2",
    ),
    Mutant(
        name="a restore that does not look at the state read behind EXEC",
        rules=Protocol(judges_before_restore=False),
        bounds=_bounds("refusal", "expire", rows="+h", faults=2),
        breaks="I3",
    ),
)
