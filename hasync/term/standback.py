"""How long an instance stands back after losing a term by its own fault. Pure.

A fault of its own (its credentials, its network, its machine) comes again when it leads
again. One such fault earns a short pause, so that another instance is elected; three
terms lost within a minute are *flapping*, and earn a long one, as long as others can lead.
"""

from dataclasses import dataclass, replace
from typing import Final

from hasync.errors import EndReason

PAUSED_FOR: Final = frozenset({EndReason.LOCAL_FAULT, EndReason.SOURCE_CLAIMED, EndReason.FENCED})
"""Ends that earn a pause each time. Also those by somebody else who took the source or the state: were that
another deployment with this stream's name, the two would cut each other off without end."""

OWN: Final = PAUSED_FOR | {EndReason.SESSION_LOST, EndReason.DEADLINE}
"""Ends that count towards flapping: a session is mostly lost by a machine or a network that stalls."""

FLAPS: Final = 3
WINDOW_S: Final = 60.0
"""So many terms lost in such a time are flapping."""

LONG_TERM_S: Final = 60.0
"""Leading for so long clears the memory of faults."""

PAUSE_MAX_S: Final = 60.0
FLAPPING_S: Final = 10.0
FLAPPING_MAX_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long to stand back, at most, before jitter: in any case, and as long as another instance can lead."""

    always_s: float = 0.0
    while_others_can_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Terms that one instance has lost for one stream by its own faults, since it last led for long.

    ``at_s``: when, on the monotonic clock. ``flapping``: stays until it has led for long.
    """

    at_s: tuple[float, ...] = ()
    flapping: bool = False

    def after(self, reason: EndReason | None, *, led_s: float, now_s: float) -> "Faults":
        """Return the memory after a leadership of ``led_s`` ended now; ``reason`` None: before any term began."""
        kept = Faults() if led_s >= LONG_TERM_S else self
        if reason not in OWN:
            return kept
        at_s = (*kept.at_s, now_s)
        recent = [moment for moment in at_s if now_s - moment <= WINDOW_S]
        return replace(kept, at_s=at_s[-20:], flapping=kept.flapping or len(recent) >= FLAPS)

    def delay(self, reason: EndReason | None) -> Delay:
        """Return how long to stand back after a leadership that ended for ``reason``: longer each time, bounded."""
        if reason not in OWN or not self.at_s:
            return Delay()
        count = len(self.at_s)
        always_s = min(PAUSE_MAX_S, 2.0**count) if reason in PAUSED_FOR else 0.0
        flapping_s = min(FLAPPING_MAX_S, FLAPPING_S * 2.0 ** max(0, count - FLAPS)) if self.flapping else 0.0
        return Delay(always_s=always_s, while_others_can_s=max(always_s, flapping_s))
