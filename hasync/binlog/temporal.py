"""Dates and times of row images, as ``SELECT`` prints them with ``time_zone = '+00:00'``.

Nothing here goes through :mod:`datetime`: zero dates, ``2024-02-31`` and ``-838:59:59``
are values too. ``arg`` is the number of fractional digits.
"""

NEGATIVE = "DATETIME is negative"
_TIME_BIAS = 0x800000
_DATETIME_BIAS = 0x8000000000


def fraction_bytes(digits: int) -> int:
    """Return how many bytes hold that many fractional digits."""
    return (digits + 1) // 2


def _fraction(number: int, digits: int) -> bytes:
    """Print the stored fraction (hundredths, ten-thousandths or millionths) with ``digits`` digits."""
    if not digits:
        return b""
    stored = digits + (digits & 1)
    return b".%0*d" % (digits, number // (10 if stored != digits else 1))


def decode_date(data: bytes, at: int, _size: int, _arg: object) -> bytes:
    """DATE, three bytes: day 5 bits, month 4, year 15."""
    number = data[at] | data[at + 1] << 8 | data[at + 2] << 16
    return b"%04d-%02d-%02d" % (number >> 9, number >> 5 & 15, number & 31)


def decode_year(data: bytes, at: int, _size: int, _arg: object) -> bytes:
    """YEAR, one byte after 1900; 0 is the year 0000."""
    return b"%04d" % (data[at] + 1900) if data[at] else b"0000"


def decode_datetime2(data: bytes, at: int, size: int, arg: int) -> bytes:
    """DATETIME(n), five big-endian bytes and a fraction."""
    number = int.from_bytes(data[at : at + 5], "big") - _DATETIME_BIAS
    if number < 0:
        raise ValueError(NEGATIVE)
    months = number >> 22
    text = b"%04d-%02d-%02d %02d:%02d:%02d" % (
        months // 13,
        months % 13,
        number >> 17 & 31,
        number >> 12 & 31,
        number >> 6 & 63,
        number & 63,
    )
    return text + _fraction(int.from_bytes(data[at + 5 : at + size], "big"), arg) if arg else text


def decode_timestamp2(data: bytes, at: int, size: int, arg: int) -> bytes:
    """TIMESTAMP(n), four big-endian bytes of Unix seconds and a fraction; 0 is the zero date."""
    seconds = int.from_bytes(data[at : at + 4], "big")
    number = int.from_bytes(data[at + 4 : at + size], "big")
    text = civil(seconds) if seconds or number else b"0000-00-00 00:00:00"
    return text + _fraction(number, arg) if arg else text


def decode_time2(data: bytes, at: int, size: int, arg: int) -> bytes:
    """TIME(n), three big-endian bytes and a fraction; negative values count down from the bias, fraction included."""
    shift = 8 * (size - 3)
    number = int.from_bytes(data[at : at + size], "big") - (_TIME_BIAS << shift)
    sign = b"-" if number < 0 else b""
    number = abs(number)
    whole = number >> shift
    text = b"%s%02d:%02d:%02d" % (sign, whole >> 12 & 1023, whole >> 6 & 63, whole & 63)
    return text + _fraction(number & ((1 << shift) - 1), arg) if arg else text


def decode_year2(data: bytes, at: int, _size: int, _arg: object) -> bytes:
    """YEAR(2) of MariaDB: the last two digits."""
    return b"%02d" % (data[at] % 100)


def decode_time(data: bytes, at: int, _size: int, _arg: object) -> bytes:
    """TIME before MySQL 5.6: three bytes, the signed number hhmmss."""
    number = int.from_bytes(data[at : at + 3], "little", signed=True)
    sign = b"-" if number < 0 else b""
    number = abs(number)
    return b"%s%02d:%02d:%02d" % (sign, number // 10000, number // 100 % 100, number % 100)


def decode_datetime(data: bytes, at: int, _size: int, _arg: object) -> bytes:
    """DATETIME before MySQL 5.6: eight bytes, the number YYYYMMDDhhmmss."""
    number = int.from_bytes(data[at : at + 8], "little")
    day, time = divmod(number, 1000000)
    return b"%04d-%02d-%02d %02d:%02d:%02d" % (
        day // 10000,
        day // 100 % 100,
        day % 100,
        time // 10000,
        time // 100 % 100,
        time % 100,
    )


def decode_timestamp(data: bytes, at: int, _size: int, _arg: object) -> bytes:
    """TIMESTAMP before MySQL 5.6: four little-endian bytes of Unix seconds."""
    seconds = int.from_bytes(data[at : at + 4], "little")
    return civil(seconds) if seconds else b"0000-00-00 00:00:00"


_TIME_HIRES_BYTES = (3, 4, 4, 5, 5, 5, 6)
_DATETIME_HIRES_BYTES = (8, 6, 6, 7, 7, 7, 8)
_TIME_HIRES_ZERO = 839 * 3600
"""Seconds that are added, so that no stored number is negative."""


def time_hires_bytes(digits: int) -> int:
    """Return how many bytes MariaDB's old TIME takes."""
    return _TIME_HIRES_BYTES[digits]


def datetime_hires_bytes(digits: int) -> int:
    """Return how many bytes MariaDB's old DATETIME takes."""
    return _DATETIME_HIRES_BYTES[digits]


def decode_time_hires(data: bytes, at: int, size: int, arg: int) -> bytes:
    """TIME(1..6) of MariaDB 5.3: a big-endian count of the smallest unit, from -839 hours on."""
    unit = 10**arg
    number = int.from_bytes(data[at : at + size], "big") - _TIME_HIRES_ZERO * unit
    seconds, fraction = divmod(abs(number), unit)
    sign = b"-" if number < 0 else b""
    return b"%s%02d:%02d:%02d.%0*d" % (sign, seconds // 3600, seconds // 60 % 60, seconds % 60, arg, fraction)


def decode_datetime_hires(data: bytes, at: int, size: int, arg: int) -> bytes:
    """DATETIME(1..6) of MariaDB 5.3: big-endian, all parts multiplied up (13 months, 32 days, 24 hours, ...)."""
    seconds, fraction = divmod(int.from_bytes(data[at : at + size], "big"), 10**arg)
    days = seconds // 86400
    return b"%04d-%02d-%02d %02d:%02d:%02d.%0*d" % (
        days // 32 // 13,
        days // 32 % 13,
        days % 32,
        seconds // 3600 % 24,
        seconds // 60 % 60,
        seconds % 60,
        arg,
        fraction,
    )


def decode_timestamp_hires(data: bytes, at: int, size: int, arg: int) -> bytes:
    """TIMESTAMP(1..6) of MariaDB 5.3: four big-endian bytes of Unix seconds, and the count of the smallest unit."""
    seconds = int.from_bytes(data[at : at + 4], "big")
    fraction = int.from_bytes(data[at + 4 : at + size], "big")
    return b"%s.%0*d" % (civil(seconds) if seconds or fraction else b"0000-00-00 00:00:00", arg, fraction)


def civil(seconds: int) -> bytes:
    """Print Unix seconds as ``YYYY-MM-DD hh:mm:ss`` in UTC."""
    days, rest = divmod(seconds, 86400)
    # Days are counted from 0000-03-01, so that the leap day is the last of its year.
    days += 719468
    era, day_of_era = divmod(days, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return b"%04d-%02d-%02d %02d:%02d:%02d" % (
        year_of_era + era * 400 + (month <= 2),
        month,
        day_of_year - (153 * shifted + 2) // 5 + 1,
        rest // 3600,
        rest // 60 % 60,
        rest % 60,
    )
