"""What ``hasync doctor`` finds on a stream itself: whether it is halted, and whether a new term could resume."""

from collections.abc import Iterator
from typing import Final

from hasync.cli.invocation import Servers
from hasync.cli.places import peek, resolve
from hasync.errors import ConfigInvalid, Fatal, HasyncError, StateMissing
from hasync.fleet.summary import Facts
from hasync.model.check import Check
from hasync.model.cluster import Halt
from hasync.model.config import StreamConfig
from hasync.model.resume import MissingStatePolicy, reconcile

POSITION: Final = "stream.position"


def halt_checks(facts: Facts) -> Iterator[Check]:
    """Yield a finding for a halt in force, and for each znode that is not understood."""
    for refused in facts.refusals:
        remedy = refused.hint or "'hasync status' says more; repair the znode"
        yield Check(name="stream.readable", ok=False, detail=refused.message, remedy=remedy)
    if (halt := facts.halt_in_force) is not None:
        yield _halted(halt, facts.stream)


def _halted(halt: Halt, stream: str) -> Check:
    remedy = "; ".join(part for part in (halt.hint, f"then 'hasync resume -s {stream}'") if part)
    detail = f"halted by {halt.member}: {halt.code}: {halt.reason}"
    return Check(name="stream.halt", ok=False, detail=detail, remedy=remedy)


def position_checks(facts: Facts, servers: Servers, config: StreamConfig) -> Iterator[Check]:
    """Yield whether a new term could resume: what Redis and ZooKeeper hold, and that the source still has the place.

    Nothing when a server does not answer, or does not let us in: other checks have said so.
    """
    try:
        state = peek(servers)
        resume = reconcile(facts.acknowledged, state, MissingStatePolicy(config.on_missing_state))
    except StateMissing as missing:
        yield Check(name=POSITION, ok=False, detail=missing.message, remedy=missing.hint)
        return
    except HasyncError:
        return
    try:
        place = resolve(servers, resume.position or config.source.start)
    except ConfigInvalid:
        return
    except Fatal as lost:
        if not lost.local:
            remedy = lost.hint or "choose a place that the source has: 'hasync position reset'"
            yield Check(name=POSITION, ok=False, detail=lost.message, remedy=remedy)
    except HasyncError:
        return
    else:
        where = f"at {resume.position}" if resume.position else f"at the config's start, now {place}"
        yield Check(name=POSITION, ok=True, detail=f"a new term would begin {where}: {resume.explanation}")
