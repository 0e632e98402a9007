"""MySQL's binary JSON, printed as ``SELECT`` prints a JSON column.

Format: a type byte, then the value; objects and arrays hold offsets relative to their
own start, two bytes wide ("small") or four ("large"). Spec: ``sql-common/json_binary.h``.
"""

import re
from base64 import b64encode
from struct import Struct
from typing import NamedTuple

from hasync.binlog.numbers import decode_decimal, decode_double

_SMALL_OBJECT, _LARGE_OBJECT, _SMALL_ARRAY, _LARGE_ARRAY = range(4)
_OBJECTS = (_SMALL_OBJECT, _LARGE_OBJECT)
_ARRAYS = (_SMALL_ARRAY, _LARGE_ARRAY)
_LARGE = (_LARGE_OBJECT, _LARGE_ARRAY)
_LITERAL = 4
_INT16, _UINT16, _INT32, _UINT32, _INT64, _UINT64 = range(5, 11)
_DOUBLE = 11
_STRING = 12
_OPAQUE = 15

_LITERALS = {0: b"null", 1: b"true", 2: b"false"}
_NUMBERS = {
    _INT16: Struct("<h"),
    _UINT16: Struct("<H"),
    _INT32: Struct("<i"),
    _UINT32: Struct("<I"),
    _INT64: Struct("<q"),
    _UINT64: Struct("<Q"),
}
_INLINE = {_LITERAL, _INT16, _UINT16}
_INLINE_LARGE = _INLINE | {_INT32, _UINT32}
_DEEPEST = 100
"""MySQL's own limit on the depth of a document."""

_OPAQUE_DECIMAL = 246
_OPAQUE_DATES = {7, 10, 12}
_OPAQUE_DATE = 10
_OPAQUE_TIME = 11
_BYTES_PER_LINE = 57
"""MySQL breaks base64 after 76 characters, and prints the line break as JSON has to."""

_ESCAPES = {
    **{b"%c" % number: b"\\u%04x" % number for number in range(0x20)},
    b"\b": b"\\b",
    b"\t": b"\\t",
    b"\n": b"\\n",
    b"\f": b"\\f",
    b"\r": b"\\r",
    b'"': b'\\"',
    b"\\": b"\\\\",
}
_ESCAPED = re.compile(rb'[\x00-\x1f"\\]')


def decode_json(data: bytes, at: int, size: int, _arg: object) -> bytes:
    """JSON of MySQL; an empty value (a NULL that slipped in by ``INSERT IGNORE``) prints as ``null``.

    Raises ValueError when the document is damaged.
    """
    out: list[bytes] = []
    print_value(stored_document(data[at : at + size]), out)
    return b"".join(out)


class Unread:
    """How many bytes of a document its values may still take up.

    MySQL writes each header, key and value into bytes of its own, so all that are read
    once take up no more than the document. A damaged one whose offsets share bytes
    would print 2 ** 100 values out of a few hundred bytes.
    """

    __slots__ = ("size_bytes",)

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes

    def take(self, size_bytes: int) -> None:
        """Count bytes that are read. Raises ValueError when the document does not have so many."""
        self.size_bytes -= size_bytes
        if self.size_bytes < 0:
            raise ValueError("JSON values share bytes of the document")


class Stored(NamedTuple):
    """A value inside a document, not looked at yet: its type, where it is, and how deep (the document itself is 1)."""

    data: bytes
    kind: int
    at: int
    depth: int
    unread: Unread

    @property
    def is_object(self) -> bool:
        """Whether its members have keys."""
        return self.kind in _OBJECTS

    @property
    def is_array(self) -> bool:
        """Whether it is a list of values."""
        return self.kind in _ARRAYS


def stored_document(data: bytes, depth: int = 1) -> Stored:
    """Return the value that a whole binary document is; an empty one is ``null``."""
    if not data:
        return Stored(b"\0", _LITERAL, 0, depth, Unread(0))
    return Stored(data, data[0], 1, depth, Unread(len(data)))


def print_value(value: Stored, out: list[bytes]) -> None:
    """Add the value's text to ``out``. Raises ValueError when it is damaged."""
    data, kind, at, _, unread = value
    if kind > _LARGE_ARRAY:
        out.append(_scalar(data, kind, at, unread))
        return
    is_object = kind in _OBJECTS
    begin = len(out)
    for key, inner in members(value):
        out.append(b", ")
        if is_object:
            out.append(quoted(key) + b": ")
        print_value(inner, out)
    opening, closing = (b"{", b"}") if is_object else (b"[", b"]")
    if len(out) == begin:
        out.append(opening)
    else:
        out[begin] = opening  # in the place of the first comma
    out.append(closing)


def members(container: Stored) -> list[tuple[bytes, Stored]]:
    """Return the members of an object, in MySQL's order, or the elements of an array, whose keys are empty.

    Raises ValueError when the container is damaged.
    """
    data, kind, base, depth, unread = container
    if depth > _DEEPEST:
        raise ValueError("JSON document is nested too deep")
    width = 4 if kind in _LARGE else 2
    count = _number(data, base, width)
    if _number(data, base + width, width) > len(data) - base:
        raise ValueError("JSON container is cut short")
    keys = base + 2 * width
    step = width + 2 if kind in _OBJECTS else 0
    entries = keys + count * step
    unread.take(entries + count * (width + 1) - base)
    found = []
    for position in range(count):
        key = _key(container, keys + position * step, width) if step else b""
        found.append((key, _member(container, entries + position * (width + 1), width)))
    return found


def _member(container: Stored, entry: int, width: int) -> Stored:
    data, _, base, depth, unread = container
    kind = data[entry]
    if kind in (_INLINE_LARGE if width == 4 else _INLINE):
        return Stored(data, kind, entry + 1, depth + 1, unread)
    offset = _number(data, entry + 1, width)
    if offset < 2 * width:
        raise ValueError("JSON offset points into its own header")
    return Stored(data, kind, base + offset, depth + 1, unread)


def _scalar(data: bytes, kind: int, at: int, unread: Unread) -> bytes:
    if kind == _LITERAL:
        return _literal(data[at])
    if kind in _NUMBERS:
        return b"%d" % int(_NUMBERS[kind].unpack_from(data, at)[0])
    if kind == _DOUBLE:
        return _double(data, at)
    if kind == _STRING:
        return quoted(_counted(data, at, unread))
    if kind == _OPAQUE:
        return _opaque(data[at], _counted(data, at + 1, unread))
    raise ValueError(f"JSON value has unknown type {kind}")


def _key(container: Stored, entry: int, width: int) -> bytes:
    data = container.data
    offset = container.at + _number(data, entry, width)
    length = _number(data, entry + width, 2)
    if offset + length > len(data):
        raise ValueError("JSON key is cut short")
    container.unread.take(length)
    return data[offset : offset + length]


def _number(data: bytes, at: int, width: int) -> int:
    if at + width > len(data):
        raise ValueError("JSON header is cut short")
    return int.from_bytes(data[at : at + width], "little")


def _literal(number: int) -> bytes:
    if number not in _LITERALS:
        raise ValueError(f"JSON literal {number} is not known")
    return _LITERALS[number]


def _double(data: bytes, at: int) -> bytes:
    """Print with a fraction even when there is none, so that it stays a double."""
    text = decode_double(data, at, 8, None)
    return text if b"." in text or b"e" in text else text + b".0"


def _counted(data: bytes, at: int, unread: Unread) -> bytes:
    """Read a length in groups of seven bits, then that many bytes."""
    length = shift = 0
    while True:
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
        shift += 7
        if shift > 28:
            raise ValueError("JSON length is too long")
    if at + length > len(data):
        raise ValueError("JSON string is cut short")
    unread.take(length)
    return data[at : at + length]


def quoted(raw: bytes) -> bytes:
    """Return a string's or key's text between quotation marks. UTF-8 passes as it is, as in text columns."""
    if _ESCAPED.search(raw) is None:
        return b'"%b"' % raw
    return b'"%b"' % _ESCAPED.sub(lambda match: _ESCAPES[match[0]], raw)


def _opaque(kind: int, raw: bytes) -> bytes:
    if kind == _OPAQUE_DECIMAL:
        return decode_decimal(raw, 2, len(raw) - 2, (raw[0], raw[1]))
    if kind in _OPAQUE_DATES or kind == _OPAQUE_TIME:
        return b'"' + _packed_time(kind, int.from_bytes(raw[:8], "little", signed=True)) + b'"'
    lines = [b64encode(raw[at : at + _BYTES_PER_LINE]) for at in range(0, len(raw), _BYTES_PER_LINE)]
    return b'"base64:type%d:%s"' % (kind, b"\\n".join(lines))


def _packed_time(kind: int, packed: int) -> bytes:
    sign = b"-" if packed < 0 else b""
    packed = abs(packed)
    micros, whole = packed & 0xFFFFFF, packed >> 24
    clock = (whole >> 6 & 63, whole & 63)
    if kind == _OPAQUE_TIME:
        return b"%s%02d:%02d:%02d.%06d" % (sign, whole >> 12 & 1023, *clock, micros)
    months, day = whole >> 22, whole >> 17 & 31
    date = b"%04d-%02d-%02d" % (months // 13, months % 13, day)
    if kind == _OPAQUE_DATE:
        return date
    return b"%s %02d:%02d:%02d.%06d" % (date, whole >> 12 & 31, *clock, micros)
