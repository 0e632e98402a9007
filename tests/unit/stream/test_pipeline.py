"""One step of the stream's thread at a time: what it writes, and when it says that it has caught up."""

import threading
from dataclasses import dataclass, field

import pytest

from hasync.model.change import Kind, RowChanges, Segment
from hasync.model.config import parse
from hasync.model.position import Flavor, Position
from hasync.model.state import SinkState
from hasync.retry import Retrier
from hasync.stream.batch import BatchLimit
from hasync.stream.pipeline import IDLE_ADVANCE_S, Applied, Pipeline
from hasync.stream.reader import anchor
from hasync.stream.rules import Rules
from tests.fakes.sink import FakeSink, FakeStore
from tests.fakes.source import FakeChange, FakeServer, FakeSource, FakeTable

CONFIG = """
version: 1
source: {hosts: ["db:3306"], user: hasync}
redis: {url: "redis://redis:6379/0"}
tables:
  app.account:
    - {set: {key: "account:{id}", value: "{balance}"}}
  app.product:
    - {hash: {key: "product:{id}", fields: [name]}}
"""
ACCOUNT = FakeTable("app.account", ("id", Kind.INTEGER), ("balance", Kind.INTEGER))
PRODUCT = FakeTable("app.product", ("id", Kind.INTEGER), ("name", Kind.TEXT))


class HandClock:
    """Time stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.is_set()

    def random(self) -> float:
        return 0.5


class Open:
    confirmed = True

    def check(self) -> None:
        return None


@dataclass
class Told:
    applies: list[Applied] = field(default_factory=list)
    caught_up_at: list[int] = field(default_factory=list)

    def opened(self, position: Position) -> None: ...
    def read(self, segment: Segment) -> None: ...
    def held_back(self, seconds: float) -> None: ...
    def source_lost(self, error: Exception) -> None: ...
    def waiting(self, rows: int, capacity_rows: int) -> None: ...
    def turning(self) -> None: ...

    def applied(self, applied: Applied) -> None:
        self.applies.append(applied)

    def caught_up(self) -> None:
        self.caught_up_at.append(len(self.applies))


class Bench:
    """A pipeline whose steps are taken by hand."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.clock = HandClock()
        self.told = Told()
        self.quiet: list[float] = []
        self.rules = Rules(parse(CONFIG))
        sink = FakeSink(self.store)
        self.state: SinkState = sink.claim(1, sink.peek())
        self.pipeline = Pipeline(
            source=FakeSource(FakeServer()),
            sink=sink,
            rules=self.rules,
            limit=BatchLimit(max_rows=100, max_bytes=10_000),
            guard=Open(),
            clock=self.clock,
            retry=Retrier(stop=threading.Event(), clock=self.clock),
            reader_retry=lambda stop: Retrier(stop=stop, clock=self.clock),
            observer=self.told,
            on_applied=lambda state: None,
            on_caught_up=lambda: self.quiet.append(self.clock.monotonic()),
        )

    def step(self, segment: Segment) -> SinkState:
        """Let the stream's thread meet this segment."""
        assert self.pipeline._queue.put(segment)
        self.state = self.pipeline._step(self.state)
        return self.state

    def segment(self, pos: int, *changes: FakeChange, rows_done: int = 0, idle: bool = False) -> Segment:
        """Make a segment that ends at ``pos``, or is a piece of the transaction there."""
        return Segment(
            changes=tuple(self._selected(change) for change in changes),
            position=at(pos, rows_done),
            ends_transaction=not rows_done,
            transactions=0 if rows_done or idle else 1,
            rows=sum(change.rows for change in changes),
            bytes=10,
            timestamp=50.0,
            idle=idle,
        )

    def _selected(self, change: FakeChange) -> RowChanges:
        plan = self.rules.select(change.table)
        assert plan is not None
        return RowChanges(
            table=change.table,
            operation=change.operation,
            selection=plan,
            before=[tuple(row[number] for number in plan.before) for row in change.before],
            after=[tuple(row[number] for number in plan.after) for row in change.after],
        )


def at(pos: int, rows_done: int = 0) -> Position:
    return Position(flavor=Flavor.MYSQL, server_uuid="u", file="bin.000001", pos=pos, rows_done=rows_done)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.step(anchor(at(4)))
    return bench


def test_first_position_is_written_before_there_is_a_row(bench: Bench) -> None:
    """`latest` is resolved once: a crash before the first row must not resolve it again, further on."""
    assert bench.state.position == at(4)


def test_only_a_heartbeat_means_caught_up(bench: Bench) -> None:
    """I10: neither the start of reading nor a piece of a large transaction nor a row does; the lag would lie."""
    bench.step(bench.segment(4, ACCOUNT.insert((b"1", b"10")), rows_done=1))
    bench.step(bench.segment(200))
    assert bench.told.caught_up_at == []
    bench.step(bench.segment(200, idle=True))
    assert len(bench.told.caught_up_at) == len(bench.quiet) == 1


def test_position_without_commands_moves_on_once_a_second(bench: Bench) -> None:
    """Other tables' traffic costs one write a second, not one each."""
    for pos in (100, 200, 300):
        bench.step(bench.segment(pos))
    assert bench.state.position == at(4)
    bench.clock.now += IDLE_ADVANCE_S
    bench.step(bench.segment(400))
    assert bench.state.position == at(400)


def test_batch_that_might_be_redone_is_confirmed_when_it_is_quiet(bench: Bench) -> None:
    """A successor replays only what nothing has followed yet."""
    bench.step(bench.segment(100, PRODUCT.insert((b"1", b"one"))))
    assert bench.state.redo_from == at(4)
    bench.clock.now += IDLE_ADVANCE_S
    bench.step(bench.segment(100, idle=True))
    assert (bench.state.redo_from, bench.state.position) == (None, at(100))


def test_idle_stream_writes_nothing(bench: Bench) -> None:
    """Heartbeats of a stream without traffic leave Redis alone."""
    before = len(bench.store.applied)
    for _ in range(5):
        bench.clock.now += IDLE_ADVANCE_S
        bench.step(bench.segment(4, idle=True))
    assert len(bench.store.applied) == before
