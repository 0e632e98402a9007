"""The two workloads, written into MySQL's binlog, and the audit of what a contender made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.task import KEY_PREFIX, SCHEMA, TABLE, Void
from testbed import MySql

if TYPE_CHECKING:
    import redis

ASKED_KEYS = 5000
EVENT_ROWS_MAX = 10
"""The most rows one statement can insert: the rows of the table ``digit``."""

_TABLES = f"""
CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
USE {SCHEMA};
CREATE TABLE {TABLE} (
  uid         INT NOT NULL PRIMARY KEY,
  username    VARCHAR(50),
  balance     INT,
  update_time DATETIME
);
CREATE TABLE digit (n INT NOT NULL PRIMARY KEY);
INSERT INTO digit VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)
"""

_FILL = f"""
CREATE PROCEDURE {SCHEMA}.fill(total INT, event_rows INT)
BEGIN
  DECLARE first INT DEFAULT 0;
  WHILE first < total DO
    INSERT INTO {SCHEMA}.{TABLE}
      SELECT first + n, CONCAT('user', first + n), (first + n) * 7919 MOD 1000003,
             TIMESTAMP '2025-01-01 00:00:00' + INTERVAL first SECOND
      FROM {SCHEMA}.digit WHERE n < event_rows;
    SET first = first + event_rows;
  END WHILE;
END
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """``rows`` new rows, ``event_rows`` of them in each transaction, which is one INSERT and one rows event."""

    name: str
    rows: int
    event_rows: int


FULL = (Workload(name="bulk", rows=200_000, event_rows=10), Workload(name="one_row", rows=50_000, event_rows=1))
QUICK = (Workload(name="bulk", rows=60_000, event_rows=10), Workload(name="one_row", rows=20_000, event_rows=1))


def prepare(source: MySql) -> None:
    """Make the table and the procedure that fills it."""
    source.script(_TABLES)
    source.sql(_FILL)


def fill(source: MySql, workload: Workload) -> tuple[str, int]:
    """Write the workload, and nothing else, into a new binlog file; return the file and its end."""
    source.sql(f"TRUNCATE TABLE {SCHEMA}.{TABLE}")
    source.sql("FLUSH BINARY LOGS")
    source.sql(f"CALL {SCHEMA}.fill(%s, %s)", (workload.rows, workload.event_rows))
    return source.binlog_position()


def audit(source: MySql, cache: "redis.Redis", *, state_key: str) -> None:
    """Compare every row with its key. Raises Void unless Redis holds these keys, and at most the state key besides."""
    rows = source.sql(f"SELECT uid, CAST(balance AS CHAR) FROM {SCHEMA}.{TABLE}")
    found = [value for at in range(0, len(rows), ASKED_KEYS) for value in _found(cache, rows[at : at + ASKED_KEYS])]
    missing = found.count(None)
    wrong = sum(value != balance.encode() for value, (_, balance) in zip(found, rows, strict=True)) - missing
    foreign = int(cache.dbsize()) - int(cache.exists(state_key)) - (len(rows) - missing)
    if missing or wrong or foreign:
        raise Void(f"of {len(rows)} keys {missing} are missing and {wrong} wrong, and {foreign} are there besides")


def _found(cache: "redis.Redis", rows: Sequence[tuple[int, str]]) -> Sequence[bytes | None]:
    found: Any = cache.mget([f"{KEY_PREFIX}{uid}" for uid, _ in rows])
    return list(found)
