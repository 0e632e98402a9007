"""A source in memory: the promises of :class:`hasync.binlog.source.BinlogSource`, and faults on demand.

A :class:`FakeServer` holds a binlog that a test writes; several sources may read it, as
several leaders do one after the other, and a copy of it may take its place::

    server = FakeServer()
    users = FakeTable("test.users", ("id", Kind.INTEGER), ("name", Kind.TEXT))
    server.commit(users.insert((b"1", b"ann")), users.insert((b"2", b"bob")))
    source = FakeSource(server)
    server.fail(SourceUnavailable("cable"), after_reads=3)
    other = server.copy("other-uuid", shift=1000)   # same transactions and GTIDs, other places
    source = FakeSource(server, other)
    server.stop()                                   # the next source goes to `other`
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hasync.errors import EndReason, HasyncError, PositionLost, SourceRefused, SourceUnavailable, TermEnded
from hasync.model.change import Column, Interest, Kind, Operation, Row, RowChanges, Segment, Selection, Table
from hasync.model.gtid import MysqlGtidSet
from hasync.model.position import Flavor, Position, Start, StartKind
from hasync.ports import ChangeSource

_HEAD = 4
_ROW_BYTES = 50
_TRANSACTION_BYTES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeChange:
    """One rows event with all columns of its table."""

    table: Table
    operation: Operation
    before: tuple[Row, ...] = ()
    after: tuple[Row, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows changed."""
        return len(self.after) or len(self.before)


class FakeTable:
    """Makes changes of one table."""

    def __init__(self, path: str, *columns: tuple[str, Kind] | str) -> None:
        """Name the table ``schema.table`` and its columns; one without a kind holds text."""
        schema, name = path.split(".")
        pairs = [(column, Kind.TEXT) if isinstance(column, str) else column for column in columns]
        self.layout = Table(schema, name, tuple(Column(name, kind) for name, kind in pairs))

    def insert(self, *rows: Row) -> FakeChange:
        """Insert rows."""
        return FakeChange(table=self.layout, operation=Operation.INSERT, after=rows)

    def update(self, *pairs: tuple[Row, Row]) -> FakeChange:
        """Change rows, each given as it was and as it is."""
        before, after = tuple(old for old, _ in pairs), tuple(new for _, new in pairs)
        return FakeChange(table=self.layout, operation=Operation.UPDATE, before=before, after=after)

    def delete(self, *rows: Row) -> FakeChange:
        """Delete rows."""
        return FakeChange(table=self.layout, operation=Operation.DELETE, before=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transaction:
    """``start`` and ``stop`` are the place in ``file``; ``number`` is its GTID's."""

    file: str
    start: int
    stop: int
    number: int
    timestamp: float
    changes: tuple[FakeChange, ...]

    @property
    def rows(self) -> int:
        return sum(change.rows for change in self.changes)


@dataclass(slots=True)
class _Failure:
    error: HasyncError
    after_reads: int


class FakeServer:
    """A binlog in memory. Safe from any thread."""

    def __init__(self, uuid: str = "00000000-0000-0000-0000-000000000001", *, origin: str = "", shift: int = 0) -> None:
        """Begin with an empty first file. ``origin``: the uuid in its GTIDs; ``shift``: added to each offset."""
        self.uuid = uuid
        self.origin = origin or uuid
        self.changed = threading.Condition()
        self.opens = 0
        """Dumps that were opened so far."""
        self._shift = shift
        self._transactions: list[_Transaction] = []
        self._files = ["fake-bin.000001"]
        self._purged = 0
        self._running = True
        self._generation = 0
        self._reader: FakeSource | None = None
        self._failures: list[_Failure] = []

    # ------------------------------------------------------------------ what a test does

    def commit(self, *changes: FakeChange, timestamp: float | None = None) -> None:
        """Write one transaction; without changes it is one that no table is interested in (DDL)."""
        with self.changed:
            file, start = self._end()
            number = len(self._transactions) + 1
            stop = start + _TRANSACTION_BYTES + _ROW_BYTES * sum(change.rows for change in changes)
            at = float(number) if timestamp is None else timestamp
            self._transactions.append(
                _Transaction(file=file, start=start, stop=stop, number=number, timestamp=at, changes=changes)
            )
            self.changed.notify_all()

    def rotate(self) -> None:
        """Begin the next file."""
        with self.changed:
            self._files.append(f"fake-bin.{len(self._files) + 1:06d}")

    def purge(self) -> None:
        """Forget all files but the current one."""
        with self.changed:
            kept = [known for known in self._transactions if known.file == self._files[-1]]
            self._purged = len(self._transactions) - len(kept)

    def stop(self) -> None:
        """Go down: open dumps end, new ones are not accepted."""
        with self.changed:
            self._running = False
            self._generation += 1
            self.changed.notify_all()

    def start(self) -> None:
        """Come back."""
        with self.changed:
            self._running = True

    def cut(self) -> None:
        """Break the open dump; a new one is accepted at once."""
        with self.changed:
            self._generation += 1
            self.changed.notify_all()

    def fail(self, error: HasyncError, *, after_reads: int = 0) -> None:
        """Let a read raise ``error``, after that many more reads of any source have gone well."""
        with self.changed:
            self._failures.append(_Failure(error, after_reads))
            self.changed.notify_all()

    def copy(self, uuid: str, *, shift: int = 0) -> "FakeServer":
        """Return a replica: same transactions and GTIDs, each at another offset."""
        twin = FakeServer(uuid, origin=self.origin, shift=shift)
        for known in self._transactions:
            twin.commit(*known.changes, timestamp=known.timestamp)
        return twin

    def end(self) -> Position:
        """Return where the binlog ends now."""
        with self.changed:
            return self.place_before(len(self._transactions) + 1)

    # -------------------------------------------------------------- what a source asks for

    def attach(self, source: "FakeSource") -> int:
        """Open a dump for ``source``; the reader before it is cut off. Return what tells this dump from others."""
        if not self._running:
            raise SourceUnavailable(f"{self.uuid} is not available")
        self.opens += 1
        self._reader = source
        self.changed.notify_all()
        return self._generation

    def check(self, source: "FakeSource", generation: int) -> None:
        """Raise what the dump's state makes a read raise."""
        if not self._running or generation != self._generation:
            raise SourceUnavailable(f"{self.uuid} closed the dump")
        if self._reader is not source:
            raise TermEnded(EndReason.SOURCE_CLAIMED)
        if self._failures and self._failures[0].after_reads == 0:
            raise self._failures.pop(0).error

    def counted(self) -> None:
        """Count a read that went well."""
        for failure in self._failures[:1]:
            failure.after_reads -= 1

    def transaction(self, number: int) -> _Transaction | None:
        """Return the transaction with that number, None when it is not written yet."""
        if number <= self._purged:
            raise PositionLost(f"transaction {number} is purged", hint="rebuild")
        return self._transactions[number - 1] if number <= len(self._transactions) else None

    def _end(self) -> tuple[str, int]:
        last = self._transactions[-1] if self._transactions else None
        if last is not None and last.file == self._files[-1]:
            return last.file, last.stop
        return self._files[-1], _HEAD + self._shift

    def place_before(self, number: int) -> Position:
        """Return the boundary in front of a transaction, or the end when it is not written yet."""
        known = self._transactions[number - 1] if number <= len(self._transactions) else None
        file, pos = (known.file, known.start) if known else self._end()
        executed = MysqlGtidSet({self.origin: ((1, number - 1),)} if number > 1 else {})
        earlier = self._transactions[number - 2].timestamp if number > 1 else 0.0
        return Position(
            flavor=Flavor.MYSQL, server_uuid=self.uuid, gtid_set=str(executed), file=file, pos=pos, timestamp=earlier
        )

    def find(self, start: Start | Position) -> tuple[int, int]:
        """Return the number of the first transaction to read, and how many of its rows to skip."""
        if isinstance(start, Position):
            by_place = start.server_uuid == self.uuid
            if not by_place and not start.gtid_set:
                raise PositionLost(f"{start} of {start.server_uuid} has no GTIDs to find it by", hint="rebuild")
            number = self._at(start.file, start.pos) if by_place else self._behind(start.gtid_set)
            return number, start.rows_done
        if start.kind is StartKind.LATEST:
            return len(self._transactions) + 1, 0
        if start.kind is StartKind.EARLIEST:
            return self._purged + 1, 0
        if start.kind is StartKind.FILE:
            return self._at(start.file, start.pos), 0
        if start.kind is StartKind.GTID:
            return self._behind(start.gtid_set), 0
        later = (known.number for known in self._transactions if known.timestamp >= start.timestamp)
        return next(later, len(self._transactions) + 1), 0

    def _at(self, file: str, pos: int) -> int:
        kept = self._transactions[self._purged :]
        for known in kept:
            if known.file == file and known.start == max(pos, _HEAD + self._shift):
                return known.number
        if (file, pos) == self._end() or any((file, pos) == (known.file, known.stop) for known in kept):
            return 1 + max(
                (known.number for known in kept if (known.file, known.stop) <= (file, pos)), default=self._purged
            )
        raise PositionLost(f"{file}:{pos} is not there", hint="rebuild")

    def _behind(self, gtid_set: str) -> int:
        spans = MysqlGtidSet.parse(gtid_set).origins.get(self.origin, ())
        last = spans[-1][1] if spans else 0
        if (not gtid_set and self._purged) or last > len(self._transactions) or last < self._purged:
            raise PositionLost(f"{gtid_set!r} does not fit {self.uuid}", hint="rebuild")
        return last + 1


@dataclass(slots=True)
class _Reading:
    """An open dump: the next transaction, and the rows of it that are done."""

    server: FakeServer
    generation: int
    number: int
    done: int


class FakeSource:
    """Reads the first running server. ``heartbeat_s`` is real time: how long an idle read waits."""

    def __init__(self, *servers: FakeServer, max_rows: int = 2000, heartbeat_s: float = 0.02) -> None:
        self._servers = servers
        self._max_rows = max_rows
        self._heartbeat_s = heartbeat_s
        self._interest: Interest | None = None
        self._next_interest: Interest | None = None
        self._selections: dict[Table, Selection | None] = {}
        self._reading: _Reading | None = None
        self._interrupted = threading.Event()

    def open(self, start: Start | Position, interest: Interest) -> Position:
        """See :meth:`hasync.ports.ChangeSource.open`."""
        self._reading = None
        self._follow(interest)
        trouble: SourceUnavailable | None = None
        for server in self._servers:
            if self._interrupted.is_set():
                break
            try:
                return self._open_on(server, start)
            except SourceUnavailable as error:
                trouble = error
        raise trouble or SourceUnavailable("interrupted")

    def _open_on(self, server: FakeServer, start: Start | Position) -> Position:
        with server.changed:
            generation = server.attach(self)
            number, done = server.find(start)
            self._reading = _Reading(server, generation, number, done)
            return server.place_before(number).after_rows(done)

    def read(self) -> Segment:
        """See :meth:`hasync.ports.ChangeSource.read`."""
        reading = self._reading
        if reading is None:
            raise SourceUnavailable("interrupted" if self._interrupted.is_set() else "not open")
        server = reading.server
        with server.changed:
            self._check(reading)
            if server.transaction(reading.number) is None:
                server.changed.wait(self._heartbeat_s)
                self._check(reading)
            if self._next_interest is not None and not reading.done:
                self._follow(self._next_interest)
            segment = self._next(reading)
            server.counted()
            return segment

    def _check(self, reading: _Reading) -> None:
        if self._interrupted.is_set():
            self._reading = None
            raise SourceUnavailable("interrupted")
        try:
            reading.server.check(self, reading.generation)
        except HasyncError:
            self._reading = None
            raise

    def _next(self, reading: _Reading) -> Segment:
        """Gather whole transactions up to the limit, or take a piece of one that is larger."""
        taken: list[_Transaction] = []
        rows = 0
        while (known := reading.server.transaction(reading.number + len(taken))) is not None:
            if known.rows > self._max_rows and not taken:
                return self._piece(reading, known)
            if rows + known.rows > self._max_rows or reading.done:
                break
            taken.append(known)
            rows += known.rows
        if not taken and known is not None:
            return self._piece(reading, known)
        reading.number += len(taken)
        changes = tuple(part for known in taken for part in self._select(known.changes))
        return self._segment(reading, changes, rows, transactions=len(taken))

    def _piece(self, reading: _Reading, known: _Transaction) -> Segment:
        if reading.done > known.rows:
            raise PositionLost(f"transaction {known.number} has only {known.rows} rows", hint="rebuild")
        first, last = reading.done, min(known.rows, reading.done + self._max_rows)
        changes = self._select(_cut(known.changes, first, last))
        ends = last == known.rows
        reading.number += ends
        reading.done = 0 if ends else last
        return self._segment(reading, changes, last - first, transactions=int(ends))

    def _segment(self, reading: _Reading, changes: tuple[RowChanges, ...], rows: int, *, transactions: int) -> Segment:
        position = reading.server.place_before(reading.number).after_rows(reading.done)
        return Segment(
            changes=changes,
            position=position,
            ends_transaction=position.at_boundary,
            transactions=transactions,
            rows=rows,
            bytes=rows * _ROW_BYTES + transactions * _TRANSACTION_BYTES,
            timestamp=position.timestamp,
            idle=not transactions and not rows,
        )

    def _select(self, changes: Sequence[FakeChange]) -> tuple[RowChanges, ...]:
        found = []
        for change in changes:
            selection = self._selection(change.table)
            if selection is not None:
                found.append(_project(change, selection))
        return tuple(found)

    def _selection(self, table: Table) -> Selection | None:
        if self._interest is None:
            raise SourceRefused("the source has no interest")
        if table not in self._selections:
            self._selections[table] = self._interest.select(table)
        return self._selections[table]

    def _follow(self, interest: Interest) -> None:
        self._interest = interest
        self._next_interest = None
        self._selections = {}

    def follow(self, interest: Interest) -> None:
        """See :meth:`hasync.ports.ChangeSource.follow`."""
        self._next_interest = interest

    def interrupt(self) -> None:
        """See :meth:`hasync.ports.ChangeSource.interrupt`."""
        self._interrupted.set()
        for server in self._servers:
            with server.changed:
                server.changed.notify_all()

    def close(self) -> None:
        """See :meth:`hasync.ports.ChangeSource.close`."""
        self._reading = None
        self._interrupted.clear()


def _cut(changes: Sequence[FakeChange], first: int, last: int) -> list[FakeChange]:
    """Return rows ``first`` to ``last`` (exclusive) of a transaction's changes."""
    found = []
    at = 0
    for change in changes:
        low, high = max(first - at, 0), min(last - at, change.rows)
        at += change.rows
        if low < high:
            found.append(replace(change, before=change.before[low:high], after=change.after[low:high]))
    return found


def _project(change: FakeChange, selection: Selection) -> RowChanges:
    return RowChanges(
        table=change.table,
        operation=change.operation,
        selection=selection,
        before=[tuple(row[column] for column in selection.before) for row in change.before],
        after=[tuple(row[column] for column in selection.after) for row in change.after],
    )


if TYPE_CHECKING:
    _: type[ChangeSource] = FakeSource
