"""Row images: WRITE, UPDATE and DELETE events, decoded column by column.

The hot path. Flat functions over bytes and offsets, no object per column that nobody
wants, so that the same source can be compiled. Unwanted columns are skipped by their
length, which also counts the rows.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hasync.model.change import Operation, Row, Value

ColumnPlan = tuple[int, int, Callable[..., bytes] | None, Any]
"""``(prefix, size, decoder, arg)``; decoder None skips the column. See :mod:`hasync.binlog.types`."""
Columns = tuple[ColumnPlan, ...]
"""The columns of an image, in its order."""

CUT_SHORT = "row image is cut short"


def read_image(data: bytes, at: int, end: int, columns: Columns) -> tuple[Row, int]:  # noqa: C901 - flat on purpose
    """Decode one image at ``data[at:end]``: a NULL bitmap, then the values that are not NULL.

    Returns the wanted values and the offset behind the image. Raises ValueError when it is cut short.
    """
    count = len(columns)
    nulls = int.from_bytes(data[at : at + (count + 7 >> 3)], "little")
    at += count + 7 >> 3
    values: list[Value] = []
    for prefix, size, decode, arg in columns:
        if nulls & 1:
            if decode is not None:
                values.append(None)
        else:
            if prefix == 1:
                size = data[at]  # noqa: PLW2901 - no second name in the hot path
                at += 1
            elif prefix:
                size = int.from_bytes(data[at : at + prefix], "little")  # noqa: PLW2901
                at += prefix
            if at + size > end:
                raise ValueError(CUT_SHORT)
            if decode is not None:
                values.append(decode(data, at, size, arg))
            at += size
        nulls >>= 1
    if at > end:
        raise ValueError(CUT_SHORT)
    return tuple(values), at


def skip_image(data: bytes, at: int, end: int, extents: Sequence[tuple[int, int]]) -> int:
    """Return the offset behind one image of which nothing is wanted. Raises ValueError when it is cut short."""
    count = len(extents)
    nulls = int.from_bytes(data[at : at + (count + 7 >> 3)], "little")
    at += count + 7 >> 3
    for prefix, size in extents:
        if not nulls & 1:
            if not prefix:
                at += size
            elif prefix == 1:
                if at >= end:
                    raise ValueError(CUT_SHORT)
                at += 1 + data[at]
            else:
                at += prefix + int.from_bytes(data[at : at + prefix], "little")
        nulls >>= 1
    if at > end:
        raise ValueError(CUT_SHORT)
    return at


class RowImages:
    """The rows of one event: ``data[at:end]`` after the header, ``bitmaps`` of the columns in each image."""

    __slots__ = ("at", "bitmaps", "data", "end", "operation")

    def __init__(self, operation: Operation, bitmaps: bytes, data: bytes, bounds: tuple[int, int]) -> None:
        self.operation = operation
        self.bitmaps = bitmaps
        self.data = data
        self.at, self.end = bounds


def read_rows(rows: RowImages, images: Sequence[Columns]) -> list[list[Row]]:
    """Decode all rows of an event; each row has one image per entry of ``images``.

    Returns the images of all rows, one list per entry. Raises ValueError when the last row is cut short.
    """
    data, at, end = rows.data, rows.at, rows.end
    found: list[list[Row]] = [[] for _ in images]
    while at < end:
        for columns, out in zip(images, found, strict=True):
            row, at = read_image(data, at, end, columns)
            out.append(row)
    return found


def count_rows(rows: RowImages, images: Sequence[Sequence[tuple[int, int]]]) -> int:
    """Count the rows of an event of which nothing is wanted. Raises ValueError when the last row is cut short."""
    data, at, end = rows.data, rows.at, rows.end
    count = 0
    while at < end:
        for extents in images:
            at = skip_image(data, at, end, extents)
        count += 1
    return count
