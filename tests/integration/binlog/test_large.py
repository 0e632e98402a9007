"""One transaction of LARGE_ROWS rows through real workers: bounded memory, and a leader killed in the middle of it."""

import math
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Redis, SqlServer, ZooKeeper, wait_until
from tests.failover.conftest import backends_of
from tests.failover.fleet import Fleet, Running, fleet_on

ROWS = int(os.environ.get("LARGE_ROWS", "300000"))
PEAK_RSS_MIB = 150.0
PATIENCE_S = 60.0 + ROWS / 5000
BUCKETS = 97

pytestmark = pytest.mark.timeout(300 + 4 * PATIENCE_S)

SCHEMA = """
DROP DATABASE IF EXISTS large;
CREATE DATABASE large;
CREATE TABLE large.digits (i INT PRIMARY KEY);
CREATE TABLE large.big (id INT PRIMARY KEY, n INT, note VARCHAR(40))
"""

FILL = f"""
INSERT INTO large.big SELECT id, id % 7, CONCAT('row ', id) FROM
(SELECT a.i + 1000 * b.i + 1000000 * c.i AS id FROM large.digits c, large.digits b, large.digits a
WHERE c.i < {math.ceil(ROWS / 1_000_000)}) AS numbers WHERE id < {ROWS}
"""

CONFIG = """
version: 1
source: {{hosts: ["{source}"], user: {user}, password: "env:MYSQL_PASSWORD"}}
redis: {{url: "redis://{redis}/0"}}
tables:
  large.big:
    - {{handler: "tests.failover.handlers:sums"}}
"""


@pytest.fixture
def fleet(server: SqlServer, tmp_path: Path) -> Iterator[Fleet]:
    """Two instances, of which one leads, on a server with an empty table."""
    server.script(SCHEMA)
    server.sql(f"INSERT INTO large.digits VALUES {', '.join(f'({number})' for number in range(1000))}")
    with (
        ZooKeeper(tmp_path) as zookeeper,
        Redis(tmp_path) as redis,
        fleet_on(backends_of(server, redis, zookeeper, tmp_path)) as fleet,
    ):
        fleet.apply(CONFIG.format(source=server.address, user=server.reader_user, redis=redis.address))
        fleet.start("a", "b")
        fleet.leader()
        yield fleet
    server.sql("DROP DATABASE large")


def peak_mib(instance: Running) -> float:
    """Return the most memory that the instance's worker has had, in MiB."""
    status = Path(f"/proc/{instance.worker}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def rows_done(fleet: Fleet) -> int:
    """Return how many rows of the transaction are in; all of them once it is behind."""
    state = fleet.state
    assert state is not None
    assert state.position is not None
    done = fleet.backends.redis.command("GET", "large:rows")
    return state.position.rows_done or (ROWS if done == b"%d" % ROWS else 0)


def expected() -> dict[str, int]:
    """Return what Redis has to hold: count and sum of the ids in each bucket, and the count of all."""
    found = {"large:rows": ROWS}
    for bucket in range(min(BUCKETS, ROWS)):
        ids = range(bucket, ROWS, BUCKETS)
        found |= {f"large:count:{bucket}": len(ids), f"large:sum:{bucket}": sum(ids)}
    return found


def test_leader_killed_half_way_through_a_large_transaction_is_resumed_where_it_was(
    fleet: Fleet, server: SqlServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """I2, I8, I9: every row counts once, and neither worker ever holds more of it than a few batches."""
    began = time.monotonic()
    filling = threading.Thread(target=lambda: server.sql(FILL), daemon=True)
    filling.start()
    first = fleet.leader()
    wait_until("half of it is in", lambda: rows_done(fleet) >= ROWS // 2, timeout_s=PATIENCE_S, poll_s=0.02)
    half_s, peaks = time.monotonic() - began, [peak_mib(first)]
    first.process.kill()
    second = fleet.leader(other_than=first)
    wait_until("all of it is in", lambda: rows_done(fleet) == ROWS, timeout_s=PATIENCE_S)
    filling.join(10)
    peaks.append(peak_mib(second))
    took_s = time.monotonic() - began
    redis, wanted = fleet.backends.redis, expected()
    with redis.client() as client:
        found = dict(zip(wanted, map(int, client.mget(list(wanted))), strict=True))
    assert found == wanted
    (last, _) = fleet.coordination.terms.history()
    assert last.begin is not None
    assert ROWS // 2 <= last.begin.rows_done < ROWS
    story = (
        f"{server.flavor}: {ROWS:,} rows in one transaction, half in Redis after {half_s:.0f} s, "
        f"all after {took_s:.0f} s, resumed at row {last.begin.rows_done:,}, "
        f"peaks {peaks[0]:.0f} and {peaks[1]:.0f} MiB\n"
    )
    with capsys.disabled():
        sys.stdout.write(story)
    assert max(peaks) <= PEAK_RSS_MIB
