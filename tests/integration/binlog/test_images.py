"""Row images that are not whole: good for rules that need no more, refused by name for others."""

from collections.abc import Iterator

import pytest

from hasync.binlog.connection import Login
from hasync.binlog.preflight import checks
from hasync.binlog.server import Server
from hasync.binlog.source import BinlogSource
from hasync.errors import SourceRefused
from hasync.model.check import Check
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, ids, read_to_end, source_of
from tests.integration.binlog.test_transactions import run

NAME = "source.binlog_row_image"


@pytest.fixture
def source(server: SqlServer) -> Iterator[BinlogSource]:
    subject = source_of(server)
    yield subject
    subject.close()


@pytest.fixture
def image(server: SqlServer, request: pytest.FixtureRequest) -> Iterator[str]:
    server.sql(f"SET GLOBAL binlog_row_image = {request.param}")
    yield request.param
    server.sql("SET GLOBAL binlog_row_image = FULL")


both = pytest.mark.parametrize("image", ["MINIMAL", "NOBLOB"], indirect=True)

TABLES = [
    # declaration, what NOBLOB may lack, what MINIMAL may lack
    ("id INT PRIMARY KEY, n INT, b TEXT", "b", "b n"),
    ("id INT, b VARBINARY(9), j JSON, PRIMARY KEY (id, b)", "j", "j"),
    ("n INT, id INT NOT NULL UNIQUE, b BLOB", "b", "b n"),
    ("a INT NOT NULL UNIQUE, b INT NOT NULL UNIQUE, c TEXT NOT NULL", "c", "a b c"),
    ("n INT UNIQUE, b BLOB", "", ""),
    ("n INT, g GEOMETRY, b LONGTEXT", "", ""),
]


def check_of(server: SqlServer, wanted: Wanted) -> Check:
    found = Server(Login(host=server.address, user=server.reader_user, password=server.reader_password))
    try:
        [check] = [check for check in checks(found, lambda: wanted) if check.name == NAME]
    finally:
        found.close()
    return check


@both
@pytest.mark.parametrize(("declaration", "noblob", "minimal"), TABLES, ids=[case[0] for case in TABLES])
def test_columns_that_may_be_missing_are_named(
    server: SqlServer, schema: str, image: str, declaration: str, noblob: str, minimal: str
) -> None:
    """Those that are wanted and not in the key; a table without a key has whole images."""
    run(server, schema, f"CREATE TABLE t ({declaration})", "CREATE TABLE unwanted (id INT PRIMARY KEY, n TEXT)")
    lacking = (noblob if image == "NOBLOB" else minimal).split()
    found = check_of(server, Wanted(schema, ("t",)))
    assert found.ok is not bool(lacking)
    named = sorted(word.rpartition(".")[2] for word in found.detail.replace(",", "").split() if f"{schema}.t." in word)
    assert named == lacking
    assert check_of(server, Wanted(schema, ("t",), skip=tuple(lacking))).ok


@both
def test_source_refuses_what_it_may_lack(server: SqlServer, schema: str, source: BinlogSource, image: str) -> None:
    """The leader does not begin either; the SQL of the hint mends it."""
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, b TEXT)")
    with pytest.raises(SourceRefused, match=rf"{schema}\.t\.b") as refused:
        source.open(LATEST, Wanted(schema))
    server.sql(refused.value.hint.split(";")[0])
    source.open(LATEST, Wanted(schema))


@both
def test_keys_are_enough_for_rules_on_keys(server: SqlServer, schema: str, source: BinlogSource, image: str) -> None:
    """INSERT and DELETE with the key only; other columns may come or not."""
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, n INT DEFAULT 5, b TEXT)")
    source.open(LATEST, Wanted(schema, skip=("n", "b")))
    run(server, schema, "INSERT INTO t (id) VALUES (1), (2)", "INSERT INTO t VALUES (3, 3, 'x')", "DELETE FROM t")
    assert ids(read_to_end(source, server)) == [b"1", b"2", b"3", b"1", b"2", b"3"]
