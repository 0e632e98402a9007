"""From runs to medians, ratios, a table and ``results.json``. Pure arithmetic."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.contender import GO, LIBRARY, OURS, WRITE_LIMIT

RATIOS = {"ratio_vs_go": GO, "ratio_vs_mysql_replication": LIBRARY, "ratio_vs_limit": WRITE_LIMIT}
"""What hasync is compared with, by the key in ``results.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The counted runs of one workload: rows per second, by contender, in the order they were run.

    ``peaks_rss_mb``: the most memory of any counted run, by contender.
    """

    workload: str
    rows: int
    runs: Mapping[str, list[float]]
    peaks_rss_mb: dict[str, float] = field(default_factory=dict)

    @property
    def medians(self) -> dict[str, float]:
        """Rows per second in the middle run."""
        return {name: statistics.median(rates) for name, rates in self.runs.items()}

    def ratio(self, reference: str) -> float | None:
        """How many times as fast hasync is, by the medians; None when one of the two did not run."""
        medians = self.medians
        if OURS not in medians or reference not in medians:
            return None
        return medians[OURS] / medians[reference]

    def to_json(self) -> dict[str, Any]:
        """Return the workload's part of ``results.json``."""
        ratios = {key: self.ratio(reference) for key, reference in RATIOS.items()}
        return {
            "rows": self.rows,
            "rows_per_s": {name: round(rate) for name, rate in self.medians.items()},
            "runs": {name: [round(rate) for rate in rates] for name, rates in self.runs.items()},
            **{key: None if ratio is None else round(ratio, 2) for key, ratio in ratios.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds. ``p50``, ``p99``: from the commit's acknowledgement; ``..._from_send``: from the COMMIT's sending.

    ``resolution``: the median time of one question to Redis; a key is seen at most about that much too late.
    """

    p50: float
    p99: float
    p50_from_send: float
    p99_from_send: float
    resolution: float
    transactions: int

    def to_json(self) -> dict[str, float]:
        """Return a contender's part of ``latency_ms``."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Large:
    """hasync over one transaction of very many rows."""

    rows: int
    rows_per_s: float
    peak_rss_mb: float

    def to_json(self) -> dict[str, float]:
        """Return ``large_transaction``."""
        return {"rows": self.rows, "rows_per_s": round(self.rows_per_s), "peak_rss_mb": round(self.peak_rss_mb, 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that was measured; what was not asked for is empty. ``not_built``: why there is no Go contender, or ""."""

    machine: Mapping[str, object]
    not_built: str
    results: Sequence[Result]
    latencies: Mapping[str, Latency]
    large: Large | None

    @property
    def peak_rss_mb(self) -> float | None:
        """The most memory that hasync had in any counted run of the workloads."""
        peaks = [result.peaks_rss_mb[OURS] for result in self.results if OURS in result.peaks_rss_mb]
        return round(max(peaks), 1) if peaks else None

    def to_json(self) -> dict[str, Any]:
        """Return ``results.json``."""
        latencies = {name: found.to_json() for name, found in self.latencies.items()}
        return {
            "workloads": {result.workload: result.to_json() for result in self.results},
            "latency_ms": latencies,
            "peak_rss_mb": self.peak_rss_mb,
            "large_transaction": self.large.to_json() if self.large else None,
            "go": {"built": not self.not_built, "reason": self.not_built or None},
            "machine": dict(self.machine),
        }

    def text(self) -> str:
        """Return what people read: tables, and a line for each of the rest."""
        parts = [rates(self.results), ratios(self.results)] if self.results else []
        parts += [f"{GO}: not built: {self.not_built}"] if self.not_built else []
        parts += [latency_table(self.latencies)] if self.latencies else []
        parts += [f"peak memory of hasync: {self.peak_rss_mb} MB"] if self.peak_rss_mb else []
        if self.large:
            large = f"{self.large.rows:,} rows in one transaction: {self.large.rows_per_s:,.0f} rows/s"
            parts.append(f"{large}, peak memory {self.large.peak_rss_mb:.1f} MB")
        return "\n\n".join(parts)


def rates(results: Sequence[Result]) -> str:
    """Return the medians as aligned lines, a heading first."""
    names = list(results[0].runs)
    lines = [[result.workload, f"{result.rows:,}", *_medians(result, names)] for result in results]
    return aligned([["rows/s (median)", "rows", *names], *lines])


def _medians(result: Result, names: Sequence[str]) -> list[str]:
    return [f"{result.medians[name]:,.0f}" for name in names]


def ratios(results: Sequence[Result]) -> str:
    """Return how many times as fast hasync is, as aligned lines, a heading first."""
    lines = [["hasync is times", *RATIOS.values()]]
    for result in results:
        found = [result.ratio(reference) for reference in RATIOS.values()]
        lines.append([result.workload, *("-" if ratio is None else f"{ratio:.2f}" for ratio in found)])
    return aligned(lines)


def latency_table(latencies: Mapping[str, Latency]) -> str:
    """Return percentiles as aligned lines, a heading first."""
    lines = [["commit to visible, ms", "p50", "p99", "p50 from send", "p99 from send", "resolution"]]
    for name, found in latencies.items():
        numbers = (found.p50, found.p99, found.p50_from_send, found.p99_from_send, found.resolution)
        lines.append([name, *(f"{number:.3f}" for number in numbers)])
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return cells in columns: the first to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])
