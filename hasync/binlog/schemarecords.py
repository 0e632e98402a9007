"""What one server can tell of its tables: their columns now, its binlog's end, and the definitions in between."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Protocol

from hasync.binlog.archive import Archive
from hasync.binlog.columntypes import charset_of_collation, declared
from hasync.binlog.compressed import plain
from hasync.binlog.ddl import Definition, Path, Unclear
from hasync.binlog.frames import HEADER_BYTES, HEARTBEATS, Event, EventType, checksummed, rotation
from hasync.binlog.gtids import MariadbGtid
from hasync.binlog.place import HEAD
from hasync.binlog.server import Server
from hasync.binlog.spots import Entry, Reading, Spot, spot, statement
from hasync.binlog.statements import Meaning, meaning, query_text
from hasync.binlog.tableschema import TableSchema, TrackedColumn
from hasync.errors import SourceRefused, SourceUnavailable

_NO_SUCH_TABLE = 1146
_NO_SUCH_SCHEMA = 1049
_DENIED = frozenset({1044, 1142, 1143})
_LAST_DUMPABLE = 0xFFFFFFFF
_LOCK_WAIT_S = 10
_QUERIES = frozenset({EventType.QUERY, EventType.MARIADB_QUERY_COMPRESSED})
_LOOKED_AT = _QUERIES | {EventType.MARIADB_GTID}
_DEFINITIONS = frozenset({Meaning.DEFINITION, Meaning.DEFINITION_WITH_ROWS})


class SchemaRecords(Protocol):
    """What the tracker asks. Each method raises SourceUnavailable and SourceRefused."""

    def end(self) -> Spot:
        """Return where the binlog ends now."""

    def schema(self, path: Path) -> TableSchema | None:
        """Return a table's columns, None when there is no such table.

        It tells what every definition in front of :meth:`end`, asked before, has left; and
        nothing of one behind :meth:`end`, asked afterwards.
        """

    def definitions(self, since: Spot, until: Spot) -> list[Entry]:
        """Return the definitions that end behind ``since``, up to ``until``, in order."""


class ServerRecords:
    """The records of a real server; ``connect`` gives a connection that is closed again before a method returns."""

    def __init__(self, *, connect: Callable[[], Server], archive: Archive, reading: Reading) -> None:
        self._connect = connect
        self._archive = archive
        self._reading = reading

    def end(self) -> Spot:
        """See :meth:`SchemaRecords.end`."""
        server = self._connect()
        try:
            status = server.rows("SHOW BINARY LOG STATUS" if _new_name(server) else "SHOW MASTER STATUS")
            if not status:
                raise SourceRefused(f"{server.host} writes no binlog", hint="start the server with log_bin")
            _require_unfiltered(server.host, status[0])
            return spot(str(status[0][0]), int(status[0][1]))
        finally:
            server.close()

    def schema(self, path: Path) -> TableSchema | None:
        """See :meth:`SchemaRecords.schema`.

        A definition is in the binlog a moment before the catalog shows it, or behind it
        (MariaDB); opening the table waits for its metadata lock, which ends behind both.
        """
        server = self._connect()
        try:
            server.rows("SET SESSION lock_wait_timeout = %s, SESSION sql_mode = ''", _LOCK_WAIT_S)
            before = _opens(server, path)
            found = columns_now(server, path)
            after = _opens(server, path)
            return found if before and after else None
        finally:
            server.close()

    def definitions(self, since: Spot, until: Spot) -> list[Entry]:
        """See :meth:`SchemaRecords.definitions`: a dump of the part is skimmed for QUERY events."""
        if since >= until:
            return []
        pos = since.pos if since.pos <= _LAST_DUMPABLE else HEAD
        with closing(self._archive.packets(since.file, pos)) as packets:
            skim = _Skim(packets, spot(since.file, pos), self._reading)
            return [entry for entry in skim.entries(until) if entry.spot > since]


def _new_name(server: Server) -> bool:
    return "mariadb" not in server.version.lower() and server.version_numbers() >= (8, 2)


def _require_unfiltered(host: str, status: tuple[Any, ...]) -> None:
    """``binlog_do_db`` goes by the session's schema for definitions, by the table's for rows: some would be missing."""
    if any(status[2:4]):
        raise SourceRefused(
            f"{host} filters its binlog by schema, so that definitions of tables may be missing in it",
            hint="SET GLOBAL binlog_row_metadata = 'FULL', or take binlog_do_db and binlog_ignore_db out",
        )


def _opens(server: Server, path: Path) -> bool:
    """Wait until no definition of the table is under way; return whether it is there."""
    name = ".".join(f"`{part.replace('`', '``')}`" for part in path)
    try:
        server.rows(f"SELECT 1 FROM {name} LIMIT 0")  # noqa: S608 - quoted above
    except SourceRefused as refused:
        code = refused.__cause__.args[0] if refused.__cause__ is not None and refused.__cause__.args else 0
        if code in (_NO_SUCH_TABLE, _NO_SUCH_SCHEMA):
            return False
        if code in _DENIED:  # to every instance, not to this one only
            raise SourceRefused(
                f"columns of {'.'.join(path)} are not named in the binlog, and cannot be looked up: {refused.message}",
                hint=f"GRANT SELECT ON {'.'.join(path)} TO the account, or SET GLOBAL binlog_row_metadata = 'FULL'",
            ) from refused
        raise
    return True


def columns_now(server: Server, path: Path) -> TableSchema:
    """Return what the catalog shows of a table's columns: none when it is not there, or may not be looked at.

    Raises SourceUnavailable, SourceRefused.
    """
    rows = server.rows(
        "SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, CHARACTER_SET_NAME FROM information_schema.COLUMNS "
        "WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
        *path,
    )
    collation = server.one(
        "SELECT TABLE_COLLATION FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s", *path
    )
    columns = (
        TrackedColumn(
            name=str(name),
            declared=declared(str(kind), charset and str(charset), server.flavor),
            nullable=nullable == "YES",
        )
        for name, kind, nullable, charset in rows
    )
    return TableSchema(columns=tuple(columns), charset=charset_of_collation(str(collation or "uca")))


class _Skim:
    """Reads packets for definitions only: all but QUERY events is passed over by its type."""

    def __init__(self, packets: Iterator[bytes], at: Spot, reading: Reading) -> None:
        self._packets = packets
        self._file = at.file
        self._pos = at.pos
        self._reading = reading
        self._checksum = True
        self._pending = False

    def entries(self, until: Spot) -> Iterator[Entry]:
        """Yield the definitions up to a spot. Raises SourceUnavailable when the binlog ends in front of it."""
        while self._file != until.file or self._pos < until.pos:
            packet = next(self._packets, None)
            if packet is None:
                raise SourceUnavailable(f"the binlog ended at {self._file}:{self._pos}, in front of {until}")
            definition = self._read(packet)
            if definition is not None:
                yield Entry(spot=spot(self._file, self._pos), definition=definition)

    def _read(self, packet: bytes) -> Definition | None:
        kind = packet[5] if len(packet) > HEADER_BYTES else 0
        if kind == EventType.ROTATE:
            self._rotate(packet)
            return None
        if kind in HEARTBEATS:
            return None
        event = Event(packet, self._pos, checksum=self._checksum and kind in _LOOKED_AT)
        self._pos = event.stop
        if kind == EventType.FORMAT_DESCRIPTION:
            self._checksum = checksummed(packet)
        if kind == EventType.MARIADB_GTID:
            self._pending = MariadbGtid(event).pending
        return self._definition(event) if kind in _QUERIES else None

    def _rotate(self, packet: bytes) -> None:
        _, name, pos = rotation(packet, self._pos)
        if name != self._file:
            self._file, self._pos = name, pos

    def _definition(self, event: Event) -> Definition | None:
        plain_event = plain(event) if event.type == EventType.MARIADB_QUERY_COMPRESSED else event
        sql = query_text(plain_event.data, plain_event.at, plain_event.end)
        if sql == b"BEGIN" or self._pending:
            return None
        what = meaning(sql)
        if what is Meaning.UNKNOWN:
            return Unclear(reason="a statement that is not known")
        if what not in _DEFINITIONS:
            return None
        return self._reading.definition(statement(plain_event.data, plain_event.at, plain_event.end, sql))
