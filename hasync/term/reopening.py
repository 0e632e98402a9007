"""Whether a leader that lost its dump may take it again, or somebody else has it by right.

A source ends the older of two dumps with one server id, and often without a word. So a
leader that woke too late, and one whose session was ended behind its back, would take
the dump from their successor, who would take it back. Whoever holds the lock keeps it.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from hasync.coordination import Election
from hasync.errors import (
    CoordinationUnavailable,
    EndReason,
    HasyncError,
    SinkRefused,
    SinkUnavailable,
    SourceUnavailable,
    TermEnded,
)
from hasync.model.cluster import Leadership
from hasync.ports import Clock
from hasync.term.guard import TermGuard

PATIENCE_S: Final = 1.0
"""How long a leader whose session may be over waits for ZooKeeper's word before it trusts the state key alone.

Within it a successor that is about to claim has claimed, and a session that is over has mostly been said to be."""

TAKEN_TIMES: Final = 3
TAKEN_WITHIN_S: Final = 60.0
"""A dump that is taken from the holder of the lock more often is another deployment's, under this stream's name."""


class Reopening:
    """:class:`hasync.stream.reader.Reopening` of one term. Called from: the reader thread.

    ``look`` reads the epoch in the state key, 0 for none; it must not be the sink of the
    stream's thread. Raises SinkUnavailable, SinkRefused.
    """

    def __init__(
        self,
        *,
        leadership: Leadership,
        epoch: int,
        election: Election,
        guard: TermGuard,
        look: Callable[[], int],
        clock: Clock,
    ) -> None:
        """Judge for the leader of ``epoch``."""
        self._leadership = leadership
        self._epoch = epoch
        self._election = election
        self._guard = guard
        self._look = look
        self._clock = clock
        self._doubtful_since_s: float | None = None
        self._taken_at_s: deque[float] = deque(maxlen=TAKEN_TIMES + 1)

    def check(self, *, again: bool) -> None:
        """Ask ZooKeeper whether the lock is still ours; while it does not answer, Redis who has claimed last.

        Nothing is asked for the first opening of a term whose session is known to live.
        Raises TermEnded (SESSION_LOST, LOCK_LOST, FENCED); Retryable while it cannot be known.
        """
        if not again and self._guard.confirmed:
            return
        try:
            self._election.confirm(self._leadership)
        except CoordinationUnavailable as away:
            self._without_zookeeper(away)
        else:
            self._doubtful_since_s = None

    def _without_zookeeper(self, away: CoordinationUnavailable) -> None:
        try:
            epoch = self._look()
        except (SinkUnavailable, SinkRefused):
            if self._guard.confirmed:
                return  # nobody can have been elected
            raise
        if epoch <= self._epoch and self._guard.confirmed:
            return
        if self._doubted_for_s() < PATIENCE_S:
            raise SourceUnavailable(f"not taken yet: another may lead, and ZooKeeper does not answer: {away.message}")
        if epoch > self._epoch:
            message = f"epoch {epoch} has claimed the stream from epoch {self._epoch}, so the source is not ours"
            raise TermEnded(EndReason.FENCED, message)

    def _doubted_for_s(self) -> float:
        now_s = self._clock.monotonic()
        if self._doubtful_since_s is None:
            self._doubtful_since_s = now_s
        return now_s - self._doubtful_since_s

    def taken(self, ended: TermEnded) -> HasyncError:
        """Return what to make of another reader having taken the dump: a lost connection, unless it goes on."""
        now_s = self._clock.monotonic()
        self._taken_at_s.append(now_s)
        if len(self._taken_at_s) > TAKEN_TIMES and now_s - self._taken_at_s[0] <= TAKEN_WITHIN_S:
            return ended
        return SourceUnavailable(ended.message)
