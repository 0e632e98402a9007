"""Where a Redis server is, and how to log in: the connection settings as one value."""

import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.retry import Retry

from hasync import tls
from hasync.errors import ConfigInvalid, HasyncError
from hasync.model.names import Endpoint, Fault
from hasync.model.redisurl import SentinelUrl
from hasync.model.secret import Password, revealed
from hasync.model.tls import Verify

_PORT = 6379

_OPTIONS = {"redis": re.compile(""), "rediss": re.compile(""), "unix": re.compile("(db=[0-9]+)?")}


class Wire(Protocol):
    """What hasync uses of a redis-py connection, which is not typed itself."""

    def connect(self) -> None:
        """Connect, log in and select the database."""

    def send_packed_command(self, command: Sequence[bytes], check_health: bool = True) -> None:
        """Send bytes; would connect by itself were it not connected."""

    def read_response(self, disable_decoding: bool = False, *, timeout: float) -> Any:
        """Return one reply, or raise the error that it is."""

    def disconnect(self) -> None:
        """Close the socket."""


class TlsConnection(SSLConnection):
    """redis-py's connection over TLS, with our own idea of whom to trust: its own adds the system's authorities."""

    def __init__(self, *, endpoint: "RedisEndpoint", **options: Any) -> None:
        """Take the files and the strictness from ``endpoint``, at each connect anew."""
        super().__init__(**options)
        self._endpoint = endpoint

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> socket.socket:
        try:
            context = self._endpoint.tls_context()
        except HasyncError:
            sock.close()
            raise
        return tls.encrypted(context, sock, self.host)


_CONNECTIONS = {"redis": Connection, "rediss": TlsConnection, "unix": UnixDomainSocketConnection}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisEndpoint:
    """One Redis primary: a server, or whom the Sentinels name.

    ``url``: ``redis://host:port/db``, ``rediss://host:port/db`` (TLS, certificate and
    host name verified), ``unix:///path?db=0`` or ``redis+sentinel://host:port,host:port/name/db``
    (``rediss+sentinel``: TLS to Sentinels and primary); it holds no password, since URLs
    reach logs. ``sentinel_username`` and ``sentinel_password`` are the Sentinels' own.
    ``ca_file``, ``certificate_file``, ``key_file`` and ``verify`` are for TLS; without
    ``ca_file`` the system's authorities are trusted. ``timeout_s`` bounds one whole
    exchange with the server and has to stay well below the ZooKeeper session.
    """

    url: str
    username: str = ""
    password: str | Password = field(default="", repr=False)
    connect_timeout_s: float = 1.0
    timeout_s: float = 2.0
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    key_password: str | Password = field(default="", repr=False)
    verify: Verify = Verify.FULL
    sentinel_username: str = ""
    sentinel_password: str | Password = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse an URL that hasync would misread. Raises ConfigInvalid."""
        if problems := tuple(self._problems()):
            raise ConfigInvalid("redis.url is not usable", problems=problems, hint="; ".join(problems))

    @property
    def name(self) -> str:
        """The server as logs and errors name it: the URL without any user."""
        if SentinelUrl.is_one(self.url):
            return str(SentinelUrl.parse(self.url))
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return f"unix://{parts.path}?db={_database(self.url)}"
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}:{parts.port or _PORT}/{_database(self.url)}"

    @property
    def sentinels(self) -> tuple[Endpoint, ...]:
        """Who is asked for the primary; empty when the URL names it itself."""
        return SentinelUrl.parse(self.url).sentinels if SentinelUrl.is_one(self.url) else ()

    @property
    def primary(self) -> str:
        """What the Sentinels call the primary; empty without them."""
        return SentinelUrl.parse(self.url).primary if SentinelUrl.is_one(self.url) else ""

    def connection(self, at: Endpoint | None = None) -> "Wire":
        """Return a new connection, not yet open, that never retries by itself.

        ``at``: the primary as Sentinels name it; needed with them, unused without. redis-py's
        default would send a batch up to eleven times (INCR counted four times in a test with
        three lost replies); retries have one owner, and it reads the state first.
        """
        parts = urlsplit(self.url)
        if at is not None:
            return self._wire(f"redis{'s' if self._encrypted else ''}", self._options() | _address(at))
        if parts.scheme == "unix":
            return self._wire(parts.scheme, self._options() | {"path": unquote(parts.path)})
        return self._wire(parts.scheme, self._options() | {"host": parts.hostname, "port": parts.port or _PORT})

    def connection_to(self, sentinel: Endpoint) -> "Wire":
        """Return a new connection to one of the Sentinels, not yet open."""
        own = {
            "db": 0,
            "username": self.sentinel_username or None,
            "password": revealed(self.sentinel_password) or None,
            "socket_connect_timeout": self.connect_timeout_s / 2,
        }
        return self._wire(f"redis{'s' if self._encrypted else ''}", self._options() | own | _address(sentinel))

    @property
    def _encrypted(self) -> bool:
        return self.url.startswith("rediss")

    def _wire(self, scheme: str, options: dict[str, Any]) -> "Wire":
        make: Any = _CONNECTIONS[scheme]
        wire: Wire = make(**options, **({"endpoint": self} if scheme == "rediss" else {}))
        return wire

    def _options(self) -> dict[str, Any]:
        return {
            "db": _database(self.url),
            "username": self.username or unquote(urlsplit(self.url).username or "") or None,
            "password": revealed(self.password) or None,
            "socket_timeout": self.timeout_s,
            "socket_connect_timeout": self.connect_timeout_s,
            "retry": Retry(NoBackoff(), 0),
            "health_check_interval": 0,
            "protocol": 2,  # no pushes, no HELLO: one reply per command, on every server
            "driver_info": None,  # CLIENT SETINFO is unknown before Redis 7.2 and often not permitted
        }

    def tls_context(self) -> ssl.SSLContext:
        """Return what a connection is wrapped with. Raises ConfigInvalid when a file cannot be used."""
        return tls.client_context(
            ca_file=self.ca_file,
            cert_file=self.certificate_file,
            key_file=self.key_file,
            key_password=revealed(self.key_password),
            verify=self.verify,
        )

    def _problems(self) -> list[str]:
        parts, problems = urlsplit(self.url), []
        if SentinelUrl.is_one(self.url):
            return self._sentinel_problems()
        if parts.scheme not in _CONNECTIONS:
            return [f"redis.url: scheme {parts.scheme!r} is not one of redis://, rediss://, unix://, redis+sentinel://"]
        if parts.password:
            problems.append("redis.url: holds a password; move it to redis.password as env:NAME or file:/path")
        if parts.fragment or not _OPTIONS[parts.scheme].fullmatch(parts.query):
            problems.append("redis.url: options after ? or # are not supported; use the fields of redis")
        if parts.scheme != "unix" and not parts.hostname:
            problems.append("redis.url: names no host")
        if parts.scheme != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdigit():
            problems.append("redis.url: the path is the database's number, as in redis://host:6379/0")
        try:
            _ = parts.port
        except ValueError:
            problems.append("redis.url: the port is not a number from 1 to 65535")
        return problems

    def _sentinel_problems(self) -> list[str]:
        try:
            SentinelUrl.parse(self.url)
        except Fault as fault:
            return [f"redis.url: {fault}"]
        return []


def _address(at: Endpoint) -> dict[str, Any]:
    return {"host": at.host, "port": at.port}


def _database(url: str) -> int:
    if SentinelUrl.is_one(url):
        return SentinelUrl.parse(url).database
    parts = urlsplit(url)
    number = parts.query.removeprefix("db=") if parts.scheme == "unix" else parts.path.strip("/")
    return int(number or 0)
