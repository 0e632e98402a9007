"""Events in, segments out: knows where a transaction begins and ends, and nothing of sockets.

The position moves only at the end of a transaction (M2). What may hold rows and is not
understood stops the stream with its name and place (M1).
"""

from struct import error as StructError  # noqa: N812 - the name says more than "error"

from hasync.binlog import gtids
from hasync.binlog.definitions import emptied
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
    heartbeat_v2,
    lenenc,
)
from hasync.binlog.layouts import Layout, Layouts
from hasync.binlog.place import Place, Seek
from hasync.binlog.rows import RowImages
from hasync.binlog.segments import Limits, Segments, cut
from hasync.binlog.statements import Meaning, first_word, meaning, query_schema, query_text, savepoint_name
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
"""A 32-bit position that seems further ahead is in fact behind: no event is that large."""

_OUTSIDE, _BEGUN, _INSIDE = range(3)
"""Between transactions; after a GTID that a statement may complete; before COMMIT or XID."""


class Transactions:
    """The state machine. Called from: the reader thread, but for :meth:`follow`."""

    def __init__(self, *, start: Position, seek: Seek, layouts: Layouts, limits: Limits, checksum: bool) -> None:
        """Begin at ``start``; ``checksum`` says what the server's events carry until a file's own header says it."""
        self._place = Place(start, seek)
        self._rows_to_skip = start.rows_done
        self._rows_skipped = 0
        self._checksum = checksum
        self._layouts = layouts
        self._next_interest: Interest | None = None
        self._segments = Segments(limits=limits, place=self._place.position)
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
        return self._place.settled and self._segments.ready

    def take(self) -> Segment:
        """Return the oldest segment."""
        return self._segments.take()

    @property
    def settled(self) -> bool:
        """Whether :attr:`position` is where the first transaction begins."""
        return self._place.settled

    @property
    def position(self) -> Position:
        """Where a resume would begin now."""
        return self._place.position().after_rows(self._rows_to_skip)

    def follow(self, interest: Interest) -> None:
        """Use another interest from the next transaction on. Called from: any thread."""
        self._next_interest = interest

    def feed(self, packet: bytes) -> None:
        """Take one packet of the dump, beginning with its OK byte.

        Raises SourceRefused, PositionLost, and what the interest raises.
        """
        kind = packet[5] if len(packet) > HEADER_BYTES else 0
        settled = self._place.settled
        try:
            self._dispatch(kind, packet)
        except (ValueError, IndexError, StructError) as damaged:
            raise SourceRefused(
                f"event of type {kind} near {self._place.file}:{self._place.end} cannot be read: {damaged}",
                hint="report this with the output of mysqlbinlog -vvv for that place",
            ) from damaged
        if not settled:  # what is read on the way to the start is nobody's
            self._segments.clear()

    def _dispatch(self, kind: int, packet: bytes) -> None:
        if kind == EventType.ROTATE:
            self._rotate(packet)
            return
        event = Event(packet, self._place.end, checksum=self._checksum and kind != EventType.FORMAT_DESCRIPTION)
        if kind not in _HEARTBEATS:  # they name a place, but have none
            self._require_forward(event)
            self._place.end = event.stop
        handler = self._handlers.get(kind)  # type: ignore[call-overload]  # an IntEnum's key is its number
        if handler is None:
            self._unknown(event)
        else:
            handler(event)

    def _require_forward(self, event: Event) -> None:
        if event.placed and event.stop - self._place.end >= _LONGEST_LEAP:
            raise self._place.reset(f"an event ends at {event.stop & 0xFFFFFFFF}")

    def _at(self, event: Event) -> str:
        return f"{event.name} at {self._place.file}:{event.start}"

    # -------------------------------------------------------------- files and other events

    def _format(self, event: Event) -> None:
        self._checksum = checksummed(event.data)
        self._abandon(event)
        self._advance(event)

    def _rotate(self, packet: bytes) -> None:
        """Follow to the next file. The one that a server makes up at the start may or may not have a checksum."""
        event = Event(packet, self._place.end, checksum=False)
        stop = event.end - CHECKSUM_BYTES if checksum_matches(packet) else event.end
        self._abandon(event)
        name = packet[event.at + 8 : stop].decode()
        if name != self._place.file:
            if event.placed:
                self._place.advance(event.stop)
            self._place.enter_file(name, int.from_bytes(packet[event.at : event.at + 8], "little"))

    def _abandon(self, event: Event) -> None:
        """A new file inside a transaction: the server crashed while it wrote it, so it never committed."""
        if self._state == _OUTSIDE:
            return
        if self._segments.pieces or self._rows_skipped:
            raise SourceRefused(
                f"the transaction at {self._place} ends without COMMIT, but part of it was handed over",
                hint="compare the tables with Redis, then start after it",
            )
        self._drop_open(event.start)

    def _heartbeat(self, event: Event) -> None:
        if self._state != _OUTSIDE:
            return
        if event.type == EventType.HEARTBEAT:
            name = event.data[event.at : event.end].decode()
            behind = event.stop - self._place.end >= _LONGEST_LEAP
            self._place.beat(name, event.stop & 0xFFFFFFFF if behind else event.stop)
        else:
            self._place.beat(*heartbeat_v2(event))
        self._segments.beat()

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
            self._place.advance(event.stop)

    # ------------------------------------------------------------------------ transactions

    def _mysql_gtid(self, event: Event) -> None:
        origin, number, commit_time = gtids.read_mysql(event)
        known = event.type == EventType.GTID
        self._begin(event, commit_time, (origin, number) if known else None)

    def _mariadb_gtid(self, event: Event) -> None:
        gtid = gtids.MariadbGtid(event)
        if gtid.xa and self._place.settled:
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
        self._gtid = gtid
        self._commit_time = commit_time or float(event.timestamp)
        self._place.begin(event.start, self._commit_time)
        self._discarding = not self._place.settled
        if self._place.settled:
            self._place.require_new(gtid)
        self._segments.add_bytes(event.size)

    def _query(self, event: Event) -> None:
        sql = query_text(event.data, event.at, event.end)
        self._segments.add_bytes(event.size)
        what = meaning(sql)
        if what is not Meaning.NOTHING and self._state == _OUTSIDE:
            raise self._inside_from_the_start(event)  # both servers write a GTID event first
        if what is Meaning.BEGIN:
            self._state = _INSIDE
        elif what is Meaning.COMMIT:
            self._commit(event)
        elif what is Meaning.ROLLBACK:
            self._roll_back(event)
        elif what in (Meaning.SAVEPOINT, Meaning.ROLLBACK_TO):
            self._savepoint(event, what, savepoint_name(sql))
        elif what in (Meaning.DEFINITION, Meaning.DEFINITION_WITH_ROWS):
            self._definition(event, what, sql)
        elif what is not Meaning.NOTHING:
            self._refuse_statement(event, what, sql)

    def _definition(self, event: Event, what: Meaning, sql: bytes) -> None:
        gone = () if self._discarding else emptied(sql, query_schema(event.data, event.at, event.end))
        self._layouts.redefined(gone)
        if what is Meaning.DEFINITION_WITH_ROWS:
            self._state = _INSIDE
        elif self._state != _INSIDE:
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
        if self._state != _INSIDE:
            raise self._inside_from_the_start(event)

    def _inside_from_the_start(self, event: Event) -> PositionLost:
        return PositionLost(
            f"{self._at(event)} belongs to a transaction that began before the place where reading began",
            hint="start at the beginning of a transaction; mysqlbinlog shows where they are",
        )

    def _commit(self, event: Event) -> None:
        if self._rows_to_skip and not self._discarding:
            raise PositionLost(
                f"the transaction at {self._place} has {self._rows_to_skip} rows less than were applied of it",
                hint="this server's history differs: compare the tables with Redis and choose a new start",
            )
        # Without a commit time in its GTID event, a transaction's best time is that of its end.
        self._commit_time = max(self._commit_time, float(event.timestamp))
        self._close(event.stop)
        self._segments.end()

    def _close(self, stop: int) -> None:
        self._place.finish(stop, self._commit_time, self._gtid)
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
