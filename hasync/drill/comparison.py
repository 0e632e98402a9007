"""Two reports side by side: the same drill before and after a change. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from hasync.drill.wording import ms

NOTHING: Final[Mapping[str, Any]] = {}

MEASURES: Final = (
    ("noticed after", ("seen", "noticed_ms")),
    ("claimed after", ("seen", "claimed_ms")),
    ("first write after", ("seen", "first_write_ms")),
    ("undone after", ("seen", "undone_ms")),
    ("write gap", ("gap", "ms")),
    ("longest lag", ("lag_max_ms",)),
    ("commit to visible, p50", ("probe", "visible_p50_ms")),
    ("commit to visible, p99", ("probe", "visible_p99_ms")),
)
COUNTS: Final = (("lost", ("probe", "lost")), ("doubled", ("probe", "doubled")), ("committed", ("probe", "committed")))


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a line for each measure of each drill: what it was, what it is, and the difference.

    Drills are told apart by their kind; a kind that was run several times, by its order.
    """
    lines: list[dict[str, Any]] = []
    earlier, later = _by_kind(before["reports"]), _by_kind(after["reports"])
    for kind in dict.fromkeys([*earlier, *later]):
        for left, right in zip_longest(earlier.get(kind, ()), later.get(kind, ()), fillvalue=NOTHING):
            lines += _lines(kind, left, right)
    return lines


def _by_kind(reports: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for report in reports:
        found.setdefault(report["drill"], []).append(report)
    return found


def _lines(kind: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield _line(kind, "passed", _word(left), _word(right), None)
    yield _line(kind, "new epochs", _epochs(left), _epochs(right), None)
    for name, path in MEASURES:
        was, now = _value(left, path), _value(right, path)
        if was is None and now is None:
            continue
        change = None if was is None or now is None else f"{now - was:+.0f} ms"
        yield _line(kind, name, ms(was), ms(now), change)
    for name, path in COUNTS:
        was, now = _value(left, path), _value(right, path)
        if was is not None or now is not None:
            yield _line(kind, name, _text(was), _text(now), None if was is None or now is None else f"{now - was:+g}")


def _line(drill: str, measure: str, before: str, after: str, change: str | None) -> dict[str, Any]:
    return {"drill": drill, "measure": measure, "before": before, "after": after, "change": change}


def _value(report: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = report
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _word(report: Mapping[str, Any]) -> str:
    return "-" if not report else "yes" if report["passed"] else "no"


def _epochs(report: Mapping[str, Any]) -> str:
    return "-" if not report else str(len(report["epochs"]["new"]))
