"""The fast lane takes nothing otherwise than the slow road: same rows, commands, places and errors."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasync.binlog.frames import EventType
from hasync.binlog.transactions import Transactions
from hasync.errors import HasyncError
from hasync.model.change import Interest, RowChanges, Segment, Selection, Table
from hasync.model.command import Packed
from hasync.model.config import parse
from hasync.model.program import Rendered
from hasync.stream.rules import Rules
from tests.unit.binlog.events import OTHER, TABLE, All, Wire, feed, image, machine

CONFIG = """
version: 1
source: {hosts: ["mysql-0:3306"], user: hasync, password: "env:MYSQL_PASSWORD"}
redis: {url: "redis://redis:6379/0"}
tables:
  d.t: [{set: {key: "t:{id}", value: "{v}"}}, {on: [update, delete], delete: ["v:{old.v}"]}]
"""


class ByRules:
    """Wants what rules want, as a program."""

    def __init__(self) -> None:
        self._rules = Rules(parse(CONFIG))

    def emptied(self, schema: str, table: str) -> None: ...

    def select(self, table: Table) -> Selection | None:
        return self._rules.select(table)


class Story:
    """Packets as a server writes them, told step by step."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.number = 0
        self.packets: list[bytes] = [self.wire.format()]

    def tell(self, step: str, ids: Sequence[int]) -> None:
        getattr(self, step)(*ids)

    def _around(self, *inside: bytes, end: bytes | None = None) -> None:
        self.number += 1
        self.packets += inside
        self.packets.append(end or self.wire.xid())

    def _head(self, step: int = 1) -> list[bytes]:
        self.number += step - 1
        return [self.wire.gtid(self.number + 1, micros=1_700_000_000_000_000 + self.number), self.wire.query("BEGIN")]

    def insert(self, *ids: int) -> None:
        images = b"".join(image(one) for one in ids)
        self._around(*self._head(), self.wire.table_map(7, TABLE), self.wire.rows(7, EventType.WRITE_ROWS, 2, images))

    def update(self, *ids: int) -> None:
        images = b"".join(image(one, b"old") + image(one + 1, b"new") for one in ids)
        self._around(*self._head(), self.wire.table_map(8, TABLE), self.wire.rows(8, EventType.UPDATE_ROWS, 2, images))

    def delete(self, *ids: int) -> None:
        images = b"".join(image(one) for one in ids)
        head = self._head()
        body = [self.wire.table_map(7, TABLE), self.wire.rows(7, EventType.DELETE_ROWS, 2, images)]
        self._around(*head, *body, end=self.wire.query("COMMIT"))

    def two_tables(self, *ids: int) -> None:
        images = b"".join(image(one) for one in ids)
        maps = [*self._head(), self.wire.table_map(7, TABLE), self.wire.table_map(9, OTHER)]
        first = self.wire.rows(9, EventType.WRITE_ROWS, 2, images, last=False)
        self._around(*maps, first, self.wire.rows(7, EventType.WRITE_ROWS, 2, images))

    def savepoint(self, *ids: int) -> None:
        head = [*self._head(), self.wire.table_map(7, TABLE), self.wire.rows(7, EventType.WRITE_ROWS, 2, image(ids[0]))]
        mark = [self.wire.query("SAVEPOINT a"), self.wire.table_map(7, TABLE)]
        gone = self.wire.rows(7, EventType.WRITE_ROWS, 2, image(99))
        self._around(*head, *mark, gone, self.wire.query("ROLLBACK TO a"))

    def gap(self, *ids: int) -> None:
        images = b"".join(image(one) for one in ids)
        head = self._head(step=3)
        self._around(*head, self.wire.table_map(7, TABLE), self.wire.rows(7, EventType.WRITE_ROWS, 2, images))

    def definition(self, *_ids: int) -> None:
        self.number += 1
        self.packets += [self.wire.gtid(self.number), self.wire.query("ALTER TABLE d.t COMMENT 'x'")]

    def statement_text(self, *ids: int) -> None:
        text = self.wire.event(EventType.ROWS_QUERY, b"\x00INSERT")
        head = [*self._head(), text, self.wire.table_map(7, TABLE)]
        self._around(*head, self.wire.rows(7, EventType.WRITE_ROWS, 2, image(ids[0])))

    def damaged(self, *ids: int) -> None:
        head = [*self._head(), self.wire.table_map(7, TABLE)]
        self._around(*head, self.wire.rows(7, EventType.WRITE_ROWS, 2, image(ids[0])[:-1]))


STEPS = ["insert", "update", "delete", "two_tables", "savepoint", "gap", "definition", "statement_text"]
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.lists(st.integers(0, 9), min_size=1, max_size=6)), max_size=12)


def framed(packets: Sequence[bytes]) -> bytes:
    return b"".join(len(packet).to_bytes(3, "little") + b"\0" + packet for packet in packets)


def stream(subject: Transactions, data: bytes, cuts: Sequence[int]) -> list[Segment]:
    """Read as :class:`hasync.binlog.source.BinlogSource` does, with the bytes coming in as ``cuts`` say."""
    found: list[Segment] = []
    at = 0
    for stop in [*sorted({cut % len(data) for cut in cuts}), len(data)]:
        buffer = data[:stop]
        while True:
            at, was = subject.run(buffer, at), at
            while subject.due:
                found.append(subject.take())
            if at != was:
                continue
            size = int.from_bytes(buffer[at : at + 3], "little")
            if at + 4 > stop or at + 4 + size > stop or (subject.starved and stop < len(data)):
                break
            found += feed_one(subject, buffer[at + 4 : at + 4 + size])
            at += 4 + size
    if subject.ready:
        found.append(subject.take())
    return found


def feed_one(subject: Transactions, packet: bytes) -> Iterator[Segment]:
    subject.feed(packet)
    while subject.due:
        yield subject.take()


def outcome(read: Callable[[], list[Segment]]) -> object:
    try:
        return told(read())
    except HasyncError as error:
        return str(error)


def told(segments: Sequence[Segment]) -> tuple[object, ...]:
    """Return what must not depend on the road: effects in order, sums, and where it ends."""
    effects: list[object] = []
    for change in (change for segment in segments for change in segment.changes):
        if isinstance(change, RowChanges):
            effects += [(change.table, change.operation, *pair) for pair in _pairs(change)]
        else:
            effects += [single for packed in change.commands for single in _singles(packed)]
    counts = [(segment.rows, segment.transactions, segment.bytes) for segment in segments]
    return (
        effects,
        [sum(column) for column in zip(*counts, strict=True)],
        _tallied(segments),
        str(segments[-1:][0].position) if segments else "",
    )


def _pairs(change: RowChanges) -> Iterator[tuple[object, object]]:
    for number in range(change.rows):
        yield (change.before[number] if change.before else None), (change.after[number] if change.after else None)


def _singles(packed: Packed) -> Iterator[object]:
    for command in packed.unpacked():
        if command[0] == b"MSET":
            yield from zip(command[1::2], command[2::2], strict=True)
        else:
            yield from command[1:]


def _tallied(segments: Sequence[Segment]) -> dict[object, int]:
    sums: dict[object, int] = {}
    for change in (change for segment in segments for change in segment.changes if isinstance(change, Rendered)):
        for tally in change.tallies:
            sums[tally.table.path, tally.operation] = sums.get((tally.table.path, tally.operation), 0) + tally.rows
    return sums


@pytest.mark.parametrize("interest", [All, ByRules])
@given(steps=steps, cuts=st.lists(st.integers(0, 5000), max_size=6), max_rows=st.sampled_from([1, 2, 5, 1000]))
def test_packets_in_any_pieces_are_told_as_packet_by_packet(
    interest: type[Interest], steps: list[tuple[str, list[int]]], cuts: list[int], max_rows: int
) -> None:
    """Effects, counts and places are those of the slow road."""
    story = Story()
    for step, ids in steps:
        story.tell(step, ids)
    slow, fast = (machine(interest=interest(), max_rows=max_rows) for _ in range(2))
    expected = outcome(lambda: feed(slow, *story.packets))
    assert outcome(lambda: stream(fast, framed(story.packets), cuts)) == expected


@pytest.mark.parametrize("interest", [All, ByRules])
def test_damage_is_told_as_packet_by_packet(interest: type[Interest]) -> None:
    """With the same words, and everything in front of it is taken."""
    story = Story()
    for number in range(3):
        story.insert(number)
    story.damaged(7)
    with pytest.raises(HasyncError) as slow:
        feed(machine(interest=interest()), *story.packets)
    with pytest.raises(HasyncError) as fast:
        stream(machine(interest=interest()), framed(story.packets), [])
    assert str(fast.value) == str(slow.value)


def test_plain_transactions_are_taken_by_the_lane() -> None:
    """All but the first, which teaches it the table."""
    story = Story()
    for number in range(10):
        story.insert(number, number)
    subject = machine(interest=ByRules())
    for packet in story.packets[:6]:
        subject.feed(packet)
    data = framed(story.packets[6:])
    assert subject.run(data, 0) == len(data)
    assert subject.take().transactions == 10
