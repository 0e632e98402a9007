"""Closes a session that belongs to a process which is gone, so that its ephemeral nodes go at once.

Whoever has id and password may re-attach to a session. Two packets are all it takes, so
they are sent here over a plain socket: no threads, no retries of kazoo's, and nothing to
import beyond its packet formats, since the supervisor must stay small.
"""

import socket
import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from kazoo.protocol.serialization import Auth as AuthPacket
from kazoo.protocol.serialization import Close, Connect, int_int_struct

from hasync.cluster.access import Auth, Tls
from hasync.errors import CoordinationUnavailable, HasyncError
from hasync.model.cluster import SessionCredential
from hasync.tls import encrypted

DEFAULT_PORT: Final = 2181
AUTH_XID: Final = -4
CLOSE_XID: Final = 1
_LENGTH: Final = struct.Struct("!i")
_MAX_REPLY: Final = 1 << 20


class Closing(StrEnum):
    """How it went: closed now, or ended before."""

    CLOSED = "closed"
    ENDED = "ended"


class SessionCloser:
    """Closes other processes' sessions. Safe from any thread; holds no connection between calls."""

    def __init__(
        self,
        *,
        hosts: Sequence[str],
        session_timeout_s: float,
        patience_s: float = 0.5,
        auth: Auth | None = None,
        tls: Tls | None = None,
    ) -> None:
        """``hosts``: ``name:port`` of the ensemble's servers; ``patience_s``: longest wait for one of them."""
        self._hosts = tuple(hosts)
        self._timeout_ms = round(session_timeout_s * 1000)
        self._patience_s = patience_s
        self._auth = auth
        self._tls = tls

    def close(self, credential: SessionCredential) -> Closing:
        """Close a session. Raises CoordinationUnavailable when no server did; trying again is safe."""
        failures = []
        for host in self._hosts:
            try:
                return self._close_at(host, credential)
            except (OSError, struct.error, EOFError, HasyncError) as failure:  # ssl.SSLError is an OSError
                failures.append(f"{host}: {str(failure) or type(failure).__name__}")
        raise CoordinationUnavailable(f"no ZooKeeper server closed the session ({'; '.join(failures)})")

    def _close_at(self, host: str, credential: SessionCredential) -> Closing:
        with self._connected(host) as connection:
            # The newest transaction that it has seen, 0, is behind every server: none turns it away.
            hello = Connect(0, 0, self._timeout_ms, credential.session_id, credential.password, None)
            _send(connection, hello.serialize())
            answer, _ = Connect.deserialize(_receive(connection), 0)
            if answer.time_out <= 0:
                return Closing.ENDED
            if self._auth is not None:  # a server may take no request from somebody who has not said who he is
                self._identify(connection, self._auth)
            _send(connection, int_int_struct.pack(CLOSE_XID, Close.type))
            _receive(connection)
        return Closing.CLOSED

    @staticmethod
    def _identify(connection: socket.socket, auth: Auth) -> None:
        for credential in auth.credentials:
            packet = AuthPacket(0, auth.scheme, credential)
            _send(connection, int_int_struct.pack(AUTH_XID, AuthPacket.type) + packet.serialize())
            _receive(connection)

    def _connected(self, host: str) -> socket.socket:
        name, _, port = host.rpartition(":") if ":" in host else (host, "", str(DEFAULT_PORT))
        name = name.strip("[]")
        plain = socket.create_connection((name, int(port)), timeout=self._patience_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return plain
        try:
            return encrypted(self._tls.context(), plain, name)
        except HasyncError:
            plain.close()
            raise


def _send(connection: socket.socket, body: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(body)) + body)


def _receive(connection: socket.socket) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if not 0 <= length <= _MAX_REPLY:
        raise EOFError("not a ZooKeeper server")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    held = b""
    while len(held) < count:
        piece = connection.recv(count - len(held))
        if not piece:
            raise EOFError("it closed the connection")
        held += piece
    return held
