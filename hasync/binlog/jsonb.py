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
    document = data[at : at + size]
    out: list[bytes] = []
    _value(document, document[0], 1, 1, out)
    return b"".join(out)


def _value(data: bytes, kind: int, at: int, depth: int, out: list[bytes]) -> None:
    if kind <= _LARGE_ARRAY:
        if depth > _DEEPEST:
            raise ValueError("JSON document is nested too deep")
        _container(data, kind, at, depth, out)
    elif kind == _LITERAL:
        out.append(_literal(data[at]))
    elif kind in _NUMBERS:
        number = _NUMBERS[kind]
        if at + number.size > len(data):
            raise ValueError("JSON number is cut short")
        out.append(b"%d" % number.unpack_from(data, at))
    elif kind == _DOUBLE:
        out.append(_double(data, at))
    elif kind == _STRING:
        out.append(_quoted(_counted(data, at)))
    elif kind == _OPAQUE:
        out.append(_opaque(data[at], _counted(data, at + 1)))
    else:
        raise ValueError(f"JSON value has unknown type {kind}")


def _literal(number: int) -> bytes:
    if number not in _LITERALS:
        raise ValueError(f"JSON literal {number} is not known")
    return _LITERALS[number]


def _double(data: bytes, at: int) -> bytes:
    """Print with a fraction even when there is none, so that it stays a double."""
    if at + 8 > len(data):
        raise ValueError("JSON number is cut short")
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


def _container(data: bytes, kind: int, at: int, depth: int, out: list[bytes]) -> None:
    large = kind in (_LARGE_OBJECT, _LARGE_ARRAY)
    width = 4 if large else 2
    is_object = kind in (_SMALL_OBJECT, _LARGE_OBJECT)
    count = _number(data, at, width)
    if _number(data, at + width, width) > len(data) - at:
        raise ValueError("JSON container is cut short")
    keys = at + 2 * width
    entries = keys + (count * (width + 2) if is_object else 0)
    out.append(b"{" if is_object else b"[")
    for position in range(count):
        if position:
            out.append(b", ")
        if is_object:
            out.append(_key(data, at, keys + position * (width + 2), width) + b": ")
        entry = entries + position * (width + 1)
        _entry(data, at, entry, depth, width, out)
    out.append(b"}" if is_object else b"]")


def _key(data: bytes, base: int, entry: int, width: int) -> bytes:
    offset = base + _number(data, entry, width)
    length = _number(data, entry + width, 2)
    if offset + length > len(data):
        raise ValueError("JSON key is cut short")
    return _quoted(data[offset : offset + length])


def _entry(data: bytes, base: int, entry: int, depth: int, width: int, out: list[bytes]) -> None:
    kind = data[entry]
    if kind in (_INLINE_LARGE if width == 4 else _INLINE):
        _value(data, kind, entry + 1, depth + 1, out)
        return
    offset = _number(data, entry + 1, width)
    if offset < 2 * width:
        raise ValueError("JSON offset points into its own header")
    _value(data, kind, base + offset, depth + 1, out)


def _number(data: bytes, at: int, width: int) -> int:
    if at + width > len(data):
        raise ValueError("JSON header is cut short")
    return int.from_bytes(data[at : at + width], "little")


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
