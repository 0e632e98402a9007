# cython: language_level=3, wraparound=False, cdivision=True, initializedcheck=False
"""Bytes on their way out: a buffer that grows, with the few ways in which the codec fills it.

Compiled, nothing here makes a Python object. Called from: the reader thread only.
"""

from __future__ import annotations

import cython

if cython.compiled:
    from cython.cimports.libc.string import memcmp, memcpy, memmove

_GAP = 24
"""Room in front of an argument for its length: ``$``, up to 20 digits, CR, LF."""

_LARGE = 1 << 22


@cython.cclass
class Buffer:
    """A growing buffer. ``at`` is how much of it is filled; setting it back forgets what was behind."""

    def __init__(self, room_bytes: cython.Py_ssize_t) -> None:
        """``room_bytes``: how much fits before it grows for the first time."""
        self.view = bytearray(room_bytes)
        self.room = room_bytes
        self.at = 0

    def reserve(self, size_bytes: cython.Py_ssize_t) -> cython.int:
        """Make room for so many more bytes."""
        if self.at + size_bytes > self.room:
            self._grow(size_bytes)
        return 0

    def _grow(self, size_bytes: cython.Py_ssize_t) -> None:
        room: cython.Py_ssize_t = max(2 * self.room, self.at + size_bytes)
        grown = bytearray(room)
        grown[: self.at] = self.view[: self.at]
        self.view = grown
        self.room = room

    def byte(self, value: cython.int) -> cython.int:
        """Append one byte."""
        self.reserve(1)
        self.view[self.at] = value
        self.at += 1
        return 0

    def put(self, text: bytes) -> cython.int:
        """Append all of ``text``."""
        return self.copy(text, 0, len(text))

    def copy(self, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.int:
        """Append ``data[at:at + size_bytes]``. Raises ValueError when that is not all there."""
        if at < 0 or size_bytes < 0 or at + size_bytes > len(data):
            raise ValueError("value is cut short")
        self.reserve(size_bytes)
        if cython.compiled:
            if size_bytes:
                source: cython.p_const_uchar = data
                memcpy(cython.address(self.view[self.at]), source + at, size_bytes)
        else:
            self.view[self.at : self.at + size_bytes] = data[at : at + size_bytes]
        self.at += size_bytes
        return 0

    def zeros(self, size_bytes: cython.Py_ssize_t) -> cython.int:
        """Append NUL bytes."""
        i: cython.Py_ssize_t
        self.reserve(size_bytes)
        for i in range(size_bytes):
            self.view[self.at + i] = 0
        self.at += size_bytes
        return 0

    def number(self, value: cython.ulonglong) -> cython.int:
        """Append a number in decimal."""
        digits: cython.int = 1
        rest: cython.ulonglong = value // 10
        while rest:
            digits += 1
            rest //= 10
        return self.padded(value, digits)

    def padded(self, value: cython.ulonglong, digits: cython.int) -> cython.int:
        """Append the last ``digits`` digits of a number, with zeros in front."""
        i: cython.Py_ssize_t
        self.reserve(digits)
        i = self.at + digits - 1
        while i >= self.at:
            self.view[i] = 48 + value % 10
            value //= 10
            i -= 1
        self.at += digits
        return 0

    def begin(self) -> cython.Py_ssize_t:
        """Leave room for an argument's length and return where the argument begins."""
        start: cython.Py_ssize_t = self.at
        self.reserve(_GAP)
        self.at += _GAP
        return start

    def finish(self, start: cython.Py_ssize_t) -> cython.int:
        """Write the length in front of what was appended since :meth:`begin`, and the line end behind it (RESP)."""
        size: cython.Py_ssize_t = self.at - start - _GAP
        end: cython.Py_ssize_t
        self.at = start
        self.byte(36)  # $
        self.number(size)
        self.byte(13)
        self.byte(10)
        end = self.at + size
        if cython.compiled:
            if size:
                memmove(cython.address(self.view[self.at]), cython.address(self.view[start + _GAP]), size)
        else:
            self.view[self.at : end] = self.view[start + _GAP : start + _GAP + size]
        self.at = end
        self.byte(13)
        self.byte(10)
        return 0

    def same(self, one: cython.Py_ssize_t, other: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.bint:
        """Whether two stretches of the buffer hold the same bytes."""
        if one < 0 or other < 0 or size_bytes < 0 or one + size_bytes > self.at or other + size_bytes > self.at:
            return False
        if cython.compiled:
            return not size_bytes or (
                memcmp(cython.address(self.view[one]), cython.address(self.view[other]), size_bytes) == 0
            )
        else:  # noqa: RET505 - only one of the two is compiled
            return bytes(self.view[one : one + size_bytes]) == bytes(self.view[other : other + size_bytes])

    def begins_with(self, at: cython.Py_ssize_t, prefix: bytes) -> cython.bint:
        """Whether ``prefix`` stands at ``at``."""
        i: cython.Py_ssize_t
        size: cython.Py_ssize_t = len(prefix)
        if at + size > self.at:
            return False
        for i in range(size):
            if self.view[at + i] != prefix[i]:
                return False
        return True

    def drop_front(self, size_bytes: cython.Py_ssize_t) -> cython.int:
        """Forget the first bytes and move the rest to the front."""
        rest: cython.Py_ssize_t = self.at - size_bytes
        if cython.compiled:
            if rest > 0:
                memmove(cython.address(self.view[0]), cython.address(self.view[size_bytes]), rest)
        else:
            self.view[:rest] = self.view[size_bytes : self.at]
        self.at = rest
        return 0

    def shrink(self) -> None:
        """Give memory back that one huge value took."""
        if self.room > _LARGE and self.at < _LARGE // 4:
            kept = bytearray(_LARGE // 4)
            kept[: self.at] = self.view[: self.at]
            self.view = kept
            self.room = _LARGE // 4

    def slice(self, start: cython.Py_ssize_t, end: cython.Py_ssize_t) -> bytes:
        """Return a copy of the bytes from ``start`` to ``end``."""
        return bytes(self.view[start:end])
