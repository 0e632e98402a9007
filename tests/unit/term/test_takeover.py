"""A takeover's steps are timed, and its source is opened while the state is still being claimed."""

import threading
from typing import Any

import pytest

from hasync.errors import SourceUnavailable
from hasync.model.position import Position, Start, StartKind
from hasync.term.takeover import AheadSource, Step, Takeover
from tests.fakes.source import FakeServer, FakeSource
from tests.unit.term.world import ACCOUNT

EARLIEST = Start(kind=StartKind.EARLIEST)


class Interest:
    """Wants nothing."""

    def emptied(self, schema: str, table: str) -> None: ...

    def select(self, table: object) -> None:
        return None


class Counting:
    """A source that counts what is asked of it, and may fail its first opening."""

    def __init__(self, *, fails: bool = False) -> None:
        server = FakeServer()
        server.commit(ACCOUNT.insert((b"1", b"10")))
        self._source = FakeSource(server)
        self._fails = fails
        self.calls: list[str] = []
        self.threads: set[str] = set()

    def open(self, start: Start | Position, interest: Any) -> Position:
        self.calls.append("open")
        self.threads.add(threading.current_thread().name)
        if self._fails:
            self._fails = False
            raise SourceUnavailable("not yet")
        return self._source.open(start, interest)

    def close(self) -> None:
        self.calls.append("close")
        self._source.close()

    def interrupt(self) -> None:
        self.calls.append("interrupt")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class Clock:
    """Time that goes by when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(0)

    def random(self) -> float:
        return 0.0


def ahead(source: Counting) -> AheadSource:
    return AheadSource(source, on_open=lambda: None)  # type: ignore[arg-type]


def test_source_opened_ahead_is_used_and_not_opened_again() -> None:
    """The reader closes first, as before every opening; that must not undo what was done ahead."""
    source, interest = Counting(), Interest()
    taken = ahead(source)
    taken.begin(EARLIEST, interest)
    taken.close()
    taken.open(EARLIEST, interest)
    assert taken.read().rows == 1
    assert source.calls == ["open"]
    assert source.threads == {"hasync-opening"}


@pytest.mark.parametrize("other", ["place", "interest"])
def test_source_opened_ahead_for_another_place_is_opened_anew(other: str) -> None:
    """The state moved on between reading and claiming it, or the config changed."""
    source, interest = Counting(), Interest()
    taken = ahead(source)
    taken.begin(Start(kind=StartKind.LATEST) if other == "place" else EARLIEST, interest)
    taken.open(EARLIEST, Interest() if other == "interest" else interest)
    assert source.calls == ["open", "close", "open"]
    assert taken.read().rows == 1


def test_failure_of_opening_ahead_is_the_readers_and_its_next_try_opens() -> None:
    """So that it counts as an attempt of the one retry owner."""
    source, interest = Counting(fails=True), Interest()
    taken = ahead(source)
    taken.begin(EARLIEST, interest)
    with pytest.raises(SourceUnavailable):
        taken.open(EARLIEST, interest)
    taken.open(EARLIEST, interest)
    assert source.calls == ["open", "close", "open"]


def test_source_opened_ahead_in_vain_is_closed() -> None:
    """The claim was refused: no connection may stay behind (I9)."""
    source = Counting()
    taken = ahead(source)
    taken.begin(EARLIEST, Interest())
    taken.discard()
    taken.discard()
    assert source.calls.count("close") == 1
    assert source.calls[-1] == "close"


def test_source_is_closed_once_it_was_opened() -> None:
    """From then on it is the reader's."""
    source, interest = Counting(), Interest()
    taken = ahead(source)
    taken.begin(EARLIEST, interest)
    taken.open(EARLIEST, interest)
    taken.close()
    taken.discard()
    assert source.calls == ["open", "close"]


def test_each_step_is_counted_from_the_end_of_the_one_before() -> None:
    """Their sum is the whole takeover; a step that is done twice counts once."""
    clock, told = Clock(), []
    takeover = Takeover(clock=clock, waited_s=0.004, on_step=lambda step, seconds: told.append((step, seconds)))
    for step, now in ((Step.READ, 0.01), (Step.CLAIM, 0.03), (Step.OPEN, 0.03), (Step.FIRST_BATCH, 0.05)):
        clock.now = now
        takeover.done(step)
    clock.now = 9
    takeover.done(Step.FIRST_BATCH)
    assert takeover.steps_ms == {"lock": 4.0, "read": 10.0, "claim": 20.0, "open": 0.0, "first_batch": 20.0}
    assert [step for step, _ in told] == [Step.LOCK, Step.READ, Step.CLAIM, Step.OPEN, Step.FIRST_BATCH]


def test_first_batch_of_an_idle_stream_is_no_step() -> None:
    """An hour without a commit is not an hour's takeover."""
    clock = Clock()
    takeover = Takeover(clock=clock, waited_s=0, on_step=lambda step, seconds: None)
    takeover.caught_up()
    clock.now = 12
    takeover.done(Step.FIRST_BATCH)
    assert takeover.steps_ms == {"lock": 0.0}
