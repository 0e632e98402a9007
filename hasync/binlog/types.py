"""Column types: how long a value is in a row image, and what turns it into the text that ``SELECT`` prints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from hasync.binlog.charsets import (
    BINARY,
    decode_bytes,
    decode_compressed,
    decode_enum,
    decode_padded,
    decode_set,
    decode_text,
    transcoder,
)
from hasync.binlog.identifiers import decode_inet4, decode_inet6, decode_uuid
from hasync.binlog.jsonb import decode_json
from hasync.binlog.numbers import (
    decimal_bytes,
    decode_decimal,
    decode_decimal_zerofill,
    decode_declared_double,
    decode_declared_float,
    decode_double,
    decode_float,
    decode_signed,
    decode_unsigned,
    decode_zerofill,
)
from hasync.binlog.temporal import (
    datetime_hires_bytes,
    decode_date,
    decode_datetime,
    decode_datetime2,
    decode_datetime_hires,
    decode_time,
    decode_time2,
    decode_time_hires,
    decode_timestamp,
    decode_timestamp2,
    decode_timestamp_hires,
    decode_year,
    decode_year2,
    fraction_bytes,
    time_hires_bytes,
)
from hasync.model.change import Kind

Decoder = Callable[[bytes, int, int, Any], bytes]
"""``(data, at, size, arg)`` → text; ``arg`` is made once per column by :func:`decoding`."""


class Code(IntEnum):
    """Type codes of TABLE_MAP events."""

    DECIMAL = 0
    TINY = 1
    SHORT = 2
    LONG = 3
    FLOAT = 4
    DOUBLE = 5
    NULL = 6
    TIMESTAMP = 7
    LONGLONG = 8
    INT24 = 9
    DATE = 10
    TIME = 11
    DATETIME = 12
    YEAR = 13
    NEWDATE = 14
    VARCHAR = 15
    BIT = 16
    TIMESTAMP2 = 17
    DATETIME2 = 18
    TIME2 = 19
    TYPED_ARRAY = 20
    BLOB_COMPRESSED = 140
    VARCHAR_COMPRESSED = 141
    VECTOR = 242
    JSON = 245
    NEWDECIMAL = 246
    ENUM = 247
    SET = 248
    TINY_BLOB = 249
    MEDIUM_BLOB = 250
    LONG_BLOB = 251
    BLOB = 252
    VAR_STRING = 253
    STRING = 254
    GEOMETRY = 255
    # Ours: what the binlog does not tell from another type; told apart by hasync.binlog.catalog.
    MARIADB_UUID = 0x100
    MARIADB_INET6 = 0x101
    MARIADB_INET4 = 0x102
    MARIADB_YEAR2 = 0x103
    MARIADB_TIME_HIRES = 0x104
    MARIADB_DATETIME_HIRES = 0x105
    MARIADB_TIMESTAMP_HIRES = 0x106
    ZEROFILL = 0x107
    ZEROFILL_DECIMAL = 0x108
    DECLARED_FLOAT = 0x109
    DECLARED_DOUBLE = 0x10A


class ColumnLike(Protocol):
    """What is needed of :class:`hasync.binlog.tablemap.ColumnLayout`."""

    @property
    def code(self) -> int:
        """The real type."""

    @property
    def meta(self) -> int:
        """Length, precision << 8 | scale, fractional digits, or the width of a length, by type.

        Of ours: the printed width for ZEROFILL; decimals << 8 | printed width for a declared FLOAT or DOUBLE.
        """

    @property
    def unsigned(self) -> bool:
        """Whether a numeric column is UNSIGNED."""

    @property
    def collation(self) -> int:
        """The collation's id, 0 for none."""

    @property
    def members(self) -> tuple[bytes, ...]:
        """Texts of an ENUM or SET, in the column's character set."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How long a value is: ``prefix`` bytes hold the length (0: none), else it is ``size`` bytes."""

    prefix: int
    size: int


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a value becomes text, and what that text is."""

    decode: Decoder
    arg: Any
    kind: Kind


class UnsupportedTypeError(ValueError):
    """A column that a rule wants cannot be decoded; the message says what and why."""


_FIXED = {
    Code.TINY: 1,
    Code.SHORT: 2,
    Code.INT24: 3,
    Code.LONG: 4,
    Code.LONGLONG: 8,
    Code.FLOAT: 4,
    Code.DOUBLE: 8,
    Code.NULL: 0,
    Code.TIMESTAMP: 4,
    Code.DATE: 3,
    Code.TIME: 3,
    Code.DATETIME: 8,
    Code.YEAR: 1,
    Code.NEWDATE: 3,
}
_INTEGERS = frozenset({Code.TINY, Code.SHORT, Code.INT24, Code.LONG, Code.LONGLONG})
_BLOBS = frozenset({Code.TINY_BLOB, Code.MEDIUM_BLOB, Code.LONG_BLOB, Code.BLOB})
_PREFIXED = _BLOBS | {Code.GEOMETRY, Code.JSON, Code.VECTOR, Code.BLOB_COMPRESSED}
_VARYING = frozenset({Code.VARCHAR, Code.VAR_STRING, Code.VARCHAR_COMPRESSED})
_COMPRESSED = frozenset({Code.VARCHAR_COMPRESSED, Code.BLOB_COMPRESSED})
_FRACTIONAL = {Code.TIMESTAMP2: 4, Code.DATETIME2: 5, Code.TIME2: 3}
_ONE_BYTE_META = _PREFIXED | {Code.FLOAT, Code.DOUBLE} | _FRACTIONAL.keys()
_TWO_BYTE_META = _VARYING | {Code.STRING, Code.ENUM, Code.SET, Code.NEWDECIMAL, Code.BIT}

_HIRES: dict[int, Callable[[int], int]] = {
    Code.MARIADB_TIME_HIRES: time_hires_bytes,
    Code.MARIADB_DATETIME_HIRES: datetime_hires_bytes,
    Code.MARIADB_TIMESTAMP_HIRES: lambda digits: 4 + fraction_bytes(digits),
}

_TEMPORAL: dict[int, Decoder] = {
    Code.DATE: decode_date,
    Code.NEWDATE: decode_date,
    Code.TIME: decode_time,
    Code.DATETIME: decode_datetime,
    Code.TIMESTAMP: decode_timestamp,
    Code.TIMESTAMP2: decode_timestamp2,
    Code.DATETIME2: decode_datetime2,
    Code.TIME2: decode_time2,
    Code.MARIADB_TIME_HIRES: decode_time_hires,
    Code.MARIADB_DATETIME_HIRES: decode_datetime_hires,
    Code.MARIADB_TIMESTAMP_HIRES: decode_timestamp_hires,
}
_PLAIN: dict[int, tuple[Decoder, Kind]] = {
    Code.FLOAT: (decode_float, Kind.FLOAT),
    Code.DOUBLE: (decode_double, Kind.FLOAT),
    Code.YEAR: (decode_year, Kind.INTEGER),
    Code.BIT: (decode_bytes, Kind.BIT),
    Code.GEOMETRY: (decode_bytes, Kind.BYTES),
    Code.VECTOR: (decode_bytes, Kind.BYTES),
    Code.JSON: (decode_json, Kind.JSON),
    Code.MARIADB_UUID: (decode_uuid, Kind.TEXT),
    Code.MARIADB_INET6: (decode_inet6, Kind.TEXT),
    Code.MARIADB_INET4: (decode_inet4, Kind.TEXT),
    Code.MARIADB_YEAR2: (decode_year2, Kind.INTEGER),
}
_PAIRS: dict[int, tuple[Decoder, Kind]] = {
    Code.NEWDECIMAL: (decode_decimal, Kind.DECIMAL),
    Code.ZEROFILL_DECIMAL: (decode_decimal_zerofill, Kind.DECIMAL),
    Code.DECLARED_FLOAT: (decode_declared_float, Kind.FLOAT),
    Code.DECLARED_DOUBLE: (decode_declared_double, Kind.FLOAT),
}
"""Types whose ``arg`` is their ``meta``'s two bytes, the higher one first."""


def metadata_bytes(code: int) -> int:
    """Return how many bytes of a TABLE_MAP describe a column of this type; -1 when nobody knows."""
    if code in _ONE_BYTE_META:
        return 1
    if code in _TWO_BYTE_META:
        return 2
    return 0 if code in _FIXED else -1


def extent(column: ColumnLike) -> Extent:
    """Return how long the column's values are. Raises UnsupportedTypeError when that is not known."""
    code, meta = column.code, column.meta
    if code in _FIXED:
        return Extent(0, _FIXED[Code(code)])
    if code in _PREFIXED:
        return Extent(meta, 0)
    if code in _VARYING or code == Code.STRING:
        return Extent(2 if meta > 0xFF else 1, 0)
    size = _size_by_meta(code, meta)
    if size < 0:
        raise UnsupportedTypeError(f"type {code}")
    return Extent(0, size)


def _size_by_meta(code: int, meta: int) -> int:
    if code in _HIRES:
        return _HIRES[code](meta)
    if code in _FRACTIONAL:
        return _FRACTIONAL[Code(code)] + fraction_bytes(meta)
    if code == Code.NEWDECIMAL:
        return decimal_bytes(meta >> 8, meta & 0xFF)
    if code == Code.BIT:
        # meta: bits over whole bytes first, then whole bytes.
        return (meta & 0xFF) + bool(meta >> 8)
    return meta if code in (Code.ENUM, Code.SET) else -1


def decoding(column: ColumnLike, charsets: Mapping[int, str]) -> Decoding:
    """Return how the column becomes text; ``charsets`` maps collation ids to character sets.

    Raises UnsupportedTypeError naming the type or character set that cannot be read.
    """
    code, meta = column.code, column.meta
    if code in _INTEGERS:
        return Decoding(decode_unsigned if column.unsigned else decode_signed, None, Kind.INTEGER)
    if code in _TEMPORAL or code == Code.ZEROFILL:
        kind = Kind.TEMPORAL if code in _TEMPORAL else Kind.INTEGER
        return Decoding(_TEMPORAL.get(code, decode_zerofill), meta, kind)
    if code in _PLAIN:
        decode, kind = _PLAIN[code]
        return Decoding(decode, None, kind)
    if code in _PAIRS:
        decode, kind = _PAIRS[code]
        return Decoding(decode, (meta >> 8, meta & 0xFF), kind)
    if code in (Code.ENUM, Code.SET):
        return _members(column, charsets)
    if code in _BLOBS or code in _VARYING or code in (Code.STRING, Code.BLOB_COMPRESSED):
        return _text(column, charsets)
    raise UnsupportedTypeError(f"type {_type_name(code)}")


def _text(column: ColumnLike, charsets: Mapping[int, str]) -> Decoding:
    charset = _charset(column, charsets)
    if column.code in _COMPRESSED:
        return Decoding(decode_compressed, _transcoder(charset), Kind.BYTES if charset == BINARY else Kind.TEXT)
    if charset == BINARY:
        padded = column.code == Code.STRING
        return Decoding(decode_padded if padded else decode_bytes, column.meta, Kind.BYTES)
    codec = _transcoder(charset)
    return Decoding(decode_text if codec else decode_bytes, codec, Kind.TEXT)


def _members(column: ColumnLike, charsets: Mapping[int, str]) -> Decoding:
    codec = _transcoder(_charset(column, charsets))
    texts = tuple(codec.decode(text).encode() if codec else text for text in column.members)
    if column.code == Code.ENUM:
        return Decoding(decode_enum, texts, Kind.ENUM)
    return Decoding(decode_set, texts, Kind.SET)


def _charset(column: ColumnLike, charsets: Mapping[int, str]) -> str:
    try:
        return charsets[column.collation]
    except KeyError:
        raise UnsupportedTypeError(f"collation {column.collation}, which the server does not list") from None


def _transcoder(charset: str) -> Any:
    try:
        return transcoder(charset)
    except LookupError:
        raise UnsupportedTypeError(f"character set {charset}") from None


def _type_name(code: int) -> str:
    return Code(code).name if code in Code._value2member_map_ else str(code)
