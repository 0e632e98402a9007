"""What was seen while a drill ran, as samples on one clock. Only changes are kept."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """Moments of the drill itself."""

    ASKED = "asked"
    """The first order is about to be given: what changes from here on is the drill's."""
    INJECTED = "injected"
    """An instance said that it begins."""
    RESTARTED = "restarted"
    """Of a rolling restart: the next instance begins; the text is its name."""
    UNDONE = "undone"
    ENDED = "ended"
    """From here on nothing is watched, and no beat is written any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Something seen. ``at_s``: seconds since the recording began, on the watcher's monotonic clock."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSeen(Sample):
    """The state key changed. ``place``: the position's offset, for continuity within one binlog ``file``."""

    epoch: int
    seq: int
    file: str = ""
    place: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderSeen(Sample):
    """The published leader changed; ``member`` is empty when there is none."""

    member: str
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LagSeen(Sample):
    """The leader's own word on how far it trails the source."""

    lag_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed(Sample):
    """The probe's row of this number was committed in MySQL."""

    beat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible(Sample):
    """So many of the probe's rows are in Redis."""

    beats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked(Sample):
    """A moment of the drill."""

    mark: Mark
    text: str = ""


class Recording:
    """Collects samples. Safe from any thread."""

    def __init__(self) -> None:
        """Begin empty."""
        self._samples: list[Sample] = []
        self._lock = threading.Lock()

    def add(self, sample: Sample) -> None:
        """Keep a sample."""
        with self._lock:
            self._samples.append(sample)

    def samples(self) -> tuple[Sample, ...]:
        """Return all so far, in order of time."""
        with self._lock:
            return in_order(self._samples)


def in_order(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Return samples in order of time; several threads wrote them."""
    return tuple(sorted(samples, key=lambda sample: sample.at_s))
