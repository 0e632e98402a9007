"""What the admin port asks of the rest of the instance."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hasync.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether this instance could lead now, or leads. ``reasons``: why not, for people; empty when ready.

    ``notes``: what is as operators want it, and yet worth knowing: a pause.
    """

    ready: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Health(Protocol):
    """The instance as probes see it. Called from: request threads; must not block and must not raise."""

    def ages_s(self) -> Mapping[str, float]:
        """Return for each stream's loop the seconds since it last turned."""

    def readiness(self) -> Readiness:
        """Return whether this instance leads or could lead: a standby is ready."""

    def status(self) -> Mapping[str, Any]:
        """Return what ``hasync status`` shows of this instance, as JSON values; no secret, no row value."""


class Heartbeats:
    """When each loop last turned. Safe from any thread.

    A loop beats once per turn, also while it waits for a server: a server that is away
    is no reason to restart this process, a loop that hangs is.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with no loop: nothing to wait for is alive."""
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def beat(self, loop: str) -> None:
        """Say that this loop turns."""
        now = self._clock.monotonic()
        with self._lock:
            self._last[loop] = now

    def forget(self, loop: str) -> None:
        """Say that this loop ended on purpose."""
        with self._lock:
            self._last.pop(loop, None)

    def ages_s(self) -> dict[str, float]:
        """Return for each loop the seconds since its last beat."""
        now = self._clock.monotonic()
        with self._lock:
            return {loop: max(0.0, now - last) for loop, last in self._last.items()}
