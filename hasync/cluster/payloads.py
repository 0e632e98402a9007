"""Turns values into the bytes of a znode and back, within bounds."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import orjson

from hasync.errors import CoordinationRefused

MAX_BYTES: Final = 900_000
"""The most one znode may hold: ``jute.maxbuffer`` is 1 MiB for a whole packet, path and headers included."""

Value = TypeVar("Value")


def encode(document: Mapping[str, Any], path: str, *, limit_bytes: int = MAX_BYTES) -> bytes:
    """Return the stored bytes, keys in order. Raises CoordinationRefused when there are too many."""
    data = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    if len(data) > limit_bytes:
        raise CoordinationRefused(
            f"{path} would hold {len(data)} bytes, ZooKeeper takes {limit_bytes}",
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
