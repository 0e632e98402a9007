"""Code pages: the characters of every character set that is not Unicode, as both servers print them.

Python's codec does most of the work. Where the servers' tables are older or just other,
what they print is written down here; the integration tests hold every character of every
set against both servers.
"""

import codecs
import re
from collections.abc import Callable
from itertools import product

Decode = Callable[[bytes], str]

_SINGLE_BYTE = {
    "armscii8": "latin_1",
    "dec8": "latin_1",
    "geostd8": "latin_1",
    "hp8": "hp_roman8",
    "keybcs2": "latin_1",
    "macce": "mac_latin2",
    "macroman": "mac_roman",
    "swe7": "ascii",
    "latin1": "cp1252",
    "latin2": "iso8859_2",
    "latin5": "iso8859_9",
    "latin7": "iso8859_13",
    "greek": "iso8859_7",
    "hebrew": "iso8859_8",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1256": "cp1256",
    "cp1257": "cp1257",
    "cp850": "cp850",
    "cp852": "cp852",
    "cp866": "cp866",
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
    "tis620": "tis_620",
}

_HOLES = {
    "dec8": "a4 a6 acadaeaf b4 b8 be d0 de f0 fe ff",
    "hp8": "ff",
    "swe7": bytes(range(0x7F, 0x100)).hex(),
    "greek": "a4 a5 aa ae d2 ff",
    "hebrew": "a1 bf c0c1c2c3c4c5c6c7c8c9cacbcccdcecf d0d1d2d3d4d5d6d7d8d9dadbdcddde fb fc ff",
    "cp1250": "81 83 88 90 98",
    "cp1251": "98",
    "cp1256": "8a 8f 98 9a 9f aa c0 ff",
    "cp1257": "81 83 88 8a 8c 90 98 9a 9c 9f a1 a5",
}
"""Bytes that the servers print as a question mark, some because their tables are older than Python's."""

_DEVIATIONS = {
    "dec8": {0xA8: "¤", 0xD7: "Œ", 0xDD: "Ÿ", 0xF7: "œ", 0xFD: "ÿ"},
    "swe7": {ord(replaced): character for replaced, character in zip("@[\\]^`{|}~", "ÉÄÖÅÜéäöåü", strict=True)},
    "greek": {0xA1: "\u02bd", 0xA2: "\u02bc"},
    "hebrew": {0xAF: "\u203e"},
    "cp866": {0xFC: "\u207f", 0xFD: "\u00b2"},
    "koi8u": {0x95: "\u2022"},
    "tis620": dict.fromkeys((0xA0, 0xDB, 0xDC, 0xDD, 0xDE, 0xFC, 0xFD, 0xFE, 0xFF), "\ufffd"),
}

_UPPER = {
    "armscii8": (
        "\u2741\u00a7\u0589)(\u00bb\u00ab\u2014.\u055d,-\u055f\u2026\u055c\u055b\u055eԱ\u0561ԲբԳ\u0563ԴդԵեԶ\u0566Էէ"
        "ԸըԹթԺժԻիԼլԽխԾծԿկՀհՁձՂղՃճՄմՅյՆնՇշՈոՉչՊպՋջՌռՍսՎվՏտՐրՑցՒւՓփՔքՕօՖֆ\u2019'"
    ),
    "geostd8": (
        "\u20ac?\u201a?\u201e\u2026\u2020\u2021?\u2030?\u2039?????\u2018\u2019\u201c\u201d\u2022\u2013\u2014???"
        "\u203a????\u00a0\u00a1\u00a2\u00a3\u00a4\u00a5\u00a6\u00a7\u00a8\u00a9\u00aa\u00ab\u00ac\u00ad\u00ae\u00af"
        "\u00b0\u00b1\u00b2\u00b3\u00b4\u00b5\u00b6\u00b7\u00b8\u00b9\u00ba\u00bb\u00bc\u00bd\u00be\u00bfაბგდევზჱთი"
        "კლმნჲოპჟრსტჳუფქღყშჩცძწჭხჴჯჰჵ???????????????????????\u2116??"
    ),
    "keybcs2": (
        "ČüéďäĎŤčěĚĹÍľĺÄÁÉžŽôöÓůÚýÖÜŠĽÝŘťáíóúňŇŮÔšřŕŔ\u00bc\u00a1\u00ab\u00bb\u2591\u2592\u2593\u2502\u2524\u2561"
        "\u2562\u2556\u2555\u2563\u2551\u2557\u255d\u255c\u255b\u2510\u2514\u2534\u252c\u251c\u2500\u253c\u255e"
        "\u255f\u255a\u2554\u2569\u2566\u2560\u2550\u256c\u2567\u2568\u2564\u2565\u2559\u2558\u2552\u2553\u256b"
        "\u256a\u2518\u250c\u2588\u2584\u258c\u2590\u2580\u03b1ßΓπΣ\u03c3\u00b5τΦΘΩδ\u221eφε\u2229\u2261\u00b1"
        "\u2265\u2264\u2320\u2321\u00f7\u2248\u00b0\u2219\u00b7\u221a\u207f\u00b2\u25a0\u00a0"
    ),
}
"""The ends of pages that Python has no codec for."""

_MULTI_BYTE = {
    "big5": "big5",
    "cp932": "cp932",
    "eucjpms": "euc_jp",
    "euckr": "cp949",
    "gb18030": "gb18030",
    "gb2312": "gb2312",
    "gbk": "gbk",
    "sjis": "shift_jis",
    "ujis": "euc_jp",
}

_NEC_ROW = (
    "\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468\u2469\u246a\u246b\u246c\u246d\u246e\u246f\u2470"
    "\u2471\u2472\u2473\u2160\u2161\u2162\u2163\u2164\u2165\u2166\u2167\u2168\u2169?\u3349\u3314\u3322\u334d"
    "\u3318\u3327\u3303\u3336\u3351\u3357\u330d\u3326\u3323\u332b\u334a\u333b\u339c\u339d\u339e\u338e\u338f"
    "\u33c4\u33a1????????\u337b\u301d\u301f\u2116\u33cd\u2121\u32a4\u32a5\u32a6\u32a7\u32a8\u3231\u3232\u3239"
    "\u337e\u337d\u337c\u2252\u2261\u222b\u222e\u2211\u221a\u22a5\u2220\u221f\u22bf\u2235\u2229\u222a??"
)
_IBM_ROWS = (
    "\u2170\u2171\u2172\u2173\u2174\u2175\u2176\u2177\u2178\u2179\u2160\u2161\u2162\u2163\u2164\u2165\u2166"
    "\u2167\u2168\u2169\uff07\uff02\u3231\u2116\u2121炻仼僴凬匇匤﨎咊坙﨏\ufa10增寬峵嵓﨑德悅愠敎昻晥\ufa12\uf929栁﨓﨔橫櫢淸淲瀨\ufa15"
    "\ufa16甁皂皞\ufa17礰\ufa18\ufa19\ufa1a\ufa1b竧\ufa1c\ufa1d綠緖\ufa1e荢﨟薰\ufa20﨡蠇\ufa22譿賴赶﨣﨤\ufa25郞\ufa26鄕﨧﨨閒\uf9dc"
    "﨩霻靍靑\ufa2a\ufa2b\ufa2c馞髙魲\ufa2d黑"
)
"""Vendors' characters of eucjpms: row 13, and the end of the three-byte rows 83 and 84."""


def _cells(leads: list[bytes], first: int = 0xA1) -> list[bytes]:
    """Return the codes of whole rows of 94 cells; ``first``: where the first row begins."""
    codes = [lead + bytes((cell,)) for lead, cell in product(leads, range(0xA1, 0xFF))]
    return codes[first - 0xA1 :]


def _private_use() -> dict[bytes, str]:
    """Return the ten rows, of two and of three bytes, that users may fill: U+E000 and what follows it."""
    rows = [b"%c" % row for row in range(0xF5, 0xFF)]
    codes = [*_cells(rows), *_cells([b"\x8f" + row for row in rows])]
    return {code: chr(0xE000 + place) for place, code in enumerate(codes)}


def _eucjpms() -> dict[bytes, str]:
    two, three = _cells([b"\xad"]), _cells([b"\x8f\xf3", b"\x8f\xf4"], first=0xF3)
    return {
        **dict(zip(two, _NEC_ROW, strict=True)),
        **dict(zip(three, _IBM_ROWS, strict=True)),
        **_private_use(),
    }


_ADDED: dict[str, Callable[[], dict[bytes, str]]] = {
    "big5": lambda: {bytes((0xF9, 0xD6 + place)): character for place, character in enumerate("碁銹裏墻恒粧嫺")},
    "eucjpms": _eucjpms,
    "ujis": _private_use,
}
"""Codes that Python's codec does not know."""

_OTHERWISE: dict[str, dict[bytes, str]] = {
    "big5": dict.fromkeys(map(bytes.fromhex, ["a15a", "a1c3", "a1c5", "a1fe", "a240", "a2cc", "a2ce"]), "\ufffd"),
    "eucjpms": {
        b"\xa1\xc1": "\uff5e",
        b"\xa1\xc2": "\u2225",
        b"\xa1\xdd": "\uff0d",
        b"\xa1\xf1": "\uffe0",
        b"\xa1\xf2": "\uffe1",
        b"\xa2\xcc": "\uffe2",
        b"\x8f\xa2\xb7": "\uff5e",
        b"\x8f\xa2\xc3": "\uffe4",
    },
    "gb18030": {b"\xa8\xbc": "\u1e3f", b"\x81\x35\xf4\x37": "\ue7c7"},
    "sjis": {b"\x81\x5f": "\\"},
    "ujis": {b"\xa1\xc0": "\\"},
}
"""Codes whose character is another one than that of Python's codec."""

_TWO_BYTES = rb"[\x81-\xfe].|."
_EUC = rb"\x8f..|[\x80-\xff].|."
_SHIFTED = rb"[\x81-\x9f\xe0-\xfc].|."
_CODES = {
    "cp932": _SHIFTED,
    "eucjpms": _EUC,
    "gb18030": rb"[\x81-\xfe][0-9]..|[\x81-\xfe].|.",
    "sjis": _SHIFTED,
    "ujis": _EUC,
}
"""How text falls into codes; others have two bytes for what is not ASCII."""


def code_page(charset: str) -> Decode | None:
    """Return what turns a character set's bytes into text, None when the set is not one of these.

    What was assigned no character is a question mark, as the servers print it.
    """
    if charset in _MULTI_BYTE:
        return _multi_byte(charset)
    if charset in _SINGLE_BYTE:
        return _single_byte(charset)
    return None


def _multi_byte(charset: str) -> Decode:
    codec = _MULTI_BYTE[charset]
    otherwise = _OTHERWISE.get(charset, {})
    known = {**_ADDED.get(charset, dict)(), **otherwise}
    codes = re.compile(_CODES.get(charset, _TWO_BYTES), re.DOTALL)
    # What the codec does not know shows by its error; what it takes for something else must be looked for.
    mistaken = re.compile(b"|".join(map(re.escape, otherwise)) or rb"(?!)")

    def decode(raw: bytes) -> str:
        if mistaken.search(raw) is None:
            try:
                return raw.decode(codec)
            except UnicodeDecodeError:
                pass
        return "".join([known.get(code) or _character(codec, code, "?") for code in codes.findall(raw)])

    return decode


def _single_byte(charset: str) -> Decode:
    """Where a code page has holes, the servers keep the byte's own number (latin1's 0x81 is U+0081), or a "?"."""
    characters = [_character(_SINGLE_BYTE[charset], bytes((number,)), chr(number)) for number in range(256)]
    upper = _UPPER.get(charset, "")
    characters[256 - len(upper) :] = upper
    for number in bytes.fromhex(_HOLES.get(charset, "")):
        characters[number] = "?"
    for number, character in _DEVIATIONS.get(charset, {}).items():
        characters[number] = character
    table = "".join(characters)
    return lambda raw: codecs.charmap_decode(raw, "strict", table)[0]


def _character(codec: str, code: bytes, otherwise: str) -> str:
    try:
        return code.decode(codec)
    except UnicodeDecodeError:
        return otherwise
