"""What came out of many faults of one kind, and the table of it."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is promised of a kind of fault: median and 99th percentile of the write gap; None: nothing."""

    p50_s: float | None = None
    p99_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The write gaps of one kind of fault."""

    fault: str
    gaps_s: tuple[float, ...]
    budget: Budget

    @property
    def kept(self) -> bool:
        """Whether the gaps are within the budget."""
        limits = ((0.5, self.budget.p50_s), (0.99, self.budget.p99_s))
        return all(limit is None or percentile(self.gaps_s, share) <= limit for share, limit in limits)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(figures: Sequence[Figures]) -> str:
    """Return the figures as lines of text, in milliseconds."""
    head = ("fault", "n", "p50", "p90", "p99", "max", "mean", "budget p50/p99", "kept")
    rows = [head, *(_row(each) for each in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *values = row
    return "  ".join([name.ljust(widths[0]), *map(str.rjust, values, widths[1:])])


def _row(figures: Figures) -> tuple[str, ...]:
    gaps, budget = figures.gaps_s, figures.budget
    points = [percentile(gaps, share) for share in (0.5, 0.9, 0.99)]
    promised = "/".join("-" if limit is None else _ms(limit) for limit in (budget.p50_s, budget.p99_s))
    shown = [_ms(value) for value in (*points, max(gaps), statistics.fmean(gaps))]
    return (figures.fault, str(len(gaps)), *shown, promised, "yes" if figures.kept else "NO")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
