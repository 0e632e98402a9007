"""What every source promises (:class:`hasync.ports.ChangeSource`): the one in memory, MySQL's and MariaDB's."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import pytest

from hasync.errors import ConfigInvalid, EndReason, PositionLost, SourceUnavailable, TermEnded
from hasync.model.change import Kind, Operation, Segment, Selection, Table
from hasync.model.position import Position, Start, StartKind
from hasync.ports import ChangeSource
from testbed import MariaDb, MySql, wait_until, workdir
from testbed.sql import SqlServer
from tests.fakes.source import FakeChange, FakeServer, FakeSource, FakeTable
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, ids, source_of

MOST_READS = 200
SOON_S = 10.0
Rows = Sequence[int]


class World(Protocol):
    """A server with two tables, ``mine`` and ``other``, of the columns ``id`` and ``v``."""

    schema: str

    def source(self, max_rows: int = 2000) -> ChangeSource:
        """Return one more source of the same stream."""

    def commit(self, *changes: tuple[str, Operation, Rows]) -> None:
        """Write one transaction: table, operation, ids."""

    def end(self) -> Position:
        """Return where the binlog ends; only file, pos and gtid_set count."""

    def rotate(self) -> None:
        """Begin the next file."""

    def purge(self) -> None:
        """Forget all files but the last."""

    def stop(self) -> None:
        """Stop the server."""

    def start(self) -> None:
        """Start it again."""


class FakeWorld:
    """The source in memory."""

    schema = "s"

    def __init__(self) -> None:
        self._server = FakeServer()
        self._tables = {name: FakeTable(f"s.{name}", ("id", Kind.INTEGER), "v") for name in ("mine", "other")}
        self._server.commit()

    def source(self, max_rows: int = 2000) -> ChangeSource:
        """Return one more source of the same stream."""
        return FakeSource(self._server, max_rows=max_rows)

    def commit(self, *changes: tuple[str, Operation, Rows]) -> None:
        """Write one transaction."""
        self._server.commit(*(self._change(*change) for change in changes))

    def _change(self, table: str, operation: Operation, rows: Rows) -> FakeChange:
        made = self._tables[table]
        images = [(str(row).encode(), b"v") for row in rows]
        if operation is Operation.UPDATE:
            return made.update(*((image, (image[0], b"new")) for image in images))
        return made.insert(*images) if operation is Operation.INSERT else made.delete(*images)

    def end(self) -> Position:
        """Return where the binlog ends."""
        return self._server.end()

    def rotate(self) -> None:
        """Begin the next file."""
        self._server.rotate()

    def purge(self) -> None:
        """Forget all files but the last."""
        self._server.purge()

    def stop(self) -> None:
        """Stop."""
        self._server.stop()

    def start(self) -> None:
        """Start."""
        self._server.start()


class RealWorld:
    """A real server, with a schema of its own for each test."""

    def __init__(self, server: SqlServer, number: int) -> None:
        self._server = server
        self.schema = f"contract{number}"
        server.sql(f"CREATE DATABASE {self.schema}")
        for table in ("mine", "other"):
            server.sql(f"CREATE TABLE {self.schema}.{table} (id INT PRIMARY KEY, v VARCHAR(9))")

    def source(self, max_rows: int = 2000) -> ChangeSource:
        """Return one more source of the same stream."""
        return source_of(self._server, max_rows=max_rows)

    def commit(self, *changes: tuple[str, Operation, Rows]) -> None:
        """Write one transaction."""
        with self._server.connect(database=self.schema, autocommit=False) as connection:
            with connection.cursor() as cursor:
                for table, operation, rows in changes:
                    cursor.execute(_sql(table, operation, rows))
            connection.commit()

    def end(self) -> Position:
        """Return where the binlog ends."""
        source = source_of(self._server, server_id=1234)
        try:
            return source.open(LATEST, Wanted("none"))
        finally:
            source.close()

    def rotate(self) -> None:
        """Begin the next file."""
        self._server.sql("FLUSH BINARY LOGS")

    def purge(self) -> None:
        """Forget all files but the last; one in use stays for a while."""

        def purged() -> bool:
            self._server.sql(f"PURGE BINARY LOGS TO '{self._server.binlog_files()[-1]}'")
            return len(self._server.binlog_files()) == 1

        wait_until("the purge", purged)

    def stop(self) -> None:
        """Stop."""
        self._server.stop()

    def start(self) -> None:
        """Start."""
        self._server.start()


def _sql(table: str, operation: Operation, rows: Rows) -> str:
    if operation is Operation.INSERT:
        values = ", ".join(f"({row}, 'v')" for row in rows)
        return f"INSERT INTO {table} VALUES {values}"
    where = f"WHERE id IN ({', '.join(map(str, rows))})"
    return f"UPDATE {table} SET v = 'new' {where}" if operation is Operation.UPDATE else f"DELETE FROM {table} {where}"


@pytest.fixture(scope="module")
def mysql() -> Iterator[SqlServer]:
    with workdir() as place, MySql(place) as server:
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[SqlServer]:
    with workdir() as place, MariaDb(place) as server:
        yield server


REAL = [pytest.param("mysql", marks=pytest.mark.mysql), pytest.param("mariadb", marks=pytest.mark.mariadb)]
_numbers = itertools.count(1)


@pytest.fixture(params=["fake", *REAL])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return FakeWorld()
    return RealWorld(request.getfixturevalue(request.param), next(_numbers))


@pytest.fixture
def source(world: World) -> Iterator[ChangeSource]:
    subject = world.source()
    yield subject
    subject.close()


INSERT, UPDATE, DELETE = Operation.INSERT, Operation.UPDATE, Operation.DELETE


def mine(world: World) -> Wanted:
    return Wanted(world.schema, ("mine",))


def read_all(world: World, source: ChangeSource) -> list[Segment]:
    """Read up to what is the end now."""
    end = world.end()
    segments: list[Segment] = []
    for _ in range(MOST_READS):
        segments.append(source.read())
        if (segments[-1].position.file, segments[-1].position.pos) >= (end.file, end.pos):
            return segments
    raise AssertionError(f"the end {end} was not reached, only {segments[-1].position}")


def read_from(world: World, start: Start | Position, max_rows: int = 2000) -> tuple[Position, list[Segment]]:
    source = world.source(max_rows)
    try:
        begin = source.open(start, mine(world))
        return begin, read_all(world, source)
    finally:
        source.close()


def names(rows: Rows) -> list[bytes]:
    return [str(row).encode() for row in rows]


# ------------------------------------------------------------------------------ reading


def test_latest_begins_with_what_comes(world: World, source: ChangeSource) -> None:
    """Rows before the open do not come, rows after it do."""
    world.commit(("mine", INSERT, [1]))
    begin = source.open(LATEST, mine(world))
    assert begin.same_place(replace(world.end(), server_uuid=begin.server_uuid))
    world.commit(("mine", INSERT, [2]))
    assert ids(read_all(world, source)) == names([2])


def test_images_of_each_operation(world: World, source: ChangeSource) -> None:
    """An insert has no before image, a delete no after image, an update both."""
    source.open(LATEST, mine(world))
    world.commit(("mine", INSERT, [1, 2]))
    world.commit(("mine", UPDATE, [1]))
    world.commit(("mine", DELETE, [2]))
    changes = changes_of(read_all(world, source))
    assert [(change.operation, change.before, change.after) for change in changes] == [
        (INSERT, (), (b"1", b"v")),
        (INSERT, (), (b"2", b"v")),
        (UPDATE, (b"1", b"v"), (b"1", b"new")),
        (DELETE, (b"2", b"v"), ()),
    ]


def test_changes_carry_the_selection_itself(world: World, source: ChangeSource) -> None:
    """Consumers put their plan into the selection, and get the same object back."""

    class Plan:
        before, after, program = (0,), (1,), None

    plan = Plan()

    class Interested:
        def emptied(self, schema: str, table: str) -> None: ...

        def select(self, table: Table) -> Selection | None:
            return plan if (table.schema, table.name) == (world.schema, "mine") else None

    source.open(LATEST, Interested())
    world.commit(("mine", INSERT, [1]))
    world.commit(("mine", UPDATE, [1]))
    inserted, updated = [change for segment in read_all(world, source) for change in segment.changes]
    assert inserted.selection is plan
    assert (list(inserted.before), list(inserted.after)) == ([], [(b"v",)])
    assert (list(updated.before), list(updated.after)) == ([(b"1",)], [(b"new",)])


def test_other_tables_are_counted_only(world: World, source: ChangeSource) -> None:
    """The position moves on with traffic that nobody wants."""
    begin = source.open(LATEST, mine(world))
    world.commit(("other", INSERT, range(5)), ("mine", INSERT, [7]))
    world.commit(("other", DELETE, range(5)))
    segments = read_all(world, source)
    assert ids(segments) == names([7])
    assert sum(segment.rows for segment in segments) == 11
    assert sum(segment.transactions for segment in segments) == 2
    assert sum(segment.bytes for segment in segments) > 0
    assert segments[-1].position.order() > begin.order()


def test_waiting_transactions_are_gathered(world: World, source: ChangeSource) -> None:
    """What waits already comes in few segments, each with whole transactions up to the limit."""
    begin = source.open(LATEST, mine(world))
    source.close()
    for first in range(0, 40, 2):
        world.commit(("mine", INSERT, [first, first + 1]))
    _, segments = read_from(world, begin, max_rows=15)
    assert ids(segments) == names(range(40))
    assert max(segment.rows for segment in segments) <= 15
    assert all(segment.rows % 2 == 0 and segment.ends_transaction for segment in segments)


def test_transaction_of_the_limit_is_not_cut(world: World) -> None:
    """Only a transaction that alone is larger comes in pieces, the last of which ends it."""
    begin = world.end()
    world.commit(("mine", INSERT, range(10)))
    world.commit(("mine", INSERT, range(10, 21)))
    world.commit(("mine", INSERT, [30]))
    _, segments = read_from(world, begin, max_rows=10)
    whole = [segment for segment in segments if segment.rows == 10 and segment.ends_transaction]
    pieces = [segment for segment in segments if not segment.ends_transaction]
    assert ids(whole[:1]) == names(range(10))
    assert [(piece.rows, piece.transactions, piece.position.rows_done) for piece in pieces] == [(10, 0, 10)]
    assert sum(segment.transactions for segment in segments) == 3
    assert ids(segments) == names([*range(21), 30])


def test_idle_reads_return_empty_segments(world: World, source: ChangeSource) -> None:
    """So that a reader regains control now and then."""
    begin = source.open(LATEST, mine(world))
    segment = source.read()
    assert (segment.changes, segment.transactions, segment.rows, segment.ends_transaction) == ((), 0, 0, True)
    assert segment.position.same_place(begin)


def test_new_interest_holds_from_the_next_transaction(world: World, source: ChangeSource) -> None:
    """Also when it is given by another thread, while nothing happens."""
    source.open(LATEST, mine(world))
    world.commit(("mine", INSERT, [1]), ("other", INSERT, [2]))
    assert ids(read_all(world, source)) == names([1])
    source.follow(Wanted(world.schema, ("other",)))
    world.commit(("mine", INSERT, [3]), ("other", INSERT, [4]))
    assert ids(read_all(world, source)) == names([4])


def test_an_interest_that_objects_is_heard(world: World, source: ChangeSource) -> None:
    """What the interest raises comes out of the read."""

    class Objecting:
        def emptied(self, schema: str, table: str) -> None: ...

        def select(self, table: Table) -> Selection | None:
            if table.schema == world.schema:
                raise ConfigInvalid("column gone")
            return None

    source.open(LATEST, Objecting())
    world.commit(("mine", INSERT, [1]))
    with pytest.raises(ConfigInvalid, match="column gone"):
        read_all(world, source)


# ----------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("max_rows", [1, 3, 7, 100])
def test_resume_at_each_position_loses_and_doubles_nothing(world: World, max_rows: int) -> None:
    """Also inside a cut transaction, and with another limit."""
    begin = world.end()
    world.commit(("mine", INSERT, [1]))
    world.commit(("other", INSERT, [1, 2]), ("mine", INSERT, range(2, 7)), ("other", DELETE, [1]))
    world.rotate()
    world.commit(("mine", INSERT, [7]))
    _, segments = read_from(world, begin, max_rows)
    seen: list[bytes] = []
    for segment in segments:
        seen += ids([segment])
        opened, rest = read_from(world, segment.position, max_rows=2)
        assert opened == segment.position
        assert [*seen, *ids(rest)] == names(range(1, 8))


@pytest.mark.parametrize("kind", [StartKind.EARLIEST, StartKind.FILE, StartKind.GTID])
def test_starts(world: World, kind: StartKind) -> None:
    """Each kind begins where it says, and knows the transactions before it."""
    world.commit(("mine", INSERT, [1]))
    at = world.end()
    world.commit(("mine", INSERT, [2]))
    start = {
        StartKind.EARLIEST: Start(kind=kind),
        StartKind.FILE: Start(kind=kind, file=at.file, pos=at.pos),
        StartKind.GTID: Start(kind=kind, gtid_set=at.gtid_set),
    }[kind]
    begin, segments = read_from(world, start)
    assert ids(segments) == names([1, 2] if kind is StartKind.EARLIEST else [2])
    assert segments[-1].position.gtid_set == world.end().gtid_set
    if kind is not StartKind.EARLIEST:
        assert (begin.file, begin.pos, begin.gtid_set) == (at.file, at.pos, at.gtid_set)


def test_purged_position_is_lost(world: World, source: ChangeSource) -> None:
    """What was never read is gone: nobody goes on as if it were not."""
    begin = source.open(LATEST, mine(world))
    source.close()
    world.commit(("mine", INSERT, [1]))
    world.rotate()
    world.commit(("mine", INSERT, [2]))
    world.purge()

    def open_and_read() -> None:
        source.open(begin, mine(world))
        read_all(world, source)

    with pytest.raises(PositionLost):
        open_and_read()


def test_position_ahead_of_the_server_is_lost(world: World, source: ChangeSource) -> None:
    """A server that lacks applied transactions is not this stream's."""
    begin = source.open(LATEST, mine(world))
    ahead = begin.gtid_set.rpartition("-" if "-" in begin.gtid_set.rpartition(":")[2] else ":")
    lost = replace(begin, server_uuid="another", gtid_set=f"{ahead[0]}{ahead[1]}99999999")
    for position in (lost, replace(begin, server_uuid="another", file="x.000001", gtid_set="")):
        with pytest.raises(PositionLost):
            source.open(position, mine(world))


# ------------------------------------------------------------------------------- ending


def test_stopped_server_is_unavailable_and_resumed(world: World, source: ChangeSource) -> None:
    """An open dump ends, new ones fail, and afterwards nothing is missing."""
    source.open(LATEST, mine(world))
    world.commit(("mine", INSERT, [1]))
    at = read_all(world, source)[-1].position
    world.stop()
    with pytest.raises(SourceUnavailable):
        _read_on(source)
    with pytest.raises(SourceUnavailable):
        source.open(at, mine(world))
    world.start()
    world.commit(("mine", INSERT, [2]))
    source.open(at, mine(world))
    assert ids(read_all(world, source)) == names([2])


def _read_on(source: ChangeSource) -> None:
    for _ in range(MOST_READS):
        source.read()


def test_second_source_ends_the_first(world: World, source: ChangeSource) -> None:
    """Two readers of one stream: the newer one stays."""
    source.open(LATEST, mine(world))
    second = world.source()
    second.open(LATEST, mine(world))
    with pytest.raises(TermEnded) as ended:
        _read_on(source)
    assert ended.value.reason is EndReason.SOURCE_CLAIMED
    second.read()
    second.close()


def test_interrupt_ends_a_read_until_closed(world: World, source: ChangeSource) -> None:
    """From another thread, while the source waits; afterwards the same object can be used again."""
    begin = source.open(LATEST, mine(world))
    error = _in_thread(lambda: _read_on(source), source.interrupt)
    assert isinstance(error, SourceUnavailable)
    with pytest.raises(SourceUnavailable):
        source.open(begin, mine(world))
    source.close()
    source.open(begin, mine(world))
    source.read()


def _in_thread(action: Callable[[], None], interrupt: Callable[[], None]) -> BaseException | None:
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            action()
        except SourceUnavailable as error:
            errors.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    interrupt()
    thread.join(SOON_S)
    assert not thread.is_alive()
    return errors[0] if errors else None


def test_closed_source_does_not_read(world: World, source: ChangeSource) -> None:
    """Close may come twice, and before any open."""
    source.close()
    source.open(LATEST, mine(world))
    source.close()
    source.close()
    with pytest.raises(SourceUnavailable):
        source.read()
