"""Recordings of drills that never ran, for the pure parts."""

from typing import Any

from hasync.drill.findings import Tally, find
from hasync.drill.kinds import DrillKind, Request
from hasync.drill.recording import (
    Committed,
    LagSeen,
    LeaderSeen,
    Mark,
    Marked,
    Sample,
    StateSeen,
    Visible,
    in_order,
)
from hasync.drill.report import Evidence, report
from hasync.drill.verdict import Budgets, Undoing

ZERO = 10.0
"""When the fault is injected."""

DONE = Undoing(done=True)
NO_BUDGETS = Budgets()


def writes(epoch: int, seq: int, begin: float, end: float, *, every_s: float = 0.02) -> list[Sample]:
    """Return a state that moves on steadily."""
    count = round((end - begin) / every_s) + 1
    return [
        StateSeen(at_s=begin + number * every_s, epoch=epoch, seq=seq + number, file="b.1", place=100 * (seq + number))
        for number in range(count)
    ]


def crash(*, claimed: float = 10.03, first: float = 10.05, leader_after: str = "b") -> tuple[Sample, ...]:
    """Return a leader killed at :data:`ZERO`, whose successor writes from ``first`` on."""
    before = writes(1, 1, 8.0, 10.0)
    last = before[-1]
    assert isinstance(last, StateSeen)
    claim = StateSeen(at_s=claimed, epoch=2, seq=last.seq, file="b.1", place=last.place)
    return in_order(
        [
            *before,
            LeaderSeen(at_s=8.0, member="a", epoch=1),
            Marked(at_s=ZERO, mark=Mark.INJECTED, text="a"),
            LeaderSeen(at_s=10.02, member=""),
            claim,
            LeaderSeen(at_s=claimed + 0.005, member=leader_after, epoch=2),
            *writes(2, last.seq + 1, first, 14.0),
            LagSeen(at_s=11.0, lag_s=0.2),
            Marked(at_s=13.0, mark=Mark.UNDONE, text="a"),
            Marked(at_s=14.0, mark=Mark.ENDED),
        ]
    )


def probed(samples: tuple[Sample, ...], *, gap: tuple[float, float] = (10.0, 10.1)) -> tuple[Sample, ...]:
    """Return the same with a probe whose rows are held up in ``gap``."""
    found: list[Sample] = list(samples)
    for number in range(1, 301):
        committed = 8.0 + number * 0.02
        held = gap[0] <= committed < gap[1]
        found += [
            Committed(at_s=committed, beat=number),
            Visible(at_s=gap[1] + number * 1e-6 if held else committed + 0.005, beats=number),
        ]
    return in_order(found)


def document(samples: tuple[Sample, ...], *, budgets: Budgets = NO_BUDGETS, **changes: Any) -> dict[str, Any]:
    """Return the report of a crash."""
    request = Request(id="1", kind=changes.pop("kind", DrillKind.CRASH_LEADER), stream="orders", by="ann@desk")
    tally: Tally | None = changes.pop("tally", None)
    given: dict[str, Any] = {"undoing": DONE, "terms": (), "blind": {}, "started_at": 1.8e9, "version": "1.0"} | changes
    return report(request, budgets, Evidence(samples=samples, findings=find(samples, tally), **given))
