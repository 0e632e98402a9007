"""An instance that loses terms by its own fault lets others try, longer each time."""

import pytest

from hasync.errors import EndReason
from hasync.term.standback import FLAPPING_MAX_S, LONG_TERM_S, PAUSE_MAX_S, Delay, Faults


def after(*ends: tuple[EndReason, float], led_s: float = 1.0) -> Faults:
    """Return the memory after these ends at these moments."""
    faults = Faults()
    for reason, now_s in ends:
        faults = faults.after(reason, led_s=led_s, now_s=now_s)
    return faults


@pytest.mark.parametrize("reason", [EndReason.LOCAL_FAULT, EndReason.SOURCE_CLAIMED, EndReason.FENCED])
def test_first_fault_earns_a_short_pause_in_any_case(reason: EndReason) -> None:
    """So that somebody else is elected, and two deployments with one name do not cut each other off in a rush."""
    assert after((reason, 0.0)).delay(reason) == Delay(always_s=2.0, while_others_can_s=2.0)


@pytest.mark.parametrize("reason", [EndReason.SESSION_LOST, EndReason.DEADLINE])
def test_one_lost_session_earns_none(reason: EndReason) -> None:
    """It may have been ZooKeeper's fault, and this instance the only one."""
    assert after((reason, 0.0)).delay(reason) == Delay()


@pytest.mark.parametrize(
    "reason", [EndReason.SHUTDOWN, EndReason.HANDOVER, EndReason.PAUSED, EndReason.CONFIG, EndReason.LOCK_LOST, None]
)
def test_orderly_ends_are_no_faults(reason: EndReason | None) -> None:
    """A hand-over that an operator wants must not count against anybody."""
    assert Faults().after(reason, led_s=1.0, now_s=0.0) == Faults()
    flapping = after(*((EndReason.LOCAL_FAULT, float(n)) for n in range(3)))
    assert flapping.delay(reason) == Delay()


def test_three_lost_terms_in_a_minute_are_flapping() -> None:
    """Whatever the faults were; the delay holds only while others can lead."""
    ends = [(EndReason.SESSION_LOST, 0.0), (EndReason.LOCAL_FAULT, 20.0), (EndReason.SESSION_LOST, 59.0)]
    assert not after(*ends[:2]).flapping
    faults = after(*ends)
    assert faults.flapping
    assert faults.delay(EndReason.SESSION_LOST) == Delay(always_s=0.0, while_others_can_s=10.0)
    assert not after(*ends[:2], (EndReason.SESSION_LOST, 81.0)).flapping


def test_delays_grow_and_are_bounded() -> None:
    """Also for whoever flaps all night."""
    delays = [
        after(*((EndReason.LOCAL_FAULT, float(n)) for n in range(count))).delay(EndReason.LOCAL_FAULT)
        for count in range(1, 30)
    ]
    assert [delay.while_others_can_s for delay in delays[:6]] == [2.0, 4.0, 10.0, 20.0, 40.0, 80.0]
    assert delays == sorted(delays, key=lambda delay: (delay.always_s, delay.while_others_can_s))
    assert delays[-1] == Delay(always_s=PAUSE_MAX_S, while_others_can_s=FLAPPING_MAX_S)


def test_long_term_clears_the_memory() -> None:
    """Whoever led for a minute is trusted again."""
    faults = after(*((EndReason.LOCAL_FAULT, float(n)) for n in range(5)))
    cleared = faults.after(EndReason.LOCAL_FAULT, led_s=LONG_TERM_S, now_s=100.0)
    assert cleared == Faults(at_s=(100.0,))
    assert faults.after(EndReason.HANDOVER, led_s=LONG_TERM_S, now_s=100.0) == Faults()
