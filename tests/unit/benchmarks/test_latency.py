"""Commit-to-visible percentiles."""

import pytest

from benchmarks.latency import RATE_PER_S, WARM_UP_S, Commits, latency

WARM_UP = int(WARM_UP_S * RATE_PER_S)


def measured(seen_after_s: list[float], acknowledged_after_s: float = 0.001) -> tuple[Commits, list[float]]:
    sent = [number / RATE_PER_S for number in range(len(seen_after_s))]
    commits = Commits(sent_s=sent, acknowledged_s=[at + acknowledged_after_s for at in sent])
    return commits, [at + after for at, after in zip(sent, seen_after_s, strict=True)]


def test_latency_counts_from_the_acknowledgement_and_from_the_sending() -> None:
    """The two differ by the time of the commit itself."""
    found = latency(*measured([0.003] * (WARM_UP + 200)), 0.00001)
    assert (found.p50, found.p50_from_send) == (pytest.approx(2.0), pytest.approx(3.0))
    assert found.resolution == pytest.approx(0.01)


def test_one_stall_in_fifty_shows_in_p99_alone() -> None:
    """What two percent of transactions suffer is not hidden behind the median."""
    found = latency(*measured([0.002] * (WARM_UP + 980) + [0.102] * 20), 0.0)
    assert (found.p50, found.p99) == (pytest.approx(1.0), pytest.approx(101.0))


def test_first_second_does_not_count() -> None:
    """A contender warms up while the first transactions pass."""
    found = latency(*measured([5.0] * WARM_UP + [0.002] * 200), 0.0)
    assert found.p99 == pytest.approx(1.0)
    assert found.transactions == 200


def test_key_seen_before_the_acknowledgement_is_no_negative_latency() -> None:
    """The server sends a transaction to its readers before it answers the client: that is 0, not a bonus."""
    found = latency(*measured([0.0005] * (WARM_UP + 200)), 0.0)
    assert found.p50 == 0.0
