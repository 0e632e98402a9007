"""The session with ZooKeeper: bounded requests, a deadline of its own, and a number that tells sessions apart."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, OperationTimeoutError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState, KeeperState

from hasync.cluster.access import Auth, Grant, Tls
from hasync.cluster.client import PromptClient
from hasync.cluster.failures import NO_FAILURE, connect_failure, inspected, mapped, outcome, silence_remedy
from hasync.coordination import ClusterObserver, Session, SessionEvent, SilentObserver
from hasync.errors import CoordinationRefused, CoordinationUnavailable
from hasync.model.cluster import SessionCredential
from hasync.ports import Clock, Gate

MARGIN: Final = 0.1
"""Part of the session timeout by which the own deadline comes before the server's."""

NEVER: Final = float("-inf")

Answer = TypeVar("Answer")


class ZooKeeperSession:
    """One logical session; when ZooKeeper ends it a new one follows and ``generation`` rises.

    kazoo has no timer of its own (K2): under a partition it never says LOST. So an own
    thread asks for a ``sync`` every third of the *granted* timeout; it is answered by the
    ensemble's leader, not by a cut-off follower. Each answer moves the deadline to the
    moment its question was *sent* plus the timeout: the server cannot have counted from
    earlier.
    """

    def __init__(
        self,
        *,
        hosts: Sequence[str],
        clock: Clock,
        session_timeout_s: float = 10.0,
        auth: Auth | None = None,
        tls: Tls | None = None,
        grants: Sequence[Grant] = (),
        observer: ClusterObserver | None = None,
        resume: SessionCredential | None = None,
        gate: Gate | None = None,
    ) -> None:
        """Prepare a session; nothing is connected before :meth:`start`.

        ``session_timeout_s`` is what to ask for; the server may grant less or more.
        ``resume``: re-attach to this session instead of opening one. ``gate``: shut by a drill.
        Raises ConfigInvalid for an identity that cannot work.
        """
        self.hosts = tuple(hosts)
        self._clock = clock
        self._asked_s = session_timeout_s
        self._gate = gate
        self.auth, self.tls, self.grants = auth, tls, tuple(grants)
        self._observer: ClusterObserver = observer or SilentObserver()
        self._lock = threading.Lock()
        self._subscribers: tuple[threading.Event, ...] = ()
        self._granted_s = session_timeout_s
        self._confirmed_until = NEVER
        self._next_probe = NEVER
        self._generation = 0
        self._failure: CoordinationRefused | None = None
        self._last_failure = NO_FAILURE
        self._events: deque[SessionEvent] = deque()
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._pulse = threading.Thread(target=self._keep_confirming, name="hasync-session", daemon=True)
        self.subscribe(self._changed)
        self._client = self._new_client(resume)

    def _new_client(self, resume: SessionCredential | None = None) -> PromptClient:
        """Make a client. Its callbacks are told apart from those of any other client of this session."""
        client = PromptClient(
            hosts=",".join(self.hosts),
            timeout=self._asked_s,
            client_id=(resume.session_id, resume.password) if resume else None,
            patience_s=max(0.2, self._asked_s / 5),
            clock=self._clock,
            gate=self._gate,
            on_session=lambda started, granted_s: self._session_granted(client, started, granted_s),
            on_failure=self._connect_failed,
            auth=self.auth,
            tls=self.tls,
            grants=self.grants,
        )
        client.add_listener(lambda state: self._state_changed(client, state))
        return client

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Begin to connect, for ever; returns at once."""
        self._client.start_async()
        self._pulse.start()

    def await_connected(self, timeout_s: float) -> None:
        """Wait until a server is connected.

        Raises CoordinationUnavailable after ``timeout_s`` (connecting goes on), and
        CoordinationRefused when it never will be.
        """
        deadline = self._clock.monotonic() + timeout_s
        event = threading.Event()
        self.subscribe(event)
        try:
            while not self.confirmed:
                self._raise_failure()
                left_s = deadline - self._clock.monotonic()
                if left_s <= 0:
                    raise CoordinationUnavailable(
                        f"no ZooKeeper server answered within {timeout_s:g} s{self._why()}",
                        hint=self._last_failure.remedy or silence_remedy(self.hosts, encrypted=self.tls is not None),
                    )
                self._clock.wait(event, left_s)
                event.clear()
        finally:
            self.unsubscribe(event)

    def stop(self, timeout_s: float) -> bool:
        """Close the session, which frees all its ephemeral nodes at once; False when there was no time for it.

        kazoo's own stop can hang for many seconds on a dead connection (K5, K10), so it
        runs in a thread that is left behind at the deadline.
        """
        self._stopping.set()
        self._generation += 1  # kazoo tells of no end where it never connected, and candidacies wait for one
        self._wake_subscribers()
        self._changed.set()
        closed = self._discard(self._client, timeout_s)
        self._report()
        return closed

    def restart(self) -> None:
        """Give this session up and open a new one: the last resort to get rid of its ephemeral nodes (K7).

        Every leadership won under it is over. Returns at once. Called from: any thread
        but kazoo's.
        """
        with self._lock:
            old, self._client = self._client, self._new_client()
            self._generation += 1
            self._confirmed_until = NEVER
        self._events.append(SessionEvent.RESTARTED)
        self._discard(old, 0.0)
        self._client.start_async()
        self._wake_subscribers()

    def _discard(self, client: PromptClient, timeout_s: float) -> bool:
        """Close a client in a thread of its own; whether it was done in time."""
        thread = threading.Thread(target=_close, args=(client,), name="hasync-session-close", daemon=True)
        thread.start()
        thread.join(timeout_s)
        return not thread.is_alive()

    # ----------------------------------------------------------------- state

    @property
    def connected(self) -> bool:
        """Whether a server is connected now."""
        return bool(self._client.connected)

    @property
    def confirmed(self) -> bool:
        """Whether the own deadline has not passed; False before the first connect and after a loss."""
        return self._clock.monotonic() < self._confirmed_until

    @property
    def generation(self) -> int:
        """How many sessions were lost or given up so far."""
        return self._generation

    @property
    def failure(self) -> CoordinationRefused | None:
        """Why this session will never connect again (K10), or None."""
        return self._failure

    @property
    def timeout_s(self) -> float:
        """The session timeout that the server granted; before the first connect the one asked for (K12)."""
        return self._granted_s

    @property
    def credential(self) -> SessionCredential | None:
        """Id and password of the session, None while not connected."""
        pair = self._client.client_id
        return SessionCredential(session_id=pair[0], password=pair[1]) if pair and pair[0] else None

    @property
    def session_id(self) -> int:
        """The session's id, 0 while not connected."""
        credential = self.credential
        return credential.session_id if credential else 0

    def subscribe(self, event: threading.Event) -> None:
        """Set ``event`` on every change of the session from now on."""
        with self._lock:
            self._subscribers = (*self._subscribers, event)

    def unsubscribe(self, event: threading.Event) -> None:
        """Undo :meth:`subscribe`."""
        with self._lock:
            self._subscribers = tuple(known for known in self._subscribers if known is not event)

    # -------------------------------------------------------------- requests

    def submit(self, operation: str, request: Callable[[KazooClient], Any], timeout_s: float | None = None) -> Any:
        """Send one request and wait for its answer, a third of the session timeout unless told otherwise.

        ``request`` calls one of the client's ``*_async`` methods. Raises kazoo's own
        exceptions, for kazoo's recipes; everybody else uses :meth:`call`.
        """
        client, started = self._client, self._clock.monotonic()
        error: Exception | None = None
        try:
            return request(client).get(timeout=self.timeout_s / 3 if timeout_s is None else timeout_s)
        except KazooTimeoutError as timeout:
            error = OperationTimeoutError()
            raise error from timeout
        except KazooException as failure:
            error = failure
            raise
        finally:
            self._observer.request(operation, self._clock.monotonic() - started, outcome(error))

    def call(self, operation: str, request: Callable[[KazooClient], Any], timeout_s: float | None = None) -> Any:
        """Send one request and wait for its answer.

        Raises CoordinationUnavailable, CoordinationRefused, and kazoo's answers about the
        tree (``failures.ANSWERS``), which stay inside this package.
        """
        self._raise_failure()
        with mapped(operation, why=self._why()):
            return self.submit(operation, request, timeout_s)

    def multi(self, operation: str, build: Callable[[Any], None]) -> list[Any]:
        """Apply the operations that ``build`` adds to a transaction, all or none.

        Raises as :meth:`call`, and MultiFailed naming the operation that failed.
        """

        def request(client: KazooClient) -> Any:
            transaction = client.transaction()
            build(transaction)
            return transaction.commit_async()

        self._raise_failure()
        started, generation = self._clock.monotonic(), self._generation
        with mapped(operation, why=self._why()):
            results = inspected(self.submit(operation, request))
        # A write went through the ensemble's leader, so it is as good as a sync.
        self._confirm(started, generation)
        return results

    def _raise_failure(self) -> None:
        if self._failure is not None:
            # A new one each time: several threads raising one object would share its traceback.
            raise CoordinationRefused(self._failure.message, hint=self._failure.hint)

    @property
    def trouble(self) -> str:
        """Why no server is connected, as far as is known; empty while one is."""
        silent = f"{', '.join(self.hosts)} do not answer{self._why()}{self._last_failure.advice}"
        return "" if self.connected else silent

    def _why(self) -> str:
        reason = "" if self.connected else self._last_failure.reason
        return f" (last connect: {reason})" if reason else ""

    # ------------------------------------------------------------- callbacks

    def _state_changed(self, client: PromptClient, state: str) -> None:
        """Stamp and wake, nothing else: a listener that blocks stops pings and reconnects (K1).

        Not even the observer is called here, it is told by :meth:`_report`.
        Called from: kazoo's connection thread.
        """
        if client is not self._client:
            return
        event = {KazooState.CONNECTED: SessionEvent.CONNECTED, KazooState.SUSPENDED: SessionEvent.SUSPENDED}.get(
            state, SessionEvent.LOST
        )
        if event is SessionEvent.LOST:
            event = self._session_lost(client)
        self._events.append(event)
        self._wake_subscribers()

    def _session_lost(self, client: PromptClient) -> SessionEvent:
        with self._lock:
            self._generation += 1
            self._confirmed_until = NEVER
        if self._stopping.is_set():
            return SessionEvent.CLOSED
        if client.client_state == KeeperState.EXPIRED_SESSION:
            return SessionEvent.LOST
        # AUTH_FAILED or CLOSED: kazoo's loop has ended for good and only a new process helps (K10).
        self._failure = CoordinationRefused(
            f"ZooKeeper closed the door: {client.client_state}",
            hint="check scheme and credential of this instance's ZooKeeper identity",
        )
        return SessionEvent.REFUSED

    def _session_granted(self, client: PromptClient, started: float, granted_s: float) -> None:
        """Take over what the handshake brought. Called from: kazoo's connection thread."""
        if client is not self._client:
            return
        self._granted_s = granted_s
        self._last_failure = NO_FAILURE
        self._confirm(started, self._generation)
        self._wake_subscribers()

    def _connect_failed(self, server: str, failure: Exception) -> None:
        self._last_failure = connect_failure(server, failure)

    def _confirm(self, started: float, generation: int) -> None:
        """Move the deadline, unless the answer belongs to a session that is lost."""
        with self._lock:
            if generation == self._generation:
                until = started + self._granted_s * (1 - MARGIN)
                self._confirmed_until = max(self._confirmed_until, until)

    def _wake_subscribers(self) -> None:
        for event in self._subscribers:
            event.set()

    def _keep_confirming(self) -> None:
        """Ask the ensemble's leader every third of the timeout. Runs in: the session's own thread."""
        while not self._stopping.is_set():
            self._changed.clear()
            self._report()
            if self.connected:
                self._client.renew_identity()
                self._ask_leader()
            else:
                self._suspect_amnesia()
            self._clock.wait(self._changed, self.timeout_s / 3)

    def _report(self) -> None:
        """Tell the observer what happened since. Called from: the session's own thread, and at the end."""
        while self._events:
            self._observer.session_event(self._events.popleft())

    def _ask_leader(self) -> None:
        started, generation = self._clock.monotonic(), self._generation
        try:
            self.call("sync", lambda client: client.sync_async("/"))
        except (CoordinationUnavailable, CoordinationRefused):
            return  # the observer has counted it; the deadline stays where it was and says the rest
        self._confirm(started, generation)

    def _suspect_amnesia(self) -> None:
        """Give the session up when ZooKeeper answers everybody but us.

        A ZooKeeper that was wiped or restored from an older backup turns away every client
        that has seen a newer transaction, in silence and for ever. From here that looks
        like an outage, and through an outage the session must be kept. So after two
        timeouts a client without a past asks; if it is let in while ours is not for one
        more timeout, the session is dead at the ensemble in any case.
        """
        now, generation = self._clock.monotonic(), self._generation
        if self._confirmed_until == NEVER or now < max(self._next_probe, self._confirmed_until + 2 * self.timeout_s):
            return
        self._next_probe = now + 2 * self.timeout_s
        probe = self._new_client()
        try:
            if probe.start_async().wait(self.timeout_s / 3) and not self._back_within(self.timeout_s, generation):
                self.restart()
        finally:
            self._discard(probe, 0.0)

    def _back_within(self, timeout_s: float, generation: int) -> bool:
        """Wait for a connection; True also when there is no use in waiting on."""
        event = threading.Event()
        self.subscribe(event)
        if not self.connected:
            self._clock.wait(event, timeout_s)
        self.unsubscribe(event)
        return self.connected or self._stopping.is_set() or self._generation != generation


def _close(client: PromptClient) -> None:
    """Stop a client and free its sockets. Runs in: a thread of its own."""
    try:
        client.stop()
        client.close()
    except (KazooException, OSError):
        return  # it would not close; its session ends at the server when it expires


def _conforms(session: ZooKeeperSession) -> Session:
    """Have mypy hold the class to its port."""
    return session
