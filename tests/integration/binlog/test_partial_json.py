"""MySQL's partial JSON updates come out as the documents that SELECT prints."""

import random
from collections.abc import Iterator

import pytest

from testbed import MySql, Redis
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, opened, read_to_end, source_of
from tests.integration.binlog.redisroad import redis_road

SESSION = "SET binlog_row_value_options = PARTIAL_JSON"
PAD = "'pad', REPEAT('p', 200)"
TABLE = "CREATE TABLE pj.t (id INT PRIMARY KEY, a JSON, x INT, v JSON AS (JSON_ARRAY(x)) VIRTUAL, b JSON, d CHAR(3))"
FIRST = f"INSERT INTO pj.t (id, a, x, b) VALUES (1, JSON_OBJECT('k', 1, 'l', JSON_ARRAY(1, 2, 3), {PAD}), 1, NULL)"
UPDATES = [
    "UPDATE t SET a = JSON_SET(a, '$.k', 'two')",
    "UPDATE t SET a = JSON_REMOVE(JSON_SET(a, '$.l[1]', 'y', '$.new', JSON_OBJECT('z', NULL)), '$.l[0]'), d = 'x'",
    "UPDATE t SET x = x + 1",
    f"UPDATE t SET b = JSON_OBJECT('q!', 1, 'é漢 😀', 2, {PAD})",
    "UPDATE t SET a = JSON_REPLACE(a, '$.k', 3), b = JSON_SET(b, '$.\"é漢 😀\"', 1.50, '$.\"q!\"', TRUE)",
    "UPDATE t SET b = NULL, a = JSON_REMOVE(a, '$.new')",
    "UPDATE t SET a = '[]'",
]
RULES = """
  "pj.t":
    - {set: {key: "a:{id}", value: "{a}"}}
    - {set: {key: "b:{id}", value: "{b}"}}
"""


@pytest.fixture
def table(mysql: MySql) -> Iterator[MySql]:
    """Yield a server with one row in a table with three JSON columns."""
    mysql.script(f"CREATE DATABASE pj CHARACTER SET utf8mb4; {TABLE}; {FIRST}")
    yield mysql
    mysql.sql("DROP DATABASE pj")


@pytest.mark.mysql
def test_partial_updates_are_whole_documents(table: MySql) -> None:
    """One diff, several, none in a column, and columns written whole beside them."""
    source = source_of(table)
    printed = []
    with opened(source, LATEST, Wanted("pj")):
        with table.connect(database="pj", init_command=SESSION, conv={}, use_unicode=False) as session:
            cursor = session.cursor()
            for update in UPDATES:
                cursor.execute(update.encode())
                cursor.execute("SELECT id, a, x, v, b, d FROM t")
                printed += cursor.fetchall()
        assert [change.after for change in changes_of(read_to_end(source, table))] == printed


@pytest.mark.mysql
def test_partial_updates_reach_redis(table: MySql, tmp_path: object) -> None:
    """Rows of one event differ: some columns partial, some whole, some NULL."""
    chance = random.Random(39)
    rows = ", ".join(f"({number}, JSON_OBJECT('n', {number}, {PAD}), 0)" for number in range(2, 50))
    with Redis(tmp_path) as store, redis_road(table, store, RULES) as road:  # type: ignore[arg-type]
        with table.connect(database="pj", init_command=SESSION, conv={}, use_unicode=False) as session:
            cursor = session.cursor()
            cursor.execute(f"INSERT INTO t (id, a, x) VALUES {rows}")
            for _ in range(20):
                path = chance.choice(["$.n", "$.l[0]", '$."x y"', "$.deep.er"])
                cursor.execute(f"UPDATE t SET a = JSON_SET(a, '{path}', id * {chance.randrange(9)}) WHERE id % 3 < 2")
                copied = "IF(id % 2, JSON_SET(a, '$.n', 'copy'), NULL)"
                cursor.execute(f"UPDATE t SET b = {copied}, a = JSON_REMOVE(a, '$.l')")
            cursor.execute("SELECT id, a, b FROM t ORDER BY id")
            printed = list(cursor.fetchall())
        road.catch_up()
        for place, key in ((1, "a"), (2, "b")):
            assert road.values(f"{key}:{row[0].decode()}" for row in printed) == [row[place] for row in printed]
