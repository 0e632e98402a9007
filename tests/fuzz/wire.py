"""A packet's frame, mended after a mutation so that what is inside gets read; and packets as a byte stream."""

import random
import zlib
from collections.abc import Iterable, Iterator, Sequence
from struct import pack, pack_into

HEADER_BYTES = 20
"""The OK byte and the event's header."""
ROTATE, FORMAT_DESCRIPTION = 4, 15
ARTIFICIAL = 0x20
_FULL_PACKET = 0xFFFFFF


def kind_of(packet: bytes) -> int:
    """Return the event's type, 0 when there is no header."""
    return packet[5] if len(packet) >= HEADER_BYTES else 0


def flags_of(packet: bytes) -> int:
    """Return the event's flags."""
    return int.from_bytes(packet[18:20], "little")


def end_of(packet: bytes) -> int:
    """Return the place behind the event, its low 32 bits."""
    return int.from_bytes(packet[14:18], "little")


def placed(packet: bytes) -> bool:
    """Whether the event stands in the file."""
    return end_of(packet) != 0 and not flags_of(packet) & ARTIFICIAL


def algorithm(packet: bytes) -> int:
    """Return the checksum algorithm that a FORMAT_DESCRIPTION announces for its file."""
    return packet[-5] if len(packet) > HEADER_BYTES + 5 else 0


def checked(packets: Sequence[bytes], checksum: bool) -> Iterator[tuple[bytes, bool]]:
    """Yield each packet and whether it ends in a CRC32, as their FORMAT_DESCRIPTIONs say."""
    for packet in packets:
        kind = kind_of(packet)
        if kind == FORMAT_DESCRIPTION:
            checksum = algorithm(packet) == 1
        crc = int.from_bytes(packet[-4:], "little")
        yield packet, kind == FORMAT_DESCRIPTION or (checksum if kind != ROTATE else zlib.crc32(packet[1:-4]) == crc)


def sized(packet: bytes) -> bytes:
    """Return the packet with the size in its header made right."""
    if len(packet) < HEADER_BYTES:
        return packet
    mended = bytearray(packet)
    pack_into("<I", mended, 10, len(packet) - 1)
    return bytes(mended)


def sealed(packet: bytes) -> bytes:
    """Return the packet with its last four bytes made the CRC32 of the rest."""
    if len(packet) < HEADER_BYTES + 4:
        return packet
    return packet[:-4] + pack("<I", zlib.crc32(packet[1:-4]))


def laid_out(packets: Iterable[bytes], pos: int = 4) -> list[bytes]:
    """Return the packets with places that follow one another, as if the file had been written so."""
    found = []
    for packet in packets:
        if kind_of(packet) == ROTATE and len(packet) >= HEADER_BYTES + 8 and not placed(packet):
            pos = int.from_bytes(packet[HEADER_BYTES : HEADER_BYTES + 8], "little")
        elif len(packet) >= HEADER_BYTES and placed(packet):
            pos += len(packet) - 1
            mended = bytearray(packet)
            pack_into("<I", mended, 14, pos & 0xFFFFFFFF)
            packet = bytes(mended)  # noqa: PLW2901 - the same packet, mended
        found.append(packet)
    return found


def stream(packets: Iterable[bytes]) -> bytes:
    """Return the packets as they travel: each with its length and a number that counts up."""
    out = bytearray()
    number = 0
    for packet in packets:
        at = 0
        while True:
            piece = packet[at : at + _FULL_PACKET]
            out += len(piece).to_bytes(3, "little") + bytes((number & 0xFF,)) + piece
            number += 1
            at += len(piece)
            if len(piece) < _FULL_PACKET:
                break
    return bytes(out)


def chunks(data: bytes, dice: random.Random) -> Iterator[bytes]:
    """Cut a byte stream as a socket might."""
    at = 0
    while at < len(data):
        size = dice.choice((1, 7, 100, 1500, 1 << 14, 1 << 20))
        yield data[at : at + size]
        at += size
