"""What one rule does with the rows of one event, compiled for a table's layout.

A step takes whole lists of row tuples, in the binlog's order. The semantics, image by
image, stand in docs/configuration.md; each class repeats its part.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol, Self

from hasync.model.change import Operation, Row, RowChanges, Table, Value
from hasync.model.command import Command
from hasync.model.rule import RESERVED_PREFIX
from hasync.stream.handlers import NO_IMAGE, Handler, Layout, RowChange, RowImage, commands_of
from hasync.stream.template import Render
from hasync.stream.writes import WriteSet

Rows = Sequence[Row]

NULL_KEY = "null_key"
RESERVED_KEY = "reserved_key"


class Step(Protocol):
    """One compiled rule. ``prefixes``: what its keys begin with; an empty one may be any key."""

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """What its keys begin with."""

    def insert(self, after: Rows, writes: WriteSet) -> None:
        """Apply inserted rows."""

    def update(self, before: Rows, after: Rows, writes: WriteSet) -> None:
        """Apply updated rows, both images in step."""

    def delete(self, before: Rows, writes: WriteSet) -> None:
        """Apply deleted rows."""


class Keys:
    """Renders keys, and refuses those that would fall into hasync's own namespace.

    Row data may choose a key (``key: "{name}"``), but never the fence.
    """

    def __init__(self, render: Render, prefix: bytes) -> None:
        """``prefix``: the literal text before the first column."""
        self.prefix = prefix
        self._render = render
        self._exposed = RESERVED_PREFIX.startswith(prefix)

    @classmethod
    def none(cls) -> Self:
        """Return what stands for the keys of an image that a rule's operations do not have."""
        return cls(lambda rows: [None] * len(rows), b"")

    def of(self, rows: Rows, writes: WriteSet, *, nulls: bool = False, reserved: bool = True) -> list[Value]:
        """Return one key per row, None where a column is NULL or the key is reserved; both are counted if asked for."""
        keys = self._render(rows)
        missing = keys.count(None)
        if missing and nulls:
            writes.skipped[NULL_KEY] += missing
        if not self._exposed:
            return keys
        allowed = [None if key is None or key.startswith(RESERVED_PREFIX) else key for key in keys]
        if (refused := allowed.count(None) - missing) and reserved:
            writes.skipped[RESERVED_KEY] += refused
        return allowed


class Difference:
    """Tells which updated rows differ in some columns."""

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        """``places``: where each column is in the before and in the after tuples; at least one."""
        self._before: Callable[[Row], object] = itemgetter(*(before for before, _ in places))
        self._after: Callable[[Row], object] = itemgetter(*(after for _, after in places))

    def pick(self, before: Rows, after: Rows) -> tuple[list[Row], list[Row]]:
        """Return both images of the rows that differ."""
        old_of, new_of = self._before, self._after
        pairs = [(old, new) for old, new in zip(before, after, strict=True) if old_of(old) != new_of(new)]
        return [old for old, _ in pairs], [new for _, new in pairs]


Put = Callable[[Rows, Sequence[Value], WriteSet], None]
"""Writes the values of rows under their keys; the rows are what the rule's values are compiled for."""


class WriteStep:
    """set and hash: the row's string or hash follows the row.

    Insert: write. Update: delete the old key if the key changed, then write.
    Delete: delete. A row whose key holds NULL has no key: nothing is written and it is
    counted as skipped.
    """

    def __init__(self, old_keys: Keys, new_keys: Keys, put: Put, *, joined: bool, changed: Difference | None) -> None:
        """``joined``: values also read the old image, out of rows before + after; ``changed``: of when_changed."""
        self._old_keys = old_keys
        self._new_keys = new_keys
        self._put = put
        self._joined = joined
        self._changed = changed

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """What its keys begin with."""
        return (self._new_keys.prefix,)

    def insert(self, after: Rows, writes: WriteSet) -> None:
        """Apply inserted rows."""
        self._put(after, self._new_keys.of(after, writes, nulls=True), writes)

    def update(self, before: Rows, after: Rows, writes: WriteSet) -> None:
        """Apply updated rows."""
        if self._changed:
            before, after = self._changed.pick(before, after)
        old_keys = self._old_keys.of(before, writes, reserved=False)
        new_keys = self._new_keys.of(after, writes, nulls=True)
        rows = [old + new for old, new in zip(before, after, strict=True)] if self._joined else after
        if old_keys == new_keys:
            self._put(rows, new_keys, writes)
            return
        # All deletes first: rows of one statement may move onto each other's keys, in any order.
        writes.leave(old_keys, new_keys)
        self._put(rows, new_keys, writes)

    def delete(self, before: Rows, writes: WriteSet) -> None:
        """Apply deleted rows."""
        writes.delete_all(self._old_keys.of(before, writes))


def put_strings(value: Render, ttl_ms: int | None) -> Put:
    """Return what writes one string per row; a NULL value deletes the key."""

    def put(rows: Rows, keys: Sequence[Value], writes: WriteSet) -> None:
        for key, text in zip(keys, value(rows), strict=True):
            if key is None:
                continue
            if text is None:
                writes.delete(key)
            else:
                writes.set(key, text, ttl_ms)

    return put


def put_hashes(fields: Sequence[tuple[bytes, Render]], ttl_ms: int | None) -> Put:
    """Return what writes one hash per row; a NULL field is removed from it."""
    names = [name for name, _ in fields]
    renders = [render for _, render in fields]

    def put(rows: Rows, keys: Sequence[Value], writes: WriteSet) -> None:
        columns = [render(rows) for render in renders]
        for key, values in zip(keys, zip(*columns, strict=True), strict=True):
            if key is not None:
                writes.hash(key, dict(zip(names, values, strict=True)), ttl_ms)

    return put


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedKey:
    """One template of a delete rule; None where an operation gives it no key.

    ``moved``: on update the before image counts only where these columns changed (then
    it names another key than the after image does). ``joined`` reads before + after.
    """

    on_insert: Keys | None = None
    on_delete: Keys | None = None
    on_update: Keys | None = None
    moved: Difference | None = None
    joined: Keys | None = None


class DeleteStep:
    """delete: the keys that a row's images name.

    {column}: insert from the after image, delete from the before image, update from both.
    {old.column}: delete always, update only where a column of the key changed.
    {new.column}: insert and update. Both in one key: update only.
    A key with a NULL column is none.
    """

    def __init__(self, keys: Sequence[DeletedKey], prefixes: tuple[bytes, ...], changed: Difference | None) -> None:
        self.prefixes = prefixes
        self._keys = keys
        self._changed = changed

    def insert(self, after: Rows, writes: WriteSet) -> None:
        """Apply inserted rows."""
        for key in self._keys:
            if key.on_insert:
                writes.delete_all(key.on_insert.of(after, writes))

    def delete(self, before: Rows, writes: WriteSet) -> None:
        """Apply deleted rows."""
        for key in self._keys:
            if key.on_delete:
                writes.delete_all(key.on_delete.of(before, writes))

    def update(self, before: Rows, after: Rows, writes: WriteSet) -> None:
        """Apply updated rows."""
        if self._changed:
            before, after = self._changed.pick(before, after)
        for key in self._keys:
            if key.on_update:
                writes.delete_all(key.on_update.of(after, writes))
            if key.moved and key.on_delete:
                writes.delete_all(key.on_delete.of(key.moved.pick(before, after)[0], writes))
            if key.joined:
                joined = [old + new for old, new in zip(before, after, strict=True)]
                writes.delete_all(key.joined.of(joined, writes))


class HandlerStep:
    """handler: whatever the function makes of the rows."""

    prefixes = (b"",)

    def __init__(
        self, address: str, handler: Handler, table: Table, layouts: tuple[Layout, Layout], changed: Difference | None
    ) -> None:
        """``layouts``: of the before and of the after image."""
        self._address = address
        self._handler = handler
        self._table = table
        self._before, self._after = layouts
        self._changed = changed

    def commands(self, changes: RowChanges) -> list[Command]:
        """Ask the handler about these rows. Raises HandlerFailed."""
        if changes.operation is Operation.INSERT:
            return self._inserted(changes.after)
        if changes.operation is Operation.UPDATE:
            return self._updated(changes.before, changes.after)
        return self._deleted(changes.before)

    def insert(self, after: Rows, writes: WriteSet) -> None:
        """Apply inserted rows."""
        _add(self._inserted(after), writes)

    def update(self, before: Rows, after: Rows, writes: WriteSet) -> None:
        """Apply updated rows."""
        _add(self._updated(before, after), writes)

    def delete(self, before: Rows, writes: WriteSet) -> None:
        """Apply deleted rows."""
        _add(self._deleted(before), writes)

    def _inserted(self, after: Rows) -> list[Command]:
        return self._call([self._change(Operation.INSERT, None, new) for new in after])

    def _updated(self, before: Rows, after: Rows) -> list[Command]:
        if self._changed:
            before, after = self._changed.pick(before, after)
        pairs = zip(before, after, strict=True)
        return self._call([self._change(Operation.UPDATE, old, new) for old, new in pairs])

    def _deleted(self, before: Rows) -> list[Command]:
        return self._call([self._change(Operation.DELETE, old, None) for old in before])

    def _change(self, operation: Operation, old: Row | None, new: Row | None) -> RowChange:
        return RowChange(
            schema=self._table.schema,
            table=self._table.name,
            operation=operation,
            old=NO_IMAGE if old is None else RowImage(self._before, old),
            new=NO_IMAGE if new is None else RowImage(self._after, new),
        )

    def _call(self, changes: Sequence[RowChange]) -> list[Command]:
        return commands_of(self._address, self._handler, self._table, changes) if changes else []


def _add(commands: Iterable[Command], writes: WriteSet) -> None:
    for command in commands:
        writes.command(command)
