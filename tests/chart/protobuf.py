"""Helm's own records reach the API as protobuf Secrets: just enough of that format to read them."""

import base64
from collections.abc import Iterator
from typing import Any, Final

MAGIC: Final = b"k8s\0"


def read_secret(raw: bytes) -> dict[str, Any]:
    """Return a Secret as JSON values. Raises ValueError for a field of another wire type than expected."""
    found: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"labels": {}}, "data": {}}
    envelope = dict(_fields(raw[len(MAGIC) :]))
    for number, value in _fields(envelope[2]):
        match number:
            case 1:
                _read_metadata(found["metadata"], value)
            case 2:
                name, content = _pair(value)
                found["data"][name] = base64.b64encode(content).decode()
            case 3:
                found["type"] = value.decode()
    return found


def _read_metadata(metadata: dict[str, Any], raw: bytes) -> None:
    for number, value in _fields(raw):
        match number:
            case 1:
                metadata["name"] = value.decode()
            case 11:
                name, content = _pair(value)
                metadata["labels"][name] = content.decode()


def _pair(raw: bytes) -> tuple[str, bytes]:
    fields = dict(_fields(raw))
    return fields.get(1, b"").decode(), fields.get(2, b"")


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        if tag & 7 == 0:
            value, at = _varint(raw, at)
            yield tag >> 3, value
        elif tag & 7 == 2:
            size, at = _varint(raw, at)
            yield tag >> 3, raw[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {tag & 7}")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = raw[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
