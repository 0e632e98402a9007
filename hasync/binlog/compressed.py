"""MariaDB's compressed events (``log_bin_compress``), turned into the plain ones that they stand for.

The compressed part begins with a byte (algorithm in bits 4 to 6, 0 is zlib; count of length
bytes in bits 0 to 2) and the inflated length, highest byte first: ``binlog_buf_compress``.
"""

import zlib

from hasync.binlog.frames import Event, EventType, lenenc

PLAIN = {
    EventType.MARIADB_QUERY_COMPRESSED: EventType.QUERY,
    EventType.MARIADB_WRITE_ROWS_COMPRESSED_V1: EventType.WRITE_ROWS_V1,
    EventType.MARIADB_UPDATE_ROWS_COMPRESSED_V1: EventType.UPDATE_ROWS_V1,
    EventType.MARIADB_DELETE_ROWS_COMPRESSED_V1: EventType.DELETE_ROWS_V1,
    EventType.MARIADB_WRITE_ROWS_COMPRESSED: EventType.WRITE_ROWS,
    EventType.MARIADB_UPDATE_ROWS_COMPRESSED: EventType.UPDATE_ROWS,
    EventType.MARIADB_DELETE_ROWS_COMPRESSED: EventType.DELETE_ROWS,
}
"""The plain type of each compressed one."""

_UPDATES = frozenset({EventType.UPDATE_ROWS_V1, EventType.UPDATE_ROWS})


def plain(event: Event) -> Event:
    """Return the plain event of the same place. Raises ValueError when it is damaged."""
    kind = PLAIN[EventType(event.type)]
    at = _query_text(event) if kind is EventType.QUERY else _row_images(event, kind)
    head = bytes(event.data[event.at : at])
    return event.replaced(kind, head + _inflated(event.data[at : event.end]))


def _query_text(event: Event) -> int:
    data, at = event.data, event.at
    if at + 13 > event.end:
        raise ValueError("QUERY event is cut short")
    return at + 13 + int.from_bytes(data[at + 11 : at + 13], "little") + data[at + 8] + 1


def _row_images(event: Event, kind: EventType) -> int:
    data, at = event.data, event.at + 8
    if kind >= EventType.WRITE_ROWS:
        at += int.from_bytes(data[at : at + 2], "little")
    width, at = lenenc(data, at)
    return at + (width + 7 >> 3) * (2 if kind in _UPDATES else 1)


def _inflated(block: bytes) -> bytes:
    if not block or block[0] & 0x70:
        raise ValueError("compressed part is missing, or its algorithm is not known")
    start = 1 + (block[0] & 7)
    length = int.from_bytes(block[1:start], "big")
    inflating = zlib.decompressobj()
    try:
        inflated = inflating.decompress(block[start:], length + 1)
    except zlib.error as damaged:
        raise ValueError(f"compressed part cannot be inflated: {damaged}") from damaged
    if len(inflated) != length or not inflating.eof or inflating.unused_data:
        raise ValueError(f"compressed part does not inflate to the {length} bytes that it announces")
    return inflated
