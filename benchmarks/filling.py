"""Workloads written into MySQL's binlog, and what MySQL says that Redis must hold then."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.task import SCHEMA
from benchmarks.workload import LARGE, Words, Workload
from testbed import MySql, Options

CHUNK_ROWS = 1000
"""Rows of a chunk; all sizes are multiples of it."""

SERVER: Options = {
    "innodb-buffer-pool-size": "512M",
    "innodb-redo-log-capacity": "512M",
    "innodb-flush-log-at-trx-commit": 0,
    "innodb-doublewrite": "OFF",
}
"""Filling faster; nothing of it touches the binlog or its reading."""

_DIGITS = 7
_TEXT_BYTES_MAX = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some rows, as bytes of the Redis protocol: see :class:`benchmarks.workload.Workload`."""

    rows: int
    commands: bytes
    before: bytes
    question: bytes
    reply: bytes


def prepare(source: MySql) -> None:
    """Make the schema, and a table of digits to make rows from."""
    digits = ", ".join(f"({digit})" for digit in range(10))
    source.script(
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
        f"CREATE TABLE {SCHEMA}.digit (n INT NOT NULL PRIMARY KEY);"
        f"INSERT INTO {SCHEMA}.digit VALUES {digits}"
    )


def create(source: MySql, workload: Workload) -> tuple[str, int]:
    """Make the workload's table, empty, and begin a binlog file; return that file and its end."""
    source.sql(f"DROP TABLE IF EXISTS {SCHEMA}.{workload.table}")
    source.sql(f"CREATE TABLE {SCHEMA}.{workload.table} ({workload.columns})")
    source.sql("FLUSH BINARY LOGS")
    file, position = source.binlog_position()
    source.sql("PURGE BINARY LOGS TO %s", (file,))  # or the files of all workloads would lie there at once
    return file, position


def fill(source: MySql, workload: Workload, rows: int) -> tuple[str, int]:
    """Write that many rows, and nothing else, into a new binlog file; return the file and its end."""
    create(source, workload)
    if workload is LARGE:
        source.sql(_one_transaction(workload), (rows,))
    else:
        source.sql(f"DROP PROCEDURE IF EXISTS {SCHEMA}.fill")
        source.sql(_procedure(workload))
        source.sql("FLUSH BINARY LOGS")
        source.sql(f"CALL {SCHEMA}.fill(%s)", (rows,))
    return source.binlog_position()


def _procedure(workload: Workload) -> str:
    count = f"(SELECT first + n AS i FROM {SCHEMA}.digit WHERE n < {workload.event_rows}) AS number"
    return f"""
        CREATE PROCEDURE {SCHEMA}.fill(total INT)
        BEGIN
          DECLARE first INT DEFAULT 0;
          WHILE first < total DO
            INSERT INTO {SCHEMA}.{workload.table} SELECT {workload.values} FROM {count};
            SET first = first + {workload.event_rows};
          END WHILE;
        END"""


def _one_transaction(workload: Workload) -> str:
    places = [f"d{place}.n * {10**place}" for place in range(_DIGITS)]
    tables = ", ".join(f"{SCHEMA}.digit AS d{place}" for place in reversed(range(_DIGITS)))
    numbers = f"SELECT {' + '.join(places)} AS i FROM {tables}"
    return f"INSERT INTO {SCHEMA}.{workload.table} SELECT {workload.values} FROM ({numbers}) AS number WHERE i < %s"


def chunks(source: MySql, workload: Workload) -> Iterator[Chunk]:
    """Return the table's rows, in the binlog's order, and what they mean in Redis, as MySQL prints it."""
    reply = f"':{workload.reply}\\r\\n'" if isinstance(workload.reply, int) else _reply(workload.reply)
    texts = [_commands(workload.commands), _commands(workload.before), _commands((workload.question,)), reply]
    selected = ", ".join(_joined(text, workload.row_number) for text in texts)
    with source.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SET SESSION group_concat_max_len = {_TEXT_BYTES_MAX}")
        cursor.execute(f"SELECT COUNT(*) FROM {SCHEMA}.{workload.table}")
        [(total,)] = cursor.fetchall()
        for first in range(0, total, CHUNK_ROWS):
            cursor.execute(
                f"SELECT COUNT(*), {selected} FROM {SCHEMA}.{workload.table}"
                f" WHERE {workload.row_number} >= %s AND {workload.row_number} < %s",
                (first, first + CHUNK_ROWS),
            )
            [(rows, commands, before, question, answer)] = cursor.fetchall()
            yield Chunk(rows=rows, commands=commands, before=before, question=question, reply=answer)


def _joined(text: str, order: str) -> str:
    return f"CAST(GROUP_CONCAT({text} ORDER BY {order} SEPARATOR '') AS BINARY)"


def _commands(commands: tuple[Words, ...]) -> str:
    """Return SQL for some commands in the Redis protocol."""
    return f"CONCAT('', {', '.join(map(_array, commands))})" if commands else "''"


def _array(words: Words) -> str:
    return f"CONCAT('*{len(words)}\\r\\n', {', '.join(map(_bulk, words))})"


def _bulk(word: str) -> str:
    return f"CONCAT('$', LENGTH({word}), '\\r\\n', {word}, '\\r\\n')"


def _reply(words: Words) -> str:
    return _array(words) if len(words) > 1 else _bulk(words[0])
