# cython: language_level=3, wraparound=False, cdivision=True, initializedcheck=False
"""Row images: where in the packet each wanted value of each row is.

Nothing is decoded here. An event's rows are walked once, by the lengths of their
columns; what is remembered is a start and a size per row and slot. A length that leads
out of the event is an error, whatever it claims.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import cython

if cython.compiled:
    from cython.cimports.hasync.binlog.codec.buffer import Buffer
    from cython.cimports.hasync.binlog.codec.text import Text
    from cython.cimports.libc.string import memcmp
else:
    from hasync.binlog.codec.buffer import Buffer
    from hasync.binlog.codec.text import Text

Column = tuple[int, int, int, int]
"""``(prefix, size, slot, other slot)``: bytes that hold the length (0: it is ``size``), and where the value is wanted.

A slot is -1 when it is not. The other slot is of the after image, for a column that
this image has and the after image left out because it did not change (row image MINIMAL, NOBLOB).
"""

CUT_SHORT = "row image is cut short"
_NONE = -1
_FEW = 64


@cython.cclass
class Shape:
    """The columns that one image holds, in its order."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """``columns``: of those that the event's bitmap names."""
        self.columns = array("i", [number for column in columns for number in column])
        self.count = len(columns)
        self.null_bytes = (len(columns) + 7) // 8


@cython.cclass
class Rows:
    """The rows of one event. Used again for the next event: nothing of it may be kept. Called from: the reader thread.

    ``texts``: how the value in each slot is printed.
    """

    def __init__(self, texts: Sequence[Text]) -> None:
        self.texts = list(texts)
        self.stride = 2 * len(texts)
        self.room = _FEW
        self.spots = array("i", bytes(4 * self.stride * _FEW))
        self.data = b""
        self.count = 0

    def locate(self, data: bytes, bounds: tuple[int, int], first: Shape, second: Shape | None) -> int:
        """Find all values of the rows in ``data[bounds[0]:bounds[1]]`` and return the number of rows.

        Each row is one image of shape ``first``, and one of ``second`` behind it unless that is None.
        Raises ValueError, IndexError when the last row is cut short.
        """
        return self.scan(data, bounds[0], bounds[1], first, second)

    def locate_one(self, data: bytes, bounds: tuple[int, int], shape: Shape) -> int:
        """Find the values of the one image that begins at ``bounds[0]`` and return the offset behind it.

        Raises as :meth:`locate`.
        """
        if bounds[1] > len(data) or bounds[0] >= bounds[1]:
            raise ValueError(CUT_SHORT)
        self.data = data
        self.count = 1
        return self.walk(shape, bounds[0], bounds[1], 0)

    def scan(
        self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t, first: Shape, second: Shape | None
    ) -> cython.Py_ssize_t:
        """See :meth:`locate`."""
        count: cython.Py_ssize_t = 0
        start: cython.Py_ssize_t
        if end > len(data):
            raise ValueError(CUT_SHORT)
        self.data = data
        self.count = 0
        while at < end:
            if count >= self.room:
                self._grow()
            start = at
            at = self.walk(first, at, end, count * self.stride)
            if second is not None:
                at = self.walk(second, at, end, count * self.stride)
            if at == start:
                raise ValueError("rows event without any column")
            count += 1
        self.count = count
        return count

    def release(self) -> None:
        """Let go of the packet; the values are not to be asked for any more."""
        self.data = b""

    def _grow(self) -> None:
        grown = array("i", bytes(4 * self.stride * self.room * 2))
        memoryview(grown)[: self.stride * self.room] = memoryview(self.spots)
        self.spots = grown
        self.room *= 2

    def walk(
        self, shape: Shape, at: cython.Py_ssize_t, end: cython.Py_ssize_t, base: cython.Py_ssize_t
    ) -> cython.Py_ssize_t:
        """Walk through one image and return the offset behind it."""
        data: bytes = self.data
        columns: cython.int[::1] = shape.columns
        spots: cython.int[::1] = self.spots
        nulls: cython.Py_ssize_t = at
        i: cython.Py_ssize_t
        size: cython.Py_ssize_t
        prefix: cython.int
        slot: cython.int
        at += shape.null_bytes
        if at > end:
            raise ValueError(CUT_SHORT)
        for i in range(shape.count):
            slot = columns[4 * i + 2]
            if data[nulls + (i >> 3)] >> (i & 7) & 1:
                size = _NONE
            else:
                prefix = columns[4 * i]
                size = columns[4 * i + 1]
                if prefix:
                    if at + prefix > end:
                        raise ValueError(CUT_SHORT)
                    size = data[at]
                    if prefix > 1:
                        size |= data[at + 1] << 8
                    if prefix > 2:
                        size |= data[at + 2] << 16
                    if prefix > 3:
                        size |= cython.cast(cython.Py_ssize_t, data[at + 3]) << 24
                    at += prefix
                if at + size > end:
                    raise ValueError(CUT_SHORT)
            if slot >= 0:
                spots[base + 2 * slot] = at
                spots[base + 2 * slot + 1] = size
            slot = columns[4 * i + 3]
            if slot >= 0:
                spots[base + 2 * slot] = at
                spots[base + 2 * slot + 1] = size
            if size > 0:
                at += size
        return at

    def null(self, row: cython.Py_ssize_t, slot: cython.Py_ssize_t) -> cython.bint:
        """Whether a value is NULL."""
        return self.spots[row * self.stride + 2 * slot + 1] < 0

    def write(self, out: Buffer, row: cython.Py_ssize_t, slot: cython.Py_ssize_t) -> cython.int:
        """Append the text of a value that is not NULL."""
        base: cython.Py_ssize_t = row * self.stride + 2 * slot
        text: Text = self.texts[slot]
        return text.write(out, self.data, self.spots[base], self.spots[base + 1])

    def raw_size(self, row: cython.Py_ssize_t, slot: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Return the length of a value that is printed as it is; -1 when its text must be made first."""
        text: Text = self.texts[slot]
        return self.spots[row * self.stride + 2 * slot + 1] if text.kind == 0 else -1

    def same(self, row: cython.Py_ssize_t, one: cython.Py_ssize_t, other: cython.Py_ssize_t) -> cython.bint:
        """Whether two values are the same bytes in the image, or both NULL."""
        base: cython.Py_ssize_t = row * self.stride
        first: cython.Py_ssize_t = self.spots[base + 2 * one]
        second: cython.Py_ssize_t = self.spots[base + 2 * other]
        size: cython.Py_ssize_t = self.spots[base + 2 * one + 1]
        data: bytes = self.data
        if size != self.spots[base + 2 * other + 1]:
            return False
        if size <= 0:
            return True
        if cython.compiled:
            raw: cython.p_const_uchar = data
            return memcmp(raw + first, raw + second, size) == 0
        else:  # noqa: RET505 - only one of the two is compiled
            return data[first : first + size] == data[second : second + size]

    def value(self, row: int, slot: int) -> bytes | None:
        """Return a value as an object, None for NULL."""
        base: cython.Py_ssize_t = row * self.stride + 2 * slot
        size: cython.Py_ssize_t = self.spots[base + 1]
        text: Text = self.texts[slot]
        return None if size < 0 else text.value(self.data, self.spots[base], size)
