"""From samples to findings: tables of what was seen, and what that means."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hasync.drill.findings import Tally, find, quantile
from hasync.drill.recording import LeaderSeen, Mark, Marked, Sample, StateSeen, in_order
from tests.unit.drill.scenes import ZERO, crash, probed, writes


def test_takeover_is_timed_from_the_fault() -> None:
    """Each step is what was seen first of it, after the fault."""
    found = find(crash())
    assert (found.leader_before, found.leader_after) == ("a", "b")
    assert (found.epoch_before, found.epoch_after, found.epochs) == (1, 2, (2,))
    assert found.noticed_s == pytest.approx(0.02)
    assert found.claimed_s == pytest.approx(0.03)
    assert found.led_s == pytest.approx(0.035)
    assert found.applied_s == pytest.approx(0.05)
    assert found.undone_s == pytest.approx(3.0)
    assert found.lag_max_s == pytest.approx(0.2)
    assert found.problems == ()


def test_lag_of_a_leader_that_could_not_tell_it_is_the_gap() -> None:
    """A frozen leader tells none, and a small one once it is over: what waited was as late as the gap."""
    assert find(crash(first=13.0)).lag_max_s == pytest.approx(3.0, abs=0.05)
    assert find(probed(crash(), gap=(10.0, 12.0))).lag_max_s == pytest.approx(2.0, abs=0.05)
    assert find(probed(crash(), gap=(8.5, 9.9))).lag_max_s == pytest.approx(0.2)


def test_leader_whose_name_goes_a_moment_before_the_fault_is_seen_has_led() -> None:
    """An expired session takes the name with it, and the two looks are made by different threads."""
    gone = [replace(each, at_s=9.99) if isinstance(each, LeaderSeen) and not each.member else each for each in crash()]
    found = find(in_order(gone))
    assert (found.leader_before, found.leader_after) == ("a", "b")
    assert found.noticed_s == 0.0
    assert found.led_s == pytest.approx(0.035)


def test_fault_whose_consequences_are_seen_before_its_word_was_then() -> None:
    """On a busy machine the successor may have written before the command hears that the instance began."""
    told = [
        replace(each, at_s=10.2) if isinstance(each, Marked) and each.text and each.at_s == ZERO else each
        for each in crash()
    ]
    assert find(in_order(told)).epochs == ()  # nobody said since when the drill counts
    found = find(in_order([*told, Marked(at_s=9.9, mark=Mark.ASKED)]))
    assert (found.leader_before, found.epoch_before, found.epochs) == ("a", 1, (2,))
    assert found.noticed_s == pytest.approx(0.001)
    assert found.claimed_s == pytest.approx(0.011)


def test_gap_is_the_longest_pause_around_the_fault() -> None:
    """From the last write before it to the first one after it; what is usual is said with it."""
    gap = find(crash(first=10.5)).gap
    assert gap.by == "batches"
    assert gap.seconds == pytest.approx(0.5)
    assert gap.usual_s == pytest.approx(0.02)


def test_gap_is_measured_by_the_probe_where_there_is_one() -> None:
    """The probe knows that there was something to write."""
    gap = find(probed(crash(), gap=(10.0, 10.3))).gap
    assert gap.by == "probe"
    assert gap.seconds == pytest.approx(0.3, abs=0.03)


def test_pause_after_all_is_settled_is_no_gap() -> None:
    """Something else held the stream up a second later."""
    assert find(probed(crash(), gap=(11.5, 12.4))).gap.seconds < 0.1


def test_pause_while_the_fault_lasts_is_a_gap() -> None:
    """A cut of three seconds explains what happens in its third."""
    assert find(probed(crash(), gap=(12.0, 12.9)), for_s=3.0).gap.seconds == pytest.approx(0.9, abs=0.05)


def test_stream_that_writes_no_more_has_a_gap_without_end() -> None:
    """Infinite, so that it breaks every budget."""
    samples = [sample for sample in crash() if not (isinstance(sample, StateSeen) and sample.at_s > ZERO)]
    assert find(samples).gap.seconds == math.inf


def test_idle_stream_is_judged_by_its_claim() -> None:
    """Without writes before the fault, a pause of writes means nothing."""
    samples = in_order(
        [
            StateSeen(at_s=8.0, epoch=1, seq=5),
            LeaderSeen(at_s=8.0, member="a", epoch=1),
            Marked(at_s=ZERO, mark=Mark.INJECTED),
            StateSeen(at_s=10.2, epoch=2, seq=5),
            Marked(at_s=14.0, mark=Mark.ENDED),
        ]
    )
    gap = find(samples).gap
    assert (gap.by, round(gap.seconds, 3)) == ("claim", 0.2)


def state(epoch: int, seq: int, place: int, file: str = "b.1") -> StateSeen:
    return StateSeen(at_s=11.0 + seq / 100, epoch=epoch, seq=seq, file=file, place=place)


@pytest.mark.parametrize(
    ("later", "problem"),
    [
        ((state(1, 7, 700), state(2, 7, 700), state(2, 8, 800)), ""),
        ((state(1, 7, 700), state(1, 8, 4, "b.2")), ""),
        ((state(1, 7, 700), state(1, 12, 1200)), ""),
        ((state(2, 7, 700), state(1, 8, 800)), "the epoch fell"),
        ((state(1, 7, 700), state(1, 8, 600)), "position went back"),
        ((state(1, 7, 700), StateSeen(at_s=12.0, epoch=2, seq=6, file="b.1", place=700)), "the sequence fell"),
        ((state(1, 7, 700), StateSeen(at_s=12.0, epoch=1, seq=7, file="b.1", place=900)), "without a new number"),
    ],
)
def test_breaks_of_epoch_sequence_and_position_are_named(later: Sequence[StateSeen], problem: str) -> None:
    """Epochs, numbers and positions only rise; a claim keeps the number, a new file begins small."""
    marks: list[Sample] = [Marked(at_s=ZERO, mark=Mark.INJECTED), Marked(at_s=14.0, mark=Mark.ENDED)]
    problems = find(in_order([*writes(1, 1, 8.0, 8.04), *marks, *later])).problems
    assert (problem in " ".join(problems)) if problem else (problems == ())


@pytest.mark.parametrize(
    ("certain", "uncertain", "counts", "lost", "doubled"),
    [
        ((1, 2, 3), (), {1: 1, 2: 1, 3: 1}, 0, 0),
        ((1, 2, 3), (), {1: 1, 3: 1}, 1, 0),
        ((1, 2, 3), (), {1: 1, 2: 2, 3: 3}, 0, 3),
        ((1, 3), (2,), {1: 1, 3: 1}, 0, 0),
        ((1, 3), (2,), {1: 1, 2: 1, 3: 1}, 0, 0),
        ((1, 3), (2,), {1: 1, 2: 2, 3: 1}, 0, 1),
    ],
)
def test_rows_are_counted(
    certain: Sequence[int], uncertain: Sequence[int], counts: dict[int, int], lost: int, doubled: int
) -> None:
    """A row whose commit was not confirmed may be there or not, but never twice."""
    tally = Tally.of(certain, uncertain, counts)
    assert (tally.lost, tally.doubled) == (lost, doubled)


def test_latency_of_each_row_is_from_commit_to_visible() -> None:
    """Rows that were held up show by how much."""
    latencies = [latency for _, latency in find(probed(crash(), gap=(10.0, 10.1))).latencies_s]
    assert len(latencies) == 300
    assert quantile(latencies, 0.5) == pytest.approx(0.005)
    assert max(latencies) == pytest.approx(0.1, abs=0.002)
