"""Connections to a server, and the one place where PyMySQL's errors become hasync's."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pymysql

from hasync import tls
from hasync.errors import (
    ConfigInvalid,
    EndReason,
    HasyncError,
    PositionLost,
    SecretGone,
    SourceRefused,
    SourceUnavailable,
    TermEnded,
)
from hasync.model.secret import Password, revealed
from hasync.model.tls import Verify

_DEFAULT_PORT = 3306
_NO_LOGIN = (
    "check user and password, that the account may connect from this host, and for one that is REQUIRE SSL, source.tls"
)
_REFUSED = {
    1044: "grant the account access",
    1045: _NO_LOGIN,
    1130: "CREATE USER for this host",
    1142: "grant the privilege named in the message",
    1227: "GRANT REPLICATION SLAVE, REPLICATION CLIENT (MariaDB: BINLOG MONITOR) ON *.* TO the account",
    1251: "use an account with caching_sha2_password or mysql_native_password",
    1698: _NO_LOGIN,
    2059: "use an account with caching_sha2_password or mysql_native_password",
    2061: "enable TLS for the source",
    3118: "ALTER USER ... ACCOUNT UNLOCK",
    1820: "ALTER USER ... IDENTIFIED BY a new password: it has expired",
    1862: "ALTER USER ... IDENTIFIED BY a new password: it has expired",
}
_DUMP_FAILED = 1236
_TOO_MANY = 1040
_TLS_FAILED = 2026
_LOGIN_REFUSED = frozenset({1045, 1698})
_NO_TLS = "doesn't support it"
"""What PyMySQL says of a server without TLS; it has sent nothing by then."""
_CLAIMED_MARIADB = 4052
_CLAIMED = "with the same server_uuid/server_id"
_LOST_REMEDY = (
    "the binlog that holds this position is gone or another one: rebuild Redis from the tables, "
    "then choose a new place ('hasync position reset'); keep binlogs longer than the longest outage"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a connection is encrypted.

    ``disabled``: plain; ``preferred``: when the server can, unverified; ``required``: or
    not at all, unverified; ``authority``: the certificate must come from ``ca_file`` (the
    system's authorities when None); ``verified``: and name the host.
    """

    mode: Literal["disabled", "preferred", "required", "authority", "verified"] = "preferred"
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: str | Password = field(default="", repr=False)

    def arguments(self) -> dict[str, Any]:
        """Return PyMySQL's arguments. Raises SourceRefused when a file cannot be used."""
        if self.mode == "disabled":
            return {"ssl_disabled": True}
        if self.mode == "preferred":
            return {}
        try:
            return {"ssl": self._context()}
        except ConfigInvalid as invalid:
            raise _own(invalid.message, invalid.hint) from invalid

    def _context(self) -> Any:
        return tls.client_context(
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            key_password=revealed(self.key_password),
            verify=_VERIFY[self.mode],
        )


_VERIFY = {"required": Verify.NONE, "authority": Verify.CA, "verified": Verify.FULL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An account on one server. ``host`` is ``name:port`` or ``[v6]:port``; the port may be left out."""

    host: str
    user: str
    password: str | Password = field(repr=False)
    connect_timeout_s: float = 5.0
    tls: Tls = field(default_factory=Tls)

    @property
    def address(self) -> tuple[str, int]:
        """Host name and port."""
        name, colon, port = self.host.rpartition(":")
        if not colon or port.endswith("]") or not port.isdigit():
            return self.host.strip("[]"), _DEFAULT_PORT
        return name.strip("[]"), int(port)


class Latch:
    """Lets another thread end whatever the reader thread waits for on its connections.

    Shutting a duplicate of the socket down is safe at any moment: PyMySQL's own ``close``
    blocks while a read is under way.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._fired = False

    def watch(self, original: socket.socket) -> socket.socket:
        """Take a connected socket under watch; return what to :meth:`forget` when it is closed.

        Raises SourceUnavailable when the latch has fired.
        """
        self.check()
        duplicate = socket.fromfd(original.fileno(), original.family, original.type)
        with self._lock:
            self._sockets.append(duplicate)
            if self._fired:  # meanwhile
                _shut(duplicate)
        return duplicate

    def forget(self, duplicate: socket.socket) -> None:
        """Watch a connection no longer; only now the operating system can close it."""
        with self._lock:
            if duplicate in self._sockets:
                self._sockets.remove(duplicate)
                duplicate.close()

    def fire(self) -> None:
        """Shut all connections down, now and until :meth:`reset`. Called from: any thread."""
        with self._lock:
            self._fired = True
            for duplicate in self._sockets:
                _shut(duplicate)

    def check(self) -> None:
        """Raise SourceUnavailable when the latch has fired."""
        if self._fired:
            raise SourceUnavailable("reading from the source was interrupted")

    def reset(self) -> None:
        """Make the latch ready to fire again. Called from: the reader thread, with no connection open."""
        with self._lock:
            self._fired = False


def _shut(duplicate: socket.socket) -> None:
    try:
        duplicate.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the server has closed it already


class Link:
    """One connection to a server; ``raw`` is PyMySQL's, in autocommit mode."""

    def __init__(self, login: Login, *, read_timeout_s: float, latch: Latch | None = None) -> None:
        """Connect. Raises SourceUnavailable, SourceRefused (account, TLS)."""
        self._latch = latch or Latch()
        with _logging_in(login):
            self._open(login, revealed(login.password), login.tls.arguments())
        self.raw._read_timeout = read_timeout_s  # noqa: SLF001 - the handshake's limit was another

    def _open(self, login: Login, password: str, arguments: dict[str, Any]) -> None:
        with translated(login.host):
            dialled = _dial(login)
            self._duplicate = self._watch(dialled)
            try:
                self.raw = _shake_hands(login, password, dialled, arguments)
            except BaseException:
                dialled.close()
                self._latch.forget(self._duplicate)
                raise

    def _watch(self, dialled: socket.socket) -> socket.socket:
        try:
            return self._latch.watch(dialled)
        except SourceUnavailable:
            dialled.close()
            raise

    @property
    def socket(self) -> Any:
        """The socket, encrypted or not."""
        return self.raw._sock  # noqa: SLF001 - PyMySQL has no public way to its socket

    def close(self) -> None:
        """Close without waiting for the server; may be called twice."""
        self.raw._force_close()  # noqa: SLF001 - close() sends a farewell and may block on a dead peer
        self._latch.forget(self._duplicate)


def _dial(login: Login) -> socket.socket:
    """Open the TCP connection ourselves, so that the latch can end the handshake as well."""
    dialled = socket.create_connection(login.address, login.connect_timeout_s)
    dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    dialled.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return dialled


@contextmanager
def _logging_in(login: Login) -> Iterator[None]:
    """Take a login that worked before and is refused now, or cannot be tried, for one that is being rotated."""
    password = login.password
    try:
        yield
    except SecretGone as gone:
        raise SourceUnavailable(f"{login.host}: {gone.message}", hint=gone.hint) from gone
    except SourceRefused as refused:
        if not isinstance(password, Password) or not password.accepted or not refused.local:
            raise
        if server_code(refused) in _LOGIN_REFUSED:
            hint = f"it worked before; it is read anew from {password.name} at each attempt"
        else:
            hint = f"it worked before, so it is tried again: {refused.hint}"
        raise SourceUnavailable(refused.message, hint=hint) from refused.__cause__
    if isinstance(password, Password):
        password.accepted = True


def _shake_hands(login: Login, password: str, dialled: socket.socket, arguments: dict[str, Any]) -> Any:
    host, port = login.address
    connection = pymysql.Connection(
        host=host,
        port=port,
        user=login.user,
        password=password.encode(),  # text would be sent as latin-1
        charset="utf8mb4",
        autocommit=True,
        read_timeout=login.connect_timeout_s,
        write_timeout=login.connect_timeout_s,
        program_name="hasync",
        defer_connect=True,
        **arguments,
    )
    connection.connect(dialled)
    return connection


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Turn errors of PyMySQL and of the socket into hasync's."""
    try:
        yield
    except (pymysql.err.MySQLError, OSError, EOFError) as error:
        raise translate(error, host) from error


def translate(error: Exception, host: str) -> HasyncError:
    """Return hasync's error for one of PyMySQL or of the socket."""
    code, text = _code_and_text(error)
    if code == _CLAIMED_MARIADB or (code == _DUMP_FAILED and _CLAIMED in text):
        return TermEnded(EndReason.SOURCE_CLAIMED, f"another reader took this stream's server id on {host}: {text}")
    if code == _DUMP_FAILED:
        return _dump_failed(text, host)
    if refused := _tls_refused(error, code, text, host):
        return refused
    if code in _REFUSED:
        return _own(f"{host} refused the account: {text}", _REFUSED[code])
    if isinstance(error, pymysql.err.ProgrammingError | pymysql.err.NotSupportedError):
        return SourceRefused(f"{host} refused a statement: {text}", hint="check the server's version")
    return SourceUnavailable(f"{host} is not available: {text}", hint=_remedy(error, code))


def _tls_refused(error: Exception, code: int, text: str, host: str) -> HasyncError | None:
    """Return what is told of a failed handshake, None for another failure."""
    if found := tls.diagnosis(error):
        return _own(f"{host} is not trusted: {found.reason}", found.remedy.replace("tls.", "source.tls."))
    if _NO_TLS in text:
        remedy = "switch TLS on at the server (ssl_cert, ssl_key), or take source.tls out; nothing was sent unencrypted"
        return _own(f"{host} is not trusted: it does not speak TLS", remedy)
    if code == _TLS_FAILED:
        return _own(f"{host} is not trusted: {text}", "check the source's tls settings and certificates")
    return None


def server_code(error: HasyncError) -> int:
    """Return the server's number for the error that this one was made of, 0 when it is another's."""
    return _code_and_text(error.__cause__)[0] if isinstance(error.__cause__, pymysql.err.MySQLError) else 0


def _remedy(error: Exception, code: int) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there: start the server, or correct source.hosts"
    if isinstance(error, socket.gaierror):
        return "the name does not resolve on this machine: correct source.hosts, or the DNS"
    if isinstance(error, TimeoutError):
        return "correct source.hosts, open the firewall, or raise source.connect_timeout"
    if code == _TOO_MANY:
        return "raise max_connections, or look at who has so many connections"
    return "see that MySQL or MariaDB runs and answers there, or correct source.hosts (the port of another service?)"


def _own(message: str, hint: str) -> SourceRefused:
    """Return a refusal that may be this instance's own: its secret or its certificates may be old ones."""
    refused = SourceRefused(message, hint=hint)
    refused.local = True
    return refused


def _dump_failed(text: str, host: str) -> HasyncError:
    if "checksum that" in text:
        return SourceRefused(f"{host} refused the dump: {text}", hint="SET GLOBAL binlog_checksum = CRC32")
    return PositionLost(f"{host} cannot send the binlog from this position: {text}", hint=_LOST_REMEDY)


def _code_and_text(error: Exception) -> tuple[int, str]:
    if isinstance(error, pymysql.err.MySQLError) and len(error.args) > 1:
        return int(error.args[0] or 0), str(error.args[1])
    return 0, str(error) or type(error).__name__
