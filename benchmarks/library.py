"""The contender to compare with: mysql-replication's stream reader and redis-py pipelines, as one writes them by hand.

It is set to its best: only the one table and the one kind of event, its logging off,
pipelines without MULTI. It keeps no position and no fence, and applies nothing exactly once.
"""

import time
from typing import Any

import redis
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import WriteRowsEvent

from benchmarks.task import KEY_PREFIX, SCHEMA, TABLE, Answer, Task

PIPELINE_COMMANDS = 1000
SERVER_ID = 4711


def run(task: Task) -> Answer:
    """Read to the end of the binlog and set each row's key."""
    began = time.monotonic()
    rows = 0
    client = redis.Redis(host=task.host, port=task.redis_port)
    pipeline = client.pipeline(transaction=False)
    reader = _reader(task)
    for event in reader:
        for row in event.rows:
            values = row["values"]
            pipeline.set(f"{KEY_PREFIX}{values['uid']}", str(values["balance"]))
        rows += len(event.rows)
        if len(pipeline) >= PIPELINE_COMMANDS:
            pipeline.execute()
    pipeline.execute()
    ended = time.monotonic()
    reader.close()
    client.close()
    return Answer(rows=rows, seconds=ended - began)


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
        log_pos=4,
        only_events=[WriteRowsEvent],
        only_schemas=[SCHEMA],
        only_tables=[TABLE],
        enable_logging=False,
    )
