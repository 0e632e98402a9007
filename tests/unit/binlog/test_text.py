"""What the codec prints by itself is what the decoders print, for whatever bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.binlog import charsets, numbers, temporal
from hasync.binlog.codec.text import Text

MEMBERS = (b"a", b"bb", "\u00e4".encode())
FIXED: list[tuple[Any, Any, int]] = [
    *((numbers.decode_signed, None, size) for size in (1, 2, 3, 4, 8)),
    *((numbers.decode_unsigned, None, size) for size in (1, 2, 3, 4, 8)),
    *(
        (numbers.decode_decimal, (precision, scale), numbers.decimal_bytes(precision, scale))
        for precision, scale in ((1, 0), (1, 1), (9, 0), (10, 2), (18, 9), (20, 19), (65, 0), (65, 30))
    ),
    (temporal.decode_date, None, 3),
    (temporal.decode_year, None, 1),
    *((temporal.decode_datetime2, digits, 5 + (digits + 1) // 2) for digits in range(7)),
    *((temporal.decode_timestamp2, digits, 4 + (digits + 1) // 2) for digits in range(7)),
    *((temporal.decode_time2, digits, 3 + (digits + 1) // 2) for digits in range(7)),
    (charsets.decode_enum, MEMBERS, 1),
    (charsets.decode_enum, MEMBERS, 2),
]
DAMAGE = (ValueError, IndexError)


def outcome(text: Any, data: bytes, size: int) -> bytes | str:
    try:
        printed: bytes = text(b"??" + data, 2, size)
    except DAMAGE:
        return "damaged"
    return printed


@pytest.mark.parametrize(("decode", "arg", "size"), FIXED)
@given(data=st.data())
def test_bytes_are_printed_as_the_decoder_prints_them(decode: Any, arg: Any, size: int, data: st.DataObject) -> None:
    """Valid or not: what one refuses, the other refuses."""
    raw = data.draw(
        st.one_of(
            st.binary(min_size=size, max_size=size),
            st.sampled_from([b"\0", b"\xff", b"\x80"]).map(lambda byte: byte * size),
            st.just(b"\x7f" + b"\xff" * (size - 1)),
            st.just(b"\xff" * (size - 1) + b"\x7f"),
            st.just(b"\x80" + b"\0" * (size - 1)),
        )
    )
    text = Text(decode, arg)
    assert outcome(text.printed, raw, size) == outcome(text.value, raw, size)


@given(raw=st.binary(max_size=12))
def test_text_is_printed_as_the_decoder_prints_it(raw: bytes) -> None:
    """Bytes, padded bytes, and a character set in which ASCII is ASCII."""
    for decode, arg in (
        (charsets.decode_bytes, None),
        (charsets.decode_padded, 10),
        (charsets.decode_text, charsets.transcoder("latin1")),
        (charsets.decode_text, charsets.transcoder("utf16")),
    ):
        text = Text(decode, arg)
        assert outcome(text.printed, raw, len(raw)) == outcome(text.value, raw, len(raw))
