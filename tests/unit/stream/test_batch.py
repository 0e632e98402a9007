"""Batches: whole segments in order, up to a limit, with a position that never runs ahead of the rows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.errors import Fatal
from hasync.model.change import Segment
from hasync.model.position import Flavor, Position
from hasync.stream.batch import Batch, BatchLimit
from tests.unit.stream.rows import Stream, table

UUID = "7c1f0e5a-0000-11f1-8000-000000000001"
WIDE = BatchLimit(max_rows=10**9, max_bytes=10**9)


def segment(
    pos: int, *, rows: int = 1, size: int = 100, done: int = 0, transactions: int | None = None, uuid: str = UUID
) -> Segment:
    position = Position(flavor=Flavor.MYSQL, server_uuid=uuid, file="binlog.000007", pos=pos, rows_done=done)
    return Segment(
        changes=(),
        position=position,
        ends_transaction=done == 0,
        transactions=(done == 0) if transactions is None else transactions,
        rows=rows,
        bytes=size,
        timestamp=float(pos),
    )


def test_batch_sums_its_segments_and_ends_at_the_last() -> None:
    """What the metrics and the state are told."""
    batch = Batch.of([segment(100, rows=2), segment(200, rows=3, size=50), segment(300, rows=0, transactions=0)])
    assert (batch.rows, batch.bytes, batch.transactions) == (5, 250, 2)
    assert (batch.position.pos, batch.timestamp, batch.ends_transaction) == (300, 300.0, True)


def test_pieces_of_a_large_transaction_keep_its_start_as_position() -> None:
    """A resume in mid-transaction begins at its start and skips what is in."""
    batch = Batch.of([segment(100), segment(100, rows=500, done=500), segment(100, rows=500, done=1000)])
    assert (batch.position.pos, batch.position.rows_done, batch.ends_transaction) == (100, 1000, False)
    assert Batch.of([segment(900, rows=4)], after=batch.position).ends_transaction


def test_first_segment_fits_however_large() -> None:
    """Otherwise a large transaction would stop the stream for ever."""
    batch = Batch.gather([segment(1, rows=10_000), segment(2)], BatchLimit(max_rows=10, max_bytes=10))
    assert len(batch.segments) == 1


@given(
    sizes=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5000)), min_size=1, max_size=30),
    max_rows=st.integers(1, 120),
    max_bytes=st.integers(1, 12_000),
)
def test_gathered_batches_hold_every_segment_once_in_order_and_stay_within_limits(
    sizes: list[tuple[int, int]], max_rows: int, max_bytes: int
) -> None:
    """A limit is passed by a batch of one segment only, and no batch ends where the next segment would have fitted."""
    limit = BatchLimit(max_rows=max_rows, max_bytes=max_bytes)
    waiting = [segment(100 * (at + 1), rows=rows, size=size) for at, (rows, size) in enumerate(sizes)]
    seen: list[Segment] = []
    while len(seen) < len(waiting):
        left = waiting[len(seen) :]
        batch = Batch.gather(left, limit, after=seen[-1].position if seen else None)
        assert len(batch.segments) == 1 or limit.fits(batch.rows, batch.bytes)
        if len(batch.segments) < len(left):
            following = left[len(batch.segments)]
            assert not limit.fits(batch.rows + following.rows, batch.bytes + following.bytes)
        seen += batch.segments
    assert seen == waiting


@pytest.mark.parametrize(
    ("segments", "why"),
    [
        ([segment(200), segment(100)], "goes back"),
        ([segment(100, done=9), segment(100, done=8)], "goes back"),
        ([segment(100, done=9), segment(100)], "goes back"),
        ([segment(100, done=9), segment(200, done=3)], "inside the one"),
        ([segment(100, done=9), segment(200, transactions=0)], "without its end"),
        ([], "no position"),
    ],
)
def test_segments_that_do_not_follow_each_other_are_refused(segments: list[Segment], why: str) -> None:
    """Such a batch would move the position over rows that nobody saw."""
    with pytest.raises(Fatal, match=why):
        Batch.of(segments)


@pytest.mark.parametrize("ends", [True, False])
def test_end_of_transaction_and_position_must_agree(*, ends: bool) -> None:
    """Inside a transaction exactly when rows are counted."""
    wrong = replace(segment(100, done=5 if ends else 0), ends_transaction=ends)
    with pytest.raises(Fatal, match="boundary"):
        Batch.of([wrong])


def test_first_segment_is_checked_against_where_the_stream_stands() -> None:
    """The gap between two batches is a place like any other."""
    with pytest.raises(Fatal, match="goes back"):
        Batch.of([segment(100)], after=segment(200).position)


def test_heartbeats_and_anchors_may_repeat_a_position() -> None:
    """After a reconnect the source names the place once more, in mid-transaction too."""
    again = segment(100, done=5, rows=0)
    assert Batch.of([segment(100, done=5), again, segment(100, done=9)]).position.rows_done == 9
    assert Batch.of([segment(100), segment(100, rows=0, transactions=0)]).position.pos == 100


def test_places_on_another_server_are_not_compared() -> None:
    """After a failover by GTID file and offset begin anew."""
    assert Batch.of([segment(900), segment(100, uuid="other")]).position.pos == 100


def test_changes_come_in_binlog_order_and_become_one_set_of_writes() -> None:
    """The last write of a key wins over all segments."""
    stream = Stream('  app.t:\n    - {set: {key: "k:{id}", value: "{a}"}}\n', table("app.t", "id", "a"))
    inserted = stream.insert({"id": 1, "a": "x"})
    updated = stream.update(({"id": 1, "a": "x"}, {"id": 1, "a": "y"}))
    batch = Batch.of([replace(segment(100), changes=(inserted,)), replace(segment(200), changes=(updated,))])
    assert [change.operation.value for change in batch.changes()] == ["insert", "update"]
    assert batch.writes().commands() == [(b"SET", b"k:1", b"y")]
