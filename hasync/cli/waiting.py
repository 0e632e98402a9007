"""Waiting until the cluster has done what was asked for."""

import threading
from collections.abc import Callable
from typing import Final

from hasync.errors import CoordinationUnavailable, HasyncError
from hasync.ports import Clock

EVERY_S: Final = 0.2
"""How often is looked."""


def wait_for(reached: Callable[[], bool], *, else_say: str, within_s: float, clock: Clock) -> None:
    """Look again and again until ``reached``; a look that ZooKeeper does not answer counts as not yet.

    ``else_say``: what is still the case when the time is up. Raises HasyncError then.
    """
    deadline = clock.monotonic() + within_s
    never = threading.Event()
    while not _answered(reached):
        if clock.monotonic() >= deadline:
            raise HasyncError(
                f"{else_say} after {within_s:g} s",
                hint="it may still come about; 'hasync status' says what instances wait for",
            )
        clock.wait(never, EVERY_S)


def _answered(reached: Callable[[], bool]) -> bool:
    try:
        return reached()
    except CoordinationUnavailable:
        return False
