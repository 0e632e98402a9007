"""TABLE_MAP events: the layout that the rows events behind them are in.

Column names, signedness, character sets and the texts of ENUM and SET come from the
optional metadata that ``binlog_row_metadata = FULL`` writes; what is missing there is
known otherwise (:mod:`hasync.binlog.schematracker`). Parsed once per distinct body, see
:class:`hasync.binlog.layouts.Layouts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hasync.binlog.frames import lenenc
from hasync.binlog.types import Code, metadata_bytes
from hasync.model.position import Flavor

_SIGNEDNESS = 1
_DEFAULT_CHARSET = 2
_COLUMN_CHARSET = 3
_COLUMN_NAME = 4
_SET_VALUES = 5
_ENUM_VALUES = 6
_ENUM_AND_SET_DEFAULT_CHARSET = 10
_ENUM_AND_SET_COLUMN_CHARSET = 11

_NUMERIC = frozenset(
    {Code.TINY, Code.SHORT, Code.INT24, Code.LONG, Code.LONGLONG, Code.NEWDECIMAL, Code.FLOAT, Code.DOUBLE, Code.YEAR}
)
_TEXT = frozenset(
    {Code.STRING, Code.VAR_STRING, Code.VARCHAR, Code.BLOB, Code.TINY_BLOB, Code.MEDIUM_BLOB, Code.LONG_BLOB}
    | {Code.VARCHAR_COMPRESSED, Code.BLOB_COMPRESSED}
)

_CHARACTER = {
    Flavor.MYSQL: _TEXT | {Code.VECTOR},
    Flavor.MARIADB: _TEXT | {Code.GEOMETRY},
}
"""Columns for which the metadata names a collation; VECTOR and GEOMETRY are BLOBs inside one server only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLayout:
    """How a column's values lie in a row image.

    ``code``: the real type (ENUM and SET, not the STRING they travel as), maybe one that
    is not known. ``meta``: the type's own number, see :mod:`hasync.binlog.types`.
    ``collation``: its id on the server, 0 when the column is no text. ``members``: texts
    of an ENUM or SET, in the collation's character set.
    """

    name: str
    code: int
    meta: int
    unsigned: bool = False
    collation: int = 0
    members: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMap:
    """A parsed TABLE_MAP event. ``named`` is False when the event carries no column names (M6).

    ``columns`` is None when a type's metadata has an unknown width, so that nothing
    behind it can be read; ``names`` is known even then. ``signed``: it says which numbers
    are UNSIGNED (``NO_LOG`` does not). ``nullable``: per column, whether NULL is allowed.
    """

    schema: str
    name: str
    width: int
    columns: tuple[ColumnLayout, ...] | None
    names: tuple[str, ...]
    unknown_type: int = 0
    signed: bool = False
    nullable: tuple[bool, ...] = ()

    @property
    def named(self) -> bool:
        """Whether each column has its name."""
        return len(self.names) == self.width


@dataclass(slots=True)
class _Metadata:
    characters: list[int]
    members: list[int]
    unsigned: tuple[bool, ...] = ()
    names: tuple[str, ...] = ()
    collations: Mapping[int, int] = field(default_factory=dict)
    member_collations: Mapping[int, int] = field(default_factory=dict)
    sets: tuple[tuple[bytes, ...], ...] = ()
    enums: tuple[tuple[bytes, ...], ...] = ()


def parse(data: bytes, flavor: Flavor) -> TableMap:
    """Parse the body behind table id and flags.

    Raises ValueError when it is cut short or contradicts itself.
    """
    end = len(data)
    schema, at = _name(data, 0, end)
    name, at = _name(data, at, end)
    width, at = lenenc(data, at)
    codes = data[at : at + width]
    at += width
    length, at = lenenc(data, at)
    if at + length + (width + 7) // 8 > end or len(codes) != width:
        raise ValueError("table map is cut short")
    types, unknown = _types(codes, data[at : at + length])
    nulls, optional = data[at + length : at + length + (width + 7) // 8], data[at + length + (width + 7) // 8 : end]
    codes_of = [code for code, _ in types]
    metadata = _Metadata(
        characters=[i for i, code in enumerate(codes_of) if code in _CHARACTER[flavor]],
        members=[i for i, code in enumerate(codes_of) if code in (Code.ENUM, Code.SET)],
    )
    _read_metadata(metadata, optional, None if unknown else codes_of)
    if metadata.names and len(metadata.names) != width:
        raise ValueError(f"table map names {len(metadata.names)} of {width} columns")
    columns = None if unknown else _columns(types, metadata)
    return TableMap(
        schema=schema,
        name=name,
        width=width,
        columns=columns,
        names=metadata.names,
        unknown_type=unknown,
        signed=bool(metadata.unsigned),
        nullable=tuple(bool(nulls[i >> 3] >> (i & 7) & 1) for i in range(width)),
    )


def _name(data: bytes, at: int, end: int) -> tuple[str, int]:
    if at >= end or at + 2 + data[at] > end:
        raise ValueError("table map is cut short in a name")
    stop = at + 1 + data[at]
    return data[at + 1 : stop].decode(), stop + 1


def _types(codes: bytes, block: bytes) -> tuple[list[tuple[int, int]], int]:
    """Return ``(real type, meta)`` per column, and the first type whose metadata has no known width (or 0)."""
    types: list[tuple[int, int]] = []
    at = 0
    for position, code in enumerate(codes):
        width = metadata_bytes(code)
        if width < 0:
            return [*types, *((later, 0) for later in codes[position:])], code
        if at + width > len(block):
            raise ValueError("table map's type metadata is cut short")
        types.append(_real_type(code, block[at : at + width]))
        at += width
    if at != len(block):
        raise ValueError("table map's type metadata is longer than its columns need")
    return types, 0


def _real_type(code: int, meta: bytes) -> tuple[int, int]:
    if code in (Code.STRING, Code.ENUM, Code.SET):
        # Lengths over 255 borrow two bits of the type's byte, inverted.
        if meta[0] & 0x30 != 0x30:
            return meta[0] | 0x30, meta[1] | ((meta[0] & 0x30) ^ 0x30) << 4
        return meta[0], meta[1]
    if code in (Code.NEWDECIMAL, Code.BIT):
        return code, meta[0] << 8 | meta[1]
    return code, int.from_bytes(meta, "little")


def _columns(types: list[tuple[int, int]], metadata: _Metadata) -> tuple[ColumnLayout, ...]:
    sets, enums = iter(metadata.sets), iter(metadata.enums)
    columns = []
    for position, (code, meta) in enumerate(types):
        members = next(sets, ()) if code == Code.SET else next(enums, ()) if code == Code.ENUM else ()
        columns.append(
            ColumnLayout(
                name=metadata.names[position] if metadata.names else "",
                code=code,
                meta=meta,
                unsigned=bool(metadata.unsigned) and metadata.unsigned[position],
                collation=metadata.collations.get(position, metadata.member_collations.get(position, 0)),
                members=members,
            )
        )
    return tuple(columns)


def _read_metadata(found: _Metadata, data: bytes, codes: list[int] | None) -> None:
    """Read all fields; without ``codes`` (a type is unknown) only the names, which count on nothing else."""
    at = 0
    while at < len(data):
        kind = data[at]
        length, at = lenenc(data, at + 1)
        if at + length > len(data):
            raise ValueError("table map's optional metadata is cut short")
        if kind == _COLUMN_NAME:
            found.names = tuple(text.decode() for text in _strings(data[at : at + length]))
        elif codes is not None:
            _read_field(found, kind, data[at : at + length], codes)
        at += length


def _read_field(found: _Metadata, kind: int, value: bytes, codes: list[int]) -> None:
    if kind == _SIGNEDNESS:
        found.unsigned = _signedness(value, codes)
    elif kind in (_DEFAULT_CHARSET, _COLUMN_CHARSET):
        found.collations = _collations(value, found.characters, default=kind == _DEFAULT_CHARSET)
    elif kind in (_ENUM_AND_SET_DEFAULT_CHARSET, _ENUM_AND_SET_COLUMN_CHARSET):
        found.member_collations = _collations(value, found.members, default=kind == _ENUM_AND_SET_DEFAULT_CHARSET)
    elif kind == _SET_VALUES:
        found.sets = _members(value)
    elif kind == _ENUM_VALUES:
        found.enums = _members(value)


def _signedness(value: bytes, codes: list[int]) -> tuple[bool, ...]:
    """Spread the bits, one per numeric column, over all columns."""
    unsigned = []
    bit = 0
    for code in codes:
        if code in _NUMERIC:
            if bit >> 3 >= len(value):
                raise ValueError("table map's signedness is cut short")
            unsigned.append(bool(value[bit >> 3] & (0x80 >> (bit & 7))))
            bit += 1
        else:
            unsigned.append(False)
    return tuple(unsigned)


def _collations(value: bytes, positions: list[int], *, default: bool) -> dict[int, int]:
    numbers = []
    at = 0
    while at < len(value):
        number, at = lenenc(value, at)
        numbers.append(number)
    if not default:
        return dict(zip(positions, numbers, strict=True))
    found = dict.fromkeys(positions, numbers[0])
    for index, collation in zip(numbers[1::2], numbers[2::2], strict=True):
        found[positions[index]] = collation
    return found


def _strings(value: bytes) -> list[bytes]:
    texts = []
    at = 0
    while at < len(value):
        length, at = lenenc(value, at)
        if at + length > len(value):
            raise ValueError("table map's names are cut short")
        texts.append(value[at : at + length])
        at += length
    return texts


def _members(value: bytes) -> tuple[tuple[bytes, ...], ...]:
    """Read the texts of each ENUM (or SET) column: a count, then that many strings."""
    columns = []
    at = 0
    while at < len(value):
        count, at = lenenc(value, at)
        texts = []
        for _ in range(count):
            length, at = lenenc(value, at)
            if at + length > len(value):
                raise ValueError("table map's ENUM or SET texts are cut short")
            texts.append(value[at : at + length])
            at += length
        columns.append(tuple(texts))
    return tuple(columns)
