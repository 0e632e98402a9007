"""Events in, segments out: knows where a transaction begins and ends, and nothing of sockets.

The position moves only at the end of a transaction (M2). What may hold rows and is not
understood stops the stream with its name and place (M1).
"""

from dataclasses import dataclass
from struct import error as StructError  # noqa: N812 - the name says more than "error"

from hasync.binlog import gtids
from hasync.binlog.frames import (
    CHECKSUM_BYTES,
    HARMLESS,
    HEADER_BYTES,
    IGNORABLE,
    REMEDIES,
    STATEMENT_REMEDY,
    XA_REMEDY,
    Event,
    EventType,
    checksum_matches,
    checksummed,
    lenenc,
)
from hasync.binlog.layouts import Layout, Layouts
from hasync.binlog.rows import RowImages
from hasync.binlog.segments import Limits, Segments, cut
from hasync.binlog.statements import Meaning, first_word, meaning, query_text, savepoint_name
from hasync.errors import PositionLost, SourceRefused
from hasync.model.change import Interest, Operation, Segment
from hasync.model.position import Position

_OPERATIONS = {
    EventType.WRITE_ROWS_V1: Operation.INSERT,
    EventType.UPDATE_ROWS_V1: Operation.UPDATE,
    EventType.DELETE_ROWS_V1: Operation.DELETE,
    EventType.WRITE_ROWS: Operation.INSERT,
    EventType.UPDATE_ROWS: Operation.UPDATE,
    EventType.DELETE_ROWS: Operation.DELETE,
}
_STATEMENT_END = 1
_HEARTBEATS = frozenset({EventType.HEARTBEAT, EventType.HEARTBEAT_V2})
_NO_TABLE = 0xFFFFFF
"""Table id of an event that only ends a statement."""

_LONGEST_LEAP = 1 << 31
"""A heartbeat's 32-bit position that seems further ahead is in fact behind."""
_OUTSIDE, _BEGUN, _INSIDE = range(3)
"""Between transactions; after a GTID that a statement may complete; before COMMIT or XID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seek:
    """How the first transaction is recognised.

    ``exact``: the start is known and right. Else the events say where it begins:
    ``from_pos``: read from the file's head, the first transaction at this offset;
    ``since``: the first one committed at or after this Unix time; neither: the first that comes.
    """

    exact: bool = True
    from_pos: int = 0
    since: float = 0.0


class Transactions:
    """The state machine. Called from: the reader thread, but for :meth:`follow`."""

    def __init__(self, *, start: Position, seek: Seek, layouts: Layouts, limits: Limits, checksum: bool) -> None:
        """Begin at ``start``; ``checksum`` says what the server's events carry until a file's own header says it."""
        self._start = start
        self._seek = seek
        self.settled = seek.exact
        """Whether :attr:`place` is where the first transaction begins."""
        self._file = start.file
        self._pos = start.pos
        self._end = start.pos
        self._timestamp = start.timestamp
        self._executed = gtids.executed(start.flavor, start.gtid_set)
        self._rows_to_skip = start.rows_done
        self._rows_skipped = 0
        self._checksum = checksum
        self._layouts = layouts
        self._next_interest: Interest | None = None
        self._segments = Segments(limits=limits, place=self._place)
        self._segments.resume_after(start.rows_done)
        self._state = _OUTSIDE
        self._discarding = False
        self._gtid: tuple[str, int] | None = None
        self._commit_time = 0.0
        self._tables: dict[int, Layout] = {}
        self._savepoints: dict[bytes, tuple[tuple[int, int], int]] = {}
        self._handlers = {
            EventType.FORMAT_DESCRIPTION: self._format,
            EventType.HEARTBEAT: self._heartbeat,
            EventType.HEARTBEAT_V2: self._heartbeat,
            EventType.GTID: self._mysql_gtid,
            EventType.ANONYMOUS_GTID: self._mysql_gtid,
            EventType.MARIADB_GTID: self._mariadb_gtid,
            EventType.QUERY: self._query,
            EventType.XID: self._xid,
            EventType.TABLE_MAP: self._table_map,
            **dict.fromkeys(_OPERATIONS, self._rows),
            **dict.fromkeys(HARMLESS, self._harmless),
        }

    # ------------------------------------------------------------------ the reader's side

    @property
    def due(self) -> bool:
        """Whether a segment must be taken before more is fed."""
        return self._segments.due

    @property
    def ready(self) -> bool:
        """Whether a segment may be taken, should nothing more be waiting."""
        return self.settled and self._segments.ready

    def take(self) -> Segment:
        """Return the oldest segment."""
        return self._segments.take()

    @property
    def place(self) -> Position:
        """Where a resume would begin now."""
        return self._place().after_rows(self._rows_to_skip)

    def follow(self, interest: Interest) -> None:
        """Use another interest from the next transaction on. Called from: any thread."""
        self._next_interest = interest

    def feed(self, packet: bytes) -> None:
        """Take one packet of the dump, beginning with its OK byte.

        Raises SourceRefused, PositionLost, and what the interest raises.
        """
        kind = packet[5] if len(packet) > HEADER_BYTES else 0
        try:
            if kind == EventType.ROTATE:
                self._rotate(packet)
                return
            event = Event(packet, self._end, checksum=self._checksum and kind != EventType.FORMAT_DESCRIPTION)
            if kind not in _HEARTBEATS:  # they name a place, but have none
                self._end = event.stop
            handler = self._handlers.get(kind)  # type: ignore[call-overload]  # an IntEnum's key is its number
            if handler is None:
                self._unknown(event)
            else:
                handler(event)
        except (ValueError, IndexError, StructError) as damaged:
            raise SourceRefused(
                f"event of type {kind} near {self._file}:{self._end} cannot be read: {damaged}",
                hint="report this with the output of mysqlbinlog -vvv for that place",
            ) from damaged

    def _place(self) -> Position:
        return Position(
            flavor=self._start.flavor,
            server_uuid=self._start.server_uuid,
            gtid_set=str(self._executed),
            file=self._file,
            pos=self._pos,
            timestamp=self._timestamp,
        )

    def _at(self, event: Event) -> str:
        return f"{event.name} at {self._file}:{event.start}"

    # -------------------------------------------------------------- files and other events

    def _format(self, event: Event) -> None:
        self._checksum = checksummed(event.data)
        self._abandon(event)
        self._advance(event)

    def _rotate(self, packet: bytes) -> None:
        """Follow to the next file. The one that a server makes up at the start may or may not have a checksum."""
        event = Event(packet, self._end, checksum=False)
        stop = event.end - CHECKSUM_BYTES if checksum_matches(packet) else event.end
        self._abandon(event)
        name = packet[event.at + 8 : stop].decode()
        if name != self._file:
            self._leave_file(event)
            self._file = name
            self._pos = self._end = int.from_bytes(packet[event.at : event.at + 8], "little")

    def _leave_file(self, event: Event) -> None:
        if self.settled or not self._seek.from_pos or not self._file:
            return
        if event.start < self._seek.from_pos:
            raise PositionLost(
                f"position {self._file}:{self._seek.from_pos} lies beyond the end of that file",
                hint="choose another start; SHOW BINARY LOGS lists files and sizes",
            )
        self.settled = True

    def _abandon(self, event: Event) -> None:
        """A new file inside a transaction: the server crashed while it wrote it, so it never committed."""
        if self._state == _OUTSIDE:
            return
        if self._segments.pieces or self._rows_skipped:
            raise SourceRefused(
                f"the transaction at {self._file}:{self._pos} ends without COMMIT, but part of it was handed over",
                hint="compare the tables with Redis, then start after it",
            )
        self._drop_open(event.start)

    def _heartbeat(self, event: Event) -> None:
        if self._state != _OUTSIDE:
            return
        if event.type == EventType.HEARTBEAT:
            name, pos = event.data[event.at : event.end].decode(), event.stop
        else:
            name, pos = _heartbeat_v2(event)
        if name == self._file and 0 <= pos - self._pos < _LONGEST_LEAP:
            self._pos = self._end = pos
        self._settle_idle()
        self._segments.beat()

    def _settle_idle(self) -> None:
        """The end of the binlog was reached: the next transaction that comes is the first one."""
        if self.settled:
            return
        if self._pos < self._seek.from_pos:
            raise PositionLost(
                f"position {self._file}:{self._seek.from_pos} lies beyond the end of the binlog ({self._pos})",
                hint="choose another start; SHOW BINARY LOGS lists files and sizes",
            )
        self.settled = True

    def _harmless(self, event: Event) -> None:
        self._advance(event)

    def _unknown(self, event: Event) -> None:
        if event.flags & IGNORABLE or self._discarding:
            self._advance(event)
            return
        raise SourceRefused(
            f"cannot follow {self._at(event)}: it may hold rows that would be lost",
            hint=REMEDIES.get(event.type, "report the server's version and this event's type"),
        )

    def _advance(self, event: Event) -> None:
        self._segments.add_bytes(event.size)
        if self._state == _OUTSIDE and event.placed:
            self._pos = event.stop

    # ------------------------------------------------------------------------ transactions

    def _mysql_gtid(self, event: Event) -> None:
        origin, number, commit_time = gtids.read_mysql(event)
        known = event.type == EventType.GTID
        self._begin(event, commit_time, (origin, number) if known else None)

    def _mariadb_gtid(self, event: Event) -> None:
        gtid = gtids.MariadbGtid(event)
        if gtid.xa and self.settled:
            raise SourceRefused(f"cannot follow the XA transaction of {self._at(event)}", hint=XA_REMEDY)
        self._begin(event, float(event.timestamp), (gtid.origin, gtid.number))
        if not gtid.standalone:
            self._state = _INSIDE

    def _begin(self, event: Event, commit_time: float, gtid: tuple[str, int] | None) -> None:
        if self._state != _OUTSIDE and self._discarding:  # its end was an event that hasync does not follow
            self._close(event.start)
        if self._state != _OUTSIDE:
            raise SourceRefused(f"{self._at(event)} begins a transaction inside another", hint="report this")
        if self._next_interest is not None:
            self._layouts.follow(self._next_interest)
            self._next_interest = None
        self._state = _BEGUN
        self._pos = event.start
        self._gtid = gtid
        self._commit_time = commit_time or float(event.timestamp)
        if not self.settled:
            self._settle()
        self._discarding = not self.settled or (gtid is not None and self._executed.has(*gtid))
        self._segments.add_bytes(event.size)

    def _settle(self) -> None:
        if self._pos > self._seek.from_pos > 0:
            raise PositionLost(
                f"position {self._file}:{self._seek.from_pos} lies inside a transaction, "
                f"the next begins at {self._pos}",
                hint="start at the beginning of a transaction; mysqlbinlog shows where they are",
            )
        self.settled = self._pos >= self._seek.from_pos and self._commit_time >= self._seek.since

    def _query(self, event: Event) -> None:
        sql = query_text(event.data, event.at, event.end)
        self._segments.add_bytes(event.size)
        what = meaning(sql)
        if what is Meaning.BEGIN:
            self._enter(event)
        elif what is Meaning.COMMIT:
            self._require_inside(event)
            self._commit(event)
        elif what is Meaning.ROLLBACK:
            self._roll_back(event)
        elif what in (Meaning.SAVEPOINT, Meaning.ROLLBACK_TO):
            self._savepoint(event, what, savepoint_name(sql))
        elif what in (Meaning.DEFINITION, Meaning.DEFINITION_WITH_ROWS):
            self._definition(event, what)
        elif what is not Meaning.NOTHING:
            self._refuse_statement(event, what, sql)

    def _enter(self, event: Event) -> None:
        if self._state == _OUTSIDE:
            self._begin(event, 0.0, None)
        self._state = _INSIDE

    def _definition(self, event: Event, what: Meaning) -> None:
        if what is Meaning.DEFINITION_WITH_ROWS:
            self._enter(event)
        elif self._state != _INSIDE:
            if self._state == _OUTSIDE:
                self._begin(event, 0.0, None)
            self._commit(event)

    def _refuse_statement(self, event: Event, what: Meaning, sql: bytes) -> None:
        if self._discarding:
            return
        if what is Meaning.XA:
            raise SourceRefused(f"cannot follow the XA statement in {self._at(event)}", hint=XA_REMEDY)
        raise SourceRefused(
            f"{self._at(event)} holds the statement {first_word(sql)} instead of rows, they would be lost",
            hint=STATEMENT_REMEDY,
        )

    def _xid(self, event: Event) -> None:
        self._require_inside(event)
        self._segments.add_bytes(event.size)
        self._commit(event)

    def _require_inside(self, event: Event) -> None:
        if self._state == _INSIDE:
            return
        raise PositionLost(
            f"{self._at(event)} belongs to a transaction that began before the place where reading began",
            hint="start at the beginning of a transaction; mysqlbinlog shows where they are",
        )

    def _commit(self, event: Event) -> None:
        if self._rows_to_skip and not self._discarding:
            raise PositionLost(
                f"the transaction at {self._file}:{self._pos} has {self._rows_to_skip} rows less "
                "than were applied of it",
                hint="this server's history differs: compare the tables with Redis and choose a new start",
            )
        # Without a commit time in its GTID event, a transaction's best time is that of its end.
        self._commit_time = max(self._commit_time, float(event.timestamp))
        self._close(event.stop)
        self._segments.end()

    def _close(self, stop: int) -> None:
        self._pos = stop
        self._timestamp = self._commit_time
        if self._gtid is not None:
            self._executed.add(*self._gtid)
        self._state = _OUTSIDE
        self._discarding = False
        self._gtid = None
        self._rows_skipped = 0
        self._tables.clear()
        self._savepoints.clear()

    def _drop_open(self, stop: int) -> None:
        self._segments.forget_since((0, 0))
        self._gtid = None
        self._close(stop)
        self._segments.end(transactions=0)

    def _roll_back(self, event: Event) -> None:
        self._require_inside(event)
        self._forget_since(event, ((0, 0), 0))
        self._commit(event)

    def _savepoint(self, event: Event, what: Meaning, name: bytes) -> None:
        if self._discarding:
            return
        if what is Meaning.SAVEPOINT:
            self._savepoints[name] = (self._segments.mark(), self._rows_skipped)
        elif name in self._savepoints:
            self._forget_since(event, self._savepoints[name])
        else:
            raise SourceRefused(f"{self._at(event)} rolls back to a savepoint that was never set", hint="report this")

    def _forget_since(self, event: Event, savepoint: tuple[tuple[int, int], int]) -> None:
        mark, skipped = savepoint
        if skipped != self._rows_skipped or not self._segments.forget_since(mark):
            raise self._handed_over(event)

    def _handed_over(self, event: Event) -> SourceRefused:
        return SourceRefused(
            f"{self._at(event)} takes back rows of a large transaction that were handed over in pieces",
            hint="raise the source's max_rows over the size of that transaction, then resume",
        )

    # -------------------------------------------------------------------------------- rows

    def _table_map(self, event: Event) -> None:
        self._require_inside(event)
        self._segments.add_bytes(event.size)
        if self._discarding:
            return
        data, at = event.data, event.at
        number = int.from_bytes(data[at : at + 6], "little")
        self._tables[number] = self._layouts.of(data[at + 8 : event.end])

    def _rows(self, event: Event) -> None:
        self._require_inside(event)
        if self._discarding:
            self._segments.add_bytes(event.size)
            return
        data, at = event.data, event.at
        number = int.from_bytes(data[at : at + 6], "little")
        flags = data[at + 6] | data[at + 7] << 8
        if number != _NO_TABLE:
            self._take_rows(event, number)
        if flags & _STATEMENT_END:
            self._tables.clear()

    def _take_rows(self, event: Event, number: int) -> None:
        layout = self._tables.get(number)
        if layout is None:
            raise PositionLost(
                f"{self._at(event)} has no table map: reading began inside a statement",
                hint="start at the beginning of a transaction; mysqlbinlog shows where they are",
            )
        data, at = event.data, event.at + 8
        if event.type >= EventType.WRITE_ROWS:
            at += int.from_bytes(data[at : at + 2], "little")
        operation = _OPERATIONS[EventType(event.type)]
        width, at = lenenc(data, at)
        size = (width + 7 >> 3) * (2 if operation is Operation.UPDATE else 1)
        if width != layout.map.width or at + size > event.end:
            raise ValueError(f"rows of {width} columns for {layout.path}, which has {layout.map.width}")
        images = RowImages(operation, data[at : at + size], data, (at + size, event.end))
        self._add_rows(layout, images, event.size)

    def _add_rows(self, layout: Layout, images: RowImages, size: int) -> None:
        change = None if layout.selection is None else self._layouts.changes(layout, images)
        rows = self._layouts.count(layout, images) if change is None else change.rows
        if self._rows_to_skip:
            skipped = min(rows, self._rows_to_skip)
            self._rows_to_skip -= skipped
            self._rows_skipped += skipped
            change = cut(change, skipped, rows) if change is not None and skipped < rows else None
            rows -= skipped
        if rows:
            self._segments.add(change, rows, size)


def _heartbeat_v2(event: Event) -> tuple[str, int]:
    """Read a version 2 heartbeat's file name and 64-bit position: (type, length, value) until type 0."""
    data, at = event.data, event.at
    name, pos = "", 0
    while at < event.end:
        kind, at = lenenc(data, at)
        if kind == 0:
            break
        length, at = lenenc(data, at)
        if kind == 1:
            name = data[at : at + length].decode()
        elif kind == 2:
            pos, _ = lenenc(data, at)
        at += length
    return name, pos
