"""Numbers of row images, as ``SELECT`` prints them."""

from decimal import Decimal
from struct import Struct

_FLOAT = Struct("<f")
_DOUBLE = Struct("<d")
_DIGITS_PER_WORD = 9
OUT_OF_RANGE = "digits of a DECIMAL are out of range"
_BYTES_OF_DIGITS = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
_MOST_PLAIN_DIGITS = 15
"""MySQL's MAX_DECPT_FOR_F_FORMAT: beyond it a number is printed with an exponent."""

NOT_FIXED = 31
"""Stands for "as many decimals as needed": a FLOAT or DOUBLE without declared ones, of which there are at most 30."""


def decode_signed(data: bytes, at: int, size: int, _arg: object) -> bytes:
    """TINYINT to BIGINT."""
    return b"%d" % int.from_bytes(data[at : at + size], "little", signed=True)


def decode_unsigned(data: bytes, at: int, size: int, _arg: object) -> bytes:
    """TINYINT UNSIGNED to BIGINT UNSIGNED."""
    return b"%d" % int.from_bytes(data[at : at + size], "little")


def decode_float(data: bytes, at: int, _size: int, _arg: object) -> bytes:
    """FLOAT: six significant digits, as MySQL prints it."""
    number: float = _FLOAT.unpack_from(data, at)[0]
    return plain(f"{number:.5e}")


def decode_double(data: bytes, at: int, _size: int, _arg: object) -> bytes:
    """DOUBLE: the shortest text that reads back as the same number."""
    number: float = _DOUBLE.unpack_from(data, at)[0]
    return double_text(number)


def double_text(number: float) -> bytes:
    """Print a double as MySQL does."""
    return plain(repr(number))


def plain(text: str) -> bytes:
    """Reprint Python's text of a float by MySQL's rule for when to use an exponent (``my_gcvt``)."""
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole) + len(fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return f"{sign}0".encode()
    if point < 1 - _MOST_PLAIN_DIGITS or (point > _MOST_PLAIN_DIGITS and len(digits) <= point):
        rest = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{rest}e{point - 1}".encode()
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}".encode()
    if len(digits) <= point:
        return f"{sign}{digits}{'0' * (point - len(digits))}".encode()
    return f"{sign}{digits[:point]}.{digits[point:]}".encode()


def decode_declared_float(data: bytes, at: int, size: int, arg: tuple[int, int]) -> bytes:
    """FLOAT(m, d) and FLOAT ZEROFILL; ``arg``: decimals or :data:`NOT_FIXED`, and the width that zeros fill, or 0."""
    decimals, width = arg
    number: float = _FLOAT.unpack_from(data, at)[0]
    text = decode_float(data, at, size, None) if decimals == NOT_FIXED else fixed(number, decimals)
    return text.rjust(width, b"0")


def decode_declared_double(data: bytes, at: int, _size: int, arg: tuple[int, int]) -> bytes:
    """DOUBLE(m, d) and DOUBLE ZEROFILL; ``arg`` as for a FLOAT."""
    decimals, width = arg
    number: float = _DOUBLE.unpack_from(data, at)[0]
    text = double_text(number) if decimals == NOT_FIXED else fixed(number, decimals)
    return text.rjust(width, b"0")


def fixed(number: float, decimals: int) -> bytes:
    """Print with a fixed number of decimals, as MySQL's ``my_fcvt`` does.

    Where the shortest text that reads back as the same double has fewer decimals, zeros
    follow it, not the double's further digits.
    """
    shortest = Decimal(repr(number))
    places = -int(shortest.as_tuple().exponent)
    return f"{number if places > decimals else shortest:.{decimals}f}".encode()


def decode_zerofill(data: bytes, at: int, size: int, arg: int) -> bytes:
    """TINYINT to BIGINT ZEROFILL, which are unsigned; ``arg``: the width that zeros fill."""
    return (b"%d" % int.from_bytes(data[at : at + size], "little")).rjust(arg, b"0")


def decode_decimal_zerofill(data: bytes, at: int, size: int, arg: tuple[int, int]) -> bytes:
    """DECIMAL ZEROFILL: all its digits, and the point if it has one."""
    return decode_decimal(data, at, size, arg).rjust(arg[0] + bool(arg[1]), b"0")


def decimal_bytes(precision: int, scale: int) -> int:
    """Return how many bytes a DECIMAL(precision, scale) takes."""
    return _part_bytes(precision - scale) + _part_bytes(scale)


def _part_bytes(digits: int) -> int:
    return digits // _DIGITS_PER_WORD * 4 + _BYTES_OF_DIGITS[digits % _DIGITS_PER_WORD]


def decode_decimal(data: bytes, at: int, size: int, arg: tuple[int, int]) -> bytes:
    """DECIMAL: groups of nine digits in four big-endian bytes; a negative one has all bits inverted."""
    precision, scale = arg
    raw = data[at : at + size]
    negative = not raw[0] & 0x80
    if negative:
        raw = bytes(byte ^ 0xFF for byte in raw)
    raw = bytes((raw[0] ^ 0x80,)) + raw[1:]
    whole_bytes = _part_bytes(precision - scale)
    whole = _digits(raw[:whole_bytes], (precision - scale) % _DIGITS_PER_WORD, leading=True).lstrip("0") or "0"
    sign = "-" if negative else ""
    if not scale:
        return f"{sign}{whole}".encode()
    return f"{sign}{whole}.{_digits(raw[whole_bytes:], scale % _DIGITS_PER_WORD, leading=False)}".encode()


def _digits(raw: bytes, odd: int, *, leading: bool) -> str:
    """Read groups of nine digits; the odd ones stand in front of the whole part and behind the fraction."""
    odd_bytes = _BYTES_OF_DIGITS[odd]
    at = odd_bytes if leading else 0
    end = len(raw) if leading else len(raw) - odd_bytes
    words = "".join(_group(raw[i : i + 4], _DIGITS_PER_WORD) for i in range(at, end, 4))
    if not odd:
        return words
    edge = raw[:odd_bytes] if leading else raw[end:]
    text = _group(edge, odd)
    return text + words if leading else words + text


def _group(raw: bytes, digits: int) -> str:
    number = int.from_bytes(raw, "big")
    if number >= 10**digits:
        raise ValueError(OUT_OF_RANGE)
    return f"{number:0{digits}d}"
