"""Accounts that do not see the tables of the rules: told before the stream halts, with the GRANT that mends it."""

from collections.abc import Iterator

import pytest

from hasync.binlog.connection import Login
from hasync.binlog.preflight import checks
from hasync.binlog.server import Server
from hasync.errors import SourceRefused
from hasync.model.check import Check
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, ids, is_mysql, read_to_end, source_of
from tests.integration.binlog.test_transactions import run

SETTINGS = {"binlog_row_metadata": ("MINIMAL", "NO_LOG"), "binlog_row_image": ("MINIMAL", "MINIMAL")}
"""And their values below FULL on MySQL and on MariaDB."""


@pytest.fixture(params=SETTINGS)
def setting(server: SqlServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the name of a setting that is below FULL."""
    low = SETTINGS[request.param][0 if is_mysql(server) else 1]
    server.sql(f"SET GLOBAL {request.param} = {low}")
    yield request.param
    server.sql(f"SET GLOBAL {request.param} = FULL")


@pytest.fixture
def blind(server: SqlServer) -> Iterator[str]:
    """Yield an account that may read the binlog, and no table."""
    server.sql("CREATE USER blind IDENTIFIED BY 'blind'")
    server.sql("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO blind")
    yield "blind"
    server.sql("DROP USER blind")


def check_of(server: SqlServer, user: str, setting: str, wanted: Wanted) -> Check:
    """Return what doctor prints of the setting."""
    found = Server(Login(host=server.address, user=user, password=user))
    try:
        [check] = [check for check in checks(found, lambda: wanted) if check.name == f"source.{setting}"]
    finally:
        found.close()
    return check


def test_hidden_table_fails_until_it_is_granted(server: SqlServer, schema: str, setting: str, blind: str) -> None:
    """Neither doctor nor the leader goes on, and the hint's GRANT is all that it takes."""
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE `t-2` (id INT PRIMARY KEY)")
    wanted = Wanted(schema, ("t", "t-2"))
    found = check_of(server, blind, setting, wanted)
    assert not found.ok
    assert not found.warning
    assert f"{schema}.t, {schema}.t-2" in found.detail
    account = f"'{blind}'@'%'"
    assert found.remedy.startswith(f"GRANT SELECT ON {schema}.t TO {account}; GRANT SELECT ON {schema}.`t-2` TO")
    source = source_of(server, user=blind, password=blind)
    with pytest.raises(SourceRefused, match=setting) as refused:
        source.open(LATEST, wanted)
    for grant in refused.value.hint.split("; ")[:2]:
        server.sql(grant.replace("the account", blind))
    source.open(LATEST, wanted)
    run(server, schema, "INSERT INTO t VALUES (1)", "INSERT INTO `t-2` VALUES (2)")
    assert ids(read_to_end(source, server)) == [b"1", b"2"]
    source.close()
    found = check_of(server, blind, setting, wanted)
    assert found.ok or (found.warning and setting == "binlog_row_metadata" and schema not in found.detail)


@pytest.mark.parametrize("tables", [(), ("t*",)], ids=["all", "some"])
def test_pattern_that_matches_nothing_is_warned(
    server: SqlServer, schema: str, setting: str, blind: str, tables: tuple[str, ...]
) -> None:
    """Its tables may come later, or be hidden: nobody can tell, so the stream may run."""
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY)")
    wanted = Wanted(schema, tables)
    found = check_of(server, blind, setting, wanted)
    assert (found.ok, found.warning) == (False, True)
    assert f"{schema}.{tables[0] if tables else '*'}" in found.detail
    assert "GRANT SELECT" in found.remedy
    source = source_of(server, user=blind, password=blind)
    source.open(LATEST, wanted)
    source.close()


def test_table_that_is_not_there_yet_is_warned(server: SqlServer, schema: str, setting: str) -> None:
    """An account that may look sees that it is not hidden; nor is a schema that is not there."""
    for wanted in (Wanted(schema, ("later",)), Wanted(f"{schema}x", ("later",))):
        found = check_of(server, server.reader_user, setting, wanted)
        assert (found.ok, found.warning) == (False, True)
        assert f"{wanted.schema}.later" in found.detail


def test_whole_binlog_needs_no_look_at_the_tables(server: SqlServer, schema: str, blind: str) -> None:
    """With both settings at FULL it says everything."""
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY)")
    assert all(check_of(server, blind, setting, Wanted(schema, ("t",))).ok for setting in SETTINGS)
