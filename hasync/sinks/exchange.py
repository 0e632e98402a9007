"""One connection to Redis: a buffer of commands out, their replies back.

Bound: a buffer is sent whole before the first reply is read. That cannot deadlock,
since Redis takes commands in while it keeps replies in memory, but it costs the server
about 10 bytes per queued command, and a transaction must stay below Redis'
``client-query-buffer-limit`` (1 GiB unless changed). Batches of up to some ten
thousand commands and some ten MB are what this is made for.
"""

from collections.abc import Sequence
from typing import Any

import hiredis
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hasync import tls
from hasync.errors import ConfigInvalid, HasyncError, SecretGone, SinkRefused, SinkUnavailable
from hasync.model.command import Command, Packed
from hasync.model.secret import Password
from hasync.ports import Clock
from hasync.sinks.endpoint import RedisEndpoint, Wire
from hasync.sinks.faults import LOGIN, code_of, mapped
from hasync.sinks.sentinel import locate

Reply = Any
"""bytes, int, None, a list of replies, or the error (RedisError) that Redis answered."""

MULTI: Command = (b"MULTI",)
EXEC: Command = (b"EXEC",)

_LEAST_WAIT_S = 0.001
_packed: Any = hiredis.pack_command  # its stub knows tuples of one only


class Exchange:
    """Sends commands on one connection at a time, and never reconnects by itself.

    A connection is thrown away after any trouble, so an open one is always the one
    that :meth:`open` made: what was watched on it is watched still. Called from: the
    stream's thread only.
    """

    def __init__(self, endpoint: RedisEndpoint, clock: Clock, *, client_name: str) -> None:
        """Keep the address; nothing is opened yet."""
        self._endpoint = endpoint
        self._clock = clock
        self._client_name = client_name.encode()
        self._connection: Wire | None = None

    @property
    def is_open(self) -> bool:
        """Whether :meth:`open` succeeded and nothing has gone wrong since."""
        return self._connection is not None

    def open(self) -> None:
        """Ask the Sentinels, if any, connect and log in. Raises SinkUnavailable, SinkRefused (credentials)."""
        self.close()
        try:
            connection = self._endpoint.connection(locate(self._endpoint) if self._endpoint.sentinels else None)
            connection.connect()
        except RedisError as error:
            raise self._not_connected(error) from error
        except (ConfigInvalid, SecretGone) as missing:  # TLS files that cannot be used, a secret that is not there
            raise self._unprepared(missing) from missing
        if isinstance(self._endpoint.password, Password):
            self._endpoint.password.accepted = True
        self._connection = connection

    def greet(self) -> None:
        """Make sure that a primary answers, and that it takes transactions.

        A server that refused MULTI would run the rest of a batch bare, outside any
        fence; so it is tried empty before a batch is ever sent. A replica may be
        promoted: that is waited for. ROLE may be forbidden; READONLY tells then.
        Raises SinkUnavailable, SinkRefused.
        """
        setname = (b"CLIENT", b"SETNAME", self._client_name)
        _, role, multi, executed = self.ask((setname, (b"ROLE",), MULTI, EXEC))
        for reply, doing in ((multi, "MULTI"), (executed, "EXEC")):
            if isinstance(reply, RedisError):
                self.close()
                raise mapped(reply, doing)
        kind = role[0].decode() if isinstance(role, list) else "master"
        if kind != "master":
            self.close()
            raise self._not_primary(kind)

    def ask(self, commands: Sequence[Command | Packed]) -> list[Reply]:
        """Send all commands in one buffer; return one reply for each, errors as values.

        Raises SinkUnavailable when not all replies came in time: the outcome is
        unknown, and the connection is closed.
        """
        connection = self._connection
        if connection is None:
            raise SinkUnavailable(f"{self._endpoint.name}: not connected")
        deadline = self._clock.monotonic() + self._endpoint.timeout_s
        replies = sum(command.commands if isinstance(command, Packed) else 1 for command in commands)
        packets = [command.data if isinstance(command, Packed) else _packed(command) for command in commands]
        try:
            connection.send_packed_command([b"".join(packets)], check_health=False)
            return [self._reply(connection, deadline) for _ in range(replies)]
        except RedisError as error:
            self.close()
            raise self._broken(error) from error

    def close(self) -> None:
        """Drop the connection; may be called twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _reply(self, connection: Wire, deadline: float) -> Reply:
        left_s = max(deadline - self._clock.monotonic(), _LEAST_WAIT_S)
        try:
            return connection.read_response(disable_decoding=True, timeout=left_s)
        except ResponseError as error:
            return error

    def _broken(self, error: RedisError) -> HasyncError:
        if error.status_code:  # LOADING, NOAUTH and the like, which redis-py takes for a broken connection
            return mapped(error, f"{self._endpoint.name}")
        late = isinstance(error, RedisTimeoutError)
        reason = f"did not answer within {self._endpoint.timeout_s:g} s" if late else str(error)
        return SinkUnavailable(f"{self._endpoint.name}: {reason}")

    def _not_connected(self, error: RedisError) -> HasyncError:
        if error.status_code or isinstance(error, ResponseError):
            return self._login_refused(mapped(error, f"the login at {self._endpoint.name}"), code_of(error))
        if found := tls.diagnosis(error):
            remedy = found.remedy.replace("tls.", "redis.tls.")
            return SinkUnavailable(f"{self._endpoint.name} is not trusted: {found.reason}", hint=remedy)
        return SinkUnavailable(f"{self._endpoint.name}: cannot connect: {error}")

    def _unprepared(self, missing: ConfigInvalid | SecretGone) -> HasyncError:
        """Take files that worked before for ones that are being replaced."""
        message, password = f"{self._endpoint.name}: {missing.message}", self._endpoint.password
        if isinstance(password, Password) and password.accepted:
            return SinkUnavailable(message, hint=f"it worked before, so it is tried again: {missing.hint}")
        refused = SinkRefused(message, hint=missing.hint)
        refused.local = True
        return refused

    def _login_refused(self, refused: HasyncError, code: str) -> HasyncError:
        """Take a password that worked before for one that is being rotated, when the server refuses it now."""
        password = self._endpoint.password
        if code not in LOGIN or not isinstance(password, Password) or not password.accepted:
            return refused
        hint = f"it worked before; it is read anew from {password.name} at each attempt"
        return SinkUnavailable(refused.message, hint=hint)

    def _not_primary(self, kind: str) -> SinkUnavailable | SinkRefused:
        if kind == "slave":
            hint = "it is waited for: it may be promoted, or redis.url may lead to the primary again"
            return SinkUnavailable(f"{self._endpoint.name}: is a replica", hint=hint)
        return SinkRefused(f"{self._endpoint.name}: is a {kind}", hint="point redis.url at the data server itself")


def failed(replies: Sequence[Reply]) -> RedisError | None:
    """Return the first error among ``replies``."""
    return next((reply for reply in replies if isinstance(reply, RedisError)), None)
