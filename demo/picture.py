"""One moment of the demo, as the screen shows it."""

from collections import deque
from dataclasses import dataclass

from demo.fleet import Status
from demo.statekey import State
from demo.workload import NOTHING, Tally

WINDOW_S = 3.0
"""Rates are means over this time: long enough to be calm, short enough to show the gap at the kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """An instance on the screen."""

    member: str
    pid: int
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One moment.

    ``source``: the database's name; ``source_rows_per_s``: changed by the clients;
    ``sink_rows_per_s``: applied to Redis.
    """

    elapsed_s: float
    phase: str
    servers: tuple[tuple[str, str], ...]
    source: str
    seats: tuple[Seat, ...] = ()
    state: State | None = None
    tally: Tally = NOTHING
    source_rows_per_s: float = 0.0
    sink_rows: int = 0
    sink_rows_per_s: float = 0.0

    @property
    def leader(self) -> Seat | None:
        """The instance that says it leads."""
        return next((seat for seat in self.seats if seat.status.leads), None)

    @property
    def lag_s(self) -> float | None:
        """The leader's lag, None while nobody leads."""
        return self.leader.status.lag_s if self.leader else None


class Rate:
    """Rows per second of a total that only rises, over a sliding window."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def of(self, at_s: float, total: int) -> float:
        """Add a sample and return the rate over the window before it."""
        self._samples.append((at_s, total))
        while len(self._samples) > 2 and self._samples[0][0] < at_s - WINDOW_S:
            self._samples.popleft()
        first_at, first = self._samples[0]
        return (total - first) / (at_s - first_at) if at_s > first_at else 0.0


class SinkRows:
    """Rows that all instances together have applied, dead workers' last words included."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._of_the_dead = 0

    def of(self, seats: tuple[Seat, ...]) -> int:
        """Return the sum of what each worker said last; one that was started again counts from 0."""
        for member, rows in ((seat.member, seat.status.rows) for seat in seats):
            last = self._last.get(member, 0)
            if rows is not None:
                self._of_the_dead += last if rows < last else 0
                self._last[member] = rows
        return self._of_the_dead + sum(self._last.values())
