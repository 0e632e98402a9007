"""The bounded hand-over between the reader and the stream's thread."""

import threading

import pytest

from hasync.errors import SourceRefused
from hasync.model.change import Segment
from hasync.model.position import Flavor, Position
from hasync.stream.queue import SegmentQueue


def segment(pos: int, rows: int = 1, size: int = 10) -> Segment:
    return Segment(
        changes=(),
        position=Position(flavor=Flavor.MYSQL, server_uuid="u", file="bin.000001", pos=pos),
        ends_transaction=True,
        transactions=1,
        rows=rows,
        bytes=size,
        timestamp=0.0,
    )


def positions(segments: list[Segment]) -> list[int]:
    return [each.position.pos for each in segments]


def test_take_returns_what_waits_up_to_the_batch_limit_in_order() -> None:
    """A batch is whatever arrived, never more than its limit, never out of order."""
    queue = SegmentQueue(max_rows=100, max_bytes=1000)
    for pos in (1, 2, 3):
        queue.put(segment(pos, rows=2))
    assert positions(queue.take(0, max_rows=4, max_bytes=1000)) == [1, 2]
    assert positions(queue.take(0, max_rows=4, max_bytes=1000)) == [3]
    assert queue.take(0, max_rows=4, max_bytes=1000) == []


def test_segment_larger_than_the_batch_limit_travels_alone() -> None:
    """One segment is never cut here; the source has cut it already."""
    queue = SegmentQueue(max_rows=100, max_bytes=1000)
    queue.put(segment(1, rows=50))
    queue.put(segment(2))
    assert positions(queue.take(0, max_rows=4, max_bytes=1000)) == [1]


def test_full_queue_holds_the_reader_until_there_is_room() -> None:
    """I9: memory stays bounded when the sink is slow."""
    queue = SegmentQueue(max_rows=2, max_bytes=1000)
    queue.put(segment(1, rows=2))
    done = threading.Event()
    reader = threading.Thread(target=lambda: (queue.put(segment(2)), done.set()))
    reader.start()
    assert not done.is_set()
    assert positions(queue.take(1, max_rows=10, max_bytes=1000)) == [1]
    assert done.wait(5)
    reader.join()


def test_abandoning_frees_a_blocked_reader() -> None:
    """A term that ends never leaves its reader thread behind."""
    queue = SegmentQueue(max_rows=1, max_bytes=1000)
    queue.put(segment(1))
    answers: list[bool] = []
    reader = threading.Thread(target=lambda: answers.append(queue.put(segment(2))))
    reader.start()
    queue.abandon()
    reader.join(5)
    assert answers == [False]


def test_error_of_the_reader_comes_after_everything_it_read() -> None:
    """What was read before the fault is applied before the fault is raised."""
    queue = SegmentQueue(max_rows=10, max_bytes=1000)
    queue.put(segment(1))
    queue.end(SourceRefused("INCIDENT event"))
    assert positions(queue.take(0, max_rows=10, max_bytes=1000)) == [1]
    with pytest.raises(SourceRefused):
        queue.take(0, max_rows=10, max_bytes=1000)
    assert not queue.drained


def test_stopped_reader_drains_to_the_end() -> None:
    """A hand-over applies all that was read and then knows that it is done."""
    queue = SegmentQueue(max_rows=10, max_bytes=1000)
    queue.put(segment(1))
    queue.end(None)
    assert not queue.drained
    assert positions(queue.take(0, max_rows=10, max_bytes=1000)) == [1]
    assert queue.drained
