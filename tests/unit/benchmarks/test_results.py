"""Medians, ratios and the table of the benchmark."""

from benchmarks.results import Result, document, table

BULK = Result(
    workload="bulk",
    rows=200_000,
    runs={"hasync": [90_000.0, 10_000.0, 100_000.4], "mysql-replication": [30_000.0, 45_000.0, 40_000.0]},
)
ONE_ROW = Result(workload="one_row", rows=50_000, runs={"hasync": [9_000.0], "mysql-replication": [12_000.0]})


def test_one_slow_run_does_not_move_the_figure() -> None:
    """The median counts, so a neighbour's burst of load in one run is no result."""
    assert BULK.medians == {"hasync": 90_000.0, "mysql-replication": 40_000.0}


def test_ratio_says_how_many_times_as_fast_hasync_is() -> None:
    """Above 1 hasync is faster, below it is slower; nothing hides the latter."""
    assert BULK.ratio() == 2.25
    assert ONE_ROW.ratio() == 0.75


def test_document_has_medians_ratio_and_machine() -> None:
    """Tools that watch the figures read this form."""
    assert document([BULK], {"cpus": 2}) == {
        "workloads": {
            "bulk": {
                "rows": 200_000,
                "rows_per_s": {"hasync": 90_000, "mysql-replication": 40_000},
                "runs": {"hasync": [90_000, 10_000, 100_000], "mysql-replication": [30_000, 45_000, 40_000]},
                "ratio_vs_mysql_replication": 2.25,
            }
        },
        "machine": {"cpus": 2},
    }


def test_table_is_aligned() -> None:
    """People read this one."""
    assert table([BULK, ONE_ROW]).splitlines() == [
        "rows/s (median)     rows  hasync  mysql-replication  ratio",
        "bulk             200,000  90,000             40,000   2.25",
        "one_row           50,000   9,000             12,000   0.75",
    ]
