"""Row changes as a source would hand them over, out of dicts that read like rows."""

from collections.abc import Mapping, Sequence

from hasync.model.change import Column, Kind, Operation, Row, RowChanges, Table, Value
from hasync.model.command import Command
from hasync.model.config import StreamConfig, parse
from hasync.stream.handlers import Handler
from hasync.stream.plan import project
from hasync.stream.rules import Rules
from hasync.stream.writes import WriteSet

Image = Mapping[str, object]
"""Column name → value; text, a number, bytes, or None for NULL."""

HEAD = """
version: 1
source: {hosts: ["mysql-0:3306"], user: hasync, password: "env:MYSQL_PASSWORD"}
redis: {url: "redis://redis:6379/0"}
tables:
"""


def config(tables: str) -> StreamConfig:
    """Parse a config with these tables, in YAML indented by two."""
    return parse(HEAD + tables)


def table(path: str, *columns: str, **kinds: Kind) -> Table:
    """Build a layout; columns are text unless ``kinds`` says otherwise."""
    schema, _, name = path.partition(".")
    return Table(schema, name, tuple(Column(column, kinds.get(column, Kind.TEXT)) for column in columns))


class Stream:
    """A config and one table; takes changes and gives the commands that they become."""

    def __init__(self, tables: str, layout: Table, handlers: Mapping[str, Handler] | None = None) -> None:
        load = (handlers or {}).__getitem__
        self.rules = Rules(config(tables), load=load)
        self.layout = layout

    def insert(self, *after: Image) -> RowChanges:
        """Return the event of inserted rows."""
        return self._changes(Operation.INSERT, [None] * len(after), after)

    def update(self, *pairs: tuple[Image, Image]) -> RowChanges:
        """Return the event of updated rows, each as (before, after)."""
        return self._changes(Operation.UPDATE, [old for old, _ in pairs], [new for _, new in pairs])

    def delete(self, *before: Image) -> RowChanges:
        """Return the event of deleted rows."""
        return self._changes(Operation.DELETE, before, [None] * len(before))

    def _changes(
        self, operation: Operation, before: Sequence[Image | None], after: Sequence[Image | None]
    ) -> RowChanges:
        plan = self.rules.select(self.layout)
        assert plan is not None
        return RowChanges(
            self.layout,
            operation,
            plan,
            [self._row(row, plan.before) for row in before],
            [self._row(row, plan.after) for row in after],
        )

    def _row(self, row: Image | None, selected: Sequence[int]) -> Row:
        if row is None:
            return ()
        return tuple(_value(row[self.layout.columns[number].name]) for number in selected)


def _value(value: object) -> Value:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()


def writes(*changes: RowChanges) -> WriteSet:
    """Return what the rules make of the events."""
    return project(changes)


def commands(*changes: RowChanges) -> list[Command]:
    """Return the commands that the events become."""
    return project(changes).commands()


def deleted(*changes: RowChanges) -> set[bytes]:
    """Return the keys that are deleted; fails when anything else is written, or a key twice."""
    keys = [key for command in commands(*changes) for key in command[1:]]
    assert all(command[0] == b"UNLINK" for command in commands(*changes))
    assert len(keys) == len(set(keys))
    return set(keys)
