"""Waiting for another process: polling, always with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.02


class DeadlineError(AssertionError):
    """What was waited for did not happen in time."""


def wait_until(what: str, check: Callable[[], T | None], *, timeout_s: float = 10.0, poll_s: float = POLL_S) -> T:
    """Return the first true value of `check`, asked again every `poll_s` seconds.

    Args:
        what: names the condition in the error, e.g. "replica is in sync".

    Raises:
        DeadlineError: `check` was still false after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := check()):
        if time.monotonic() >= deadline:
            raise DeadlineError(f"not within {timeout_s:g} s: {what} (last: {value!r})")
        time.sleep(poll_s)
    return value
