# cython: language_level=3, wraparound=False, cdivision=True, initializedcheck=False
"""Values of row images as the text that ``SELECT`` prints, written straight into a buffer.

The frequent types are printed here; all others go through their decoder in
:mod:`hasync.binlog.types`, which is also what these must agree with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cython

from hasync.binlog import charsets, numbers, temporal
from hasync.binlog.numbers import OUT_OF_RANGE

if cython.compiled:
    from cython.cimports.hasync.binlog.codec.buffer import Buffer
else:
    from hasync.binlog.codec.buffer import Buffer

RAW = cython.declare(cython.int, 0)
_SIGNED = cython.declare(cython.int, 1)
_UNSIGNED = cython.declare(cython.int, 2)
_PADDED = cython.declare(cython.int, 3)
_ASCII = cython.declare(cython.int, 4)
_ENUM = cython.declare(cython.int, 5)
_DECIMAL = cython.declare(cython.int, 6)
_DATE = cython.declare(cython.int, 7)
_YEAR = cython.declare(cython.int, 8)
_DATETIME = cython.declare(cython.int, 9)
_TIMESTAMP = cython.declare(cython.int, 10)
_TIME = cython.declare(cython.int, 11)
_OTHER = cython.declare(cython.int, 12)

_ALL = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)
_DATETIME_BIAS = cython.declare(cython.ulonglong, 0x8000000000)

_KINDS: dict[object, int] = {
    charsets.decode_bytes: RAW,
    charsets.decode_padded: _PADDED,
    charsets.decode_enum: _ENUM,
    numbers.decode_signed: _SIGNED,
    numbers.decode_unsigned: _UNSIGNED,
    numbers.decode_decimal: _DECIMAL,
    temporal.decode_date: _DATE,
    temporal.decode_year: _YEAR,
    temporal.decode_datetime2: _DATETIME,
    temporal.decode_timestamp2: _TIMESTAMP,
    temporal.decode_time2: _TIME,
}


@cython.cfunc
@cython.inline
def _little(data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.ulonglong:
    value: cython.ulonglong = 0
    i: cython.Py_ssize_t = size_bytes - 1
    while i >= 0:
        value = (value << 8) | data[at + i]
        i -= 1
    return value


@cython.cfunc
@cython.inline
def _big(data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.ulonglong:
    value: cython.ulonglong = 0
    i: cython.Py_ssize_t
    for i in range(size_bytes):
        value = (value << 8) | data[at + i]
    return value


@cython.cclass
class Text:
    """How one column is printed. ``decode`` and ``arg`` as in :class:`hasync.binlog.types.Decoding`."""

    def __init__(self, decode: Callable[..., bytes], arg: Any) -> None:
        """Find the way; an unknown decoder is called for each value."""
        self.decode = decode
        self.arg = arg
        self.kind = _KINDS.get(decode, _OTHER)
        self.width = arg if isinstance(arg, int) else 0
        self.members = arg if self.kind == _ENUM else ()
        if self.kind == _DECIMAL:
            self.whole_digits, self.scale = arg[0] - arg[1], arg[1]
        if decode is charsets.decode_text and arg.ascii_safe:
            self.kind = _ASCII

    def value(self, data: bytes, at: int, size_bytes: int) -> bytes:
        """Return the text as an object: what handlers get."""
        text: bytes = self.decode(data, at, size_bytes, self.arg)
        return text

    def printed(self, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> bytes:
        """Return what :meth:`write` writes; equal to :meth:`value`."""
        out: Buffer = Buffer(16)
        self.write(out, data, at, size_bytes)
        return out.slice(0, out.at)

    def write(self, out: Buffer, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.int:
        """Append the text of ``data[at:at + size_bytes]``. Raises ValueError, IndexError when it is none."""
        kind: cython.int = self.kind
        if kind == RAW:
            return out.copy(data, at, size_bytes)
        if kind == _SIGNED or kind == _UNSIGNED:
            return self._integer(out, data, at, size_bytes)
        if kind == _PADDED:
            out.copy(data, at, size_bytes)
            return out.zeros(self.width - size_bytes) if size_bytes < self.width else 0
        if kind == _ENUM:
            return self._enum(out, data, at, size_bytes)
        if kind == _DECIMAL:
            return self._decimal(out, data, at, size_bytes)
        if kind == _OTHER or kind == _ASCII:
            return self._otherwise(out, data, at, size_bytes)
        return self._temporal(out, data, at, size_bytes)

    def _integer(self, out: Buffer, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.int:
        value: cython.ulonglong = _little(data, at, size_bytes)
        if self.kind == _SIGNED and size_bytes and data[at + size_bytes - 1] & 0x80:
            out.byte(45)  # -
            # The magnitude of a two's complement number of that width.
            full: cython.ulonglong = _ALL
            full >>= 8 * (8 - size_bytes)
            value = (full - value) + 1
        return out.number(value)

    def _otherwise(self, out: Buffer, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.int:
        i: cython.Py_ssize_t
        if self.kind == _ASCII:
            for i in range(at, at + size_bytes):
                if data[i] & 0x80:
                    break
            else:
                return out.copy(data, at, size_bytes)
        text: bytes = self.decode(data, at, size_bytes, self.arg)
        return out.put(text)

    def _enum(self, out: Buffer, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.int:
        number: cython.Py_ssize_t = _little(data, at, size_bytes)
        if number == 0:
            return 0
        if number > len(self.members):
            raise ValueError("ENUM value without a member")
        return out.put(self.members[number - 1])

    def _temporal(self, out: Buffer, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.int:
        kind: cython.int = self.kind
        number: cython.ulonglong
        if kind == _DATETIME:
            self._datetime(out, data, at)
            return self._fraction(out, _big(data, at + 5, size_bytes - 5))
        if kind == _TIMESTAMP:
            return self._timestamp(out, data, at, size_bytes)
        if kind == _TIME:
            return self._time(out, data, at, size_bytes)
        if kind == _YEAR:
            return out.padded(1900 + data[at] if data[at] else 0, 4)
        number = _little(data, at, 3)
        _date(out, number >> 9, number >> 5 & 15, number & 31)
        return 0

    def _datetime(self, out: Buffer, data: bytes, at: cython.Py_ssize_t) -> cython.int:
        biased: cython.ulonglong = _big(data, at, 5)
        if biased < _DATETIME_BIAS:  # before the year 0: no server writes it
            raise ValueError(temporal.NEGATIVE)
        number: cython.ulonglong = biased - _DATETIME_BIAS
        months: cython.ulonglong = number >> 22
        _date(out, months // 13, months % 13, number >> 17 & 31)
        out.byte(32)
        _clock(out, number >> 12 & 31, number >> 6 & 63, number & 63)
        return 0

    def _time(self, out: Buffer, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.int:
        shift: cython.int = 8 * (cython.cast(cython.int, size_bytes) - 3)
        bias: cython.ulonglong = cython.cast(cython.ulonglong, 0x800000) << shift
        number: cython.ulonglong = _big(data, at, size_bytes)
        whole: cython.ulonglong
        if number < bias:
            out.byte(45)
            number = bias - number
        else:
            number -= bias
        whole = number >> shift
        hours: cython.ulonglong = whole >> 12 & 1023
        if hours > 99:
            out.padded(hours, 4 if hours > 999 else 3)
            out.byte(58)
            out.padded(whole >> 6 & 63, 2)
            out.byte(58)
            out.padded(whole & 63, 2)
        else:
            _clock(out, hours, whole >> 6 & 63, whole & 63)
        return self._fraction(out, number & ((cython.cast(cython.ulonglong, 1) << shift) - 1))

    def _timestamp(self, out: Buffer, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.int:
        seconds: cython.ulonglong = _big(data, at, 4)
        number: cython.ulonglong = _big(data, at + 4, size_bytes - 4)
        if seconds or number:
            _civil(out, seconds)
        else:
            out.put(b"0000-00-00 00:00:00")
        return self._fraction(out, number)

    def _fraction(self, out: Buffer, number: cython.ulonglong) -> cython.int:
        """Append the stored fraction: hundredths, ten-thousandths or millionths, whichever holds the digits."""
        digits: cython.int = self.width
        if not digits:
            return 0
        out.byte(46)
        if digits & 1:
            number //= 10
        most: cython.ulonglong = 1
        for _ in range(digits):
            most *= 10
        return out.padded(number, digits) if number < most else out.number(number)

    def _decimal(self, out: Buffer, data: bytes, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t) -> cython.int:
        """Append groups of nine digits, each four big-endian bytes; the odd ones are first and last."""
        flip: cython.int = 0 if data[at] & 0x80 else 0xFF
        start: cython.Py_ssize_t
        odd: cython.int = self.whole_digits % 9
        groups: cython.int = self.whole_digits // 9
        first: cython.int = 0x80
        if flip:
            out.byte(45)
        start = out.at
        if odd:
            at = self._digits(out, data, at, odd, flip, first)
            first = 0
        while groups:
            at = self._digits(out, data, at, 9, flip, first)
            first = 0
            groups -= 1
        _trim(out, start)
        if self.scale:
            out.byte(46)
            groups = self.scale // 9
            while groups:
                at = self._digits(out, data, at, 9, flip, first)
                first = 0
                groups -= 1
            if self.scale % 9:
                at = self._digits(out, data, at, self.scale % 9, flip, first)
        return 0

    def _digits(
        self,
        out: Buffer,
        data: bytes,
        at: cython.Py_ssize_t,
        digits: cython.int,
        flip: cython.int,
        mask: cython.int,
    ) -> cython.Py_ssize_t:
        """Append one group and return the offset behind it; ``mask`` takes the sign off the very first byte."""
        size: cython.int = (digits + 1) // 2 if digits < 8 else 4
        value: cython.ulonglong = 0
        most: cython.ulonglong = 1
        i: cython.int
        for i in range(size):
            value = (value << 8) | ((data[at + i] ^ flip) ^ (mask if i == 0 else 0))
        for _ in range(digits):
            most *= 10
        if value >= most:
            raise ValueError(OUT_OF_RANGE)
        out.padded(value, digits)
        return at + size


@cython.cfunc
@cython.inline
def _date(out: Buffer, year: cython.ulonglong, month: cython.ulonglong, day: cython.ulonglong) -> cython.int:
    out.padded(year, 4 if year < 10000 else 5)
    out.byte(45)
    out.padded(month, 2)
    out.byte(45)
    out.padded(day, 2)
    return 0


@cython.cfunc
@cython.inline
def _clock(out: Buffer, hour: cython.ulonglong, minute: cython.ulonglong, second: cython.ulonglong) -> cython.int:
    out.padded(hour, 2)
    out.byte(58)
    out.padded(minute, 2)
    out.byte(58)
    out.padded(second, 2)
    return 0


@cython.cfunc
def _civil(out: Buffer, seconds: cython.ulonglong) -> cython.int:
    """Append Unix seconds as a date and time in UTC; see :func:`hasync.binlog.temporal.civil`."""
    rest: cython.ulonglong = seconds % 86400
    days: cython.ulonglong = seconds // 86400 + 719468
    era: cython.ulonglong = days // 146097
    of_era: cython.ulonglong = days % 146097
    year: cython.ulonglong = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year: cython.ulonglong = of_era - (365 * year + year // 4 - year // 100)
    shifted: cython.ulonglong = (5 * of_year + 2) // 153
    month: cython.ulonglong = shifted + 3 if shifted < 10 else shifted - 9
    _date(out, year + era * 400 + (1 if month <= 2 else 0), month, of_year - (153 * shifted + 2) // 5 + 1)
    out.byte(32)
    _clock(out, rest // 3600, rest // 60 % 60, rest % 60)
    return 0


@cython.cfunc
def _trim(out: Buffer, start: cython.Py_ssize_t) -> cython.int:
    """Drop zeros in front of a whole number, and write one where nothing is left."""
    first: cython.Py_ssize_t = start
    i: cython.Py_ssize_t
    while first < out.at - 1 and out.view[first] == 48:
        first += 1
    if out.at == start:
        return out.byte(48)
    if first > start:
        for i in range(first, out.at):
            out.view[start + i - first] = out.view[i]
        out.at -= first - start
    return 0
