"""What is in Redis: every key with its value and its time to live."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import redis

_BLOCK = 1000
_READERS = {b"string": "GET", b"hash": "HGETALL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key's value: bytes, a hash, or None for any other type. ``ttl_ms``: -1 when it never expires."""

    value: bytes | Mapping[bytes, bytes] | None
    ttl_ms: int = -1

    @property
    def number(self) -> int | None:
        """The value as an integer, None when it is none."""
        try:
            return int(self.value) if isinstance(self.value, bytes) else None
        except ValueError:
            return None

    @property
    def fields(self) -> Mapping[bytes, bytes]:
        """The fields of a hash; a key of another type has none."""
        return self.value if isinstance(self.value, Mapping) else {}

    def __str__(self) -> str:
        """For a report."""
        if isinstance(self.value, bytes):
            return repr(self.value.decode(errors="backslashreplace"))
        return "of another type" if self.value is None else f"a hash of {len(self.value)} fields"


Content = Mapping[bytes, Entry]


def read(client: "redis.Redis", *, without: frozenset[bytes]) -> Content:
    """Read all keys of the database but those in ``without``. ``client`` must not decode responses."""
    content: dict[bytes, Entry] = {}
    keys = (key for key in client.scan_iter(count=_BLOCK) if key not in without)
    while block := tuple(islice(keys, _BLOCK)):
        content |= _read_block(client, block)
    return content


def _read_block(client: "redis.Redis", keys: tuple[bytes, ...]) -> dict[bytes, Entry]:
    types = _pipelined(client, [("TYPE", key) for key in keys])
    lives = _pipelined(client, [("PTTL", key) for key in keys])
    readable = [key for key, kind in zip(keys, types, strict=True) if kind in _READERS]
    kinds = dict(zip(keys, types, strict=True))
    values = dict(zip(readable, _pipelined(client, [(_READERS[kinds[key]], key) for key in readable]), strict=True))
    return {key: Entry(value=values.get(key), ttl_ms=life) for key, life in zip(keys, lives, strict=True)}


def _pipelined(client: "redis.Redis", commands: list[tuple[Any, ...]]) -> list[Any]:
    pipeline: Any = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    answers: list[Any] = pipeline.execute()
    return answers
