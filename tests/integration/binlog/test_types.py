"""A value is the bytes that SELECT prints, for every column type and its edges: as an object, and in Redis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest

from hasync.binlog.source import BinlogSource
from hasync.errors import HandlerFailed
from hasync.stream.handlers import Layout, RowImage
from testbed import Redis
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, is_mysql, opened, read_to_end, source_of
from tests.integration.binlog.redisroad import RedisRoad, redis_road
from tests.integration.binlog.typecases import EVERYWHERE, MARIADB_ONLY, MYSQL_ONLY, OLD_TIMES, Case

RULES = """
  "types.t*":
    - {set: {key: "row:{id}", value: "{v}"}}
"""
IDS_PER_TABLE = 100
WIDEST_OF_MARIADB = 2800
Row = tuple[bytes | None, ...]


@dataclass(slots=True)
class Roads:
    """Both ways that a row may take, open for all tests of this module, so that a type breaks the later ones too."""

    server: SqlServer
    source: BinlogSource
    wanted: Wanted
    redis: RedisRoad
    numbers: Iterator[int] = field(default_factory=count)

    def objects(self) -> list[Row]:
        """Return the rows written since the last call, as a handler gets them."""
        rows = [change.after for change in changes_of(read_to_end(self.source, self.server))]
        return [row for row in rows if row]

    def convert(self, row: Row) -> None:
        """Turn all values into a handler's Python values. Raises HandlerFailed."""
        table = self.wanted.seen[-1]
        image = RowImage(Layout(table, range(len(table.columns))), row)
        for name in image:
            assert image[name] is None or image.raw(name) is not None


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def roads(server: SqlServer, store: Redis) -> Iterator[Roads]:
    server.sql("CREATE DATABASE types CHARACTER SET utf8mb4")
    source, wanted = source_of(server), Wanted("types")
    with opened(source, LATEST, wanted), redis_road(server, store, RULES) as road:
        yield Roads(server, source, wanted, road)
    server.sql("DROP DATABASE types")


def select(server: SqlServer, sql: str) -> list[Row]:
    """Return rows as the server prints them."""
    raw = server.connect(conv={}, use_unicode=False, init_command="SET time_zone = '+00:00'")
    with raw as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def write(server: SqlServer, case: Case, number: int) -> str:
    """Make a table with such a column and insert the values, the last row NULL; return its name."""
    column, values = case
    name = f"types.t{number}"
    settings = "SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'"
    with server.connect(database="types", init_command=settings) as connection, connection.cursor() as cursor:
        columns = f"id INT PRIMARY KEY AUTO_INCREMENT, head VARCHAR(9), v {column}, tail CHAR(3)"
        cursor.execute(f"CREATE TABLE {name} ({columns}) AUTO_INCREMENT = {(number + 1) * IDS_PER_TABLE}")
        for value in values:
            cursor.execute(f"INSERT IGNORE INTO {name} (head, v, tail) VALUES ('head', {value}, 'end')")
        cursor.execute(f"INSERT INTO {name} (v) VALUES (NULL)")
    return name


def hold_against_select(roads: Roads, case: Case) -> list[Row]:
    """Write the case's values and compare what came along both roads with what the server prints; return that."""
    name = write(roads.server, case, next(roads.numbers))
    printed = select(roads.server, f"SELECT * FROM {name} ORDER BY id")
    assert len(printed) == len(case[1]) + 1
    assert roads.objects() == printed
    roads.redis.catch_up()
    assert roads.redis.values(f"row:{(row[0] or b'').decode()}" for row in printed) == [row[2] for row in printed]
    return printed


def hold_for_handlers_too(roads: Roads, case: Case) -> None:
    """As above, and each value is one of Python's."""
    for row in hold_against_select(roads, case):
        roads.convert(row)


def name_of(case: tuple[str, Sequence[str]]) -> str:
    return case[0].replace(" ", "_")[:50]


@pytest.mark.parametrize("case", EVERYWHERE, ids=name_of)
def test_value_is_what_select_prints(roads: Roads, case: Case) -> None:
    """Both servers, all types that both have."""
    hold_for_handlers_too(roads, case)


@pytest.mark.parametrize("case", MYSQL_ONLY, ids=name_of)
def test_mysql_value_is_what_select_prints(roads: Roads, case: Case) -> None:
    """Types, and JSON's inner types, that only MySQL has."""
    if not is_mysql(roads.server):
        pytest.skip("MySQL's own")
    hold_for_handlers_too(roads, case)


@pytest.mark.parametrize("case", MARIADB_ONLY, ids=name_of)
def test_mariadb_value_is_what_select_prints(roads: Roads, case: Case) -> None:
    """Types and collations that only MariaDB has."""
    if is_mysql(roads.server):
        pytest.skip("MariaDB's own")
    hold_for_handlers_too(roads, case)


@pytest.mark.parametrize("case", OLD_TIMES, ids=name_of)
def test_old_time_is_what_select_prints(roads: Roads, case: Case) -> None:
    """Tables from before 10.1 keep their formats when MariaDB is upgraded; only the catalog knows the fractions."""
    if is_mysql(roads.server):
        pytest.skip("MariaDB's own")
    roads.server.sql("SET GLOBAL mysql56_temporal_format = OFF")
    try:
        hold_for_handlers_too(roads, case)
    finally:
        roads.server.sql("SET GLOBAL mysql56_temporal_format = ON")


def test_lone_surrogates_are_no_text_for_a_handler(roads: Roads) -> None:
    """SELECT prints them, in bytes that are not UTF-8; a handler is told so instead of getting something else."""
    case = ("VARCHAR(9) CHARACTER SET ucs2", ["_ucs2 x'0041D800'", "_ucs2 x'D83DDE00'"])
    half, pair, _ = hold_against_select(roads, case)
    assert (half[2], pair[2]) == (b"A\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80")
    for row in (half, pair):
        with pytest.raises(HandlerFailed):
            roads.convert(row)


def test_generated_and_invisible_columns(roads: Roads) -> None:
    """Stored and virtual columns are in the row image too."""
    columns = (
        "id INT PRIMARY KEY, a INT, s INT AS (a * 2) STORED, w VARCHAR(9) AS (CONCAT('v', a)) VIRTUAL, "
        "i DECIMAL(5,2) INVISIBLE DEFAULT 5, z CHAR(1)"
    )
    roads.server.sql(f"CREATE TABLE types.g ({columns})")
    roads.server.sql("INSERT INTO types.g (id, a, z) VALUES (1, 10, 'z'), (2, NULL, NULL)")
    printed = select(roads.server, "SELECT id, a, s, w, i, z FROM types.g ORDER BY id")
    assert roads.objects() == printed


def test_widest_table(roads: Roads) -> None:
    """4096 columns (as many as MariaDB's table definitions hold), all but one of them NULL in one row."""
    names = [f"c{number}" for number in range(4095 if is_mysql(roads.server) else WIDEST_OF_MARIADB)]
    columns = ", ".join(f"{name} TINYINT" for name in names)
    roads.server.sql(f"CREATE TABLE types.wide (id INT PRIMARY KEY, {columns}) ENGINE = MyISAM")
    values = ", ".join(str(number % 251 - 125) for number, _ in enumerate(names))
    roads.server.sql(f"INSERT INTO types.wide VALUES (1, {values})")
    roads.server.sql(f"INSERT INTO types.wide (id, {names[-1]}) VALUES (2, 7)")
    assert roads.objects() == select(roads.server, "SELECT * FROM types.wide ORDER BY id")
