"""From a column's character set to UTF-8, which is what every text value in hasync is.

``arg`` of the decoders is a :class:`Transcoder`. Which collation id means which character
set is asked of the server, since MariaDB numbers many of its own.
"""

import codecs
import zlib
from collections.abc import Callable
from dataclasses import dataclass

BINARY = "binary"
"""Bytes, not text."""

_AS_IS = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii", BINARY})

_WIDE = {"ucs2": "utf_16_be", "utf16": "utf_16_be", "utf16le": "utf_16_le", "utf32": "utf_32_be"}

_MULTI_BYTE = {
    "gbk": "gbk",
    "gb18030": "gb18030",
    "gb2312": "gb2312",
    "sjis": "shift_jis",
    "cp932": "cp932",
    "euckr": "cp949",
}
"""Python's codec agrees with both servers on every character, but for :data:`_OTHERWISE` and unassigned codes.

big5, ujis and eucjpms are not here: their codecs do not.
"""

_OTHERWISE = {"sjis": ("\uff3c", "\\"), "gb18030": ("\ue7c7", "\u1e3f")}

_SINGLE_BYTE = {
    "latin1": "cp1252",
    "latin2": "iso8859_2",
    "latin5": "iso8859_9",
    "latin7": "iso8859_13",
    "greek": "iso8859_7",
    "hebrew": "iso8859_8",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1256": "cp1256",
    "cp1257": "cp1257",
    "cp850": "cp850",
    "cp852": "cp852",
    "cp866": "cp866",
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
    "tis620": "tis_620",
}

_HOLES = {
    "greek": "a4 a5 aa ae d2 ff",
    "hebrew": "a1 bf c0c1c2c3c4c5c6c7c8c9cacbcccdcecf d0d1d2d3d4d5d6d7d8d9dadbdcddde fb fc ff",
    "cp1250": "81 83 88 90 98",
    "cp1251": "98",
    "cp1256": "8a 8f 98 9a 9f aa c0 ff",
    "cp1257": "81 83 88 8a 8c 90 98 9a 9c 9f a1 a5",
}
"""Bytes that the servers print as a question mark, some because their tables are older than Python's."""

_DEVIATIONS = {
    "greek": {0xA1: "\u02bd", 0xA2: "\u02bc"},
    "hebrew": {0xAF: "\u203e"},
    "cp866": {0xFC: "\u207f", 0xFD: "\u00b2"},
    "koi8u": {0x95: "\u2022"},
    "tis620": dict.fromkeys((0xA0, 0xDB, 0xDC, 0xDD, 0xDE, 0xFC, 0xFD, 0xFE, 0xFF), "\ufffd"),
}

_STORED, _DEFLATED = 0, 8
_BARE = 8

Decode = Callable[[bytes], str]


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
    if charset in _MULTI_BYTE:
        return Transcoder(charset, ascii_safe=True, decode=_multi_byte(charset))
    if charset in _SINGLE_BYTE:
        return Transcoder(charset, ascii_safe=True, decode=_single_byte(charset))
    raise LookupError(charset)


def _multi_byte(charset: str) -> Decode:
    codec = _MULTI_BYTE[charset]
    theirs, ours = _OTHERWISE.get(charset, ("", ""))

    def decode(raw: bytes) -> str:
        try:
            text = raw.decode(codec)
        except UnicodeDecodeError:
            text = _with_gaps(raw, codec)
        return text.replace(theirs, ours) if theirs else text

    return decode


def _with_gaps(raw: bytes, codec: str) -> str:
    """Decode with a question mark for each code that has no character, as the servers print it."""
    parts = []
    while raw:
        try:
            parts.append(raw.decode(codec))
            break
        except UnicodeDecodeError as gap:
            parts.append(raw[: gap.start].decode(codec) + "?")
            four = codec == "gb18030" and raw[gap.start + 1 : gap.start + 2].isdigit()
            raw = raw[gap.start + (4 if four else 2) :]
    return "".join(parts)


def _single_byte(charset: str) -> Decode:
    """Where a code page has holes, the servers keep the byte's own number (latin1's 0x81 is U+0081), or a "?"."""
    characters = [_character(_SINGLE_BYTE[charset], number) for number in range(256)]
    for number in bytes.fromhex(_HOLES.get(charset, "")):
        characters[number] = "?"
    for number, character in _DEVIATIONS.get(charset, {}).items():
        characters[number] = character
    table = "".join(characters)
    return lambda raw: codecs.charmap_decode(raw, "strict", table)[0]


def _character(codec: str, number: int) -> str:
    try:
        return bytes((number,)).decode(codec)
    except UnicodeDecodeError:
        return chr(number)


def decode_text(data: bytes, at: int, size: int, arg: Transcoder) -> bytes:
    """CHAR, VARCHAR and TEXT of a character set that is not UTF-8."""
    raw = data[at : at + size]
    if arg.ascii_safe and raw.isascii():
        return raw
    return arg.decode(raw).encode()


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
