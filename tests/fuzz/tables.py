"""How long the columns of a table map are, and which of its rows lie in an event: counting without decoding.

Written from the servers' documentation of the events, and on purpose not from hasync's code.
"""

import zlib
from dataclasses import dataclass

_FIXED = {1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 6: 0, 8: 8, 9: 3, 10: 3, 13: 1, 14: 3}
_OLD_TIMES = {7: 4, 11: 3, 12: 8}
_FRACTIONS = {17: 4, 18: 5, 19: 3}
_BLOBS = frozenset({140, 242, 245, 249, 250, 251, 252, 255})
_VARYING = frozenset({15, 141, 253})
_STRING, _ENUM, _SET, _DECIMAL, _BIT = 254, 247, 248, 246, 16
_INT, _JSON = 3, 245
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)

Id = int | None
"""First column of a row when it is an INT, which is all that is told of a row."""


class Damaged(Exception):  # noqa: N818 - what was found, not what went wrong here
    """The bytes contradict themselves."""


class Reader:
    """Takes pieces off the front of bytes. Raises Damaged when there are not enough."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        if size < 0 or size > self.left:
            raise Damaged(f"{size} bytes wanted, {self.left} left")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def packed(self) -> int:
        """Return a length-encoded integer."""
        first = self.number(1)
        if first < 0xFB:
            return first
        if first in (0xFB, 0xFF):
            raise Damaged("no length-encoded integer")
        return self.number({0xFC: 2, 0xFD: 3, 0xFE: 8}[first])

    def rest(self) -> bytes:
        return self.take(self.left)


@dataclass(frozen=True, slots=True)
class Shape:
    """A table map: whose it is, and per column (bytes of length in front, else fixed size); None: not known."""

    schema: bytes
    name: bytes
    width: int
    lengths: tuple[tuple[int, int], ...] | None
    first_is_int: bool
    documents: int


def shape(body: bytes) -> Shape:
    """Read a table map's body behind table id and flags. Raises Damaged."""
    reader = Reader(body)
    schema = reader.take(reader.number(1))
    reader.take(1)
    name = reader.take(reader.number(1))
    reader.take(1)
    width = reader.packed()
    kinds = reader.take(width)
    meta = Reader(reader.take(reader.packed()))
    reader.take((width + 7) // 8)
    lengths: list[tuple[int, int]] | None = []
    for kind in kinds:
        length = _length(kind, meta)
        if length is None:
            lengths = None
            break
        lengths.append(length)
    if lengths is not None and meta.left:
        raise Damaged("more metadata than columns need")
    return Shape(
        schema,
        name,
        width,
        None if lengths is None else tuple(lengths),
        kinds[:1] == bytes((_INT,)),
        kinds.count(_JSON),
    )


def _length(kind: int, meta: Reader) -> tuple[int, int] | None:  # noqa: C901, PLR0911 - one line per type
    if kind in _FIXED:
        if kind in (4, 5):
            meta.take(1)
        return 0, _FIXED[kind]
    if kind in _OLD_TIMES:
        return 0, _OLD_TIMES[kind]
    if kind in _FRACTIONS:
        return 0, _FRACTIONS[kind] + (meta.number(1) + 1) // 2
    if kind in _BLOBS:
        return meta.number(1), 0
    if kind in _VARYING:
        return (2 if meta.number(2) > 0xFF else 1), 0
    if kind in (_STRING, _ENUM, _SET):
        return _string(meta)
    if kind == _DECIMAL:
        return 0, _decimal(meta.number(1), meta.number(1))
    if kind == _BIT:
        bits = meta.number(1)
        return 0, meta.number(1) + (bits > 0)
    return None


def _string(meta: Reader) -> tuple[int, int]:
    high, low = meta.number(1), meta.number(1)
    if high & 0x30 != 0x30:
        kind, size = high | 0x30, low | ((high & 0x30) ^ 0x30) << 4
    else:
        kind, size = high, low
    if kind in (_ENUM, _SET):
        return 0, size
    if kind != _STRING:
        raise Damaged(f"type {kind} as a string's real type")
    return (2 if size > 0xFF else 1), 0


def _decimal(precision: int, scale: int) -> int:
    if scale > precision:
        raise Damaged("scale over precision")
    whole = precision - scale
    return whole // 9 * 4 + _DIGIT_BYTES[whole % 9] + scale // 9 * 4 + _DIGIT_BYTES[scale % 9]


def rows(body: bytes, table: Shape, *, version_2: bool, update: bool, compressed: bool, partial: bool) -> list[Id]:
    """Read a rows event's body behind table id and flags; return the id of each row, as it is afterwards.

    A table with a column of unknown length counts as one row. Raises Damaged.
    """
    reader = Reader(body)
    if version_2:
        reader.take(reader.number(2) - 2)
    width = reader.packed()
    if width != table.width:
        raise Damaged(f"rows of {width} columns in a table of {table.width}")
    bitmaps = [int.from_bytes(reader.take((width + 7) // 8), "little") for _ in range(1 + update)]
    if table.lengths is None:
        return [None]
    if not any(bitmap & (1 << width) - 1 for bitmap in bitmaps):
        raise Damaged("no column at all")
    if compressed:
        reader = Reader(unpacked(reader.rest()))
    found = []
    while reader.left:
        found.append(_row(reader, table, bitmaps, partial=partial))
    return found


def _row(reader: Reader, table: Shape, bitmaps: list[int], *, partial: bool) -> Id:
    """Read the images of one row; return the id in the last one."""
    ids: list[Id] = []
    for bitmap in bitmaps:
        if partial and ids and reader.packed() & 1:  # which JSON columns come as differences, a bit for each
            reader.take((table.documents + 7) // 8)
        ids.append(_image(reader, table, bitmap))
    return ids[-1]


def unpacked(data: bytes) -> bytes:
    """Return MariaDB's compressed text: a byte that says how many bytes of length follow, the length, zlib."""
    reader = Reader(data)
    head = reader.number(1)
    if head & 0xF0 != 0x80:
        raise Damaged("compressed in an unknown way")
    size = int.from_bytes(reader.take(head & 0x07), "big")
    try:
        text = zlib.decompress(reader.rest())
    except zlib.error as broken:
        raise Damaged(str(broken)) from None
    if len(text) != size:
        raise Damaged("not as long as it says")
    return text


def _image(reader: Reader, table: Shape, bitmap: int) -> Id:
    present = [number for number in range(table.width) if bitmap >> number & 1]
    nulls = int.from_bytes(reader.take((len(present) + 7) // 8), "little")
    found: Id = None
    assert table.lengths is not None
    for place, number in enumerate(present):
        if nulls >> place & 1:
            continue
        prefix, size = table.lengths[number]
        value = reader.take(reader.number(prefix) if prefix else size)
        if number == 0 and table.first_is_int:
            found = int.from_bytes(value, "little", signed=True)
    return found
