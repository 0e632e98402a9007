"""The accounts of docs/accounts are enough for everything, and nothing in them can be left out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.exceptions import NoAuthError

from hasync.clock import SystemClock
from hasync.model.check import Check
from hasync.model.config import parse
from hasync.sinks.checks import redis_checks
from hasync.sinks.endpoint import RedisEndpoint
from hasync.stream.samples import sample_commands
from testbed import wait_until, workdir
from tests.security.estate import DEADLINE_S, STREAM, Estate, statements

DATABASES = [pytest.param("mysql", marks=pytest.mark.mysql), pytest.param("mariadb", marks=pytest.mark.mariadb)]
SQL_GRANTS = {"mysql": ("REPLICATION SLAVE", "REPLICATION CLIENT"), "mariadb": ("REPLICATION SLAVE", "BINLOG MONITOR")}
REDIS_RULES = [rule for rule in statements("redis.acl").splitlines()[1].split() if rule[0] in "+~"]
ADVISED = {"+role": "redis.role", "+info": "redis.version", "+client|setname": "redis.client_name"}
"""Rights without which the stream still runs; doctor warns."""
UNTRIED = {"+select"}
"""Sent for a database other than 0 only."""


@pytest.fixture(scope="module", params=DATABASES)
def estate(request: pytest.FixtureRequest) -> Iterator[Estate]:
    """A deployment with just those accounts."""
    with workdir() as place, Estate(place, database=request.param) as estate:
        estate.deploy()
        yield estate


def same_everywhere(estate: Estate) -> None:
    """Skip what does not depend on the database for all of them but one."""
    if estate.database != "mysql":
        pytest.skip("the database makes no difference")


def faults(estate: Estate) -> list[str]:
    """Name all that doctor calls a fault."""
    return [name for name, check in estate.findings().items() if not check["ok"] and not check["warning"]]


def test_stream_runs_and_is_taken_over_with_just_these_accounts(estate: Estate) -> None:
    """Start, apply, lose the leader, go on, ask doctor: no right is missing, and no row."""
    estate.write(1, "ann")
    with estate.instance("a"):
        estate.wait_for(1, "ann")
        with estate.instance("b") as standby:
            assert faults(estate) == []
            hand_over = ("switchover", "--stream", STREAM, "--to", "b", "--yes", "--wait")
            wait_until("b leads", lambda: estate.run(*hand_over).returncode == 0, timeout_s=DEADLINE_S)
            estate.write(2, "bob")
            estate.wait_for(2, "bob")
            assert standby.poll() is None
    logs = estate.log("a").read_text() + estate.log("b").read_text()
    assert "NOPERM" not in logs
    assert "denied" not in logs


@pytest.mark.parametrize("number", [0, 1])
def test_missing_grant_is_named_with_the_statement_that_gives_it(estate: Estate, number: int) -> None:
    """Doctor's remedy is run as it stands, and is all that it takes."""
    grant = SQL_GRANTS[estate.database][number]
    estate.source.sql(f"REVOKE {grant} ON *.* FROM 'hasync'@'%'")
    found = estate.findings()["source.grants"]
    assert (found["ok"], found["warning"]) == (False, False)
    assert grant in found["detail"]
    assert found["remedy"].endswith("TO 'hasync'@'%'")
    estate.source.sql(found["remedy"])
    assert estate.findings()["source.grants"]["ok"]


def test_every_rule_of_the_redis_account_is_needed(estate: Estate) -> None:
    """Each is taken away by itself; doctor names it, and its remedy is run as it stands."""
    same_everywhere(estate)
    for rule in REDIS_RULES:
        if rule in UNTRIED:
            continue
        take(estate, rule)
        found = redis_findings(estate)
        if rule in ADVISED:
            check = found[ADVISED[rule]]
            assert check.warning, rule
            assert rule in check.remedy, rule
            estate.admin("ACL", "SETUSER", "hasync", rule)
            continue
        check = found.get("redis.permissions") or found["redis.reachable"]
        assert not check.ok, rule
        assert rule in check.remedy, (rule, check)
        estate.admin(*check.remedy.split())
        assert redis_findings(estate)["redis.permissions"].ok, (rule, check)


def redis_findings(estate: Estate) -> dict[str, Check]:
    """Return doctor's part about Redis, by name, without a process for each look."""
    endpoint = RedisEndpoint(
        url=f"rediss://{estate.redis.address}/0",
        username="hasync",
        password=estate.secrets["redis"],
        ca_file=str(estate.authority.file),
    )
    samples = sample_commands(parse(estate.document()))
    return {check.name: check for check in redis_checks(endpoint, stream=STREAM, clock=SystemClock(), samples=samples)}


def take(estate: Estate, rule: str) -> None:
    """Take one rule from hasync's user."""
    if rule.startswith("+"):
        estate.admin("ACL", "SETUSER", "hasync", f"-{rule[1:]}")
        return
    left = [other for other in REDIS_RULES if other.startswith("~") and other != rule]
    estate.admin("ACL", "SETUSER", "hasync", "resetkeys", *left)


def test_database_number_needs_select(estate: Estate, tmp_path: Path) -> None:
    """The one right that is not tried in database 0."""
    same_everywhere(estate)
    config = tmp_path / "other.yaml"
    config.write_text(estate.document().replace("/0", "/3"))
    estate.admin("ACL", "SETUSER", "hasync", "-select")
    refused = estate.run("doctor", "--stream", STREAM, "--config", str(config))
    estate.admin("ACL", "SETUSER", "hasync", "+select")
    assert refused.returncode == 1
    assert "+select" in refused.stdout


def test_account_reaches_nothing_else(estate: Estate) -> None:
    """Neither other keys, nor administration, nor the rows of a table."""
    with estate.redis.client(username="hasync", password=estate.secrets["redis"]) as client:
        for words in (
            ("GET", "other"),
            ("FLUSHALL",),
            ("CONFIG", "GET", "*"),
            ("EVAL", "return 1", "0"),
            ("KEYS", "*"),
        ):
            with pytest.raises(Exception, match=r"(?i)permission"):
                client.execute_command(*words)
    with estate.source.connect(user="hasync", password=estate.secrets["source"]) as own, own.cursor() as cursor:
        for statement in ("SELECT * FROM shop.users", "INSERT INTO shop.users VALUES (9, 'x')", "CREATE DATABASE x"):
            with pytest.raises(Exception, match="denied"):
                cursor.execute(statement)


def test_plain_connection_is_refused_by_the_account(estate: Estate) -> None:
    """REQUIRE SSL holds also where the server itself would take plain connections."""
    estate.source.sql("SET GLOBAL require_secure_transport = OFF")
    try:
        with pytest.raises(Exception, match=r"(?i)denied|secure"):
            estate.source.connect(user="hasync", password=estate.secrets["source"], ssl=None, ssl_disabled=True)
    finally:
        estate.source.sql("SET GLOBAL require_secure_transport = ON")


def test_tables_definitions_need_select_where_the_binlog_lacks_them(estate: Estate) -> None:
    """With MINIMAL metadata doctor asks for SELECT on the table; the file's statement gives it."""
    estate.source.sql("SET GLOBAL binlog_row_metadata = 'MINIMAL'")
    try:
        found = estate.findings()["source.binlog_row_metadata"]
        assert (found["ok"], found["warning"]) == (False, False)
        assert "GRANT SELECT ON shop.users TO 'hasync'@'%'" in found["remedy"]
        estate.source.sql(statements("definitions.sql").splitlines()[-1].rstrip(";"))
        assert estate.findings()["source.binlog_row_metadata"]["warning"]
    finally:
        estate.source.sql("SET GLOBAL binlog_row_metadata = 'FULL'")
        estate.source.sql("REVOKE ALL PRIVILEGES ON shop.users FROM 'hasync'@'%'")


def test_tree_belongs_to_the_identity_alone(estate: Estate) -> None:
    """Every znode that instances and commands made has the ACL that zk/acl promises."""
    same_everywhere(estate)
    with estate.tree(estate.secrets["zookeeper"]) as client:
        paths = ["/hasync"]
        for path in paths:
            paths += [f"{path}/{name}" for name in client.get_children(path)]
            entries, _ = client.get_acls(path)
            assert [(entry.id.scheme, entry.id.id.partition(":")[0], entry.perms) for entry in entries] == [
                ("digest", "hasync", 31)
            ], path
        assert len(paths) > 10
    with estate.tree("somebody:else") as stranger, pytest.raises(NoAuthError):
        stranger.get(f"/hasync/streams/{STREAM}/config")


def test_somebody_without_the_identity_is_told_what_to_set(estate: Estate) -> None:
    """An operator whose password is another one reads whose tree it is."""
    same_everywhere(estate)
    estate.put("zookeeper", "hasync:wrong")
    try:
        refused = estate.run("config", "show", "--stream", STREAM)
    finally:
        estate.put("zookeeper", estate.secrets["zookeeper"])
    assert refused.returncode != 0
    assert "identity" in refused.stderr
    assert "wrong" not in refused.stderr + refused.stdout
