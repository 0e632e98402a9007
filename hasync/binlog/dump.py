"""The dump: one connection that streams the binlog, opened by mysql-replication, read by us.

The only module that imports mysql-replication. The library registers and asks for the
dump; when it turns to its second connection, which it would use to reconnect and to look
columns up, the wrapper stops it, and from there on it never sees a packet (M1 to M9).
"""

import select
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysqlreplication import BinLogStreamReader

from hasync.binlog import commands
from hasync.binlog.connection import Latch, Link, Login, translated
from hasync.errors import PositionLost, SourceRefused, SourceUnavailable
from hasync.model.gtid import MysqlGtidSet
from hasync.model.position import Flavor

_RECEIVE_BYTES = 1 << 18
_MUCH_BYTES = 1 << 22
_FULL_PACKET = 0xFFFFFF
_OK, _EOF, _ERROR = 0x00, 0xFE, 0xFF
_NOT_READ_FOR_S = 7200
"""How long the server waits for us while we read another part of the binlog, before it ends the dump."""
_LAST_32_BIT_POS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Where the dump begins: at ``file``/``pos``, or behind ``gtid_set`` when ``by_gtid``.

    ``apart``: beside another dump of ours, by server id 0, so that neither ends the other; it ends with the binlog.
    """

    flavor: Flavor
    file: str = ""
    pos: int = 4
    gtid_set: str = ""
    by_gtid: bool = False
    apart: bool = False


class _Begun(Exception):  # noqa: N818 - a signal, it never leaves this module
    """The library has asked for the dump."""


class _OneConnection:
    """What mysql-replication takes for ``pymysql.connect``: gives our connection once, then ends the library's part."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._given = False

    def __call__(self, **_settings: object) -> Any:
        if self._given:
            raise _Begun
        self._given = True
        return self._connection


class Dump:
    """A running dump. Called from: the reader thread; another ends it through the latch."""

    def __init__(self, login: Login, request: Request, *, server_id: int, heartbeat_s: float, latch: Latch) -> None:
        """Connect and ask for the dump.

        Raises SourceUnavailable, SourceRefused, PositionLost (a GTID set that cannot be asked for).
        """
        self._host = login.host
        # Three heartbeats missed: the server or the way to it is dead, though TCP has not noticed.
        self._silence_s = max(3.0 * heartbeat_s, 3.0) + heartbeat_s
        self._link = Link(login, read_timeout_s=max(self._silence_s, login.connect_timeout_s), latch=latch)
        try:
            with translated(self._host):
                _prepare(self._link.raw, heartbeat_s)
                _begin(self._link.raw, request, server_id)
        except BaseException:
            self._link.close()
            raise
        self._socket = self._link.socket
        self._socket.settimeout(self._silence_s)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self.buffer = b""
        """What was received, in packets; the next one begins at ``at``."""
        self.at = 0
        self._chunks: list[bytes] = []
        self._waiting_bytes = 0
        self._needed_bytes = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were received and are not taken yet."""
        return len(self.buffer) - self.at

    def more(self) -> bool:
        """Receive what is waiting, if anything, and say whether. Raises SourceUnavailable.

        Receives nothing once much lies here already: joining more to it would take ever longer.
        """
        if self.waiting_bytes >= _MUCH_BYTES or self._chunks or not self._readable():
            return False
        self._receive()
        return True

    def packet(self, *, wait: bool) -> bytes | None:
        """Return the next packet, beginning with its OK byte; None when none is there and ``wait`` is False.

        Raises SourceUnavailable, PositionLost, SourceRefused, TermEnded, as the server says.
        """
        while True:
            payload = self._next_payload()
            if payload is not None:
                return self._checked(payload)
            if not wait and not self._readable():
                return None
            self._receive()

    def _next_payload(self) -> bytes | None:
        buffer, at = self.buffer, self.at
        end = at + 4 + (int.from_bytes(buffer[at : at + 3], "little"))
        if len(buffer) < at + 4 or len(buffer) < end:
            self._needed_bytes = end - at
            return None
        if end - at - 4 == _FULL_PACKET:
            return self._joined_payload()
        self.at = end
        return buffer[at + 4 : end]

    def _joined_payload(self) -> bytes | None:
        """Join the packets of an event of 16 MiB or more; the last one is not full."""
        buffer, at = self.buffer, self.at
        bounds = []
        size = _FULL_PACKET
        while size == _FULL_PACKET:  # first look whether it is all there: copying it each time would take for ever
            size = int.from_bytes(buffer[at : at + 3], "little")
            end = at + 4 + size
            if len(buffer) < at + 4 or len(buffer) < end:
                self._needed_bytes = end - self.at
                return None
            bounds.append((at + 4, end))
            at = end
        self.at = at
        return b"".join([buffer[start:end] for start, end in bounds])

    def _readable(self) -> bool:
        pending = getattr(self._socket, "pending", None)
        return bool(pending and pending()) or bool(self._poll.poll(0))

    def _receive(self) -> None:
        """Take in what has arrived; join it with the rest of the buffer only when a packet is complete."""
        with translated(self._host):
            chunk = self._socket.recv(_RECEIVE_BYTES)
        if not chunk:
            raise SourceUnavailable(f"{self._host} closed the dump")
        self._take_in(chunk)
        with suppress(OSError):  # a server may send why and then reset: the former is read first
            while chunk and self._waiting_bytes < _RECEIVE_BYTES // 2 and self._readable():
                chunk = self._socket.recv(_RECEIVE_BYTES)  # TLS hands over 16 KiB at most
                self._take_in(chunk)
        self._join()

    def _take_in(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._waiting_bytes += len(chunk)

    def _join(self) -> None:
        if len(self.buffer) - self.at + self._waiting_bytes >= self._needed_bytes:
            self.buffer = b"".join((self.buffer[self.at :], *self._chunks))
            self.at = self._waiting_bytes = self._needed_bytes = 0
            self._chunks.clear()

    def _checked(self, payload: bytes) -> bytes:
        first = payload[0] if payload else _EOF
        if first == _OK:
            return payload
        if first == _ERROR:
            with translated(self._host):
                pymysql.err.raise_mysql_exception(payload)
        if first == _EOF:
            raise SourceUnavailable(f"{self._host} ended the dump")
        raise SourceRefused(f"{self._host} sent a packet of unknown kind {first}", hint="report this with its version")

    def close(self) -> None:
        """Drop the connection without waiting for the server."""
        self._link.close()


def _prepare(connection: Any, heartbeat_s: float) -> None:
    """Tell the server what we understand: checksums as they are in the file, GTID events, heartbeats."""
    nanoseconds = int(heartbeat_s * 1e9)
    with connection.cursor() as cursor:
        cursor.execute(
            "SET @source_binlog_checksum = @@global.binlog_checksum, "
            "@master_binlog_checksum = @@global.binlog_checksum, "
            "@source_heartbeat_period = %s, @master_heartbeat_period = %s, @mariadb_slave_capability = 4, "
            "SESSION net_write_timeout = %s",
            (nanoseconds, nanoseconds, _NOT_READ_FOR_S),
        )


def _begin(connection: Any, request: Request, server_id: int) -> None:
    """Let the library register and ask for the dump on our connection, and take it back before it reads."""
    if not request.by_gtid and request.pos > _LAST_32_BIT_POS:
        raise PositionLost(f"offset {request.pos} is past what a dump can be asked for", hint="resume by GTID")
    if request.apart:
        commands.dump_apart(connection, request.file, request.pos)
        return
    if request.by_gtid and request.flavor is Flavor.MYSQL and MysqlGtidSet.parse(request.gtid_set).tagged:
        commands.dump_behind(connection, request.gtid_set, server_id)
        return
    reader = BinLogStreamReader(
        connection_settings={},
        server_id=server_id,
        blocking=True,
        resume_stream=True,
        log_file=request.file or None,
        log_pos=request.pos,
        auto_position=request.gtid_set if request.by_gtid else None,
        is_mariadb=request.by_gtid and request.flavor is Flavor.MARIADB,  # it would ignore file and pos (M5)
        pymysql_wrapper=_OneConnection(connection),
        enable_logging=False,
    )
    try:
        reader.fetchone()
    except _Begun:
        return
    raise SourceRefused("mysql-replication did not ask for a dump", hint="pin mysql-replication to the tested version")
