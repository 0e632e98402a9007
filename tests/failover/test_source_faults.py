"""The source's history is not what it was: noticed and said, never read over in silence."""

import pytest

from testbed import wait_until
from tests.failover.fleet import Fleet, assert_equal


@pytest.mark.regression("binlog reset under a running leader")
@pytest.mark.parametrize("first", [30, 2], ids=["new binlog is shorter", "new binlog is longer"])
def test_binlog_reset_under_a_running_leader_halts_the_stream(fleet: Fleet, first: int) -> None:
    """Its numbers begin anew: rows would be taken for known ones, or looked for behind the old offset."""
    backends = fleet.backends
    fleet.apply(backends.config())
    fleet.start("a")
    leader = fleet.leader()
    for number in range(first):
        backends.database.sql("INSERT INTO app.account VALUES (%s, 'o', 1, 1)", (number,))
    wait_until("all are in", lambda: leader.standing.get("rows_applied") == first)
    flavor = backends.database.flavor
    backends.database.sql("RESET BINARY LOGS AND GTIDS" if flavor == "mysql" else "RESET MASTER")
    for number in range(6):
        backends.database.sql("INSERT INTO app.product VALUES (%s, 'p', 1)", (number,))
    halt = wait_until("the stream is halted", fleet.coordination.halts.get, timeout_s=30)
    assert halt.code == "position_lost"
    assert "position reset" in halt.hint or "new start" in halt.hint
    assert leader.get("/readyz")[0] == 503


@pytest.mark.regression("binlog reset while nobody read it")
@pytest.mark.parametrize("more", [2, 60], ids=["new binlog is shorter", "new binlog is longer"])
def test_binlog_reset_while_nobody_read_it_halts_the_next_leader(fleet: Fleet, more: int) -> None:
    """Going by GTID would skip as many of the new rows as were applied before."""
    backends = fleet.backends
    fleet.apply(backends.config())
    (first,) = fleet.start("a")
    fleet.leader()
    for number in range(30):
        backends.database.sql("INSERT INTO app.account VALUES (%s, 'o', 1, 1)", (number,))
    wait_until("all are in", lambda: first.standing.get("rows_applied") == 30)
    first.process.stop()
    flavor = backends.database.flavor
    backends.database.sql("RESET BINARY LOGS AND GTIDS" if flavor == "mysql" else "RESET MASTER")
    for number in range(more):
        backends.database.sql("INSERT INTO app.product VALUES (%s, 'p', 1)", (number,))
    fleet.start("b")
    halt = wait_until("the stream is halted", fleet.coordination.halts.get, timeout_s=30)
    assert halt.code == "position_lost"


@pytest.mark.regression("TRUNCATE left its keys in silence")
def test_truncated_table_halts_until_somebody_says_to_go_on(fleet: Fleet) -> None:
    """The binlog does not name the rows: their keys are deleted by hand, then the stream is told to go on."""
    backends = fleet.backends
    fleet.apply(backends.config())
    fleet.start("a")
    fleet.leader()
    backends.database.sql("INSERT INTO app.account VALUES (1, 'o', 1, 1)")
    backends.database.sql("INSERT INTO app.other (note) VALUES ('x')")
    backends.database.sql("TRUNCATE TABLE app.other")
    backends.database.sql("INSERT INTO app.account VALUES (2, 'o', 2, 1)")
    wait_until("tables without rules do not matter", lambda: backends.redis.command("GET", "account:2") == b"2")
    backends.database.sql("TRUNCATE TABLE app.account")
    backends.database.sql("INSERT INTO app.account VALUES (3, 'o', 3, 1)")
    halt = wait_until("the stream is halted", fleet.coordination.halts.get, timeout_s=30)
    assert "app.account" in halt.reason
    assert backends.redis.command("GET", "account:3") is None
    backends.redis.command("DEL", "account:1", "account:2", "changes:1", "changes:2")
    fleet.apply(backends.config(extra="on_emptied_table: continue\n"))
    wait_until("it goes on", lambda: backends.redis.command("GET", "account:3") == b"3", timeout_s=20)
    assert_equal(backends.database, backends.redis)
