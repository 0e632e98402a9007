"""The counters of a drill's probe in Redis, read by the command that runs the drill."""

from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from hasync.model.command import Command
from hasync.ports import Clock
from hasync.sinks.endpoint import RedisEndpoint
from hasync.sinks.exchange import Exchange
from hasync.sinks.faults import mapped


class RedisBeats:
    """Reads one hash for each drill; its fields are the rows. Called from: one thread at a time."""

    def __init__(self, endpoint: RedisEndpoint, clock: Clock, *, prefix: str) -> None:
        """``prefix``: of the key, before the drill's id."""
        self._exchange = Exchange(endpoint, clock, client_name="hasync-drill")
        self._prefix = prefix

    def visible(self, drill: str) -> int:
        """How many rows were applied."""
        return int(self._ask(b"HLEN", drill))

    def counts(self, drill: str) -> Mapping[int, int]:
        """How often each row was applied."""
        flat = self._ask(b"HGETALL", drill)
        return {int(row): int(count) for row, count in zip(flat[::2], flat[1::2], strict=True)}

    def forget(self, drill: str) -> None:
        """Remove the counters."""
        self._ask(b"DEL", drill)

    def close(self) -> None:
        """Drop the connection."""
        self._exchange.close()

    def _ask(self, verb: bytes, drill: str) -> Any:
        asked: Command = (verb, f"{self._prefix}{drill}".encode())
        if not self._exchange.is_open:
            self._exchange.open()
        (reply,) = self._exchange.ask((asked,))
        if isinstance(reply, RedisError):
            raise mapped(reply, verb.decode())
        return reply
