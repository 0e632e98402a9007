"""What ends a term, and how everybody in it learns so."""

import threading

from hasync.coordination import Election, Session
from hasync.errors import EndReason, Fatal, TermEnded
from hasync.model.cluster import Leadership


class TermGuard:
    """:class:`hasync.ports.TermGuard` of one term. Safe from any thread; never blocks.

    The first reason given is the one that stays. A session that is only suspended does
    not end a term: Redis fences by itself, nobody can be elected without ZooKeeper, and
    a claim by anybody else ends this term at its next EXEC.
    """

    def __init__(self, *, leadership: Leadership, election: Election, session: Session) -> None:
        self.ended = threading.Event()
        self._leadership = leadership
        self._election = election
        self._session = session
        self._lock = threading.Lock()
        self._end: TermEnded | None = None
        self._fatal: Fatal | None = None

    def end(self, reason: EndReason, message: str = "") -> None:
        """End the term and cut all its waits short; later reasons are ignored."""
        with self._lock:
            self._end = self._end or TermEnded(reason, message)
        self.ended.set()

    def fail(self, fatal: Fatal) -> None:
        """Let the next check raise ``fatal``: somebody beside the data road has found what it cannot see."""
        self._fatal = self._fatal or fatal
        self.ended.set()

    def check(self) -> None:
        """Raise TermEnded when this instance may write no more, and the Fatal of :meth:`fail`."""
        if self._fatal is not None:
            raise self._fatal
        if self._end is not None:
            raise TermEnded(self._end.reason, self._end.message)
        self._election.check(self._leadership)

    @property
    def confirmed(self) -> bool:
        """Whether the ZooKeeper session is known to be alive: its own deadline has not passed."""
        return self._session.confirmed
