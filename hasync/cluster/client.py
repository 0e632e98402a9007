"""A KazooClient that never makes anybody wait: the guards that have to sit inside kazoo.

Three of kazoo's habits cannot be guarded from outside (``docs/decisions/0001-zookeeper-elects.md``):

* it queues requests while disconnected and sends them when the session resumes (K3);
* it waits a whole session timeout for one server that does not answer (K11);
* it tells nobody the session timeout that the server granted (K12).
"""

import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionDropped, ConnectionLoss, SessionExpiredError
from kazoo.handlers.threading import KazooTimeoutError, SequentialThreadingHandler
from kazoo.protocol.connection import ConnectionHandler
from kazoo.protocol.states import KeeperState

from hasync.cluster.access import Auth, Grant, Tls, connection_options, default_acl
from hasync.errors import HasyncError
from hasync.ports import Clock, Gate
from hasync.tls import encrypted

CONNECTION_RETRY: Final = {"max_tries": -1, "delay": 0.1, "backoff": 2, "max_delay": 1.0}
"""For ever, at most a second apart: kazoo's default grows to an hour (K9), a finite one ends the client (K10)."""


def quiet_logger() -> logging.Logger:
    """Return a logger for kazoo that stays above DEBUG, where kazoo writes passwords and node data (K21).

    It is a free-standing one, so that no setting of the process's loggers reaches it.
    """
    logger = logging.Logger("hasync.cluster.kazoo", level=logging.WARNING)  # noqa: LOG001 - see above
    logger.addHandler(logging.NullHandler())
    return logger


class PromptHandler(SequentialThreadingHandler):  # type: ignore[misc]  # kazoo has no types
    """Gives up on a server that does not accept a connection long before the session is over (K11)."""

    def __init__(self, patience_s: float, gate: Gate | None = None, tls: Tls | None = None) -> None:
        """Wait ``patience_s`` for each server. ``gate``: what a drill shuts to cut this client off.

        ``tls``: kazoo's own TLS trusts the system's authorities, too, and leaks the socket of a failed handshake.
        """
        super().__init__()
        self._patience_s = patience_s
        self._tls = tls
        self._gate = gate
        self._socket: Any = None

    def create_connection(
        self, address: tuple[str, int], hostname: str | None = None, timeout: float | None = None, **_kazoos_tls: Any
    ) -> Any:
        """Connect within the patience, encrypted or not at all. Called from: kazoo's connection thread."""
        limit = self._patience_s if timeout is None else min(timeout, self._patience_s)
        if self._gate is not None and not self._gate.passes(limit):
            raise TimeoutError("cut off by a drill")
        plain = super().create_connection(address, hostname, limit)
        self._socket = plain if self._tls is None else _encrypted(plain, self._tls, hostname or address[0])
        return self._socket

    def select(self, *lists: Any, **options: Any) -> Any:
        """Look for what can be read: what TLS has decrypted already is seen by no system call."""
        decrypted = [each for each in lists[0] if isinstance(each, ssl.SSLSocket) and each.pending()]
        return (decrypted, [], []) if decrypted else super().select(*lists, **options)

    def start(self) -> None:
        """Begin the handler's threads. The gate is told here: kazoo stops a handler before it starts it."""
        if self._gate is not None:
            self._gate.forget(self._cut)
            self._gate.on_shut(self._cut)
        super().start()

    def stop(self) -> None:
        """End the handler's threads."""
        if self._gate is not None:
            self._gate.forget(self._cut)
        super().stop()

    def _cut(self) -> None:
        """Break the connection. Called from: the drills' thread."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)


def _encrypted(plain: Any, tls: Tls, hostname: str) -> ssl.SSLSocket:
    """Wrap a connected socket. Raises OSError, which kazoo expects; ssl.SSLError is one."""
    try:
        return encrypted(tls.context(), plain, hostname)
    except HasyncError as unusable:
        plain.close()
        raise OSError(str(unusable)) from unusable


class PromptConnection(ConnectionHandler):  # type: ignore[misc]  # kazoo has no types
    """Reports what the server granted (K12) and does not wait for a silent one (K11)."""

    def __init__(
        self,
        client: KazooClient,
        *,
        patience_s: float,
        clock: Clock,
        on_session: Callable[[float, float], None],
        on_failure: Callable[[str, Exception], None],
        **options: Any,
    ) -> None:
        """Call ``on_session(started, granted_s)`` after every successful handshake."""
        super().__init__(client, client._conn_retry.copy(), **options)  # noqa: SLF001 - made for subclassing, not public
        self._patience_s = patience_s
        self._clock = clock
        self._on_session = on_session
        self._on_failure = on_failure

    def _connect(self, host: str, hostip: str, port: int) -> tuple[float, float]:
        """Connect; kazoo returns two thirds of the granted timeout, in milliseconds, as its read timeout."""
        started = self._clock.monotonic()
        self.client.renew_identity()
        try:
            read_timeout_ms, connect_timeout_ms = super()._connect(host, hostip, port)
        except (ConnectionDropped, KazooTimeoutError, SessionExpiredError) as failure:
            self._on_failure(f"{host}:{port}", failure)
            raise
        self._on_session(started, read_timeout_ms * 1.5 / 1000.0)
        return read_timeout_ms, connect_timeout_ms

    def _invoke(self, timeout: float, request: Any, xid: int | None = None) -> Any:
        """Exchange one packet of the handshake."""
        return super()._invoke(min(timeout, self._patience_s), request, xid)


class PromptClient(KazooClient):  # type: ignore[misc]  # kazoo has no types
    """Refuses a request at once unless it is connected.

    kazoo 2.7 and later would queue it and apply it after the reconnect, long after its
    caller gave up: a ghost write (K3). Patroni overrides the same method.
    """

    def __init__(
        self,
        *,
        patience_s: float,
        clock: Clock,
        on_session: Callable[[float, float], None],
        on_failure: Callable[[str, Exception], None],
        gate: Gate | None = None,
        auth: Auth | None = None,
        tls: Tls | None = None,
        grants: Sequence[Grant] = (),
        **options: Any,
    ) -> None:
        """Take kazoo's options, the identity, and the hooks of :class:`PromptConnection`. Raises ConfigInvalid."""
        self.auth_data: set[tuple[str, str]]
        self._auth, self._tls, self._grants = auth, tls, tuple(grants)
        super().__init__(
            handler=PromptHandler(patience_s, gate, tls),
            connection_retry=CONNECTION_RETRY,
            logger=quiet_logger(),
            default_acl=default_acl(auth, tls, grants),
            **connection_options(auth, tls),
            **options,
        )
        self._connection = PromptConnection(
            self,
            patience_s=patience_s,
            clock=clock,
            on_session=on_session,
            on_failure=on_failure,
            logger=self.logger,
        )

    def renew_identity(self) -> None:
        """Use the credentials as they are now, for this connection and for what is created from now on.

        What cannot be read leaves things as they are: a file may be being replaced.
        Called from: kazoo's connection thread before each connect, the session's thread while connected.
        """
        if self._auth is None:
            return
        try:
            known = {(self._auth.scheme, credential) for credential in self._auth.credentials}
            acl = default_acl(self._auth, self._tls, self._grants)
        except HasyncError:
            return
        fresh = known - set(self.auth_data)
        self.auth_data, self.default_acl = known, acl
        for scheme, credential in fresh if self.connected else ():
            self.add_auth_async(scheme, credential)

    def _call(self, request: Any, async_object: Any) -> Any:
        """Queue a request if a server is there to take it. Called from: any thread."""
        if self._state == KeeperState.CONNECTING:
            async_object.set_exception(ConnectionLoss())
            return False
        return super()._call(request, async_object)
