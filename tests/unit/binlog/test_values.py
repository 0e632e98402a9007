"""Decoders against values made by Python, and against bytes that are cut short."""

import json
from datetime import UTC, datetime
from ipaddress import IPv6Address
from struct import error as StructError  # noqa: N812 - the name says more than "error"
from struct import pack

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hasync.binlog.charsets import decode_bytes, decode_compressed, decode_enum, decode_padded, decode_set
from hasync.binlog.codec.images import Rows, Shape
from hasync.binlog.codec.text import Text
from hasync.binlog.identifiers import decode_inet6
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
    fixed,
)
from hasync.binlog.tablemap import ColumnLayout
from hasync.binlog.temporal import decode_datetime2, decode_time2, decode_timestamp2
from hasync.binlog.types import Code, UnsupportedTypeError, decoding, extent, metadata_bytes
from hasync.model.change import Kind

DAMAGE = (ValueError, IndexError, StructError)


@given(st.integers(1, 8), st.data())
def test_integers(size: int, data: st.DataObject) -> None:
    """Signed and unsigned, all widths."""
    bits = 8 * size
    signed = data.draw(st.integers(-(1 << bits - 1), (1 << bits - 1) - 1))
    unsigned = data.draw(st.integers(0, (1 << bits) - 1))
    assert decode_signed(b"?" + signed.to_bytes(size, "little", signed=True), 1, size, None) == b"%d" % signed
    assert decode_unsigned(b"?" + unsigned.to_bytes(size, "little"), 1, size, None) == b"%d" % unsigned


def pack_decimal(digits: str, precision: int, scale: int, *, negative: bool) -> bytes:
    """Pack as MySQL's decimal2bin does; ``digits`` are all of them, padded."""
    widths = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
    whole, fraction = digits[: precision - scale], digits[precision - scale :]
    lead = len(whole) % 9
    groups = [whole[:lead], *(whole[i : i + 9] for i in range(lead, len(whole), 9))]
    groups += [fraction[i : i + 9] for i in range(0, len(fraction), 9)]
    raw = b"".join(int(group).to_bytes(widths[len(group)], "big") for group in groups if group)
    raw = bytes((raw[0] ^ 0x80,)) + raw[1:]
    return bytes(byte ^ 0xFF for byte in raw) if negative else raw


@given(st.integers(1, 65), st.data())
def test_decimals(precision: int, data: st.DataObject) -> None:
    """All precisions and scales: as many digits behind the point as the column has."""
    scale = data.draw(st.integers(0, min(30, precision)))
    digits = data.draw(st.text("0123456789", min_size=precision, max_size=precision))
    negative = data.draw(st.booleans()) and digits.strip("0") != ""
    raw = pack_decimal(digits, precision, scale, negative=negative)
    assert len(raw) == decimal_bytes(precision, scale)
    text = (digits[: precision - scale].lstrip("0") or "0") + (f".{digits[precision - scale :]}" if scale else "")
    assert decode_decimal(raw, 0, len(raw), (precision, scale)).decode() == ("-" if negative else "") + text


PRINTED = [
    (0.0, b"0"),
    (-0.0, b"-0"),
    (1.0, b"1"),
    (0.1, b"0.1"),
    (1e15, b"1e15"),
    (123456789012345.0, b"123456789012345"),
    (1234567890123456.0, b"1.234567890123456e15"),
    (1e-14, b"0.00000000000001"),
    (1e-15, b"0.000000000000001"),
    (1e-16, b"1e-16"),
    (-1.5e300, b"-1.5e300"),
    (1.7976931348623157e308, b"1.7976931348623157e308"),
    (5e-324, b"5e-324"),
]


@pytest.mark.parametrize(("number", "printed"), PRINTED)
def test_doubles_are_printed_by_mysqls_rule(number: float, printed: bytes) -> None:
    """When an exponent is used is MySQL's choice, not Python's; the integration tests hold it against SELECT."""
    assert decode_double(pack("<d", number), 0, 8, None) == printed


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_read_back(number: float) -> None:
    """Nothing is lost."""
    assert float(decode_double(pack("<d", number), 0, 8, None)) == number


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_floats_have_six_digits(number: float) -> None:
    """As MySQL prints FLOAT."""
    assert float(decode_float(pack("<f", number), 0, 4, None)) == float(f"{number:.5e}")


FIXED = [
    (0.1, 3, b"0.100"),
    (0.1, 20, b"0.10000000000000000000"),
    (0.10000000149011612, 20, b"0.10000000149011612000"),
    (123456.7890625, 5, b"123456.78906"),
    (1e200, 2, b"1" + 200 * b"0" + b".00"),
    (2.5, 0, b"2"),
    (3.5, 0, b"4"),
    (1e22, 0, b"10000000000000000000000"),
    (-9.99999860695766e-10, 20, b"-0.00000000099999986070"),
]


@pytest.mark.parametrize(("number", "decimals", "printed"), FIXED)
def test_declared_decimals_are_printed_by_mysqls_rule(number: float, decimals: int, printed: bytes) -> None:
    """All taken from SELECT: the shortest digits and then zeros, or rounded where there are more."""
    assert fixed(number, decimals) == printed
    assert decode_declared_double(pack("<d", number), 0, 8, (decimals, 0)) == printed


def test_zerofill() -> None:
    """Taken from SELECT: as wide as the column was declared, never cut."""
    assert [decode_zerofill(pack("<I", number), 0, 4, 5) for number in (0, 42, 123456)] == [
        b"00000",
        b"00042",
        b"123456",
    ]
    assert decode_decimal_zerofill(bytes.fromhex("8000000132"), 0, 5, (10, 2)) == b"00000001.50"
    assert decode_declared_float(pack("<f", 1.5), 0, 4, (3, 7)) == b"001.500"
    assert decode_declared_float(pack("<f", 1e20), 0, 4, (31, 12)) == b"000000001e20"
    assert decode_declared_double(pack("<d", 1e300), 0, 8, (31, 22)) == b"000000000000000001e300"


OLD_TIMES = {
    (Code.MARIADB_TIME_HIRES, 1): [("01cc4eec", b"-01:02:03.6"), ("0399c0bf", b"838:59:59.9")],
    (Code.MARIADB_TIME_HIRES, 6): [("02be5fec074f", b"-01:02:03.654321"), ("02bf3dde7c00", b"00:00:00.000000")],
    (Code.MARIADB_DATETIME_HIRES, 3): [("00422a83bcc316", b"2024-01-02 03:04:05.654")],
    (Code.MARIADB_DATETIME_HIRES, 6): [("01027612995a0f31", b"2024-01-02 03:04:05.654321")],
    (Code.MARIADB_TIMESTAMP_HIRES, 1): [
        ("65937d2506", b"2024-01-02 03:04:05.6"),
        ("0000000000", b"0000-00-00 00:00:00.0"),
    ],
    (Code.MARIADB_TIMESTAMP_HIRES, 5): [("65937d2500ff98", b"2024-01-02 03:04:05.65432")],
}


@pytest.mark.parametrize("kind", OLD_TIMES)
def test_old_times_with_fractions(kind: tuple[Code, int]) -> None:
    """Bytes and texts are MariaDB's, with mysql56_temporal_format off."""
    code, digits = kind
    how, size = decoding(column(code, meta=digits), {}), extent(column(code, meta=digits)).size
    for raw, printed in OLD_TIMES[kind]:
        value = bytes.fromhex(raw)
        assert (len(value), how.decode(value, 0, size, how.arg)) == (size, printed)


@given(st.integers(-(838 * 3600 + 3599), 838 * 3600 + 3599), st.integers(0, 6), st.integers(0, 999_999))
def test_times(seconds: int, digits: int, micros: int) -> None:
    """Negative ones with fractions are where most readers go wrong (M9)."""
    micros -= micros % 10 ** (6 - digits)
    whole = abs(seconds)
    negative = seconds < 0
    hms = (whole // 3600) << 12 | (whole // 60 % 60) << 6 | whole % 60
    width = (digits + 1) // 2
    stored = micros // 10 ** (6 - 2 * width)
    number = hms << 8 * width | stored
    raw = ((0x800000 << 8 * width) + (-number if negative else number)).to_bytes(3 + width, "big")
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    text += f".{micros:06d}"[: digits + 1] if digits else ""
    assert decode_time2(raw, 0, len(raw), digits).decode() == ("-" if negative else "") + text


@given(st.datetimes(), st.integers(0, 6))
def test_datetimes(value: datetime, digits: int) -> None:
    """DATETIME(n) of any time that Python knows; zero dates are held against SELECT."""
    text = value.isoformat(" ", "microseconds")
    year, month, day = (int(part) for part in text[:10].split("-"))
    hour, minute, second = (int(part) for part in text[11:19].split(":"))
    width = (digits + 1) // 2
    shown = text[:19] + (text[19 : 20 + digits] if digits else "")
    stored = int(text[20:26]) // 10 ** (6 - digits) * 10 ** (2 * width - digits)
    number = (year * 13 + month) << 22 | day << 17 | hour << 12 | minute << 6 | second
    raw = (number + 0x8000000000).to_bytes(5, "big") + stored.to_bytes(width, "big")
    assert decode_datetime2(raw, 0, len(raw), digits).decode() == shown


@given(st.integers(1, 2**32 - 1))
def test_timestamps(seconds: int) -> None:
    """All seconds of an unsigned 32-bit clock, without the datetime module."""
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    assert decode_timestamp2(seconds.to_bytes(4, "big"), 0, 4, 0).decode() == text


def test_members() -> None:
    """ENUM's number 0 prints empty; what has no member is damage."""
    assert [decode_enum(bytes((number,)), 0, 1, (b"a", b"b")) for number in (0, 1, 2)] == [b"", b"a", b"b"]
    assert [decode_set(bytes((bits,)), 0, 1, (b"a", b"b")) for bits in range(4)] == [b"", b"a", b"b", b"a,b"]
    with pytest.raises(IndexError):
        decode_enum(b"\3", 0, 1, (b"a", b"b"))
    with pytest.raises(ValueError, match="without a member"):
        decode_set(b"\4", 0, 1, (b"a", b"b"))


def test_binary_gets_its_zeros_back() -> None:
    """The binlog drops them (M9)."""
    assert decode_padded(b"\1", 0, 1, 4) == b"\1\0\0\0"


@given(st.binary(min_size=16, max_size=16))
def test_inet6_reads_back(raw: bytes) -> None:
    """Whatever is shortened, it is the same address."""
    assert IPv6Address(decode_inet6(raw, 0, 16, None).decode()).packed == raw


DOCUMENT = bytes.fromhex("00020029001200010013000100 0c1400 001800 61 62 03 7879 7a".replace(" ", ""))
"""Not valid in itself; cuts and garbage of it exercise the bounds."""


@given(st.binary(max_size=60))
def test_damaged_json_is_an_error(raw: bytes) -> None:
    """Never a crash, an endless loop, or a huge answer."""
    assume(raw)
    for document in (raw, DOCUMENT[: len(raw)] + raw):
        try:
            decode_json(document, 0, len(document), None)
        except DAMAGE:
            continue


def small_json(value: object) -> tuple[int, bytes]:
    """Pack a value in JSON's small binary format; return its type and bytes."""
    if value is None or isinstance(value, bool):
        return 4, bytes(({None: 0, True: 1, False: 2}[value],))
    if isinstance(value, int):
        return 9, pack("<q", value)
    if isinstance(value, float):
        return 11, pack("<d", value)
    if isinstance(value, str):
        raw = value.encode()
        assert len(raw) < 128
        return 12, bytes((len(raw),)) + raw
    return _container(value)


def _container(value: object) -> tuple[int, bytes]:
    is_object = isinstance(value, dict)
    items = list(value.values()) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
    keys = [key.encode() for key in value] if isinstance(value, dict) else []
    at = 4 + 4 * len(keys) + 3 * len(items)
    key_entries, entries, tail = b"", b"", b""
    for key in keys:
        key_entries += pack("<HH", at + len(tail), len(key))
        tail += key
    for item in items:
        kind, raw = small_json(item)
        if kind == 4:
            entries += bytes((kind,)) + raw + b"\0"
        else:
            entries += bytes((kind,)) + pack("<H", at + len(tail))
            tail += raw
    body = key_entries + entries + tail
    return (0 if is_object else 2), pack("<HH", len(items), 4 + len(body)) + body


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_json_reads_back(value: object) -> None:
    """The text is JSON for the same value, spaced as MySQL spaces it."""
    kind, raw = small_json(value)
    packed = bytes((kind,)) + raw
    printed = decode_json(packed, 0, len(packed), None)
    assert json.loads(printed) == value
    for length in range(1, len(packed)):
        try:
            decode_json(packed[:length], 0, length, None)
        except DAMAGE:
            continue


def test_long_bytes_in_json_are_broken_into_lines() -> None:
    """As MySQL's base64 does; in JSON a line break is an escape."""
    for size, breaks in ((57, 0), (58, 1), (114, 1), (115, 2)):
        raw = b"\x0f\x0f" + bytes((size,)) + size * b"\x80"
        printed = decode_json(raw, 0, len(raw), None)
        assert (printed[:15], printed.count(b"\\n")) == (b'"base64:type15:', breaks)
        assert len(printed) == 16 + (size + 2) // 3 * 4 + 2 * breaks


def test_compressed_values() -> None:
    """Stored, deflated, and with a method that nobody knows."""
    assert decode_compressed(b"\0abc", 0, 4, None) == b"abc"
    with pytest.raises(ValueError, match="method"):
        decode_compressed(b"\x7aabc", 0, 4, None)
    with pytest.raises(ValueError, match=r"damaged|length"):
        decode_compressed(b"\x82\1\0abcdef", 0, 9, None)


# ---------------------------------------------------------------------------- row images

SHAPE = [(0, 4, 0, -1), (1, 0, 1, -1), (2, 0, -1, -1), (0, 1, 2, -1)]
TEXTS = [(decode_signed, None), (decode_bytes, None), (decode_unsigned, None)]
IMAGE = b"\0" + pack("<i", -7) + b"\3abc" + pack("<H", 2) + b"zz" + b"\xff"


def located(data: bytes, start: int, end: int, *, wanted: bool = True) -> Rows:
    columns = SHAPE if wanted else [(prefix, size, -1, -1) for prefix, size, *_ in SHAPE]
    rows = Rows([Text(decode, arg) for decode, arg in TEXTS] if wanted else [])
    rows.locate(data, (start, end), Shape(columns), None)
    return rows


def test_wanted_values_are_found_and_the_others_skipped() -> None:
    """Two rows, one behind the other, in the middle of a packet."""
    rows = located(b"??" + IMAGE + IMAGE + b"??", 2, 2 + 2 * len(IMAGE))
    assert rows.count == 2
    assert [[rows.value(row, slot) for slot in range(3)] for row in range(2)] == [[b"-7", b"abc", b"255"]] * 2


def test_rows_of_which_nothing_is_wanted_are_counted() -> None:
    """Skipping by length ends where finding ends."""
    assert located(IMAGE * 3, 0, 3 * len(IMAGE), wanted=False).count == 3


def test_more_rows_than_there_was_room_for_are_all_found() -> None:
    """The room grows, and keeps what was found before."""
    rows = located(IMAGE * 1000, 0, 1000 * len(IMAGE))
    assert [rows.value(row, 1) for row in range(rows.count)] == [b"abc"] * 1000


def test_nulls_take_no_bytes() -> None:
    """A NULL that nobody wants is not a value of the next column."""
    raw = bytes((0b0110,)) + pack("<i", 1) + b"\2"
    rows = located(raw, 0, len(raw))
    assert [rows.value(0, slot) for slot in range(3)] == [b"1", None, b"2"]


@pytest.mark.parametrize("length", range(1, len(IMAGE)))
def test_image_cut_short_is_an_error(length: int) -> None:
    """At every byte, whether more bytes follow (a checksum) or not."""
    for raw in (IMAGE[:length], IMAGE[:length] + b"\0\0\0\0"):
        for wanted in (True, False):
            with pytest.raises(DAMAGE):
                located(raw, 0, length, wanted=wanted)


# --------------------------------------------------------------------------------- types


def column(code: int, **more: object) -> ColumnLayout:
    return ColumnLayout(**{"name": "c", "code": code, "meta": 0, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [code for code in Code if code < 0x100])
def test_every_known_type_has_a_length_or_is_unknown(code: Code) -> None:
    """Metadata of unknown width makes a whole table unreadable; all others have an extent."""
    if metadata_bytes(code) < 0:
        with pytest.raises(UnsupportedTypeError):
            extent(column(code))
    else:
        assert extent(column(code)) is not None


def test_unknown_types_and_charsets_are_named() -> None:
    """In the words of the manual."""
    for bad, name in ((column(Code.TYPED_ARRAY), "TYPED_ARRAY"), (column(199), "199"), (column(15), "collation 0")):
        with pytest.raises(UnsupportedTypeError, match=name):
            decoding(bad, {})
    with pytest.raises(UnsupportedTypeError, match="klingon"):
        decoding(column(Code.VARCHAR, collation=32), {32: "klingon"})


def test_kinds() -> None:
    """Handlers get Python values by them."""
    charsets = {45: "utf8mb4", 63: "binary"}
    kinds = {
        Code.LONG: Kind.INTEGER,
        Code.NEWDECIMAL: Kind.DECIMAL,
        Code.DOUBLE: Kind.FLOAT,
        Code.TIME2: Kind.TEMPORAL,
        Code.BIT: Kind.BIT,
        Code.JSON: Kind.JSON,
    }
    assert {code: decoding(column(code), charsets).kind for code in kinds} == kinds
    assert decoding(column(Code.BLOB, collation=45), charsets).kind is Kind.TEXT
    assert decoding(column(Code.BLOB, collation=63), charsets).kind is Kind.BYTES
    assert decoding(column(Code.SET, collation=45, members=(b"a",)), charsets).kind is Kind.SET
