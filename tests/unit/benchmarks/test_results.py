"""Medians, ratios and the tables of the benchmark."""

import pytest

from benchmarks.contender import GO, LIBRARY, WRITE_LIMIT
from benchmarks.results import Large, Latency, Outcome, Result

BULK = Result(
    workload="bulk",
    rows=200_000,
    runs={
        "hasync": [90_000.0, 10_000.0, 100_000.4],
        "go": [45_000.0, 44_000.0, 46_000.0],
        "mysql-replication": [30_000.0, 45_000.0, 40_000.0],
        "redis-cli": [180_000.0, 170_000.0, 190_000.0],
    },
    peaks_rss_mb={"hasync": 71.26, "go": 20.0},
)
ONE_ROW = Result(
    workload="one_row",
    rows=50_000,
    runs={"hasync": [9_000.0], "mysql-replication": [12_000.0]},
    peaks_rss_mb={"hasync": 80.0},
)
LATENCY = Latency(p50=0.4321, p99=2.0, p50_from_send=0.7, p99_from_send=3.0, resolution=0.01, transactions=1000)
LARGE = Large(rows=5_000_000, rows_per_s=400_000.4, peak_rss_mb=99.96)


def outcome(*results: Result, not_built: str = "", large: Large | None = None) -> Outcome:
    return Outcome(
        machine={"cpus": 2}, not_built=not_built, results=results, latencies={"hasync": LATENCY}, large=large
    )


def test_one_slow_run_does_not_move_the_figure() -> None:
    """The median counts, so a neighbour's burst of load in one run is no result."""
    assert BULK.medians["hasync"] == 90_000.0


@pytest.mark.parametrize(("reference", "ratio"), [(GO, 2.0), (LIBRARY, 2.25), (WRITE_LIMIT, 0.5)])
def test_ratio_says_how_many_times_as_fast_hasync_is(reference: str, ratio: float) -> None:
    """Above 1 hasync is faster, below it is slower; nothing hides the latter."""
    assert BULK.ratio(reference) == ratio


def test_contender_that_did_not_run_has_no_ratio() -> None:
    """Where Go cannot be built, there is a gap and no invented figure."""
    assert ONE_ROW.ratio(GO) is None
    assert ONE_ROW.to_json()["ratio_vs_go"] is None


def test_document_has_medians_ratios_latency_memory_and_machine() -> None:
    """Tools that watch the figures read this form."""
    document = outcome(BULK, large=LARGE).to_json()
    assert document["workloads"]["bulk"] == {
        "rows": 200_000,
        "rows_per_s": {"hasync": 90_000, "go": 45_000, "mysql-replication": 40_000, "redis-cli": 180_000},
        "runs": {
            "hasync": [90_000, 10_000, 100_000],
            "go": [45_000, 44_000, 46_000],
            "mysql-replication": [30_000, 45_000, 40_000],
            "redis-cli": [180_000, 170_000, 190_000],
        },
        "ratio_vs_go": 2.0,
        "ratio_vs_mysql_replication": 2.25,
        "ratio_vs_limit": 0.5,
    }
    assert document["latency_ms"]["hasync"]["p50"] == 0.432
    assert document["peak_rss_mb"] == 71.3
    assert document["large_transaction"] == {"rows": 5_000_000, "rows_per_s": 400_000, "peak_rss_mb": 100.0}
    assert document["machine"] == {"cpus": 2}


def test_peak_memory_is_the_highest_of_all_workloads() -> None:
    """A worker's memory limit must hold for each workload."""
    assert outcome(BULK, ONE_ROW).peak_rss_mb == 80.0


def test_tables_are_aligned() -> None:
    """People read these."""
    assert outcome(BULK).text().splitlines()[:5] == [
        "rows/s (median)     rows  hasync      go  mysql-replication  redis-cli",
        "bulk             200,000  90,000  45,000             40,000    180,000",
        "",
        "hasync is times    go  mysql-replication  redis-cli",
        "bulk             2.00               2.25       0.50",
    ]


def test_reason_why_go_is_missing_is_said() -> None:
    """A comparison that was not made is not passed over in silence."""
    found = outcome(ONE_ROW, not_built="no Go toolchain on the path")
    assert "go: not built: no Go toolchain on the path" in found.text().splitlines()
    assert found.to_json()["go"] == {"built": False, "reason": "no Go toolchain on the path"}
    assert "-" in found.text().split("hasync is times")[1].split()
