"""What a state found in Redis says about the one this leader wrote last. Pure."""

from enum import Enum

from hasync.errors import EndReason, HasyncError, Regressed, StateMissing, TermEnded
from hasync.model.state import SinkState


class Verdict(Enum):
    """The outcomes; each state in Redis is exactly one of them."""

    WRITTEN = "written"
    """The last confirmed write: nothing has happened since."""
    ATTEMPT = "attempt"
    """The write whose reply was lost: it went in."""
    FENCED = "fenced"
    """A newer epoch has claimed the stream."""
    MISSING = "missing"
    """No state: Redis was flushed, or is another database."""
    REGRESSED = "regressed"
    """An older state: Redis lost acknowledged writes, perhaps the claim itself."""
    FOREIGN = "foreign"
    """Our epoch, but not our write: somebody else wrote under it."""


def judge(stored: SinkState | None, written: SinkState, attempt: SinkState | None = None) -> Verdict:
    """Compare what Redis holds with the last confirmed write and the one of unknown outcome.

    A lower epoch is a regress even at a higher sequence: then the claim was lost in a
    failover, and the leader before went on on the new primary.
    """
    if stored is None:
        return Verdict.MISSING
    if stored.same_write(written):
        return Verdict.WRITTEN
    if attempt is not None and stored.same_write(attempt):
        return Verdict.ATTEMPT
    if stored.epoch != written.epoch:
        return Verdict.FENCED if stored.epoch > written.epoch else Verdict.REGRESSED
    return Verdict.REGRESSED if stored.seq < written.seq else Verdict.FOREIGN


def trouble(verdict: Verdict, stored: SinkState | None, written: SinkState, key: str) -> HasyncError:
    """Return the error that tells of a ``verdict`` other than WRITTEN and ATTEMPT."""
    mine = f"epoch {written.epoch} sequence {written.seq}"
    if stored is None:
        hint = "was Redis flushed, or is redis.url another database? on_missing_state decides"
        return StateMissing(f"{key} is gone, this leader wrote {mine}", hint=hint)
    found = f"epoch {stored.epoch} sequence {stored.seq}"
    if verdict is Verdict.REGRESSED:
        return Regressed(f"Redis lost acknowledged writes: {key} holds {found}, this leader wrote {mine}", state=stored)
    if verdict is Verdict.FENCED:
        return TermEnded(EndReason.FENCED, f"epoch {stored.epoch} has claimed {key} from epoch {written.epoch}")
    message = f"{key} holds {found} at {stored.position}, which this leader (at {mine}) never wrote: another writer"
    return TermEnded(EndReason.FENCED, f"{message} uses its epoch, or the key was edited")
