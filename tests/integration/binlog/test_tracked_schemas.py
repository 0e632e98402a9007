"""Table maps without names: rows still come as SELECT prints them, or the stream halts and says why."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from hasync.binlog.source import BinlogSource
from hasync.errors import SourceRefused
from hasync.model.change import Segment
from hasync.model.position import Position
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, is_mariadb, is_mysql, read_to_end, source_of
from tests.integration.binlog.test_transactions import run

Rows = list[dict[str, bytes | None]]

LEVELS = ["MINIMAL", "NO_LOG"]


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, server: SqlServer) -> Iterator[str]:
    """Let the server write less than full metadata, and give it back as it was."""
    if request.param == "NO_LOG" and is_mysql(server):
        pytest.skip("MariaDB's own")
    server.sql(f"SET GLOBAL binlog_row_metadata = {request.param}")
    yield str(request.param)
    server.sql("SET GLOBAL binlog_row_metadata = FULL")


@pytest.fixture
def source(server: SqlServer) -> Iterator[BinlogSource]:
    subject = source_of(server)
    yield subject
    subject.close()


def named(segments: Sequence[Segment]) -> Rows:
    """Return each row after its change as names and values."""
    return [
        dict(zip((column.name for column in change.table.columns), row, strict=True))
        for segment in segments
        for change in segment.changes
        for row in (change.after or change.before)
    ]


def selected(server: SqlServer, schema: str, table: str = "t") -> Rows:
    """Return the rows of a table, as SELECT prints them."""
    with server.connect(database=schema, conv={}, use_unicode=False) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY id")
        names = [entry[0] for entry in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Scene:
    """Statements and, whenever a row was written, what SELECT made of it then."""

    def __init__(self, server: SqlServer, schema: str) -> None:
        self._server = server
        self._schema = schema
        self.expected: Rows = []

    def run(self, *statements: str) -> None:
        """Run statements, all in one session."""
        run(self._server, self._schema, *statements)

    def insert(self, values: str, table: str = "t") -> None:
        """Insert one row with an id above all others, and remember it."""
        self.run(f"INSERT INTO {table} {values}")
        self.expected.append(selected(self._server, self._schema, table)[-1])


WIDE = """CREATE TABLE t (
  id INT UNSIGNED PRIMARY KEY, e ENUM('a','b''c','d\\\\e','é') NOT NULL, s SET('x','y','z') CHARACTER SET latin1,
  u BIGINT UNSIGNED, i TINYINT, z INT(6) UNSIGNED ZEROFILL, l VARCHAR(20) CHARACTER SET latin1, g CHAR(5) CHARACTER SET gbk,
  b VARBINARY(10), t TEXT, bin BINARY(16), f FLOAT(7,3), d DECIMAL(10,2) UNSIGNED, at DATETIME(3), j JSON, y YEAR,
  bits BIT(12), gen BIGINT AS (i + 1) STORED, p POINT)"""
WIDE_ROW = """(id, e, s, u, i, z, l, g, b, t, bin, f, d, at, j, y, bits, p) VALUES
  ({id}, 'é', 'x,z', 18446744073709551614, -3, 42, 'é€', '漢字', x'00FF', '漢é😀', x'01', 1.5, 7.5,
   '2024-01-02 03:04:05.678', '[1]', 2024, b'101010101010', ST_GeomFromText('POINT(1 2)'))"""


def test_every_kind_of_column_is_known(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """Names, signs, character sets and members come from the catalog where the binlog has none."""
    scene = Scene(server, schema)
    extra = (", uu UUID, i6 INET6, i4 INET4, c VARCHAR(300) COMPRESSED", ", v VECTOR(2)")[is_mysql(server)]
    scene.run("SET sql_mode = ''", WIDE[:-1] + extra + ")")
    source.open(LATEST, Wanted(schema, skip=("j",)))
    row = WIDE_ROW.replace("p)", "p, uu, i6, i4, c)", 1).replace("2)'))", "2)'), UUID(), '::1', '1.2.3.4', 'é')")
    scene.insert((row if is_mariadb(server) else WIDE_ROW).format(id=1))
    assert_rows(source, server, scene, skip=("j",))


def assert_rows(source: BinlogSource, server: SqlServer, scene: Scene, skip: tuple[str, ...] = ()) -> None:
    """Read to the end and compare."""
    segments = read_to_end(source, server)
    found = []
    for segment in segments:
        for change in segment.changes:
            names = [column.name for column in change.table.columns if column.name not in skip]
            found += [dict(zip(names, row, strict=True)) for row in change.after]
    assert found == [{name: row[name] for name in row if name not in skip} for row in scene.expected]


def test_definitions_are_followed_live(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """Each definition is carried out on what is known, as it comes."""
    scene = Scene(server, schema)
    scene.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10), e ENUM('x','y'), n INT UNSIGNED)")
    source.open(LATEST, Wanted(schema))
    for definition, values in SEQUENCE:
        scene.run(definition)
        scene.insert(values)
        assert_rows(source, server, scene)
        scene.expected.clear()


def test_definitions_are_followed_while_behind(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """A reader that knew the table carries on where it was stopped, over many definitions."""
    scene = Scene(server, schema)
    scene.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10), e ENUM('x','y'), n INT UNSIGNED)")
    source.open(LATEST, Wanted(schema))
    scene.insert("VALUES (0, 'first', 'x', 4000000000)")
    assert_rows(source, server, scene)
    scene.expected.clear()
    for definition, values in SEQUENCE:
        scene.run(definition)
        scene.insert(values)
    assert_rows(source, server, scene)


SEQUENCE = [
    ("ALTER TABLE t ADD COLUMN b INT UNSIGNED DEFAULT 7", "VALUES (1, 'a', 'x', 4294967295, 4000000000)"),
    ("ALTER TABLE t RENAME COLUMN a TO aa, RENAME COLUMN b TO a", "VALUES (2, 'b', 'y', 1, 2)"),
    ("/* c */ ALTER TABLE `t` CHANGE aa `Text one` VARCHAR(20) FIRST", "VALUES ('c', 3, 'y', 1, 2)"),
    ("ALTER TABLE t MODIFY e ENUM('x', 'y', 'z''s') AFTER n, ADD c CHAR(3) AFTER id", "VALUES ('d', 4, 'abc', 1, 3, 2)"),
    ("ALTER TABLE t DROP COLUMN n, ADD UNIQUE KEY (c), ENGINE=InnoDB", "VALUES ('e', 5, 'abd', 'z''s', 2)"),
    ("ALTER TABLE t MODIFY a BIGINT, CONVERT TO CHARACTER SET latin1", "VALUES ('é', 6, 'ab', 'x', -5)"),
    ("CREATE INDEX i ON t (a)", "VALUES ('é', 7, 'aé', 'x', -5)"),
]
