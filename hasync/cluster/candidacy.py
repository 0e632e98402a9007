"""One try to lead: from entering the queue to losing or giving back the lock, in a thread of its own."""

import threading

from kazoo.exceptions import KazooException
from kazoo.recipe.lock import Lock

from hasync.cluster.failures import ACCESS, refused
from hasync.cluster.guarded import remove
from hasync.cluster.lockclient import PAUSE_S, LockClient
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, stat_of
from hasync.cluster.znodes import StreamZnodes
from hasync.errors import CoordinationRefused, CoordinationUnavailable, EndReason
from hasync.model.cluster import Leadership
from hasync.ports import Clock


class Candidacy:
    """A fresh Lock object (K4) and the thread that waits in it and then watches over its node.

    ``leadership`` is set once the lock is ours and verified, ``reason`` once it was taken
    from us; ``progress`` is set when there is something to look at. After ``ended`` no
    node of this candidacy is left in a living session (K7).
    """

    def __init__(self, *, session: ZooKeeperSession, znodes: StreamZnodes, member: str, clock: Clock) -> None:
        """Prepare to enter the queue under the session as it is now."""
        self._session = session
        self._znodes = znodes
        self._member = member
        self._clock = clock
        self._generation = session.generation
        self._client = LockClient(session, self._generation, clock)
        self._recipe = Lock(self._client, znodes.election, member)
        self._thread = threading.Thread(target=self._run, name=f"hasync-election-{znodes.name}", daemon=True)
        self.leadership: Leadership | None = None
        self.refused: CoordinationRefused | None = None
        self.reason: EndReason | None = None
        self.progress = threading.Event()
        self.ended = threading.Event()
        self._nameless = False

    def start(self) -> None:
        """Enter the queue."""
        self._session.subscribe(self._client.wake)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the thread to leave the queue or to give the lock back; returns at once."""
        self._client.cancelled.set()
        self._recipe.cancel()

    def join(self, timeout_s: float) -> bool:
        """Wait until nothing of it is left; False when that takes longer (it goes on meanwhile)."""
        return self._clock.wait(self.ended, timeout_s)

    # ------------------------------------------------------- the thread itself

    def _run(self) -> None:
        try:
            if self._wait_for_lock():
                self._watch_over()
        finally:
            self._leave_nothing_behind()
            self._session.unsubscribe(self._client.wake)
            self.ended.set()
            self.progress.set()

    def _wait_for_lock(self) -> bool:
        """Wait in the recipe and verify what it says; True when the lock is ours."""
        try:
            # The bool counts, not the absence of an exception (K6).
            acquired = self._recipe.acquire()
        except ACCESS as refusal:
            # It will not heal: the caller is told instead of waiting for ever.
            self.refused = refused("the election", refusal)
            return False
        except KazooException:
            return False  # cancelled, or the session is another one; the caller enters anew
        while acquired and not self._client.cancelled.is_set():
            try:
                self.leadership = self._verified()
            except CoordinationUnavailable:
                self._clock.wait(self._client.cancelled, PAUSE_S)
            else:
                self.progress.set()
                return self.leadership is not None
        return False

    def _verified(self) -> Leadership | None:
        """Return the leadership if the lock node exists and belongs to this very session."""
        path = self._znodes.contender(str(self._recipe.node))
        stat = stat_of(self._session, "election.verify", path)
        session_id = self._session.session_id
        if stat is None or stat.ephemeralOwner != session_id or self._session.generation != self._generation:
            return None
        return Leadership(
            stream=self._znodes.name,
            member=self._member,
            lock_path=path,
            lock_version=stat.version,
            czxid=stat.czxid,
            session_id=session_id,
            generation=self._generation,
            waited_s=self._clock.monotonic() - noticed_at if (noticed_at := self._client.noticed_at) else 0.0,
        )

    def _watch_over(self) -> None:
        """Look after the lock node until it is gone or the candidacy is cancelled.

        An operator can delete it while the session lives; without this watch two members
        would lead until the old one's next guarded write.
        """
        wake = self._client.wake
        while self.reason is None:
            wake.clear()
            # After the clear, or a cancel in between would be slept over.
            if self._client.cancelled.is_set():
                return
            try:
                self.reason = self._loss(wake)
            except CoordinationUnavailable:
                self._clock.wait(wake, PAUSE_S)
            else:
                self._clock.wait(wake, 0 if self.reason else self._session.timeout_s)

    def _loss(self, wake: threading.Event) -> EndReason | None:
        """Tell how the leadership was lost, None while it stands; arm the watch."""
        if self._session.generation != self._generation:
            return EndReason.SESSION_LOST
        path = self._znodes.contender(str(self._recipe.node))
        stat = stat_of(self._session, "election.guard", path, wake)
        return None if stat is not None else EndReason.LOCK_LOST

    def _leave_nothing_behind(self) -> None:
        """Delete our node, or give the session up; while disconnected, keep at it until one of both is done.

        The recipe's own clean-up swallows failures and can leave a contender that nobody
        looks after; it would come to own the lock and block everybody (K7).
        """
        failing_since: float | None = None
        while self._session.generation == self._generation and not self._deleted_own():
            now = self._clock.monotonic()
            # Time without a connection does not count: the session may resume, with the
            # locks of other streams that must not be thrown away for this one.
            failing_since = (failing_since or now) if self._session.connected else None
            if failing_since is not None and now - failing_since > self._session.timeout_s:
                self._session.restart()
                return
            self._client.wake.clear()
            self._clock.wait(self._client.wake, PAUSE_S)

    def _deleted_own(self) -> bool:
        """Delete every node with our prefix; False when ZooKeeper did not confirm it."""
        try:
            self._take_back_name()
            for path in self._own_nodes():
                # Its name is unique for ever, so a late delete hits nothing else.
                remove(self._session, "election.leave", path)
        except CoordinationUnavailable:
            return False
        except CoordinationRefused as refusal:
            self.refused = refusal
        return True

    def _take_back_name(self) -> None:
        """Delete the leader's name if the term could not: ZooKeeper was away then, and the session lives on.

        A halted stream would otherwise seem to be led for as long as this process runs. While our lock node
        stands nobody else can have published, not even our own next term, so a name of this session is this term's.
        """
        if self.leadership is None or self.reason is not None or self._nameless:
            return
        stat = stat_of(self._session, "leader.read", self._znodes.leader)
        if stat is not None and stat.ephemeralOwner == self.leadership.session_id:
            remove(self._session, "leader.unpublish", self._znodes.leader)
        self._nameless = True  # behind the delete of the lock, a name would be the next term's

    def _own_nodes(self) -> list[str]:
        if self.leadership is not None:
            return [self.leadership.lock_path]  # known for sure, and a hand-over should be quick
        # By prefix: the create may have succeeded though its answer never came.
        nodes = children(self._session, "election.queue", self._znodes.election)
        return [self._znodes.contender(node) for node in nodes if node.startswith(self._recipe.prefix)]
