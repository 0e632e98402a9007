"""``hasync drill`` on three real instances: each fault is done, undone, and judged."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hasync.drill.probe import RULE, SQL
from testbed import Redis, SqlServer, ZooKeeper
from tests.failover.conftest import backends_of
from tests.failover.fleet import ROOT, SCHEMA, STREAM, Fleet, Workload, fleet_on

TABLE = "hasync_drill.beat"
ACCOUNT = f"""
DROP DATABASE IF EXISTS hasync_drill;
CREATE DATABASE hasync_drill;
{SQL.format(table=TABLE)};
DROP USER IF EXISTS prober;
CREATE USER prober IDENTIFIED BY 'probing';
GRANT INSERT, SELECT, DELETE ON {TABLE} TO prober
"""
PROBE = ("--probe", "--probe-user", "prober", "--probe-password", "env:PROBE_PASSWORD")


def drill(fleet: Fleet, *words: str) -> tuple[int, Any, str]:
    """Type the command; return its exit code, the report (None when there is none), and what it said."""
    backends = fleet.backends
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
    done = subprocess.run(
        [sys.executable, "-m", "hasync", "drill", *words, "-o", "json"],
        cwd=ROOT,
        env=inherited
        | {
            "HASYNC_ZOOKEEPER__HOSTS": backends.zookeeper.hosts,
            "HASYNC_ZOOKEEPER__ROOT": backends.root,
            "HASYNC_STREAMS": STREAM,
            "MYSQL_PASSWORD": backends.database.reader_password,
            "PROBE_PASSWORD": "probing",
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


@pytest.fixture(scope="module")
def instances(
    request: pytest.FixtureRequest, zookeeper: ZooKeeper, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """Three instances that obey drills, with writes under way; the same for all tests of this module on a database."""
    server: SqlServer = request.getfixturevalue(request.param)
    directory = tmp_path_factory.mktemp("drill")
    server.script(SCHEMA)
    server.script(ACCOUNT)
    with Redis(directory) as redis, fleet_on(backends_of(server, redis, zookeeper, directory)) as fleet:
        fleet.apply(fleet.backends.config(extra="  " + RULE.format(table=TABLE) + "\n"))
        fleet.start("a", "b", "c", HASYNC_DRILLS__ENABLED="true")
        fleet.leader()
        with Workload(server, pause_s=0.01):
            yield fleet


def test_stream_without_the_probe_s_rule_is_told_what_it_lacks(mysql_fleet: Fleet, one_database: SqlServer) -> None:
    """And instances that do not allow drills refuse; in both cases nothing was done."""
    one_database.script(ACCOUNT)
    mysql_fleet.apply(mysql_fleet.backends.config())
    mysql_fleet.start("x", "y")
    leader = mysql_fleet.leader()
    code, document, said = drill(mysql_fleet, "crash-leader", *PROBE)
    assert (code, document) == (1, None)
    assert "hasync.drill.handlers:beat" in said
    code, document, said = drill(mysql_fleet, "crash-leader")
    assert (code, document) == (1, None)
    assert f"{leader.member} refuses: drills are not enabled" in said
    assert "HASYNC_DRILLS__ENABLED=true" in said
    assert leader.leads


DRILLS = {
    "crash-leader": (),
    "freeze-leader": ("--for", "500ms"),
    "expire-session": (),
    "cut-zookeeper": ("--for", "1s"),
    "cut-redis": ("--for", "1s"),
    "cut-mysql": ("--for", "1s"),
    "switchover": (),
}


OF_THE_SOURCE = ("crash-leader", "expire-session", "cut-mysql")
"""The drills in which a dump is taken over or lost, which each database does in its own way."""

ON_MYSQL = pytest.mark.parametrize("instances", ["mysql"], indirect=True, scope="module")
ON_MARIADB = pytest.mark.parametrize("instances", ["mariadb"], indirect=True, scope="module")


@ON_MYSQL
@pytest.mark.parametrize("name", DRILLS)
def test_drill_is_done_undone_and_judged(instances: Fleet, name: str) -> None:
    """Nothing is lost or doubled, the sequence is whole, and the instance is back."""
    hold(instances, name)


def hold(instances: Fleet, name: str) -> None:
    """Type the command of a drill, and look at its report."""
    code, document, said = drill(instances, name, *DRILLS[name], *PROBE)
    assert document is not None, said
    (report,) = document["reports"]
    assert code == 0, [rule for rule in report["rules"] if not rule["ok"]]
    assert report["undone"]["done"]
    assert report["probe"]["committed"] > 50
    assert (report["probe"]["lost"], report["probe"]["doubled"]) == (0, 0)
    assert report["sequence"]["continuous"]
    wanted = 1 if name in {"crash-leader", "expire-session", "switchover"} else 0
    assert len(report["epochs"]["new"]) == wanted  # one change of term for one fault, and none for what passes (I7)


@ON_MYSQL
def test_rolling_restart_leaves_every_instance_in_a_new_process(instances: Fleet) -> None:
    """One after the other, and the stream is led all the time but for one hand-over."""
    before = pids(instances)
    code, document, said = drill(instances, "rolling-restart", *PROBE)
    assert code == 0, said
    after = pids(instances)
    assert before.keys() == after.keys() == {"a", "b", "c"}
    assert all(before[name] != after[name] for name in before)
    assert document["reports"][0]["probe"]["lost"] == 0


def pids(fleet: Fleet) -> dict[str, int]:
    """Return each instance's worker."""
    return {each.member: json.loads(each.get("/status")[1])["pid"] for each in fleet.instances}


@ON_MYSQL
def test_plan_with_a_budget_that_nothing_keeps_fails_and_makes_a_page(instances: Fleet, tmp_path: Path) -> None:
    """All its drills run; one broken rule makes the whole fail."""
    plan, html = tmp_path / "plan.yaml", tmp_path / "report.html"
    plan.write_text("pause: 1s\ndrills:\n  - {drill: switchover, budgets: {max_gap: 1ms}}\n  - switchover\n")
    code, document, said = drill(instances, "plan", str(plan), "--html", str(html))
    assert code == 1, said
    assert [report["passed"] for report in document["reports"]] == [False, True]
    assert [rule["rule"] for rule in document["reports"][0]["rules"] if not rule["ok"]] == ["write gap"]
    assert html.read_text().count("<svg") >= 2


@ON_MARIADB
@pytest.mark.parametrize("name", OF_THE_SOURCE)
def test_drill_of_the_source_is_done_undone_and_judged_on_mariadb(instances: Fleet, name: str) -> None:
    """As on MySQL."""
    hold(instances, name)
