"""The reader reopens exactly where it stopped, and refuses a source that does not."""

import threading
from dataclasses import replace

import pytest

from hasync.clock import SystemClock
from hasync.errors import Fatal, SourceUnavailable
from hasync.model.change import Interest, Kind, Segment
from hasync.model.position import Position, Start, StartKind
from hasync.retry import Retrier
from hasync.stream.queue import SegmentQueue
from hasync.stream.reader import Reader
from tests.fakes.source import FakeServer, FakeSource, FakeTable

TABLE = FakeTable("app.account", ("id", Kind.INTEGER))


class Nothing:
    def emptied(self, schema: str, table: str) -> None: ...

    def select(self, table: object) -> None:
        return None


class Silent:
    def __init__(self) -> None:
        self.held = threading.Semaphore(0)

    def opened(self, position: Position) -> None: ...
    def read(self, segment: Segment) -> None: ...

    def held_back(self, seconds: float) -> None:
        self.held.release()

    def source_lost(self, error: SourceUnavailable) -> None: ...


class Skipping(FakeSource):
    """Begins further on than it was asked to: a driver that forgot where it was."""

    def open(self, start: Start | Position, interest: Interest) -> Position:
        opened = super().open(start, interest)
        if isinstance(start, Start):
            return opened
        return replace(opened, pos=opened.pos + 150, gtid_set=f"{opened.server_uuid}:1-99")


def reader_of(source: FakeSource, queue: SegmentQueue, observer: Silent | None = None) -> Reader:
    return Reader(
        source=source,
        interest=Nothing(),
        queue=queue,
        retry=lambda stop: Retrier(stop=stop, clock=SystemClock(), multiplier_s=0.001, max_s=0.002),
        check=lambda: None,
        clock=SystemClock(),
        observer=observer or Silent(),
    )


@pytest.fixture
def server() -> FakeServer:
    server = FakeServer()
    for number in range(6):
        server.commit(TABLE.insert((b"%d" % number,)))
    return server


def taken(queue: SegmentQueue, rows: int) -> int:
    """Take until so many rows came; return how many did."""
    count = 0
    while count < rows:
        count += sum(segment.rows for segment in queue.take(5, max_rows=100, max_bytes=10_000))
    return count


def test_lost_connections_neither_skip_nor_repeat(server: FakeServer) -> None:
    """M3: each reconnect resumes behind the last segment that was handed over."""
    for reads in (1, 2, 1):
        server.fail(SourceUnavailable("cable"), after_reads=reads)
    queue = SegmentQueue(max_rows=100, max_bytes=10_000)
    reader = reader_of(FakeSource(server, max_rows=1), queue)
    thread = threading.Thread(target=reader.run, args=(Start(kind=StartKind.EARLIEST),))
    thread.start()
    assert taken(queue, 6) == 6
    reader.stop()
    thread.join(5)
    assert queue.take(0, max_rows=100, max_bytes=10_000) == [] or queue.rows == 0
    assert server.opens >= 4


def test_reader_that_is_held_back_says_so_meanwhile(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sink that takes nothing for hours must show in a counter, not only once it takes something."""
    monkeypatch.setattr("hasync.stream.reader.TOLD_EVERY_S", 0.001)
    queue, observer = SegmentQueue(max_rows=2, max_bytes=10_000), Silent()
    reader = reader_of(FakeSource(server, max_rows=1), queue, observer)
    thread = threading.Thread(target=reader.run, args=(Start(kind=StartKind.EARLIEST),))
    thread.start()
    for _ in range(20):  # six segments alone would be told of six times at most, and here nobody takes any
        assert observer.held.acquire(timeout=10)
    assert taken(queue, 6) == 6
    reader.stop()
    thread.join(5)


def test_source_that_begins_elsewhere_than_asked_stops_the_stream(server: FakeServer) -> None:
    """Rows in between would be lost in silence; so it is fatal, and says both places."""
    server.fail(SourceUnavailable("cable"), after_reads=2)
    queue = SegmentQueue(max_rows=100, max_bytes=10_000)
    reader = reader_of(Skipping(server, max_rows=1), queue)
    reader.run(Start(kind=StartKind.EARLIEST))
    with pytest.raises(Fatal, match="was asked for"):
        taken(queue, 7)
