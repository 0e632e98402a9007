"""From samples to what happened: who led, when it was noticed, how long nothing was written, what was lost. Pure.

All times are seconds after the fault was injected; sampling makes each as coarse as the
interval of looking (:data:`hasync.drill.eyes.EVERY_S`).
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

from hasync.drill.recording import Committed, LagSeen, LeaderSeen, Mark, Marked, Sample, StateSeen, Visible

Kind = TypeVar("Kind", bound=Sample)

JUST_BEFORE_S: Final = 0.001
"""How long before its first sign a fault is said to have been: less than the time between two looks."""

LEAST_STEPS: Final = 5
"""So many writes must be seen before the fault for their pauses to mean anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The longest time without a write that the fault can have caused, from ``begin_s`` to ``end_s``.

    ``by``: ``probe`` (own rows, from commit to visible), ``batches`` (the state key's
    sequence), or ``claim`` (no steady writes: from the fault to a new claim, or nothing).
    ``seconds`` is infinite when nothing was written any more. ``usual_s``: the longest
    pause before the fault; a gap is not smaller than the pauses of the traffic itself.
    """

    by: str
    seconds: float
    begin_s: float = 0.0
    end_s: float = 0.0
    usual_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the probe's rows. ``uncertain``: sent, but whether they were committed is not known."""

    committed: int
    lost: int
    doubled: int
    uncertain: int = 0

    @classmethod
    def of(cls, certain: Sequence[int], uncertain: Sequence[int], counts: Mapping[int, int]) -> "Tally":
        """Compare the numbers that were committed with how often each was applied."""
        known = {*certain, *uncertain}
        return cls(
            committed=len(certain),
            lost=sum(not counts.get(beat) for beat in certain),
            doubled=sum(count - 1 for beat, count in counts.items() if beat in known and count > 1),
            uncertain=len(uncertain),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a drill showed. Times: seconds after the fault; None: never seen.

    ``noticed_s``: the old leader's name is gone, or the state has a new epoch;
    ``led_s``: another term published itself; ``claimed_s``: it holds the state key;
    ``applied_s``: it wrote. ``problems``: breaks of the sequence or of the epochs.
    ``lag_max_s``: the leader's word, or a longer gap or latency that was seen.
    ``latencies_s``: from commit to visible, of each row of the probe.
    """

    leader_before: str
    leader_after: str
    epoch_before: int
    epoch_after: int
    epochs: tuple[int, ...]
    noticed_s: float | None
    led_s: float | None
    claimed_s: float | None
    applied_s: float | None
    undone_s: float | None
    ended_s: float
    gap: Gap
    seq_first: int
    seq_last: int
    problems: tuple[str, ...]
    lag_max_s: float | None
    tally: Tally | None
    latencies_s: tuple[tuple[float, float], ...] = ()


def find(samples: Sequence[Sample], tally: Tally | None = None, *, for_s: float = 0.0) -> Findings:
    """Return what the samples show. Needs a mark INJECTED.

    ``tally``: the probe's count, None without one; ``for_s``: how long the fault lasted.
    """
    zero = injected_at(samples)
    states, leaders = of(samples, StateSeen), of(samples, LeaderSeen)
    before = _led_at(leaders, zero)
    state = _at(states, zero) or StateSeen(at_s=zero, epoch=0, seq=0)
    later = [seen for seen in states if seen.at_s > zero and seen.epoch > state.epoch]
    claimed = later[0].at_s if later else None
    gone = [max(seen.at_s, zero) for seen in leaders if seen.at_s > before.at_s and seen.member != before.member]
    led = [seen.at_s for seen in leaders if seen.at_s > zero and seen.member and seen.epoch > before.epoch]
    applied = [seen.at_s for seen in later if seen.seq > later[0].seq]
    settled = _settled(later, zero + for_s)
    noticed = min([*gone, *([] if claimed is None else [claimed])], default=None)
    undone = [mark.at_s for mark in of(samples, Marked) if mark.mark is Mark.UNDONE]
    end = ended_at(samples)
    gap, latencies = _gap(samples, (zero, settled, end), claimed), _latencies(samples, zero)
    return Findings(
        leader_before=before.member,
        leader_after=leaders[-1].member if leaders else "",
        epoch_before=state.epoch,
        epoch_after=states[-1].epoch if states else 0,
        epochs=tuple(sorted({seen.epoch for seen in later})),
        noticed_s=_since(zero, noticed),
        led_s=_since(zero, min(led, default=None)),
        claimed_s=_since(zero, claimed),
        applied_s=_since(zero, min(applied, default=None)),
        undone_s=_since(zero, max(undone, default=None)),
        ended_s=end - zero,
        gap=gap,
        seq_first=states[0].seq if states else 0,
        seq_last=states[-1].seq if states else 0,
        problems=tuple(_problems(states)),
        lag_max_s=_lag_max_s(samples, zero, gap, latencies),
        tally=tally,
        latencies_s=latencies,
    )


def _lag_max_s(
    samples: Sequence[Sample], zero: float, gap: Gap, latencies: Sequence[tuple[float, float]]
) -> float | None:
    """Return the longest lag that was told or seen: a frozen leader tells none, what waits is as late as the gap."""
    told = [seen.lag_s for seen in of(samples, LagSeen) if seen.at_s > zero]
    seen = [latency for moment, latency in latencies if moment + latency > 0]
    seen += [gap.seconds] if gap.by != "claim" and gap.seconds > gap.usual_s else []
    return max(told + seen, default=None) if told else None


def _led_at(leaders: Sequence[LeaderSeen], zero: float) -> LeaderSeen:
    """Return who led when the fault began, though its name may be seen to go a moment before the fault is."""
    named = [seen for seen in leaders if seen.member and seen.at_s <= zero]
    return named[-1] if named else LeaderSeen(at_s=zero, member="")


def of(samples: Sequence[Sample], kind: type[Kind]) -> list[Kind]:
    """Return the samples of one kind."""
    return [sample for sample in samples if isinstance(sample, kind)]


def injected_at(samples: Sequence[Sample]) -> float:
    """Return the moment of the fault. Raises ValueError when there was none.

    It is told by the instance, and its consequences may be seen before its word is, on a busy machine.
    """
    told = min(mark.at_s for mark in of(samples, Marked) if mark.mark is Mark.INJECTED)
    asked = min((mark.at_s for mark in of(samples, Marked) if mark.mark is Mark.ASKED), default=told)
    states, leaders = pairwise(of(samples, StateSeen)), pairwise(of(samples, LeaderSeen))
    turns = [later.at_s for earlier, later in states if later.epoch > earlier.epoch]
    turns += [later.at_s for earlier, later in leaders if later.member != earlier.member]
    return min((turn - JUST_BEFORE_S for turn in turns if asked < turn <= told), default=told)


def ended_at(samples: Sequence[Sample]) -> float:
    """Return the moment up to which was watched."""
    ends = [mark.at_s for mark in of(samples, Marked) if mark.mark is Mark.ENDED]
    return ends[-1] if ends else samples[-1].at_s


def progress(samples: Sequence[Sample]) -> tuple[str, list[float]]:
    """Return by what writes are seen, and the moments at which they were: the probe's rows, else the sequence."""
    visible = of(samples, Visible)
    if visible:
        return "probe", [later.at_s for earlier, later in pairwise(visible) if later.beats > earlier.beats]
    states = of(samples, StateSeen)
    return "batches", [later.at_s for earlier, later in pairwise(states) if later.seq > earlier.seq]


def _since(zero: float, moment: float | None) -> float | None:
    return None if moment is None else moment - zero


def _at(samples: Sequence[Kind], moment: float) -> Kind | None:
    """Return what was so at a moment."""
    return next((sample for sample in reversed(samples) if sample.at_s <= moment), None)


def _settled(later: Sequence[StateSeen], undone: float) -> float:
    """Return when the last new term wrote, or the fault was over: a pause that begins after that is another matter."""
    writes: dict[int, float] = {}
    for seen in later:
        begun = next(other.seq for other in later if other.epoch == seen.epoch)
        if seen.seq > begun:
            writes.setdefault(seen.epoch, seen.at_s)
    return max([undone, *(seen.at_s for seen in later[:1]), *writes.values()])


def _gap(samples: Sequence[Sample], times: tuple[float, float, float], claimed: float | None) -> Gap:
    """Return the longest pause that begins before all is settled; ``times``: of the fault, of that, of the end."""
    zero, settled, end = times
    by, moments = progress(samples)
    moments = [moment for moment in moments if moment <= end]
    before = [moment for moment in moments if moment <= zero]
    if len(before) < LEAST_STEPS:
        # Without steady writes nobody can see a pause; a takeover's claim can be seen all the same.
        return Gap(by="claim", seconds=0.0 if claimed is None else claimed - zero, end_s=_since(zero, claimed) or 0.0)
    usual = max((later - earlier for earlier, later in pairwise(before)), default=0.0)
    after = [moment for moment in moments if moment > zero]
    pairs = [pair for pair in pairwise([before[-1], *after]) if pair[0] <= settled]
    longest = max(pairs, key=lambda pair: pair[1] - pair[0], default=(before[-1], end))
    last = moments[-1]
    if end - last > max(1.0, 5 * usual):  # it stood still to the end
        return Gap(by=by, seconds=math.inf, begin_s=last - zero, end_s=end - zero, usual_s=usual)
    begin, until = longest
    return Gap(by=by, seconds=until - begin, begin_s=begin - zero, end_s=until - zero, usual_s=usual)


def _problems(states: Sequence[StateSeen]) -> list[str]:
    """Name every break: epochs and sequence only ever rise, and so does the place within one file (I4, I5)."""
    found = []
    for earlier, later in pairwise(states):
        where = f"epoch {later.epoch}, sequence {later.seq}"
        if later.epoch < earlier.epoch:
            found.append(f"the epoch fell from {earlier.epoch} to {later.epoch}")
        if later.seq < earlier.seq:
            found.append(f"the sequence fell from {earlier.seq} to {later.seq} in epoch {later.epoch}")
        if later.file and later.file == earlier.file and later.place < earlier.place:
            found.append(f"the position went back from {earlier.file}:{earlier.place} to {later.place} ({where})")
        if later.seq == earlier.seq and later.epoch == earlier.epoch and later.place > earlier.place > 0:
            found.append(f"the position moved from {earlier.place} to {later.place} without a new number ({where})")
    return found


def _latencies(samples: Sequence[Sample], zero: float) -> tuple[tuple[float, float], ...]:
    """Return for each row of the probe when it was committed, and how long until it was visible."""
    visible = of(samples, Visible)
    counts = [seen.beats for seen in visible]
    found = []
    for committed in of(samples, Committed):
        at = bisect_left(counts, committed.beat)
        if at < len(visible):
            found.append((committed.at_s - zero, max(0.0, visible[at].at_s - committed.at_s)))
    return tuple(found)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of all do not exceed; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
