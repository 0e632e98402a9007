"""How times, ages and places are written for people. Pure."""

from datetime import UTC, datetime
from typing import Final

from hasync.model.position import Position

UNKNOWN: Final = "?"
NONE: Final = "-"

_UNITS: Final = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))
"""A unit in seconds, its letter, and the same of the unit that is shown behind it."""


def moment(unix_s: float | None) -> str:
    """Return a point in time in UTC, to the second."""
    if not unix_s:
        return NONE
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lasting(seconds: float | None) -> str:
    """Return a length of time in its two largest units: ``2h 05m``, ``1.3s``."""
    if seconds is None:
        return UNKNOWN
    for size_s, unit, small_s, small in _UNITS:
        if seconds >= size_s:
            whole, rest_s = divmod(int(seconds), size_s)
            return f"{whole}{unit} {rest_s // small_s:02d}{small}"
    return f"{max(0.0, seconds):.1f}s"


def place(position: Position | None) -> str:
    """Return a position as ``file:pos``."""
    return NONE if position is None else str(position)
