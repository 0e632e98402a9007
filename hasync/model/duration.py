"""Durations as configs write them: ``250ms``, ``30s``, ``15m``, ``1h``, ``7d``, or whole seconds."""

import re
from dataclasses import dataclass
from typing import Self

from hasync.model.names import Fault

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_TEXT = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)(ms|s|m|h|d)")
_LIMIT_MS = 100 * 365 * 86_400_000
_REMEDY = "write a number with a unit such as 500ms, 30s, 15m, 1h or 7d, or whole seconds"


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in whole milliseconds, at least one."""

    ms: int

    @property
    def seconds(self) -> float:
        """The same in seconds."""
        return self.ms / 1000

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Read duration text or whole seconds. Raises Fault."""
        if isinstance(raw, int) and not isinstance(raw, bool):
            return cls._within(raw * 1000)
        match = _TEXT.fullmatch(raw) if isinstance(raw, str) else None
        if match is None:
            raise Fault("not a duration", _REMEDY)
        return cls._within(round(float(match[1]) * _UNITS_MS[match[2]]))

    @classmethod
    def _within(cls, ms: int) -> Self:
        if not 1 <= ms <= _LIMIT_MS:
            raise Fault("a duration is at least 1ms and at most 100 years", _REMEDY)
        return cls(ms)

    def __str__(self) -> str:
        """The largest unit that divides it: ``1h``, ``90s``, ``1500ms``."""
        unit = max((unit for unit, size in _UNITS_MS.items() if self.ms % size == 0), key=lambda unit: _UNITS_MS[unit])
        return f"{self.ms // _UNITS_MS[unit]}{unit}"
