"""Turns values into the bytes of a znode and back, within bounds."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import orjson

from hasync.errors import CoordinationRefused

MAX_BYTES: Final = {
    "config": 500_000,
    "config_revision": 500_000,
    "position": 450_000,
    "epoch": 4_096,
    "leader": 4_096,
    "term": 900_000,
    "member": 100_000,
    "intent": 16_384,
    "halt": 500_000,
    "drill": 16_384,
    "drain": 16_384,
}
"""The most each kind of znode may hold.

``jute.maxbuffer`` is 1 MiB for a whole packet, and a server drops the connection of who
sends more. A config goes twice into one packet; a term holds two positions, whose GTID
sets have no bound of their own.
"""

Value = TypeVar("Value")


def encode(document: Mapping[str, Any], kind: str) -> bytes:
    """Return the stored bytes, keys in order. Raises CoordinationRefused when there are too many."""
    data = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    if len(data) > MAX_BYTES[kind]:
        raise CoordinationRefused(
            f"the {kind} in ZooKeeper would hold {len(data)} bytes, at most {MAX_BYTES[kind]} are allowed",
            hint="make the content smaller; ZooKeeper is no file store",
        )
    return data


def _json_object(data: bytes) -> dict[str, Any]:
    document = orjson.loads(data)
    if not isinstance(document, dict):
        raise TypeError("it is not a JSON object")
    return document


def decode(data: bytes, path: str, from_json: Callable[[Mapping[str, Any]], Value]) -> Value:
    """Read a stored value. Raises CoordinationRefused when this release cannot understand it."""
    try:
        return from_json(_json_object(data))
    except (ValueError, TypeError) as error:
        raise CoordinationRefused(
            f"{path} holds what this release cannot read: {error}",
            hint="written by hand or by a newer release: upgrade this instance, or repair the znode",
        ) from error
