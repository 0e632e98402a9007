"""From runs to medians, ratios and a table. Pure arithmetic."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OURS = "hasync"
THEIRS = "mysql-replication"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The counted runs of one workload: rows per second, by contender, in the order they were run."""

    workload: str
    rows: int
    runs: Mapping[str, Sequence[float]]

    @property
    def medians(self) -> dict[str, float]:
        """Rows per second in the middle run."""
        return {name: statistics.median(rates) for name, rates in self.runs.items()}

    def ratio(self, reference: str = THEIRS) -> float:
        """How many times as fast hasync is, by the medians."""
        return self.medians[OURS] / self.medians[reference]

    def to_json(self) -> dict[str, Any]:
        """Return the workload's part of ``results.json``."""
        return {
            "rows": self.rows,
            "rows_per_s": {name: round(rate) for name, rate in self.medians.items()},
            "runs": {name: [round(rate) for rate in rates] for name, rates in self.runs.items()},
            "ratio_vs_mysql_replication": round(self.ratio(), 2),
        }


def document(results: Iterable[Result], machine: Mapping[str, object]) -> dict[str, Any]:
    """Return ``results.json``."""
    return {"workloads": {result.workload: result.to_json() for result in results}, "machine": dict(machine)}


def table(results: Sequence[Result]) -> str:
    """Return the medians and ratios as aligned lines, a heading first."""
    heading = ["rows/s (median)", "rows", OURS, THEIRS, "ratio"]
    lines = [heading, *([*_cells(result)] for result in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    return "\n".join(_aligned(line, widths) for line in lines)


def _cells(result: Result) -> list[str]:
    rates = [f"{result.medians[name]:,.0f}" for name in (OURS, THEIRS)]
    return [result.workload, f"{result.rows:,}", *rates, f"{result.ratio():.2f}"]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])
