"""The only place that reads a clock, sleeps, or draws random numbers."""

import random
import threading
import time


class SystemClock:
    """The machine's clocks, behind :class:`hasync.ports.Clock`."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; for durations and deadlines only."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the Unix epoch; for display and lag only, never for a decision."""
        return time.time()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until ``event`` is set or ``timeout_s`` passed; True when it was set."""
        return event.wait(timeout_s)

    def random(self) -> float:
        """Draw a number in [0, 1), for jitter."""
        return random.random()  # noqa: S311 - jitter, not cryptography
