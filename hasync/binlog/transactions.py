"""Events in, segments out: knows where a transaction begins and ends, and nothing of sockets.

The position moves only at the end of a transaction (M2). What may hold rows and is not
understood stops the stream with its name and place (M1).
"""

from collections.abc import Callable, Iterator

from hasync.binlog import gtids, payload, refusals, xa
from hasync.binlog.archive import Archive
from hasync.binlog.codec.lane import Lane
from hasync.binlog.compressed import PLAIN, plain
from hasync.binlog.definitions import emptied
from hasync.binlog.frames import (
    HARMLESS,
    HEADER_BYTES,
    HEARTBEATS,
    IGNORABLE,
    Event,
    EventType,
    checksummed,
    rotation,
    type_name,
)
from hasync.binlog.layouts import Layouts
from hasync.binlog.place import Place, Seek
from hasync.binlog.rowevents import OPERATIONS, RowEvents
from hasync.binlog.segments import Limits, Segments
from hasync.binlog.spots import spot, statement
from hasync.binlog.statements import Meaning, meaning, query_schema, query_text, savepoint_name
from hasync.binlog.steps import Steps, each
from hasync.model.change import Interest, Segment
from hasync.model.position import Flavor, Position

_STEPS = 512
"""Events from inside other events that are taken at once, before the reader may look around."""

_OUTSIDE, _BEGUN, _INSIDE = range(3)
"""Between transactions; after a GTID that a statement may complete; before COMMIT or XID."""


class Transactions:
    """The state machine. Called from: the reader thread, but for :meth:`follow`."""

    def __init__(
        self, *, start: Position, seek: Seek, layouts: Layouts, limits: Limits, archive: Archive, checksum: bool
    ) -> None:
        """Begin at ``start``; ``checksum`` says what the server's events carry until a file's own header says it.

        ``archive``: where the rows of an XA transaction are read again when it commits.
        """
        self._place = Place(start, seek)
        self._checksum = checksum
        self._layouts = layouts
        self._next_interest: Interest | None = None
        self._segments = Segments(limits=limits, place=self._place.position)
        self._segments.resume_after(start.rows_done)
        self._rows = RowEvents(layouts, self._segments, done=start.rows_done)
        self._lane = Lane(layouts=layouts, output=self._segments.output, mariadb=start.flavor is Flavor.MARIADB)
        self._state = _OUTSIDE
        self._discarding = False
        self._gtid: tuple[str, int] | None = None
        self._commit_time = 0.0
        self._branches = xa.Branches(archive)
        self._prepares = self._pending = False
        self._steps = Steps()
        self._kind, self._began = 0, ""
        self._handlers: dict[int, Callable[[Event], None]] = {
            EventType.FORMAT_DESCRIPTION: self._format,
            EventType.HEARTBEAT: self._heartbeat,
            EventType.HEARTBEAT_V2: self._heartbeat,
            EventType.GTID: self._mysql_gtid,
            EventType.ANONYMOUS_GTID: self._mysql_gtid,
            EventType.GTID_TAGGED: self._mysql_gtid,
            EventType.MARIADB_GTID: self._mariadb_gtid,
            EventType.QUERY: self._query,
            EventType.XID: self._xid,
            EventType.XA_PREPARE: self._xa_prepare,
            EventType.TRANSACTION_PAYLOAD: self._payload,
            EventType.TABLE_MAP: self._table_map,
            **dict.fromkeys(PLAIN, lambda event: self._handle(plain(event))),
            **dict.fromkeys(OPERATIONS, self._row_images),
            **dict.fromkeys(HARMLESS, self._advance),
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
        return self._place.position().after_rows(self._rows.to_skip)

    def follow(self, interest: Interest) -> None:
        """Use another interest from the next transaction on. Called from: any thread."""
        self._next_interest = interest

    def run(self, buffer: bytes, at: int) -> int:
        """Take plain transactions from a buffer of packets as fast as can be; return the offset behind them.

        The packet there must be fed, unless :attr:`starved` says that more bytes would help.
        """
        if self._state != _OUTSIDE or not self._place.settled or self._next_interest is not None:
            return at
        if self._rows.to_skip or self._steps or self._segments.due:
            return at
        lane, segments = self._lane, self._segments
        lane.checksum = self._checksum
        lane.follow(*self._place.last_gtid)
        at = lane.run(buffer, at, self._place.end, (segments.room_rows, segments.room_bytes))
        if lane.transactions:
            self._place.pass_over(lane.stop, lane.commit_time, lane.last)
            segments.gather(rows=lane.rows, size=lane.bytes, transactions=lane.transactions)
        if lane.full:
            segments.close()
        return at

    @property
    def starved(self) -> bool:
        """Whether :meth:`run` ended because the buffer did, in the middle of a transaction."""
        return self._lane.starved

    def feed(self, packet: bytes) -> None:
        """Take one packet of the dump, beginning with its OK byte. See :attr:`unfinished`.

        Raises SourceRefused, PositionLost, and what the interest raises; with an XA transaction also SourceUnavailable.
        """
        while self._steps:
            self._run_steps(lambda: False)
        self._began = f"{self._place.file}:{self._place.end}"
        kind = self._kind = packet[5] if len(packet) > HEADER_BYTES else 0
        settled = self._place.settled
        with refusals.located(self._where):
            self._dispatch(kind, packet)
        if not settled:  # what is read on the way to the start is nobody's
            self._segments.clear()
        if self._steps:
            self.go_on()

    @property
    def unfinished(self) -> bool:
        """Whether the last packet holds more: :meth:`go_on` comes before the next packet, or it all comes at once."""
        return bool(self._steps)

    def go_on(self) -> None:
        """Take a few more events out of the last packet, until a segment is due. Raises as :meth:`feed`."""
        self._run_steps(lambda: self._segments.due)

    def _run_steps(self, enough: Callable[[], bool]) -> None:
        with refusals.located(self._where):
            self._steps.run(_STEPS, enough)

    def _where(self) -> str:
        return f"{type_name(self._kind)} at {self._began}"

    def close(self) -> None:
        """End what is read besides the dump; nothing may be fed any more."""
        self._steps.close()

    def _dispatch(self, kind: int, packet: bytes) -> None:
        if kind == EventType.ROTATE:
            self._rotate(packet)
            return
        checksum = self._checksum and kind != EventType.FORMAT_DESCRIPTION
        event = Event(packet, self._place.end, checksum=checksum, file=self._place.file)
        self._began = f"{self._place.file}:{event.start}"
        if kind not in HEARTBEATS:
            self._place.pass_event(event, inside=self._state != _OUTSIDE)
        self._handle(event)

    def _handle(self, event: Event) -> None:
        self._handlers.get(event.type, self._unknown)(event)

    def _at(self, event: Event) -> str:
        return f"{event.name} at {self._place.file}:{event.start}"

    # -------------------------------------------------------------- files and other events

    def _format(self, event: Event) -> None:
        self._checksum = checksummed(event.data)
        self._abandon(event)
        self._advance(event)

    def _rotate(self, packet: bytes) -> None:
        """Follow to the next file."""
        event, name, pos = rotation(packet, self._place.end)
        self._abandon(event)
        if name != self._place.file:
            if event.placed:
                self._place.advance(event.stop)
            self._place.enter_file(name, pos)

    def _abandon(self, event: Event) -> None:
        """A new file inside a transaction: the server crashed while it wrote it, so it never committed."""
        if self._state == _OUTSIDE:
            return
        if self._segments.pieces or self._rows.skipped:
            raise refusals.without_commit(self._place)
        self._drop_open(event.start)

    def _heartbeat(self, event: Event) -> None:
        if self._state != _OUTSIDE:
            return
        self._place.hear(event)
        self._segments.beat()

    def _unknown(self, event: Event) -> None:
        if event.flags & IGNORABLE or self._discarding:
            self._advance(event)
            return
        raise refusals.unknown(event, self._at(event))

    def _advance(self, event: Event) -> None:
        self._segments.add_bytes(event.size)
        if self._state == _OUTSIDE and event.placed:
            self._place.advance(event.stop)

    # ------------------------------------------------------------------------ transactions

    def _mysql_gtid(self, event: Event) -> None:
        read = gtids.read_tagged if event.type == EventType.GTID_TAGGED else gtids.read_mysql
        origin, number, commit_time = read(event)
        known = event.type != EventType.ANONYMOUS_GTID
        self._begin(event, commit_time, (origin, number) if known else None)

    def _mariadb_gtid(self, event: Event) -> None:
        gtid = gtids.MariadbGtid(event)
        self._begin(event, float(event.timestamp), (gtid.origin, gtid.number))
        self._prepares, self._pending = gtid.prepares, gtid.pending
        if not gtid.standalone:
            self._state = _INSIDE

    def _begin(self, event: Event, commit_time: float, gtid: tuple[str, int] | None) -> None:
        if self._state != _OUTSIDE and self._discarding:  # its end was an event that hasync does not follow
            self._close(event.start)
        if self._state != _OUTSIDE:
            raise refusals.nested(self._at(event))
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
            raise refusals.inside_from_the_start(self._at(event))  # both servers write a GTID event first
        if what is Meaning.BEGIN:
            self._state = _INSIDE
        elif what is Meaning.COMMIT:
            self._commit(event)
        elif what is Meaning.ROLLBACK:
            self._roll_back(event)
        elif what is not Meaning.NOTHING:
            self._statement(event, what, sql)

    def _statement(self, event: Event, what: Meaning, sql: bytes) -> None:
        if what in (Meaning.SAVEPOINT, Meaning.ROLLBACK_TO):
            self._savepoint(event, what, savepoint_name(sql))
        elif what in (Meaning.DEFINITION, Meaning.DEFINITION_WITH_ROWS):
            self._definition(event, what, sql)
        elif what is Meaning.XA:
            self._xa_statement(event, sql)
        elif not self._discarding:
            raise refusals.statement(sql, self._at(event))

    def _definition(self, event: Event, what: Meaning, sql: bytes) -> None:
        gone = () if self._discarding else emptied(sql, query_schema(event.data, event.at, event.end))
        found = statement(event.data, event.at, event.end, sql)
        self._layouts.redefined(gone, None if self._pending else found, spot(self._place.file, event.stop))
        if what is Meaning.DEFINITION_WITH_ROWS:
            self._state = _INSIDE
        elif self._state != _INSIDE:
            self._commit(event)

    def _xid(self, event: Event) -> None:
        self._require_inside(event)
        self._segments.add_bytes(event.size)
        self._commit(event)

    def _require_inside(self, event: Event) -> None:
        if self._state != _INSIDE:
            raise refusals.inside_from_the_start(self._at(event))

    def _commit(self, event: Event) -> None:
        if self._rows.to_skip and not self._discarding:
            raise refusals.fewer_rows(self._place, self._rows.to_skip)
        # Without a commit time in its GTID event, a transaction's best time is that of its end.
        self._commit_time = max(self._commit_time, float(event.timestamp))
        self._close(event.stop)
        self._segments.end()

    def _close(self, stop: int) -> None:
        self._place.finish(stop, self._commit_time, self._gtid)
        self._state = _OUTSIDE
        self._discarding = self._prepares = False
        self._gtid = None
        self._rows.end()

    def _drop_open(self, stop: int) -> None:
        self._segments.forget_since(None)
        self._gtid = None
        self._close(stop)
        self._segments.end(transactions=0)

    def _roll_back(self, event: Event) -> None:
        self._rows.forget_all(self._at(event))
        self._commit(event)

    def _savepoint(self, event: Event, what: Meaning, name: bytes) -> None:
        if self._passing:
            return
        if what is Meaning.SAVEPOINT:
            self._rows.set_savepoint(name)
        else:
            self._rows.roll_back_to(name, self._at(event))

    # ---------------------------------------- transactions inside one event, or in two places

    def _payload(self, event: Event) -> None:
        if self._state != _BEGUN:
            raise refusals.inside_from_the_start(self._at(event))
        if self._discarding:
            self._branches.forget()  # who knows what is in it
            self._commit(event)
        else:
            self._steps.begin(each(payload.events(event), self._handle))

    def _xa_prepare(self, event: Event) -> None:
        self._require_inside(event)
        self._segments.add_bytes(event.size)
        self._replay(event, self._branches.end_of_phase(event, self._place.spot))

    def _xa_statement(self, event: Event, sql: bytes) -> None:
        verb, xid = xa.statement(sql)
        if verb is xa.Verb.BEGIN:
            self._state = _INSIDE
            self._prepares = True
        elif verb is not xa.Verb.NOTHING:
            rows = self._branches.rows(xid, (self._place.file, event.start)) if verb is xa.Verb.COMMIT else None
            self._branches.finished(xid)
            self._replay(event, rows)

    def _replay(self, event: Event, rows: Iterator[Event | None] | None) -> None:
        """Take prepared rows in, if there are any, as part of the transaction that ends with this event."""
        if rows is None or self._discarding:
            self._commit(event)
            return
        self._state = _INSIDE
        self._prepares = False
        here = (row and row.within(event) for row in rows)
        self._steps.begin(each(here, self._handle, lambda: self._commit(event)))

    # -------------------------------------------------------------------------------- rows

    def _table_map(self, event: Event) -> None:
        self._require_inside(event)
        if self._passing:
            self._segments.add_bytes(event.size)
        else:
            self._rows.table_map(event)

    def _row_images(self, event: Event) -> None:
        self._require_inside(event)
        if self._passing:
            self._segments.add_bytes(event.size)
        else:
            self._rows.rows(event, self._at(event))

    @property
    def _passing(self) -> bool:
        """Whether rows are passed over: those before the start, and those of XA transactions until they commit."""
        return self._discarding or self._prepares
