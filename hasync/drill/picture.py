"""The timeline of a drill as one SVG element: who led, when was written, how late; no script, no font, no network.

Two of them make a page: the whole drill, and the seconds around the takeover.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

WIDTH: Final = 960
LEFT: Final = 96
RIGHT: Final = 20
LETTER: Final = 6.3
"""Width of a letter of 11 px, about."""

COLOURS: Final = ("#0072b2", "#b35900", "#00785a", "#8e4585", "#4d4d9f", "#6b6b00")
"""Dark enough for white letters, and told apart by people who see colours differently."""

INK: Final = "#222"
PALE: Final = "#8a8a8a"
WRONG: Final = "#c1121f"

NAMES: Final = {
    "noticed_ms": "noticed",
    "claimed_ms": "claimed",
    "published_ms": "published",
    "first_write_ms": "first write",
}
"""The steps that are seen from outside, in words; what is undone has a mark of its own."""

STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000, 300_000)
ROWS: Final = 6
APART: Final = 3.0
"""Moments closer than so many places on the picture share a flag."""

LEAST_POINTS: Final = 4
BINS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From milliseconds to places on the picture."""

    from_ms: float
    to_ms: float

    def x(self, ms: float) -> float:
        """Return where a moment is; what lies outside is put at the edge."""
        inside = min(max(ms, self.from_ms), self.to_ms)
        share = (inside - self.from_ms) / max(self.to_ms - self.from_ms, 1e-9)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def shows(self, ms: float) -> bool:
        """Whether a moment is on the picture."""
        return self.from_ms <= ms <= self.to_ms

    def ticks(self) -> list[float]:
        """Return round moments for the axis, a dozen at most."""
        span = self.to_ms - self.from_ms
        step = next((step for step in STEPS if span / step <= 12), STEPS[-1])
        first = -(-self.from_ms // step)
        return [number * step for number in range(int(first), int(self.to_ms // step) + 1)]


def whole(report: Mapping[str, Any]) -> Scale:
    """Return the scale of the whole drill."""
    timeline = report["timeline"]
    return Scale(from_ms=timeline["from_ms"], to_ms=max(timeline["to_ms"], timeline["from_ms"] + 1))


def takeover(report: Mapping[str, Any]) -> Scale | None:
    """Return the scale of the takeover and a margin, None when it is no smaller than the whole."""
    moments = [moment for name in NAMES if (moment := report["seen"][name]) is not None]
    gap = report["gap"]
    moments += [gap["from_ms"], gap["to_ms"]] if gap["ended"] and gap["seen_by"] != "claim" else []
    if not moments:
        return None
    begin, end = min(0.0, *moments), max(0.0, *moments)
    margin = max(20.0, (end - begin) * 0.25)
    full = whole(report)
    scale = Scale(from_ms=max(full.from_ms, begin - margin), to_ms=min(full.to_ms, end + margin))
    return scale if scale.to_ms - scale.from_ms < 0.7 * (full.to_ms - full.from_ms) else None


def picture(report: Mapping[str, Any], scale: Scale, title: str) -> str:
    """Return the SVG element."""
    timeline = report["timeline"]
    flags = _placed(report, scale)
    top = 26 + 15 * (1 + max((flag.row for flag in flags), default=0))
    lanes = [
        _lane(top, 26, "leader", _leaders(timeline["leaders"], scale, top)),
        _lane(top + 40, 54, "writes", _writes(report, scale, top + 40)),
    ]
    height = top + 40 + 54 + 14
    for label, points in (("visible after", timeline["visible"]), ("lag", timeline["lag"])):
        shown = [point for point in points if scale.shows(point[0])]
        if len(shown) >= LEAST_POINTS:
            lanes.append(_lane(height, 60, label, _curve(shown, scale, height)))
            height += 74
    body = "".join([*lanes, _axis(scale, height), *(_flag(flag, height) for flag in flags)])
    return (
        f'<svg role="img" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 34}" '
        f'font-family="system-ui, sans-serif" font-size="11"><title>{escape(title)}</title>'
        f'<text x="0" y="14" font-size="13" font-weight="600" fill="{INK}">{escape(title)}</text>{body}</svg>'
    )


def colours(leaders: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Give each member a colour, in the order in which they led."""
    members = list(dict.fromkeys(term["member"] for term in leaders))
    return {member: COLOURS[number % len(COLOURS)] for number, member in enumerate(members)}


# --------------------------------------------------------------------------------- the lanes


def _lane(y: float, height: float, label: str, body: str) -> str:
    frame = f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - RIGHT}" height="{height}" fill="#f6f6f4"/>'
    return f'{frame}<text x="0" y="{y + height / 2 + 4}" fill="{INK}">{escape(label)}</text>{body}'


def _leaders(leaders: Sequence[Mapping[str, Any]], scale: Scale, y: float) -> str:
    by_member, parts = colours(leaders), []
    for term in leaders:
        x, end = scale.x(term["from_ms"]), scale.x(term["to_ms"])
        if end <= x:
            continue
        parts.append(f'<rect x="{x}" y="{y}" width="{end - x:.1f}" height="26" fill="{by_member[term["member"]]}"/>')
        words = next((word for word in _names(term) if len(word) * LETTER + 8 < end - x), "")
        parts.append(f'<text x="{x + 5}" y="{y + 17}" fill="#fff" font-weight="600">{escape(words)}</text>')
    return "".join(parts)


def _names(term: Mapping[str, Any]) -> tuple[str, ...]:
    return f"{term['member']}, epoch {term['epoch']}", term["member"]


def _writes(report: Mapping[str, Any], scale: Scale, y: float) -> str:
    """Return bars of how often was written, and the gap between them."""
    gap, bars = report["gap"], []
    counts = [0] * BINS
    width = (scale.to_ms - scale.from_ms) / BINS
    for moment in report["timeline"]["writes"]:
        if scale.shows(moment):
            counts[min(BINS - 1, int((moment - scale.from_ms) / width))] += 1
    most = max(counts) or 1
    for number, count in enumerate(counts):
        if count:
            x, tall = scale.x(scale.from_ms + number * width), max(2.0, 50 * count / most)
            bars.append(f'<rect x="{x}" y="{y + 54 - tall:.1f}" width="3.6" height="{tall:.1f}" fill="#5b7a99"/>')
    return "".join([*bars, *(_gap(gap, scale, y) if gap["seen_by"] != "claim" else [])])


def _gap(gap: Mapping[str, Any], scale: Scale, y: float) -> Iterator[str]:
    x, end = scale.x(gap["from_ms"]), scale.x(gap["to_ms"])
    words = f"{gap['ms']:.0f} ms" if gap["ended"] else "no end"
    inside = len(words) * LETTER + 6 < end - x
    yield f'<rect x="{x}" y="{y}" width="{max(1.5, end - x):.1f}" height="54" fill="{WRONG}" fill-opacity="0.16"/>'
    anchor, place = ("middle", (x + end) / 2) if inside else ("start", end + 4)
    yield (
        f'<text x="{place:.1f}" y="{y + 13}" text-anchor="{anchor}" fill="{WRONG}" font-weight="600" '
        f'stroke="#f6f6f4" stroke-width="3" paint-order="stroke">{words}</text>'
    )


def _curve(points: Sequence[Sequence[float]], scale: Scale, y: float) -> str:
    most = max(*(value for _, value in points), 1.0)
    places = " ".join(f"{scale.x(at)},{y + 56 - 48 * value / most:.1f}" for at, value in points)
    line = f'<polyline points="{places}" fill="none" stroke="{COLOURS[0]}" stroke-width="1.4"/>'
    return f'{line}<text x="0" y="{y + 48}" fill="{PALE}">max {most:.0f} ms</text>'


def _axis(scale: Scale, y: float) -> str:
    parts = []
    for tick in scale.ticks():
        x = scale.x(tick)
        parts.append(f'<line x1="{x}" y1="{y}" x2="{x}" y2="{y + 5}" stroke="{PALE}"/>')
        words = f"{tick / 1000:g} s" if scale.to_ms - scale.from_ms > 4000 else f"{tick:g} ms"
        parts.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle" fill="{PALE}">{words}</text>')
    line = f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="{PALE}"/>'
    return line + "".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flag:
    """A moment on the picture; its name stands in ``row``, right or left of its line."""

    x: float
    words: str
    row: int
    to_left: bool


def _placed(report: Mapping[str, Any], scale: Scale) -> list[_Flag]:
    """Put each name on the first row that has room for it."""
    ends, flags = [-1e9] * ROWS, []
    for x, words in _joined(report, scale):
        long = len(words) * LETTER + 10
        to_left = x + long > WIDTH
        begin = x - long if to_left else x
        row = next((row for row in range(ROWS) if ends[row] <= begin), ROWS - 1)
        ends[row] = begin + long
        flags.append(_Flag(x=x, words=words, row=row, to_left=to_left))
    return flags


def _flag(flag: _Flag, bottom: float) -> str:
    y, anchor, shift = 32 + 15 * flag.row, "end" if flag.to_left else "start", -4 if flag.to_left else 4
    colour = WRONG if flag.words.startswith("injected") else INK
    return (
        f'<line x1="{flag.x}" y1="{y - 9}" x2="{flag.x}" y2="{bottom}" stroke="{colour}" stroke-dasharray="3 2"/>'
        f'<text x="{flag.x + shift}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(flag.words)}</text>'
    )


def _joined(report: Mapping[str, Any], scale: Scale) -> list[tuple[float, str]]:
    """Return the places of all moments on the picture with their names, in order; close ones share a place."""
    joined: list[tuple[float, str]] = []
    for ms, words in _moments(report):
        x = scale.x(ms)
        if scale.shows(ms) and joined and x - joined[-1][0] < APART:
            joined[-1] = (joined[-1][0], f"{joined[-1][1]}, {words}")
        elif scale.shows(ms):
            joined.append((x, words))
    return joined


def _moments(report: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Return all moments with their names, in order."""
    seen = [(report["seen"][name], words) for name, words in NAMES.items() if report["seen"][name] is not None]
    marks = [(mark["ms"], _marked(mark)) for mark in report["timeline"]["marks"] if mark["mark"] != "ended"]
    return sorted([*seen, *marks], key=lambda moment: moment[0])


def _marked(mark: Mapping[str, Any]) -> str:
    return f"{mark['mark']} {mark['text']}" if mark["mark"] in {"restarted", "undone"} else str(mark["mark"])
