"""The clock of an instance's decisions, moved by hand."""

import threading
from dataclasses import dataclass


@dataclass
class Clock:
    """A clock that moves when told."""

    now_s: float = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.is_set()

    def random(self) -> float:
        return 0.5
