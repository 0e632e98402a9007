"""From a column's character set to UTF-8, which is what every text value in hasync is.

``arg`` of the decoders is a :class:`Transcoder`. Which collation id means which character
set is asked of the server, since MariaDB numbers many of its own.
"""

import codecs
import struct
import zlib
from dataclasses import dataclass

from hasync.binlog.codepages import Decode, code_page

BINARY = "binary"
"""Bytes, not text."""

_AS_IS = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii", BINARY})

_WIDE = {"utf16": "utf_16_be", "utf16le": "utf_16_le", "utf32": "utf_32_be"}

_NATIONAL = frozenset({"swe7"})
"""Seven-bit sets with letters in the place of ASCII's brackets."""

_STORED, _DEFLATED = 0, 8
_BARE = 8


@dataclass(frozen=True, slots=True)
class Transcoder:
    """How text of one character set becomes UTF-8; ``ascii_safe``: pure ASCII stays as it is."""

    charset: str
    ascii_safe: bool
    decode: Decode


def transcoder(charset: str) -> Transcoder | None:
    """Return what turns ``charset`` into UTF-8, None when its bytes are taken as they are.

    Raises LookupError when the character set is not known.
    """
    if charset in _AS_IS:
        return None
    if charset in _WIDE:
        decode = codecs.lookup(_WIDE[charset]).decode
        return Transcoder(charset, ascii_safe=False, decode=lambda raw: decode(raw, "strict")[0])
    if charset == "ucs2":
        return Transcoder(charset, ascii_safe=False, decode=_two_by_two)
    page = code_page(charset)
    if page is None:
        raise LookupError(charset)
    return Transcoder(charset, ascii_safe=charset not in _NATIONAL, decode=page)


def _two_by_two(raw: bytes) -> str:
    """Read ucs2, in which the halves of a surrogate pair are two characters, each printed by itself."""
    return "".join(map(chr, struct.unpack(f">{len(raw) // 2}H", raw)))


def decode_text(data: bytes, at: int, size: int, arg: Transcoder) -> bytes:
    """CHAR, VARCHAR and TEXT of a character set that is not UTF-8."""
    raw = data[at : at + size]
    if arg.ascii_safe and raw.isascii():
        return raw
    return arg.decode(raw).encode("utf-8", "surrogatepass")


def decode_compressed(data: bytes, at: int, size: int, arg: Transcoder | None) -> bytes:
    """MariaDB's COMPRESSED columns: a byte of method, flags and width, the original length, deflated bytes.

    Raises ValueError when the content does not inflate to its length.
    """
    if not size:
        return b""
    header = data[at]
    width = header & 7
    packed = data[at + 1 + width : at + size]
    if header >> 4 == _STORED:
        raw = data[at + 1 : at + size]
    elif header >> 4 == _DEFLATED:
        raw = inflate(packed, int.from_bytes(data[at + 1 : at + 1 + width], "big"), bare=bool(header & _BARE))
    else:
        raise ValueError(f"compression method {header >> 4} is not known")
    return decode_text(raw, 0, len(raw), arg) if arg is not None else raw


def inflate(packed: bytes, size: int, *, bare: bool) -> bytes:
    """Inflate exactly ``size`` bytes; ``bare``: without zlib's header. Raises ValueError."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS)
    try:
        raw = engine.decompress(packed, size + 1)
    except zlib.error as damaged:
        raise ValueError(f"compressed value is damaged: {damaged}") from damaged
    if len(raw) != size:
        raise ValueError("compressed value has another length than it says")
    return raw


def decode_bytes(data: bytes, at: int, size: int, _arg: object) -> bytes:
    """Bytes as they are: UTF-8 text, BLOB, VARBINARY, BIT, GEOMETRY, VECTOR."""
    return data[at : at + size]


def decode_padded(data: bytes, at: int, size: int, arg: int) -> bytes:
    """BINARY(n): the binlog drops trailing zeros, ``SELECT`` prints all ``arg`` bytes."""
    return data[at : at + size].ljust(arg, b"\0")


def decode_enum(data: bytes, at: int, size: int, arg: tuple[bytes, ...]) -> bytes:
    """ENUM: the member's number, 0 for the invalid value that prints empty; ``arg`` holds the members in UTF-8."""
    number = int.from_bytes(data[at : at + size], "little")
    return arg[number - 1] if number else b""


def decode_set(data: bytes, at: int, size: int, arg: tuple[bytes, ...]) -> bytes:
    """SET: a bit per member; ``arg`` holds the members in UTF-8."""
    bits = int.from_bytes(data[at : at + size], "little")
    if bits >> len(arg):
        raise ValueError("SET value has a bit without a member")
    return b",".join([text for position, text in enumerate(arg) if bits >> position & 1])
