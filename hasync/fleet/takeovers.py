"""What the history of a stream's terms tells of its takeovers. Pure."""

from typing import Final

from hasync.model.cluster import Leader, TermRecord

STEPS: Final = ("lock", "read", "epoch", "claim", "open", "first_batch")
"""The steps of a takeover in their order, as :class:`hasync.term.takeover.Step` names them."""


def ending(term: TermRecord, leader: Leader | None) -> str:
    """Say how a term ended: its reason, ``running``, or that its leader never said."""
    if term.end_reason is not None:
        return term.end_reason.value
    return "running" if leader is not None and leader.epoch == term.epoch else "without a word"


def gap_s(term: TermRecord, before: TermRecord | None) -> float | None:
    """Return the time from a term's end to the next one's begin, None where its leader died without a word.

    Two hosts' clocks are in it.
    """
    return max(0.0, term.since - before.until) if before is not None and before.until else None
