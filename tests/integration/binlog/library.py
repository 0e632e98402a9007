"""What mysql-replication makes of the same events, as text; and where it is known to be wrong."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pymysql
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent

from hasync.model.change import Operation
from testbed.sql import SqlServer

SERVER_ID = 4_000_000_002

WRONG = {
    "binary": "trailing zero bytes of BINARY are lost",
    "float": "a FLOAT comes as the double nearest to it, not with the digits that the server prints",
    "time": "a negative TIME with a fraction is off, and so is what is not a time of day",
    "set": "members come without their order, and an empty SET as None",
    "enum": "texts that are not UTF-8 come empty",
    "date": "zero and incomplete dates come as None, and a 31st of February ends the reader",
    "datetime": "as DATE",
    "timestamp": "a zero TIMESTAMP comes as 1970-01-01",
    "year": "0000 comes as 1900",
    "opaque": "dates, times and decimals in JSON come as numbers and objects of Python",
    "uuid": "comes as its bytes, without the zeros at their end",
    "inet": "comes as its bytes, without the zeros at their end",
}
"""Families of types in which the library is no reference, and why."""

UNREADABLE = {
    "vector": "a VECTOR column ends the reader",
    "packed": "a compressed column ends the reader",
}
"""Families that take the whole table with them."""

Row = dict[str, Any]
Read = tuple[Operation, Row, Row]


def read(server: SqlServer, start: tuple[str, int], table: str) -> list[Read] | None:
    """Return the changes of a table from a place to the end; None when the library fails over a value."""
    reader = BinLogStreamReader(
        connection_settings={
            "host": server.host,
            "port": server.port,
            "user": server.root_user,
            "password": server.root_password,
            "ssl_disabled": True,
        },
        server_id=SERVER_ID,
        log_file=start[0],
        log_pos=start[1],
        resume_stream=True,
        blocking=False,
        only_events=[WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent],
        filter_non_implemented_events=False,
        pymysql_wrapper=_connected,
        enable_logging=False,
    )
    try:
        return [found for event in reader if event.table == table for found in _changes(event)]
    except (ValueError, UnicodeDecodeError):
        return None
    finally:
        reader.close()


def _connected(**arguments: Any) -> Any:
    """Connect without the names of arguments that PyMySQL warns about."""
    return pymysql.connect(**{{"db": "database"}.get(name, name): value for name, value in arguments.items()})


def _changes(event: Any) -> list[Read]:
    if isinstance(event, UpdateRowsEvent):
        return [(Operation.UPDATE, row["before_values"], row["after_values"]) for row in event.rows]
    if isinstance(event, WriteRowsEvent):
        return [(Operation.INSERT, {}, row["values"]) for row in event.rows]
    return [(Operation.DELETE, row["values"], {}) for row in event.rows]


def text_of(family: str, value: Any) -> bytes | None:
    """Return a value of a family that is not in :data:`WRONG`, as the server would print it."""
    if family == "json":  # null and NULL are the same to it
        return json.dumps(_decoded(value)).encode()
    if value is None or isinstance(value, bytes):
        return value
    if family == "bit":
        return int(value, 2).to_bytes((len(value) + 7) // 8, "big")
    if family == "decimal":
        return f"{Decimal(value):f}".encode()
    return str(value).encode()


def _decoded(value: Any) -> Any:
    """Return a JSON value with text where the library gives bytes."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Mapping):
        return {_decoded(key): _decoded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_decoded(inner) for inner in value]
    return value
