"""How much is measured: all of it, or what three minutes hold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.workload import WORKLOADS


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many rows of a workload: all, and the first ones, for contenders that would take minutes."""

    rows: int
    slow_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Args:
        sizes: of each workload.
        warm_ups: rounds before those that count; in a round each contender runs once.
        counted: rounds that count.
        round_s: how long after the first counted round began another one may begin: a slow machine gets fewer.
        latency_s: how long latency is measured, for each contender.
        large_rows: rows of the large transaction.
        parts: what is measured at all: workloads, latency, large.
    """

    sizes: Mapping[str, Size]
    warm_ups: int
    counted: int
    round_s: float
    latency_s: float
    large_rows: int
    parts: tuple[str, ...]


FULL = Plan(
    sizes={
        "bulk": Size(rows=900_000, slow_rows=50_000),
        "one_row": Size(rows=300_000, slow_rows=10_000),
        "wide": Size(rows=400_000, slow_rows=10_000),
        "deletes": Size(rows=400_000, slow_rows=40_000),
        "hashes": Size(rows=500_000, slow_rows=40_000),
    },
    warm_ups=1,
    counted=3,
    round_s=math.inf,
    latency_s=20.0,
    large_rows=5_000_000,
    parts=(*WORKLOADS, "latency", "large"),
)
QUICK = Plan(
    sizes={
        "bulk": Size(rows=300_000, slow_rows=20_000),
        "one_row": Size(rows=80_000, slow_rows=5_000),
        "wide": Size(rows=80_000, slow_rows=4_000),
        "deletes": Size(rows=120_000, slow_rows=15_000),
        "hashes": Size(rows=150_000, slow_rows=15_000),
    },
    warm_ups=0,
    counted=3,
    round_s=10.0,
    latency_s=5.0,
    large_rows=1_000_000,
    parts=(*WORKLOADS, "latency"),
)
