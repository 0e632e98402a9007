"""A table as the changes make it, to be held against the table itself."""

from collections.abc import Iterable, Sequence

from hasync.model.change import Operation, Row
from testbed.sql import SqlServer
from tests.integration.binlog.bench import Change

Rows = dict[bytes | None, Row]


def mirrored(changes: Iterable[Change], table: str = "t") -> Rows:
    """Apply the changes of a table, whose first column is its key; each must fit what is there."""
    rows: Rows = {}
    for change in changes:
        if change.table != table:
            continue
        if change.operation is not Operation.INSERT:
            assert rows.pop(change.before[0]) == change.before
        if change.operation is not Operation.DELETE:
            assert change.after[0] not in rows
            rows[change.after[0]] = change.after
    return rows


def selected(server: SqlServer, schema: str, table: str = "t") -> Rows:
    """Return what SELECT prints, as bytes."""
    return {row[0]: row for row in map(_printed, server.sql(f"SELECT * FROM {schema}.{table}"))}


def _printed(values: Sequence[object]) -> Row:
    return tuple(None if value is None else str(value).encode() for value in values)
