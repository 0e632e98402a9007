"""The contender to compare with: mysql-replication's stream reader and redis-py pipelines, as one writes them by hand.

It is set to its best: only the one table and the one kind of event, its logging off,
pipelines without MULTI. It keeps no position and no fence, and applies nothing exactly once.
"""

import time
from collections.abc import Callable
from typing import Any

import redis
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import WriteRowsEvent

from benchmarks.task import SCHEMA, Answer, Task, peak_rss_mb

PIPELINE_COMMANDS = 1000
SERVER_ID = 4711

Values = dict[str, Any]


def _balance(pipeline: Any, row: Values) -> None:
    pipeline.set(f"user:balance:{row['uid']}", str(row["balance"]))


def _profile(pipeline: Any, row: Values) -> None:
    pipeline.set(f"profile:{row['id']}", f"{row['c7']}:{row['c33']}")


def _order(pipeline: Any, row: Values) -> None:
    user = f"user:{row['user_id']}"
    pipeline.delete(f"order:{row['id']}", f"{user}:orders", f"{user}:order:stats")


def _product(pipeline: Any, row: Values) -> None:
    fields = {"name": row["name"], "price": str(row["price"]), "stock": str(row["stock"])}
    pipeline.hset(f"product:{row['id']}", mapping=fields)


RENDERS: dict[str, Callable[[Any, Values], None]] = {
    "bulk": _balance,
    "one_row": _balance,
    "wide": _profile,
    "deletes": _order,
    "hashes": _product,
}


def run(task: Task) -> Answer:
    """Read the first rows of the binlog and apply them."""
    began = time.monotonic()
    client = redis.Redis(host=task.host, port=task.redis_port)
    reader = _reader(task)
    rows = _apply(reader, client.pipeline(transaction=False), RENDERS[task.workload], task.rows)
    ended = time.monotonic()
    reader.close()
    client.close()
    return Answer(rows=rows, seconds=ended - began, peak_rss_mb=peak_rss_mb())


def _apply(reader: Any, pipeline: Any, render: Callable[[Any, Values], None], most: int) -> int:
    rows = 0
    for event in reader:
        for row in event.rows:
            render(pipeline, row["values"])
        rows += len(event.rows)
        if len(pipeline) >= PIPELINE_COMMANDS or rows >= most:
            pipeline.execute()
        if rows >= most:
            break
    return rows


def _reader(task: Task) -> Any:
    return BinLogStreamReader(
        connection_settings={
            "host": task.host,
            "port": task.source_port,
            "user": task.source_user,
            "password": task.source_password,
            "ssl_disabled": True,
        },
        server_id=SERVER_ID,
        blocking=False,
        resume_stream=True,
        log_file=task.file,
        log_pos=task.start_pos,
        only_events=[WriteRowsEvent],
        only_schemas=[SCHEMA],
        only_tables=[task.table],
        enable_logging=False,
    )
