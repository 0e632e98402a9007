"""The only owner of retries.

Drivers are set to never retry (redis-py's default sends a batch up to eleven times),
so that a retry is always of a whole, repeatable operation, the term is checked inside
each attempt, and the operator sees each one.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from hasync.errors import Retryable
from hasync.ports import Clock

T = TypeVar("T")


class RetryObserver:
    """Is told of trouble and of its end; does nothing unless overridden. Called from: the retrying thread."""

    def degraded(self, operation: str, error: Retryable) -> None:
        """``operation`` has failed for the first time since it last succeeded."""

    def retrying(self, operation: str, attempt: int, error: Retryable, wait_s: float) -> None:
        """Attempt number ``attempt`` (from 1) failed; the next follows in ``wait_s``."""

    def exhausted(self, operation: str, error: Retryable) -> None:
        """``operation`` has failed for too long and is given up."""

    def healed(self, operation: str, degraded_s: float) -> None:
        """``operation`` succeeded after having been degraded for ``degraded_s``."""


class Retrier:
    """Repeats what raises Retryable, with full jitter, until it works or must not go on.

    Waits are drawn evenly from 0 to ``multiplier_s`` doubled with each attempt, at most
    ``max_s``: instances that failed together do not come back together. Without
    ``give_up_after_s`` it never gives up. Waiting ends at once when ``stop`` is set,
    and no attempt is made any more. One object per thread: :meth:`call` is called from
    that thread only, :attr:`degraded_for_s` from any.
    """

    def __init__(
        self,
        *,
        stop: threading.Event,
        clock: Clock,
        observer: RetryObserver | None = None,
        multiplier_s: float = 0.1,
        max_s: float = 5.0,
        give_up_after_s: float | None = None,
    ) -> None:
        """Keep the settings."""
        self._stop = stop
        self._clock = clock
        self._observer = observer or RetryObserver()
        self._ceiling = wait_exponential(multiplier=multiplier_s, max=max_s)
        self._give_up_after_s = give_up_after_s
        self._since: dict[str, float] = {}

    def call(self, operation: str, function: Callable[[], T], *, check: Callable[[], None]) -> T:
        """Return what ``function`` returns, calling it again while it raises Retryable.

        ``check`` is called first inside each attempt, and raises TermEnded when this
        instance may do nothing more: tenacity makes one attempt after a stop event is
        set, which would be a write after the term. The last error is raised when
        giving up; any other error at once. A call that succeeds at once costs no
        tenacity.
        """
        try:
            check()
            result = function()
        except Retryable as error:
            result = self._insist(operation, function, check, error)
        if self._since:
            self._heal(operation)
        return result

    @property
    def degraded_for_s(self) -> float:
        """Seconds since the oldest trouble that has not healed, 0 when there is none. Safe from any thread."""
        since = list(self._since.values())
        return self._clock.monotonic() - min(since) if since else 0.0

    def _insist(self, operation: str, function: Callable[[], T], check: Callable[[], None], error: Retryable) -> T:
        """Let tenacity go on from ``error``, the failure of the first attempt."""
        began = self._clock.monotonic()
        if operation not in self._since:
            self._since[operation] = began
            self._observer.degraded(operation, error)
        retrying = Retrying(
            retry=retry_if_exception_type(Retryable),
            wait=lambda state: self._ceiling(state) * self._clock.random(),
            stop=lambda state: self._ended(state, began),
            sleep=self._sleep,
            before_sleep=lambda state: self._report(operation, state),
            reraise=True,
        )
        try:
            return retrying(_Attempts(function=function, check=check, stop=self._stop, error=error))
        except Retryable as last:
            if not self._stop.is_set():
                self._observer.exhausted(operation, last)
            raise

    def _ended(self, state: RetryCallState, began: float) -> bool:
        if self._stop.is_set():
            return True
        spent_s = self._clock.monotonic() - began + state.upcoming_sleep
        return self._give_up_after_s is not None and spent_s > self._give_up_after_s

    def _sleep(self, wait_s: float) -> None:
        self._clock.wait(self._stop, wait_s)

    def _report(self, operation: str, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Retryable):
            self._observer.retrying(operation, state.attempt_number, error, state.upcoming_sleep)

    def _heal(self, operation: str) -> None:
        since = self._since.pop(operation, None)
        if since is not None:
            self._observer.healed(operation, self._clock.monotonic() - since)


@dataclass(slots=True, kw_only=True)
class _Attempts(Generic[T]):
    """What tenacity calls: the first time it shows the failure there was, then it tries again.

    ``error`` is the last failure, raised instead of trying once more after ``stop``.
    """

    function: Callable[[], T]
    check: Callable[[], None]
    stop: threading.Event
    error: Retryable
    shown: bool = False

    def __call__(self) -> T:
        if not self.shown:
            self.shown = True
            raise self.error
        self.check()
        if self.stop.is_set():
            raise self.error
        try:
            return self.function()
        except Retryable as error:
            self.error = error
            raise
