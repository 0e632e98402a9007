"""Where a Redis server is, and how to log in: the connection settings as one value."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.retry import Retry

from hasync.errors import ConfigInvalid

_PORT = 6379
_CONNECTIONS = {"redis": Connection, "rediss": SSLConnection, "unix": UnixDomainSocketConnection}

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


class Verify(StrEnum):
    """How much of the server's certificate is checked; the values are the config's."""

    FULL = "full"
    """Trust chain and host name."""
    CA = "ca"
    """Trust chain only."""
    NONE = "none"
    """Nothing: encrypted, but to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisEndpoint:
    """One Redis server.

    ``url``: ``redis://host:port/db``, ``rediss://host:port/db`` (TLS, certificate and
    host name verified) or ``unix:///path?db=0``; it holds no password, since URLs
    reach logs. ``ca_file``, ``certificate_file``, ``key_file`` and ``verify`` are for
    TLS; without ``ca_file`` the system's authorities are trusted. ``timeout_s`` bounds
    one whole exchange with the server and has to stay well below the ZooKeeper session.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    connect_timeout_s: float = 1.0
    timeout_s: float = 2.0
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    verify: Verify = Verify.FULL

    def __post_init__(self) -> None:
        """Refuse an URL that hasync would misread. Raises ConfigInvalid."""
        if problems := tuple(self._problems()):
            raise ConfigInvalid("redis.url is not usable", problems=problems, hint="; ".join(problems))

    @property
    def name(self) -> str:
        """The server as logs and errors name it: the URL without any user."""
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return f"unix://{parts.path}?db={_database(parts)}"
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}:{parts.port or _PORT}/{_database(parts)}"

    def connection(self) -> "Wire":
        """Return a new connection, not yet open, that never retries by itself.

        redis-py's default would send a batch up to eleven times (INCR counted four
        times in a test with three lost replies); retries have one owner, and it reads
        the state first.
        """
        parts = urlsplit(self.url)
        options = self._options(parts)
        make: Any = _CONNECTIONS[parts.scheme]
        if parts.scheme == "unix":
            options["path"] = unquote(parts.path)
        else:
            options |= {"host": parts.hostname, "port": parts.port or _PORT}
        wire: Wire = make(**options, **(self._tls() if parts.scheme == "rediss" else {}))
        return wire

    def _options(self, parts: SplitResult) -> dict[str, Any]:
        return {
            "db": _database(parts),
            "username": self.username or unquote(parts.username or "") or None,
            "password": self.password or None,
            "socket_timeout": self.timeout_s,
            "socket_connect_timeout": self.connect_timeout_s,
            "retry": Retry(NoBackoff(), 0),
            "health_check_interval": 0,
            "protocol": 2,  # no pushes, no HELLO: one reply per command, on every server
            "driver_info": None,  # CLIENT SETINFO is unknown before Redis 7.2 and often not permitted
        }

    def _tls(self) -> dict[str, Any]:
        return {
            "ssl_cert_reqs": "none" if self.verify is Verify.NONE else "required",
            "ssl_check_hostname": self.verify is Verify.FULL,
            "ssl_ca_certs": self.ca_file or None,
            "ssl_certfile": self.certificate_file or None,
            "ssl_keyfile": self.key_file or None,
        }

    def _problems(self) -> list[str]:
        parts, problems = urlsplit(self.url), []
        if parts.scheme not in _CONNECTIONS:
            return [f"redis.url: scheme {parts.scheme!r} is not one of redis://, rediss://, unix://"]
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


def _database(parts: SplitResult) -> int:
    number = parts.query.removeprefix("db=") if parts.scheme == "unix" else parts.path.strip("/")
    return int(number or 0)
