"""The retry owner, on a clock that jumps instead of waiting."""

import threading
from collections.abc import Callable, Iterator

import pytest

from hasync.errors import EndReason, Fatal, Retryable, SinkRefused, SinkUnavailable, TermEnded
from hasync.retry import Retrier, RetryObserver


class JumpingClock:
    """Waiting takes no time: the clock is put forward. ``draws`` are the random numbers, 0.5 after them."""

    def __init__(self, draws: tuple[float, ...] = ()) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self.draws: Iterator[float] = iter(draws)
        self.on_wait: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        self.now += timeout_s
        self.on_wait()
        return event.is_set()

    def random(self) -> float:
        return next(self.draws, 0.5)


class Diary(RetryObserver):
    """Writes down what the retrier tells."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def degraded(self, operation: str, error: Retryable) -> None:
        self.events.append(("degraded", operation, error.message))

    def retrying(self, operation: str, attempt: int, error: Retryable, wait_s: float) -> None:
        self.events.append(("retrying", operation, attempt, error.message, round(wait_s, 3)))

    def healed(self, operation: str, degraded_s: float) -> None:
        self.events.append(("healed", operation, round(degraded_s, 3)))


class Flaky:
    """Fails as often as told, then answers 42."""

    def __init__(self, failures: int, error: type[Retryable] = SinkUnavailable) -> None:
        self.calls = 0
        self.failures = failures
        self.error = error

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(f"failure {self.calls}")
        return 42


def always() -> None:
    """The term that never ends."""


def retrier(clock: JumpingClock, stop: threading.Event | None = None, **settings: object) -> Retrier:
    return Retrier(stop=stop or threading.Event(), clock=clock, **settings)  # type: ignore[arg-type]


def test_success_at_once_tells_nobody() -> None:
    """A call that works the first time waits for nothing and is no event."""
    clock, diary = JumpingClock(), Diary()
    assert retrier(clock, observer=diary).call("apply", Flaky(0), check=always) == 42
    assert (diary.events, clock.waits) == ([], [])


def test_failures_are_repeated_until_it_works_and_told() -> None:
    """Each failure is told with its attempt and wait; degraded and healed frame them."""
    clock, diary, flaky = JumpingClock(), Diary(), Flaky(3)
    assert retrier(clock, observer=diary).call("apply", flaky, check=always) == 42
    assert flaky.calls == 4
    assert diary.events == [
        ("degraded", "apply", "failure 1"),
        ("retrying", "apply", 1, "failure 1", 0.05),
        ("retrying", "apply", 2, "failure 2", 0.1),
        ("retrying", "apply", 3, "failure 3", 0.2),
        ("healed", "apply", 0.35),
    ]


def test_waits_are_full_jitter_below_a_doubling_ceiling() -> None:
    """The wait is drawn from 0 to the ceiling, which doubles up to the maximum and jitters there too."""
    clock = JumpingClock(draws=(0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.1))
    retrier(clock, max_s=5.0).call("apply", Flaky(8), check=always)
    assert clock.waits == pytest.approx([0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 0.5])


def test_term_ended_while_waiting_prevents_the_next_attempt() -> None:
    """The check comes first inside each attempt: not one write is tried after the term."""
    clock, flaky, ended = JumpingClock(), Flaky(9), threading.Event()
    clock.on_wait = ended.set

    def check() -> None:
        if ended.is_set():
            raise TermEnded(EndReason.SESSION_LOST)

    with pytest.raises(TermEnded):
        retrier(clock).call("apply", flaky, check=check)
    assert flaky.calls == 1


def test_term_ended_before_the_call_prevents_even_the_first_attempt() -> None:
    """An ended term calls nothing at all."""
    flaky = Flaky(0)

    def check() -> None:
        raise TermEnded(EndReason.FENCED)

    with pytest.raises(TermEnded):
        retrier(JumpingClock()).call("apply", flaky, check=check)
    assert flaky.calls == 0


def test_stop_while_waiting_raises_the_last_error_without_another_attempt() -> None:
    """Shutdown wakes the wait and ends the retries, though tenacity alone would try once more."""
    clock, flaky, stop = JumpingClock(), Flaky(9), threading.Event()
    clock.on_wait = lambda: stop.set() if len(clock.waits) == 2 else None
    with pytest.raises(SinkUnavailable, match="failure 2"):
        retrier(clock, stop).call("apply", flaky, check=always)
    assert flaky.calls == 2


def test_failure_after_stop_is_not_waited_for() -> None:
    """Once stopping, a failing call fails at once."""
    clock, stop = JumpingClock(), threading.Event()
    stop.set()
    with pytest.raises(SinkUnavailable, match="failure 1"):
        retrier(clock, stop).call("apply", Flaky(9), check=always)
    assert clock.waits == []


@pytest.mark.parametrize("error", [SinkRefused, Fatal, ValueError])
def test_other_errors_are_raised_at_once(error: type[Exception]) -> None:
    """What waiting cannot heal is not repeated."""
    calls = []

    def refuse() -> None:
        calls.append(1)
        raise error("no")

    with pytest.raises(error):
        retrier(JumpingClock()).call("apply", refuse, check=always)
    assert calls == [1]


def test_error_that_turns_lasting_ends_the_retries() -> None:
    """A refusal after some outages is raised as it is."""
    failures = iter([SinkUnavailable("away"), SinkRefused("wrong type")])

    def apply() -> None:
        raise next(failures)

    with pytest.raises(SinkRefused):
        retrier(JumpingClock()).call("apply", apply, check=always)


def test_giving_up_raises_the_last_error_within_its_time() -> None:
    """With a deadline no wait begins that would end after it."""
    clock = JumpingClock()
    with pytest.raises(SinkUnavailable) as caught:
        retrier(clock, give_up_after_s=1.0).call("apply", Flaky(99), check=always)
    assert caught.value.message == "failure 5"
    assert clock.now - 1000.0 <= 1.0


def test_degraded_lasts_over_calls_until_the_operation_succeeds() -> None:
    """Giving up leaves the operation degraded; another operation's success does not heal it."""
    clock, diary = JumpingClock(), Diary()
    subject = retrier(clock, observer=diary, give_up_after_s=0.01)
    for _ in range(2):
        with pytest.raises(SinkUnavailable):
            subject.call("apply", Flaky(99), check=always)
    clock.now += 7
    subject.call("open", Flaky(0), check=always)
    assert subject.degraded_for_s == pytest.approx(7)
    subject.call("apply", Flaky(0), check=always)
    assert subject.degraded_for_s == 0.0
    assert [event[0] for event in diary.events] == ["degraded", "healed"]


def test_each_call_begins_with_short_waits_again() -> None:
    """A new trouble is no continuation of the last one."""
    clock = JumpingClock()
    subject = retrier(clock)
    subject.call("apply", Flaky(3), check=always)
    subject.call("apply", Flaky(1), check=always)
    assert clock.waits == pytest.approx([0.05, 0.1, 0.2, 0.05])
