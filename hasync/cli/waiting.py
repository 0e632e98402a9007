"""Waiting until the cluster has done what was asked for."""

import threading
from collections.abc import Callable
from typing import Final

from hasync.errors import CoordinationUnavailable, HasyncError
from hasync.ports import Clock

EVERY_S: Final = 0.2
"""How often is looked."""


def wait_for(what: str, reached: Callable[[], bool], *, within_s: float, clock: Clock) -> None:
    """Look again and again until ``reached``; a look that ZooKeeper does not answer counts as not yet.

    Raises HasyncError when the time is up.
    """
    deadline = clock.monotonic() + within_s
    never = threading.Event()
    while not _answered(reached):
        if clock.monotonic() >= deadline:
            raise HasyncError(
                f"{what}: not within {within_s:g} s", hint="what was asked for stands; see 'hasync status'"
            )
        clock.wait(never, EVERY_S)


def _answered(reached: Callable[[], bool]) -> bool:
    try:
        return reached()
    except CoordinationUnavailable:
        return False
