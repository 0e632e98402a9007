"""Events that servers write for compressed, tagged and XA transactions, made by hand."""

import zlib
from collections.abc import Sequence
from struct import pack, unpack_from

from zstandard import ZstdCompressor

from hasync.binlog.frames import EventType
from hasync.binlog.gtids import packed
from tests.unit.binlog.events import UUID, Wire

ZSTD, NONE = 0, 255


def lenenc(number: int) -> bytes:
    """Return a length-encoded integer."""
    return bytes((number,)) if number < 251 else b"\xfe" + pack("<Q", number)


def payload_body(inside: bytes, *, compression: int = ZSTD, announced: int | None = None) -> bytes:
    """Return a TRANSACTION_PAYLOAD body, fields in MySQL's order."""
    data = ZstdCompressor().compress(inside) if compression == ZSTD else inside
    fields = b""
    for kind, value in ((2, compression), (3, len(inside) if announced is None else announced), (1, len(data))):
        fields += bytes((kind,)) + lenenc(len(lenenc(value))) + lenenc(value)
    return fields + b"\0" + data


def bare(packets: Sequence[bytes]) -> bytes:
    """Return events as they are inside a payload: made without checksum, no packet's first byte."""
    return b"".join(packet[1:] for packet in packets)


def payload(wire: Wire, packets: Sequence[bytes], **how: int) -> bytes:
    """Return the event that holds others, which were made by a wire without checksums."""
    return wire.event(EventType.TRANSACTION_PAYLOAD, payload_body(bare(packets), **how))


def compressed(block: bytes, *, announced: int | None = None, algorithm: int = 0) -> bytes:
    """Return MariaDB's compressed form."""
    length = len(block) if announced is None else announced
    size = max(1, (length.bit_length() + 7) // 8)
    return bytes((0x80 | algorithm << 4 | size,)) + length.to_bytes(size, "big") + zlib.compress(block)


def compressed_rows(wire: Wire, kind: int, head: bytes, images: bytes, **how: int) -> bytes:
    """Return a compressed rows event: ``head`` up to and with the bitmaps."""
    return wire.event(kind, head + compressed(images, **how))


def tagged(wire: Wire, number: int, tag: str, *, micros: int = 0, uuid: str = UUID, needed: int = 0) -> bytes:
    """Return a GTID_TAGGED event of MySQL 9.7."""
    fields = b"\0" + packed(0) + packed(1) + b"".join(packed(byte) for byte in bytes.fromhex(uuid.replace("-", "")))
    fields += packed(2) + packed(number << 1) + packed(3) + packed(len(tag)) + tag.encode()
    fields += packed(4) + packed(0) + packed(5) + packed(2) + packed(6) + packed(micros) + packed(8) + packed(290)
    return wire.event(EventType.GTID_TAGGED, packed(1) + packed(len(fields) + 3) + packed(needed) + fields)


def xid_text(gtrid: bytes, bqual: bytes = b"", number: int = 1) -> str:
    """Return a name as statements in the binlog have it."""
    return f"X'{gtrid.hex()}',X'{bqual.hex()}',{number}"


def xa_prepare(wire: Wire, gtrid: bytes, *, one_phase: bool = False, number: int = 1) -> bytes:
    """Return the event that ends the first phase, or the only one."""
    body = pack("<BIII", one_phase, number, len(gtrid), 0) + gtrid
    return wire.event(EventType.XA_PREPARE, body)


def mariadb_xa(wire: Wire, number: int, gtrid: bytes, flags: int) -> bytes:
    """Return a MariaDB GTID event with a branch's name, and more behind it that nobody needs."""
    body = pack("<QIB", number, 0, flags) + pack("<IBB", 1, len(gtrid), 0) + gtrid + b"\1\xff"
    return wire.event(EventType.MARIADB_GTID, body)


def end_of(packet: bytes) -> int:
    """Return the offset that an event names as its end."""
    low: int = unpack_from("<I", packet, 14)[0]
    return low
