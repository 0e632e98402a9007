"""Random ALTER TABLE statements: carried out by us, and undone, as the server carries them out."""

import contextlib
import random
from collections.abc import Iterator

import pymysql
import pytest

from hasync.binlog.connection import Login
from hasync.binlog.ddl import AlterTable
from hasync.binlog.ddlparser import parse
from hasync.binlog.schemarecords import columns_now
from hasync.binlog.server import Server
from hasync.binlog.sqltokens import Dialect
from hasync.binlog.tableschema import TableSchema, UnprovableError
from testbed.sql import SqlServer
from tests.integration.binlog.bench import is_mariadb

STATEMENTS = 250
NAMES = ("a", "A", "b", "c", "d", "`E f`", "`e F`", "G")
TYPES = (
    *("INT", "BIGINT UNSIGNED", "INT(4) UNSIGNED ZEROFILL", "VARCHAR(20)", "CHAR(4) CHARACTER SET latin1", "TEXT"),
    *("ENUM('x','y''z')", "SET('p','q') CHARACTER SET gbk", "DECIMAL(8,3)", "DATETIME(2)", "VARBINARY(9)", "BIT(3)"),
    *("FLOAT", "DOUBLE PRECISION", "YEAR", "BOOLEAN", "TIMESTAMP(6) NULL", "VARCHAR(7) COLLATE utf8mb4_bin", "JSON"),
)
ATTRIBUTES = ("", "NOT NULL", "NULL DEFAULT NULL", "COMMENT 'a, b FIRST'", "INVISIBLE", "NULL COMMENT 'it''s' AFTER_")


class Alters:
    """Makes statements, many of which the server refuses."""

    def __init__(self, seed: int, *, mariadb: bool) -> None:
        self._random = random.Random(seed)
        self._mariadb = mariadb

    def statement(self) -> str:
        """Return one with up to three actions."""
        actions = [self._action() for _ in range(self._random.choice((1, 1, 2, 3)))]
        return f"ALTER TABLE t {', '.join(actions)}"

    def _action(self) -> str:
        pick = self._random.choice
        name, other = pick(NAMES), pick(NAMES)
        absent = "IF NOT EXISTS " if self._mariadb and pick((True, False, False)) else ""
        exists = "IF EXISTS " if self._mariadb and pick((True, False, False)) else ""
        actions = [
            *(f"ADD COLUMN {absent}{name} {self._column()}", f"ADD {name} {self._column()}") * 2,
            *(f"DROP COLUMN {exists}{name}", f"MODIFY {exists}{name} {self._column()}"),
            *(f"CHANGE {exists}{name} {other} {self._column()}", f"RENAME COLUMN {exists}{name} TO {other}") * 2,
            *("COMMENT = 'x, DROP a'", "ADD INDEX (id)", "DEFAULT CHARACTER SET utf8mb4", "ENGINE = InnoDB"),
        ]
        return str(pick(actions))

    def _column(self) -> str:
        pick = self._random.choice
        place = pick(("", "", "", " FIRST", f" AFTER {pick(NAMES)}", f" AFTER {pick(NAMES)}"))
        return f"{pick(TYPES)} {pick(ATTRIBUTES).removesuffix('AFTER_')}{place}"


@pytest.fixture
def catalog(server: SqlServer) -> Iterator[Server]:
    subject = Server(Login(host=server.address, user=server.reader_user, password=server.reader_password))
    yield subject
    subject.close()


@pytest.mark.parametrize("seed", range(3))
def test_random_definition_is_carried_out_as_the_server_does(
    server: SqlServer, schema: str, catalog: Server, seed: int
) -> None:
    """Names, order and types agree with the catalog after each; what is undone agrees with what was."""
    alters = Alters(seed, mariadb=is_mariadb(server))
    dialect = Dialect(flavor=catalog.flavor)
    server.sql(f"CREATE TABLE {schema}.t (id INT PRIMARY KEY, a INT, b VARCHAR(5), c BIGINT)")
    tracked = columns_now(catalog, (schema, "t"))
    accepted = carried = undone = 0
    with server.connect(database=schema) as connection, connection.cursor() as cursor:
        for _ in range(STATEMENTS):
            sql = alters.statement()
            try:
                cursor.execute(sql)
            except pymysql.MySQLError:
                continue  # refused, so it is not in the binlog
            accepted += 1
            found = parse(sql, schema, dialect)
            assert isinstance(found, AlterTable), sql
            now = columns_now(catalog, (schema, "t"))
            with contextlib.suppress(UnprovableError):
                onward = tracked.after(found.actions)
                assert [column.name for column in onward.columns] == [column.name for column in now.columns], sql
                assert_agrees(onward, now, sql)
                carried += 1
            with contextlib.suppress(UnprovableError):
                assert_agrees(now.before(found.actions), tracked, sql)
                undone += 1
            tracked = now
    assert accepted > STATEMENTS / 10
    assert carried > accepted * 0.9
    assert undone > accepted * 0.2


def assert_agrees(ours: TableSchema, theirs: TableSchema, sql: str) -> None:
    """Compare what is known; what a column was called is told in the spelling of the statement."""
    assert [column.name.lower() for column in ours.columns] == [column.name.lower() for column in theirs.columns], sql
    for mine, yours in zip(ours.columns, theirs.columns, strict=True):
        if mine.declared is None or yours.declared is None:
            continue
        for name in ("base", "unsigned", "zerofill", "members", "charset"):
            known = getattr(mine.declared, name)
            assert known is None or known == getattr(yours.declared, name), (sql, mine, yours)
        if mine.nullable is not None:
            assert mine.nullable == yours.nullable, (sql, mine, yours)
