"""hasync under the fuzzer. :func:`codec` is the one place that knows how its reader is made and fed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

from hasync.binlog.layouts import Layouts
from hasync.binlog.place import Seek
from hasync.binlog.segments import Limits
from hasync.binlog.transactions import Transactions
from hasync.errors import HasyncError
from hasync.model.change import Segment, Selection, Table
from hasync.model.position import Position
from tests.fuzz.corpus import SCHEMA, Scene
from tests.fuzz.ruled import Ruled
from tests.fuzz.tables import Id
from tests.fuzz.wire import HEADER_BYTES, ROTATE, kind_of
from tests.unit.binlog.events import Shelf


class Codec(Protocol):
    """What is fuzzed: events in, segments out."""

    @property
    def due(self) -> bool: ...

    @property
    def ready(self) -> bool: ...

    @property
    def unfinished(self) -> bool: ...

    @property
    def position(self) -> Position: ...

    def run(self, buffer: bytes, at: int) -> int: ...

    def go_on(self) -> None: ...

    def feed(self, packet: bytes) -> None: ...

    def take(self) -> Segment: ...


@dataclass(frozen=True, slots=True)
class Columns:
    """A selection by numbers."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    program: None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Wants the tables of the corpus's schema: the first column, and of the others one in ``every``."""

    every: int = 1

    def emptied(self, schema: str, table: str) -> None: ...

    def select(self, table: Table) -> Selection | None:
        """Select by schema."""
        if table.schema != SCHEMA:
            return None
        columns = tuple(number for number in range(len(table.columns)) if not number or number % self.every == 0)
        return Columns(columns, columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a case reads: how many rows a segment may have, which columns are wanted."""

    max_rows: int = 1000
    every: int = 1
    buffered: bool = False
    """Packets come as a buffer for the fast lane, not one by one."""
    rules: bool = False
    """Rules write commands, instead of rows that come as objects."""
    steps: bool = False
    """With ``rules``: by their steps, from objects, instead of straight from row images."""

    @classmethod
    def drawn(cls, dice: random.Random) -> "Setup":
        return cls(
            max_rows=dice.choice((1, 2, 3, 7, 1000, 1000, 1000)),
            every=dice.choice((1, 1, 1, 2, 50)),
            buffered=dice.random() < 0.5,
            rules=dice.random() < 0.4,
        )


@dataclass(slots=True)
class Delivery:
    """What came out: the segments, where the reader stands, and the error that ended it."""

    segments: list[Segment] = field(default_factory=list)
    position: Position | None = None
    error: HasyncError | None = None

    @property
    def ids(self) -> list[Id]:
        return [number for segment in self.segments for number in ids_of(segment)]


def ids_of(segment: Segment) -> Iterator[Id]:
    """Yield the first column of each row, as the oracle's own parser tells it."""
    for change in segment.changes:
        first = change.table.columns[0] if change.table.columns else None
        for row in change.after or change.before:
            is_int = first is not None and first.kind == "integer" and row and row[0] is not None
            yield int(row[0]) if is_int and row[0] is not None else None


def codec(scene: Scene, start: Position, setup: Setup, packets: Sequence[bytes]) -> Codec:
    """Return a reader that begins at ``start``. ``packets``: what the server has, to read XA transactions again."""

    def catalog(schema: str, table: str) -> Mapping[str, str]:
        return scene.catalog.get(f"{schema}.{table}", {})

    interest = Ruled(steps=setup.steps) if setup.rules else Wanted(setup.every)
    return Transactions(
        start=start,
        seek=Seek(),
        layouts=Layouts(interest=interest, charsets=scene.charsets, flavor=scene.flavor, catalog=catalog),
        limits=Limits(max_rows=setup.max_rows, max_bytes=1 << 22),
        archive=Shelf(_files(scene, packets)),
        checksum=scene.checksum,
    )


def _files(scene: Scene, packets: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Return packets by file, as far as they say whose they are."""
    name, files = scene.start.file, {scene.start.file: []}
    for packet in packets:
        if kind_of(packet) == ROTATE and len(packet) > HEADER_BYTES + 8:
            name = packet[HEADER_BYTES + 8 :].rstrip(b"\0").split(b"\0")[0][: len(name)].decode("latin1")
            files.setdefault(name, [])
        else:
            files[name].append(packet)
    return files


def deliver(scene: Scene, packets: Sequence[bytes], setup: Setup, start: Position | None = None) -> Delivery:
    """Feed packets and take what comes, as :meth:`hasync.binlog.source.BinlogSource.read` does.

    Raises whatever is not an error of hasync's own: that is a finding.
    """
    found = Delivery()
    subject = codec(scene, start or scene.start, setup, packets)
    try:
        for taken in _buffered(subject, packets) if setup.buffered else _singly(subject, packets):
            found.segments.append(taken)
        if subject.ready:
            found.segments.append(subject.take())
        found.position = subject.position
    except HasyncError as error:
        found.error = error
    return found


def _singly(subject: Codec, packets: Sequence[bytes]) -> Iterator[Segment]:
    for packet in packets:
        subject.feed(packet)
        while subject.due or subject.unfinished:
            if subject.due:
                yield subject.take()
            else:
                subject.go_on()


def _buffered(subject: Codec, packets: Sequence[bytes]) -> Iterator[Segment]:
    """Let the fast lane take what it can of a buffer; what it leaves is fed."""
    ends = list(accumulate(len(packet) + 4 for packet in packets))
    buffer = b"".join(len(packet).to_bytes(3, "little") + b"\0" + packet for packet in packets)
    starts = dict(zip([0, *ends], packets, strict=False))
    at = 0
    while at < len(buffer):
        at, was = subject.run(buffer, at), at
        if at == was and not subject.due:
            yield from _singly(subject, [starts[at]])
            at += 4 + len(starts[at])
        while subject.due:
            yield subject.take()
