"""The election of one stream: kazoo's Lock recipe with the guards it lacks."""

import threading
from typing import Final

from hasync.cluster.candidacy import Candidacy
from hasync.cluster.guarded import commit
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, read
from hasync.cluster.znodes import StreamZnodes
from hasync.coordination import Election
from hasync.errors import CoordinationUnavailable, EndReason, TermEnded
from hasync.model.cluster import Leadership
from hasync.ports import Clock

SLICE_S: Final = 0.1
"""How soon :meth:`LockElection.acquire` notices ``stop``; the lock itself wakes it at once."""


class LockElection:
    """Elects one member per stream; contenders queue up and the first one leads.

    Not kazoo's ``Election``: its ``run`` neither interrupts nor tells the leader's
    function when leadership is gone (K5).
    """

    def __init__(self, *, session: ZooKeeperSession, znodes: StreamZnodes, member: str, clock: Clock) -> None:
        """Contend for this stream as ``member``."""
        self._session = session
        self._znodes = znodes
        self._member = member
        self._clock = clock
        self._candidacy: Candidacy | None = None

    def acquire(self, stop: threading.Event, timeout_s: float) -> Leadership | None:
        """Wait in the queue; None when ``timeout_s`` passed or ``stop`` was set.

        Raises CoordinationRefused, CoordinationUnavailable when the candidacy failed; a
        next call begins a new one.
        """
        if stop.is_set():
            return None
        deadline = self._clock.monotonic() + timeout_s
        candidacy = self._candidacy or self._enter()
        while not candidacy.progress.is_set():
            left_s = deadline - self._clock.monotonic()
            if left_s <= 0 or stop.is_set():
                return None
            self._clock.wait(candidacy.progress, min(left_s, SLICE_S))
        if candidacy.leadership is not None and candidacy.reason is None:
            return candidacy.leadership
        self._candidacy = None
        if candidacy.refused is not None:
            raise candidacy.refused
        raise CoordinationUnavailable("the place in the election's queue was lost")

    def _enter(self) -> Candidacy:
        if not self._session.connected:
            raise CoordinationUnavailable("not connected to ZooKeeper, so not contending")
        candidacy = Candidacy(session=self._session, znodes=self._znodes, member=self._member, clock=self._clock)
        candidacy.start()
        self._candidacy = candidacy
        return candidacy

    def check(self, leadership: Leadership) -> None:
        """Raise TermEnded when this leadership is over. Never blocks. Called from: any thread."""
        if self._session.generation != leadership.generation:
            raise TermEnded(EndReason.SESSION_LOST)
        candidacy = self._candidacy
        if candidacy is None or candidacy.leadership != leadership:
            raise TermEnded(EndReason.LOCK_LOST, "the lock was given back")
        if candidacy.reason is not None:
            raise TermEnded(candidacy.reason)

    def confirm(self, leadership: Leadership) -> None:
        """Have the lock node checked by a transaction, which the ensemble's leader answers. Any thread.

        Raises TermEnded (SESSION_LOST, LOCK_LOST), CoordinationUnavailable.
        """
        try:
            commit(self._session, leadership, "election.confirm", lambda _: None)
        except CoordinationUnavailable:
            self.check(leadership)  # the answer may have been that the session is over
            raise

    def release(self, leadership: Leadership, timeout_s: float) -> None:
        """Give the lock up and wait up to ``timeout_s`` for ZooKeeper's word; it is pursued after that, too."""
        candidacy = self._candidacy
        if candidacy is None or candidacy.leadership != leadership:
            return  # lost or given back before: there is nothing left to release
        self._candidacy = None
        candidacy.cancel()
        candidacy.join(timeout_s)

    def withdraw(self) -> None:
        """Leave the queue; returns when no contender of ours is left or its removal is being pursued."""
        candidacy, self._candidacy = self._candidacy, None
        if candidacy is not None:
            candidacy.cancel()
            candidacy.join(self._session.timeout_s / 3)

    def contenders(self) -> tuple[str, ...]:
        """Name the members in the queue, the holder of the lock first."""
        nodes = children(self._session, "election.queue", self._znodes.election)
        queue = sorted(nodes, key=lambda node: node[-10:])
        found = (read(self._session, "election.queue", self._znodes.contender(node)) for node in queue)
        return tuple(node[0].decode(errors="replace") for node in found if node is not None)


def _conforms(election: LockElection) -> Election:
    """Have mypy hold the class to its port."""
    return election
