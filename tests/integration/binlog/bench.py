"""What tests of the binlog on real servers have in common: accounts, interests, reading until it is quiet."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hasync.binlog.source import BinlogSource
from hasync.clock import SystemClock
from hasync.model.change import Operation, Row, RowChanges, Segment, Selection, Table
from hasync.model.names import TablePattern
from hasync.model.position import Position, Start, StartKind
from hasync.ports import ChangeSource
from testbed import MariaDb, MySql
from testbed.sql import SqlServer

SERVER_ID = 4_000_000_001
LATEST = Start(kind=StartKind.LATEST)
MOST_READS = 20_000


@dataclass(frozen=True, slots=True)
class Columns:
    """A selection by numbers."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    program: None = None


@dataclass(slots=True)
class Wanted:
    """Wants all columns of all tables of a schema, or of the named ones; ``skip`` columns stay undecoded."""

    schema: str
    tables: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    seen: list[Table] = field(default_factory=list)

    def patterns(self) -> list[TablePattern]:
        """Name the tables, as a config would."""
        return [TablePattern(self.schema, table) for table in self.tables or ("*",)]

    def emptied(self, schema: str, table: str) -> None: ...

    def select(self, table: Table) -> Selection | None:
        """Select by name."""
        if table.schema != self.schema or (self.tables and table.name not in self.tables):
            return None
        self.seen.append(table)
        columns = tuple(i for i, column in enumerate(table.columns) if column.name not in self.skip)
        return Columns(columns, columns)


@dataclass(frozen=True, slots=True)
class Change:
    """One row's change, flat, for comparing."""

    operation: Operation
    table: str
    before: Row
    after: Row


def flat(changes: tuple[RowChanges, ...]) -> list[Change]:
    """Return one entry per row."""
    found = []
    for change in changes:
        none: list[Row] = [()] * change.rows
        pairs = zip(change.before or none, change.after or none, strict=True)
        found += [Change(change.operation, change.table.name, before, after) for before, after in pairs]
    return found


def source_of(*servers: SqlServer, **options: object) -> BinlogSource:
    """Return a source that is not open yet, with short limits."""
    settings = {"server_id": SERVER_ID, "heartbeat_s": 0.5, "connect_timeout_s": 3.0, **options}
    return BinlogSource(
        hosts=[server.address for server in servers],
        user=str(settings.pop("user", SqlServer.reader_user)),
        password=str(settings.pop("password", SqlServer.reader_password)),
        clock=SystemClock(),
        **settings,  # type: ignore[arg-type]
    )


@contextmanager
def opened(source: ChangeSource, start: Start | Position, interest: Wanted) -> Iterator[Position]:
    """Open a source and close it at the end."""
    try:
        yield source.open(start, interest)
    finally:
        source.close()


def read_until(source: ChangeSource, enough: Callable[[list[Segment]], bool]) -> list[Segment]:
    """Read segments until ``enough`` says so; fails when it never does."""
    segments: list[Segment] = []
    for _ in range(MOST_READS):
        segments.append(source.read())
        if enough(segments):
            return segments
    raise AssertionError(f"not enough after {MOST_READS} reads: {segments[-1]}")


def read_to_end(source: ChangeSource, server: SqlServer) -> list[Segment]:
    """Read all that the server has written by now."""
    file, pos = server.binlog_position()
    return read_until(source, lambda read: (read[-1].position.file, read[-1].position.pos) >= (file, pos))


def changes_of(segments: list[Segment]) -> list[Change]:
    """Return the row changes of all segments."""
    return [change for segment in segments for change in flat(segment.changes)]


def ids(segments: list[Segment]) -> list[bytes]:
    """Return the first column of each row, as it is after the change (before, for a delete)."""
    return [(change.after or change.before)[0] or b"" for change in changes_of(segments)]


def is_mysql(server: SqlServer) -> bool:
    """Whether this is MySQL."""
    return isinstance(server, MySql)


def is_mariadb(server: SqlServer) -> bool:
    """Whether this is MariaDB."""
    return isinstance(server, MariaDb)
