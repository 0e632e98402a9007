"""Binary JSON documents whose offsets share bytes: refused before they grow, while sound ones are never counted out."""

from collections.abc import Callable
from struct import pack

import pytest

from hasync.binlog.jsonb import decode_json
from hasync.binlog.jsondiff import apply_diffs

_LARGE_OBJECT, _SMALL_ARRAY, _LARGE_ARRAY, _LITERAL, _STRING, _OPAQUE = 1, 2, 3, 4, 12, 15


def shared_levels(levels: int) -> bytes:
    """Return arrays of two elements in each other, both elements being the same next one."""
    size = 4 + 2 * 3
    level = pack("<HHBHBH", 2, size, _SMALL_ARRAY, size, _SMALL_ARRAY, size)
    return bytes([_SMALL_ARRAY]) + level * levels + pack("<HH", 0, 4)


def shared_values(value: bytes, kind: int) -> bytes:
    """Return an array of a thousand times the same value."""
    count = 1000
    end = 8 + count * 5
    return bytes([_LARGE_ARRAY]) + pack("<II", count, end) + pack("<BI", kind, end) * count + value


def shared_keys(key: bytes) -> bytes:
    """Return an object of a thousand members with the same key."""
    count = 1000
    end = 8 + count * 11
    keys = pack("<IH", end, len(key)) * count
    return bytes([_LARGE_OBJECT]) + pack("<II", count, end) + keys + pack("<BI", _LITERAL, 0) * count + key


LONG = b"\x80\x7d" + b"x" * 16000
HOSTILE = {
    "levels": shared_levels(95),
    "strings": shared_values(LONG, _STRING),
    "opaque values": shared_values(b"\xfc" + LONG, _OPAQUE),
    "keys": shared_keys(b"k" * 16000),
}


def as_document(document: bytes) -> None:
    """Read it as a column's value."""
    decode_json(document, 0, len(document), None)


def as_before_image(document: bytes) -> None:
    """Read it as the value that a partial update changes."""
    apply_diffs(document, b"")


@pytest.mark.parametrize("read", [as_document, as_before_image])
@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE)
def test_document_whose_values_share_bytes_is_refused(document: bytes, read: Callable[[bytes], None]) -> None:
    """It would print 2 ** 95 values, or a thousand times its size."""
    with pytest.raises(ValueError, match="share bytes"):
        read(document)


def test_packed_document_takes_up_exactly_its_bytes() -> None:
    """Nothing is left over in one without scalars behind entries, and it still is not one too many."""
    element = pack("<HH", 0, 4)
    document = bytes([_SMALL_ARRAY]) + pack("<HHBHBH", 2, 18, _SMALL_ARRAY, 10, _SMALL_ARRAY, 14) + element * 2
    assert decode_json(document, 0, len(document), None) == b"[[], []]"
    with pytest.raises(ValueError, match="JSON"):
        as_document(shared_levels(1))
