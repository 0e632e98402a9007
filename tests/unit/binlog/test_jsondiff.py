"""Partial JSON updates as MySQL 9.7 wrote them, held against the value that it printed; and damaged ones."""

import json
from struct import error as StructError  # noqa: N812 - the name says more than "error"

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.binlog.jsonb import decode_json
from hasync.binlog.jsondiff import Cell, apply_diffs, parse_path, read_diffs

DAMAGE = (ValueError, IndexError, StructError)

CAPTURED = {
    "replace member": (
        "000200350012000100130003000501000c1600617061641e707070707070707070707070707070707070707070707070707070707070",
        "0003242e6103050200",
        '{"a": 2, "pad": "pppppppppppppppppppppppppppppp"}',
    ),
    "replace in nested arrays": (
        (
            "0002005f0012000100130003000216000c40006170616402002a00050100020a0002002000050200000a00010016000b0001"
            "00020c006202000a000503000504001e707070707070707070707070707070707070707070707070707070707070"
        ),
        "000e242e615b315d5b315d2e625b305d070c057468726565",
        '{"a": [1, [2, {"b": ["three", 4]}]], "pad": "pppppppppppppppppppppppppppppp"}',
    ),
    "insert member sorted by length": (
        (
            "0003003f00190001001a0003001d0003000502000501000c2000626161617061641e70707070707070707070707070707070"
            "7070707070707070707070707070"
        ),
        "0104242e63631702040016000501000f1000040000040100f60402018205",
        '{"b": 2, "cc": [1, 2.5, null, true], "aaa": 1, "pad": "pppppppppppppppppppppppppppppp"}',
    ),
    "remove member": (
        (
            "0003003d00190001001a0001001b0003000501000502000c1e0061627061641e707070707070707070707070707070707070"
            "707070707070707070707070"
        ),
        "0203242e61",
        '{"b": 2, "pad": "pppppppppppppppppppppppppppppp"}',
    ),
    "remove element": (
        (
            "02040039000501000502000503000c1000287070707070707070707070707070707070707070707070707070707070707070"
            "7070707070707070"
        ),
        "0204245b315d",
        '[1, 3, "pppppppppppppppppppppppppppppppppppppppp"]',
    ),
    "append element": (
        (
            "02040039000501000502000503000c1000287070707070707070707070707070707070707070707070707070707070707070"
            "7070707070707070"
        ),
        "0104245b395d060c046c617374",
        '[1, 2, 3, "pppppppppppppppppppppppppppppppppppppppp", "last"]',
    ),
    "several": (
        (
            "0003004a00190001001a0001001b000300050100021e000c2b00616270616403000d000501000502000503001e7070707070"
            "70707070707070707070707070707070707070707070707070"
        ),
        "0003242e61030c01780006242e625b315d030c01790103242e63030507000206242e625b305d",
        '{"a": "x", "b": ["y", 3], "c": 7, "pad": "pppppppppppppppppppppppppppppp"}',
    ),
    "quoted keys": (
        (
            "0007006c003500000035000300380003003b0003003e00040042000500470006000505000c4d000502000501000504000503"
            "0005060070616471226b782079f09f9880c3a9e6bca2612e625b305d1e707070707070707070707070707070707070707070"
            "707070707070707070"
        ),
        (
            "0007242e227820792203050a000008242e22715c226b22030514000009242e22c3a9e6bca22203051e000008242e22f09f98"
            "8022030528000004242e222203053200000a242e22612e625b305d2203053c00"
        ),
        '{"": 50, "pad": "pppppppppppppppppppppppppppppp", "q\\"k": 20, "x y": 10, "😀": 40, "é漢": 30, "a.b[0]": 60}',
    ),
    "last": (
        (
            "0204005b000501000502000210000c1e0002000e000c0a000c0c00016101623c707070707070707070707070707070707070"
            "707070707070707070707070707070707070707070707070707070707070707070707070707070707070"
        ),
        "0007245b6c6173745d030c017a000f245b6c6173742d315d5b6c6173745d030c0179",
        '[1, 2, ["a", "y"], "z"]',
    ),
    "opaque": (
        (
            "0003003d00190001001a0001001b0003000501000502000c1e0064747061641e707070707070707070707070707070707070"
            "707070707070707070707070"
        ),
        "0003242e640a0ff6070b0280000001320003242e740b0f0a08000000000044b219",
        '{"d": 1.50, "t": "2024-01-02", "pad": "pppppppppppppppppppppppppppppp"}',
    ),
    "doubles": (
        "000200350012000100130003000501000c1600647061641e707070707070707070707070707070707070707070707070707070707070",
        "0003242e64090b000000000000f03f0103242e65090b355800662deb417e",
        '{"d": 1.0, "e": 1.5e300, "pad": "pppppppppppppppppppppppppppppp"}',
    ),
    "into inserted": (
        (
            "000200390012000100130003000016000c1a0061706164000004001e70707070707070707070707070707070707070707070"
            "7070707070707070"
        ),
        "0105242e612e620d0001000c000b000100050100630107242e612e622e64030c0165",
        '{"a": {"b": {"c": 1, "d": "e"}}, "pad": "pppppppppppppppppppppppppppppp"}',
    ),
}
"""Name of what was done → the document in the before image, the diffs in the after image, and what SELECT printed."""


@pytest.mark.parametrize("name", CAPTURED)
def test_updated_document_is_what_select_prints(name: str) -> None:
    """Spacing, order of keys and escapes too."""
    before, diffs, printed = CAPTURED[name]
    assert apply_diffs(bytes.fromhex(before), bytes.fromhex(diffs)).decode() == printed


@pytest.mark.parametrize("name", CAPTURED)
def test_no_diff_means_no_change(name: str) -> None:
    """A column that did not change has an empty content."""
    before = bytes.fromhex(CAPTURED[name][0])
    assert apply_diffs(before, b"") == decode_json(before, 0, len(before), None)


@pytest.mark.parametrize("name", CAPTURED)
def test_diffs_cut_short_are_an_error(name: str) -> None:
    """At every byte, but between two diffs."""
    before, diffs = bytes.fromhex(CAPTURED[name][0]), bytes.fromhex(CAPTURED[name][1])
    whole = [len(diffs) - length for length in range(len(diffs)) if _reads(diffs[: len(diffs) - length])]
    assert len(whole) == len(list(read_diffs(diffs)))
    for length in {*range(1, len(diffs))} - {*whole}:
        with pytest.raises(DAMAGE):
            apply_diffs(before, diffs[:length])


def _reads(diffs: bytes) -> bool:
    try:
        return bool(list(read_diffs(diffs)))
    except DAMAGE:
        return False


PATHS = {
    "$.a": (b"a",),
    "$.a.b[0][12]": (b"a", b"b", Cell(0, from_end=False), Cell(12, from_end=False)),
    '$."x y"[1]."a.b[0]"': (b"x y", Cell(1, from_end=False), b"a.b[0]"),
    r'$."q\"k"."\\"."\u0001\n"': (b'q"k', b"\\", b"\x01\n"),
    "$.é": ("é".encode(),),
    '$.""': (b"",),
    "$[last][last-3]": (Cell(0, from_end=True), Cell(3, from_end=True)),
    "$ . a [ 1 ]": (b"a", Cell(1, from_end=False)),
}


@pytest.mark.parametrize("text", PATHS)
def test_paths(text: str) -> None:
    """As the server writes them, and as its own parser would also read them."""
    assert parse_path(text.encode()) == PATHS[text]


@pytest.mark.parametrize(
    "text", ["", "$", "a", "$a", "$.", "$[]", "$[1", '$."a', "$.*", "$[*]", "$**.a", "$[0 to 1]", "$.a b"]
)
def test_paths_that_are_no_place_are_refused(text: str) -> None:
    """Wildcards and the document itself are never in a diff."""
    with pytest.raises(ValueError, match="not understood"):
        parse_path(text.encode())


DOCUMENT = bytes.fromhex("0002001900120001001300010005010002140061620100050005020000")
"""``{"a": 1, "b": [2]}``."""


def diff(operation: int, path: str, value: bytes = b"\x05\x07\x00") -> bytes:
    """Return one diff; the value is 7."""
    tail = b"" if operation == 2 else bytes((len(value),)) + value
    return bytes((operation, len(path.encode()))) + path.encode() + tail


def test_elements_are_inserted_in_front_of_their_place() -> None:
    """Past the end they are added."""
    before = bytes.fromhex("0202000a00050100050200")
    at = {path: json.loads(apply_diffs(before, diff(1, path))) for path in ("$[0]", "$[1]", "$[2]", "$[9]", "$[last]")}
    assert at == {"$[0]": [7, 1, 2], "$[1]": [1, 7, 2], "$[2]": [1, 2, 7], "$[9]": [1, 2, 7], "$[last]": [1, 7, 2]}


def test_element_far_past_the_end_is_added() -> None:
    """Though its number fits no machine word; counted back from the last one it comes first."""
    before = bytes.fromhex("0202000a00050100050200")
    assert apply_diffs(before, diff(1, "$[99999999999999999999999]")) == b"[1, 2, 7]"
    assert apply_diffs(before, diff(1, "$[last-99999999999999999999999]")) == b"[7, 1, 2]"
    with pytest.raises(ValueError, match="does not fit"):
        apply_diffs(before, diff(0, "$[99999999999999999999999]"))


@pytest.mark.parametrize(
    "unfit",
    [
        diff(0, "$.c"),
        diff(1, "$.a"),
        diff(2, "$.c"),
        diff(0, "$[0]"),
        diff(0, "$.b[1]"),
        diff(0, "$.b.x"),
        diff(2, "$.b[last-1]"),
        diff(1, "$.a.x"),
        diff(1, "$.b.x"),
        diff(2, "$.a") + diff(0, "$.a"),
    ],
)
def test_diffs_that_do_not_fit_the_document_are_an_error(unfit: bytes) -> None:
    """The before image is then not the one that they were made for; guessing would be wrong in silence."""
    assert apply_diffs(DOCUMENT, diff(0, "$.b[0]")) == b'{"a": 1, "b": [7]}'
    with pytest.raises(ValueError, match="does not fit"):
        apply_diffs(DOCUMENT, unfit)


def test_unknown_operation_is_an_error() -> None:
    """A fourth kind of diff is not skipped."""
    with pytest.raises(ValueError, match="operation 3"):
        apply_diffs(DOCUMENT, diff(3, "$.a"))


@given(st.binary(max_size=40))
def test_damaged_diffs_are_an_error(raw: bytes) -> None:
    """Never a crash."""
    for diffs in (raw, diff(0, "$.a") + raw, b"\0\3$.a" + bytes((len(raw),)) + raw):
        try:
            apply_diffs(DOCUMENT, diffs)
        except DAMAGE:
            continue
