"""Redis asked about every row: it must hold what MySQL says, and nothing else."""

import socket
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import hiredis

from benchmarks.filling import Chunk
from benchmarks.task import Void

if TYPE_CHECKING:
    from testbed import Redis

_MARK = b"-- end of chunk --"
_MARK_COMMAND = b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (len(_MARK), _MARK)
_MARK_REPLY = b"$%d\r\n%s\r\n" % (len(_MARK), _MARK)
_READ_BYTES = 1 << 20
_TIMEOUT_S = 30.0


class Wire:
    """A connection to Redis for prepared bytes: millions of keys are compared in seconds."""

    def __init__(self, cache: "Redis") -> None:
        """Connect. Raises OSError."""
        self._socket = socket.create_connection((cache.host, cache.port), timeout=_TIMEOUT_S)

    def __enter__(self) -> Self:
        """Do nothing more."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._socket.close()

    def exchange(self, commands: bytes) -> bytes:
        """Send commands and return all their replies. Raises OSError."""
        self._socket.sendall(commands + _MARK_COMMAND)
        replies = bytearray()
        while not replies.endswith(_MARK_REPLY):
            received = self._socket.recv(_READ_BYTES)
            if not received:
                raise ConnectionError("Redis closed the connection of the audit")
            replies += received
        return bytes(replies[: -len(_MARK_REPLY)])


def set_out(cache: "Redis", chunks: Iterable[Chunk]) -> None:
    """Empty Redis, then put there what must be there before a contender starts."""
    cache.command("FLUSHALL")
    with Wire(cache) as wire:
        for chunk in chunks:
            if chunk.before:
                wire.exchange(chunk.before)


def audit(cache: "Redis", chunks: Iterable[Chunk], *, keys_left: int, state_key: str) -> None:
    """Compare every row. Raises Void unless Redis holds what it must, and at most the state key besides."""
    rows = wrong = 0
    with Wire(cache) as wire:
        for chunk in chunks:
            found = wire.exchange(chunk.question)
            rows += chunk.rows
            wrong += 0 if found == chunk.reply else differences(found, chunk.reply)
    foreign = int(cache.command("DBSIZE")) - int(cache.command("EXISTS", state_key)) - rows * keys_left
    if wrong or foreign:
        raise Void(f"of {rows} rows {wrong} are wrong or missing in Redis, and it has {foreign:+d} keys")


def differences(found: bytes, expected: bytes) -> int:
    """Return how many of the replies are others than expected."""
    pairs = zip(_parsed(found), _parsed(expected), strict=True)
    return sum(one != other for one, other in pairs)


def _parsed(replies: bytes) -> list[object]:
    reader = hiredis.Reader(notEnoughData=Ellipsis)
    reader.feed(replies)
    return list(iter(reader.gets, Ellipsis))
