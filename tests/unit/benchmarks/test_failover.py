"""The failover benchmark counts right."""

from benchmarks.failover.figures import Budget, Figures, percentile, table
from benchmarks.failover.watch import Watch, Write


def watch_of(*writes: Write) -> Watch:
    watch = object.__new__(Watch)
    watch.writes = list(writes)
    return watch


def test_gap_is_between_the_last_write_of_one_epoch_and_the_first_above() -> None:
    """Not from the kill, which only this program knows."""
    watch = watch_of(Write(1.0, 1, 1), Write(1.5, 1, 2), Write(1.75, 2, 3), Write(1.8, 2, 4))
    assert watch.gap_after(1) == 0.25


def test_gap_is_none_until_a_successor_writes() -> None:
    """A claim alone moves the epoch and writes nothing, so it is no write here."""
    assert watch_of(Write(1.0, 1, 1)).gap_after(1) is None


def test_percentile_is_a_value_that_was_measured() -> None:
    """Nearest rank: of ten values the 99th percentile is the largest."""
    values = [float(value) for value in range(1, 11)]
    assert [percentile(values, share) for share in (0.5, 0.9, 0.99)] == [5.0, 9.0, 10.0]


def test_table_says_whether_the_budget_is_kept() -> None:
    """Median and 99th percentile each have their own limit."""
    kept = Figures(fault="kill", gaps_s=(0.1, 0.2), budget=Budget(p50_s=0.15, p99_s=1.0))
    missed = Figures(fault="both", gaps_s=(0.1, 1.2), budget=Budget(p99_s=1.0))
    assert (kept.kept, missed.kept) == (True, False)
    lines = table([kept, missed]).splitlines()
    assert lines[1].split() == ["kill", "2", "100", "200", "200", "200", "150", "150/1000", "yes"]
    assert lines[2].split()[-2:] == ["-/1000", "NO"]
