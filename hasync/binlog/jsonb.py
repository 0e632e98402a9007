"""MySQL's binary JSON, printed as ``SELECT`` prints a JSON column.

Format: a type byte, then the value; objects and arrays hold offsets relative to their
own start, two bytes wide ("small") or four ("large"). Spec: ``sql-common/json_binary.h``.
"""

from base64 import b64encode
from struct import Struct

from hasync.binlog.numbers import decode_decimal, decode_double

_SMALL_OBJECT, _LARGE_OBJECT, _SMALL_ARRAY, _LARGE_ARRAY = range(4)
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

_ESCAPES = {
    **{number: f"\\u{number:04x}" for number in range(0x20)},
    0x08: "\\b",
    0x09: "\\t",
    0x0A: "\\n",
    0x0C: "\\f",
    0x0D: "\\r",
    0x22: '\\"',
    0x5C: "\\\\",
}


def decode_json(data: bytes, at: int, size: int, _arg: object) -> bytes:
    """JSON of MySQL; an empty value (a NULL that slipped in by ``INSERT IGNORE``) prints as ``null``.

    Raises ValueError when the document is damaged.
    """
    if not size:
        return b"null"
    printer = _Printer(data[at : at + size])
    printer.value(data[at], 1, depth=1)
    return b"".join(printer.out)


class _Printer:
    """Walks one document and collects its text."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.out: list[bytes] = []

    def value(self, kind: int, at: int, depth: int) -> None:
        """Print the value of type ``kind`` at ``at``."""
        if kind > _LARGE_ARRAY:
            self.out.append(_scalar(self.data, kind, at))
            return
        if depth > _DEEPEST:
            raise ValueError("JSON document is nested too deep")
        is_object = kind in (_SMALL_OBJECT, _LARGE_OBJECT)
        self.out.append(b"{" if is_object else b"[")
        self._members(at, 4 if kind in (_LARGE_OBJECT, _LARGE_ARRAY) else 2, depth, is_object=is_object)
        self.out.append(b"}" if is_object else b"]")

    def _members(self, base: int, width: int, depth: int, *, is_object: bool) -> None:
        """Print what is between the brackets: count and size, then keys if any, then entries."""
        count = _number(self.data, base, width)
        if _number(self.data, base + width, width) > len(self.data) - base:
            raise ValueError("JSON container is cut short")
        keys = base + 2 * width
        entries = keys + (count * (width + 2) if is_object else 0)
        for position in range(count):
            if position:
                self.out.append(b", ")
            if is_object:
                self.out.append(_key(self.data, base, keys + position * (width + 2), width) + b": ")
            self._entry(base, entries + position * (width + 1), width, depth)

    def _entry(self, base: int, entry: int, width: int, depth: int) -> None:
        kind = self.data[entry]
        if kind in (_INLINE_LARGE if width == 4 else _INLINE):
            self.value(kind, entry + 1, depth + 1)
            return
        offset = _number(self.data, entry + 1, width)
        if offset < 2 * width:
            raise ValueError("JSON offset points into its own header")
        self.value(kind, base + offset, depth + 1)


def _scalar(data: bytes, kind: int, at: int) -> bytes:
    if kind == _LITERAL:
        return _literal(data[at])
    if kind in _NUMBERS:
        return b"%d" % int(_NUMBERS[kind].unpack_from(data, at)[0])
    if kind == _DOUBLE:
        return _double(data, at)
    if kind == _STRING:
        return _quoted(_counted(data, at))
    if kind == _OPAQUE:
        return _opaque(data[at], _counted(data, at + 1))
    raise ValueError(f"JSON value has unknown type {kind}")


def _key(data: bytes, base: int, entry: int, width: int) -> bytes:
    offset = base + _number(data, entry, width)
    length = _number(data, entry + width, 2)
    if offset + length > len(data):
        raise ValueError("JSON key is cut short")
    return _quoted(data[offset : offset + length])


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


def _counted(data: bytes, at: int) -> bytes:
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
    return data[at : at + length]


def _quoted(raw: bytes) -> bytes:
    return b'"' + raw.decode().translate(_ESCAPES).encode() + b'"'


def _opaque(kind: int, raw: bytes) -> bytes:
    if kind == _OPAQUE_DECIMAL:
        return decode_decimal(raw, 2, len(raw) - 2, (raw[0], raw[1]))
    if kind in _OPAQUE_DATES or kind == _OPAQUE_TIME:
        return b'"' + _packed_time(kind, int.from_bytes(raw[:8], "little", signed=True)) + b'"'
    return b'"base64:type%d:%s"' % (kind, b64encode(raw))


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
