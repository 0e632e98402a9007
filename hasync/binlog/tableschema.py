"""A table's columns at one point of the binlog, carried over a data definition, onward or back.

Onward, a definition says everything. Back, it does not say what it removed: what cannot be
told is an :class:`UnprovableError`, or a column whose type is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hasync.binlog.columntypes import Declared
from hasync.binlog.ddl import (
    FIRST,
    Action,
    AddColumn,
    ChangeColumn,
    ColumnDefinition,
    ConvertCharset,
    DefaultCharset,
    DropColumn,
    PrimaryKey,
    RenameColumn,
)


class UnprovableError(ValueError):
    """The columns in front of, or behind, a definition cannot be told for certain; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedColumn:
    """A column as far as it is known. ``declared``, ``nullable``: None when that is not known."""

    name: str
    declared: Declared | None = None
    nullable: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """Names, order and types; ``charset``: of text columns to come, None when not known."""

    columns: tuple[TrackedColumn, ...]
    charset: str | None = None

    def after(self, actions: Sequence[Action]) -> "TableSchema":
        """Return the columns behind an ALTER TABLE. Raises UnprovableError when it does not fit them."""
        default = _default(actions, self.charset)
        columns = _placed(self, actions, default)
        if any(isinstance(action, PrimaryKey) for action in actions):
            columns = [replace(column, nullable=None) for column in columns]
        _require_distinct(columns)
        return TableSchema(columns=tuple(columns), charset=default)

    def before(self, actions: Sequence[Action]) -> "TableSchema":
        """Return the columns in front of an ALTER TABLE that led here.

        Raises UnprovableError when it removed or moved a column, or does not fit.
        """
        for action in actions:
            _require_undoable(action)
        columns = _undone(self, actions)
        if any(isinstance(action, ConvertCharset) for action in actions):
            columns = [_converted(column, None) for column in columns]
        if any(isinstance(action, PrimaryKey) for action in actions):
            columns = [replace(column, nullable=None) for column in columns]
        _require_distinct(columns)
        recharged = any(isinstance(action, ConvertCharset | DefaultCharset) for action in actions)
        return TableSchema(columns=tuple(columns), charset=None if recharged else self.charset)

    def completed(self, other: "TableSchema") -> "TableSchema":
        """Return these columns with what ``other`` knows better of the same ones."""
        if [key(column.name) for column in self.columns] != [key(column.name) for column in other.columns]:
            return self
        columns = (
            replace(mine, declared=_better(mine.declared, yours.declared), nullable=mine.nullable)
            for mine, yours in zip(self.columns, other.columns, strict=True)
        )
        return replace(self, columns=tuple(columns))


def key(name: str) -> str:
    """Return what a column's name is compared by: case does not count."""
    return name.lower()


def created(columns: Sequence[ColumnDefinition], charset: str | None) -> TableSchema:
    """Return the columns of a CREATE TABLE."""
    return TableSchema(columns=tuple(_tracked(column, charset) for column in columns), charset=charset)


def _tracked(column: ColumnDefinition, charset: str | None) -> TrackedColumn:
    declared = column.declared
    if declared.textual and declared.charset is None:
        declared = replace(declared, charset=charset)
    return TrackedColumn(name=column.name, declared=declared)


def _better(mine: Declared | None, yours: Declared | None) -> Declared | None:
    if mine is None or not mine.base:
        return yours
    if yours is None or yours.base != mine.base:
        return mine
    return replace(
        mine,
        members=yours.members if mine.members is None else mine.members,
        charset=yours.charset if mine.charset is None else mine.charset,
    )


def _default(actions: Sequence[Action], charset: str | None) -> str | None:
    """Return the default behind the actions: the first that names one."""
    named = [action.charset for action in actions if isinstance(action, ConvertCharset | DefaultCharset)]
    return next((name for name in named if name), None) if named else charset


def _require_distinct(columns: Sequence[TrackedColumn]) -> None:
    if len({key(column.name) for column in columns}) != len(columns):
        raise UnprovableError("two columns would have the same name")


# ------------------------------------------------------------------------------ onward


def _kept(schema: TableSchema, actions: Sequence[Action], default: str | None) -> list[TrackedColumn]:
    """Return the old columns that stay where they are, as the server does it: all actions see the old names."""
    by_name = {key(column.name): column for column in schema.columns}
    fates = _fates(by_name, actions)
    convert = next((action.charset for action in actions if isinstance(action, ConvertCharset)), None)
    kept = []
    for name, column in by_name.items():
        action = fates.get(name)
        stays = column if convert is None else _converted(column, convert)
        if isinstance(action, RenameColumn):
            kept.append(replace(stays, name=action.new))
        elif isinstance(action, ChangeColumn) and action.after is None:
            kept.append(_declared(action, actions, default))
        elif action is None:
            kept.append(stays)
    return kept


def _fates(
    by_name: dict[str, TrackedColumn], actions: Sequence[Action]
) -> dict[str, DropColumn | RenameColumn | ChangeColumn]:
    fates: dict[str, DropColumn | RenameColumn | ChangeColumn] = {}
    for action in actions:
        if isinstance(action, DropColumn | RenameColumn | ChangeColumn):
            name = key(action.name if isinstance(action, DropColumn) else action.old)
            if name in fates:
                raise UnprovableError("a column is meant twice")
            if name in by_name:
                fates[name] = action
            elif not action.if_exists:
                raise UnprovableError("a column is meant that is not there")
    return fates


def _placed(schema: TableSchema, actions: Sequence[Action], default: str | None) -> list[TrackedColumn]:
    """Put new and moved columns in, in the statement's order."""
    columns = _kept(schema, actions, default)
    renamed = {
        key(name)
        for action in actions
        if isinstance(action, RenameColumn | ChangeColumn) and len(set(map(key, _names(action)))) > 1
        for name in _names(action)
    }
    for action in actions:
        if isinstance(action, AddColumn) and not _exists(schema, action, actions):
            _insert(columns, _declared(action, actions, default), action.after, renamed)
        if isinstance(action, ChangeColumn) and action.after is not None and _there(schema, action):
            _insert(columns, _declared(action, actions, default), action.after, renamed)
    return columns


def _there(schema: TableSchema, action: ChangeColumn) -> bool:
    return key(action.old) in {key(column.name) for column in schema.columns}


def _exists(schema: TableSchema, action: AddColumn, actions: Sequence[Action]) -> bool:
    """Whether ADD COLUMN IF NOT EXISTS finds the column there."""
    name = key(action.column.name)
    if not action.if_absent or name not in {key(column.name) for column in schema.columns}:
        return False
    others = [other for other in actions if isinstance(other, RenameColumn | ChangeColumn)]
    dropped = {key(other.name) for other in actions if isinstance(other, DropColumn)}
    if name in dropped or any(name in map(key, _names(other)) for other in others):
        raise UnprovableError("a column is added if it is not there, and gone by the same statement")
    return True


def _names(action: RenameColumn | ChangeColumn) -> tuple[str, str]:
    return action.old, action.new if isinstance(action, RenameColumn) else action.column.name


def _declared(action: AddColumn | ChangeColumn, actions: Sequence[Action], default: str | None) -> TrackedColumn:
    """Return the column as declared; which default it takes when the same statement changes it, nobody is asked."""
    changes = any(isinstance(other, ConvertCharset | DefaultCharset) for other in actions)
    return _tracked(action.column, None if changes else default)


def _insert(columns: list[TrackedColumn], column: TrackedColumn, after: str | None, renamed: set[str]) -> None:
    if after is None:
        columns.append(column)
        return
    if after == FIRST:
        columns.insert(0, column)
        return
    if key(after) in renamed:
        raise UnprovableError("a column is placed after one that is renamed by the same statement")
    names = [key(other.name) for other in columns]
    if key(after) not in names:
        raise UnprovableError("a column is placed after one that is not there")
    columns.insert(names.index(key(after)) + 1, column)


def _converted(column: TrackedColumn, charset: str | None) -> TrackedColumn:
    """Return a column as a conversion leaves it, or found it; texts may have been widened by it."""
    if column.declared is None or not column.declared.textual:
        return column
    return replace(column, declared=replace(column.declared, charset=charset))


# -------------------------------------------------------------------------------- back


def _require_undoable(action: Action) -> None:
    if isinstance(action, DropColumn):
        raise UnprovableError(f"it drops column {action.name}, and does not say what that was nor where")
    if isinstance(action, ChangeColumn) and action.after is not None:
        raise UnprovableError(f"it moves column {action.old}, and does not say where from")
    if isinstance(action, AddColumn) and action.if_absent:
        raise UnprovableError(f"it adds column {action.column.name} only if that was not there")
    if isinstance(action, RenameColumn | ChangeColumn) and action.if_exists:
        raise UnprovableError(f"it changes column {action.old} only if that was there")


def _undone(schema: TableSchema, actions: Sequence[Action]) -> list[TrackedColumn]:
    added = {key(action.column.name) for action in actions if isinstance(action, AddColumn)}
    changed = {key(_names(action)[1]): action for action in actions if isinstance(action, RenameColumn | ChangeColumn)}
    present = {key(column.name) for column in schema.columns}
    if not (added | changed.keys()) <= present:
        raise UnprovableError("it makes a column that is not there")
    return [_origin(column, changed) for column in schema.columns if key(column.name) not in added]


def _origin(column: TrackedColumn, changed: dict[str, RenameColumn | ChangeColumn]) -> TrackedColumn:
    action = changed.get(key(column.name))
    if isinstance(action, RenameColumn):
        return replace(column, name=action.old)
    return column if action is None else TrackedColumn(name=action.old)
