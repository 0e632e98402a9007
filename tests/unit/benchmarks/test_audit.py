"""The audit's comparison of replies."""

import pytest

from benchmarks.audit import differences

STRINGS = b"$2\r\n10\r\n$3\r\n200\r\n"
HASHES = b"*2\r\n$1\r\na\r\n$1\r\nb\r\n" * 2


@pytest.mark.parametrize(
    ("found", "expected", "wrong"),
    [
        (STRINGS, STRINGS, 0),
        (b"$-1\r\n$3\r\n200\r\n", STRINGS, 1),
        (b"$2\r\n11\r\n$-1\r\n", STRINGS, 2),
        (b"*2\r\n$1\r\na\r\n$-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", HASHES, 1),
        (b":0\r\n:2\r\n:0\r\n", b":0\r\n:0\r\n:0\r\n", 1),
    ],
    ids=["equal", "missing", "wrong_and_missing", "field_missing", "key_not_deleted"],
)
def test_rows_that_are_missing_or_wrong_are_counted(found: bytes, expected: bytes, wrong: int) -> None:
    """A fast contender that loses one row has measured nothing."""
    assert differences(found, expected) == wrong
