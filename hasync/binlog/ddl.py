"""Data definitions as values: what a statement does to the names, the order and the types of columns.

Only what may change a column is kept; a statement that changes none is no definition here.
"""

from dataclasses import dataclass

from hasync.binlog.columntypes import Declared

Path = tuple[str, str]
"""Schema and table."""

FIRST = ""
"""``after`` of a column that is moved to the front; None: it stays, or is added behind the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDefinition:
    """A column as a statement declares it."""

    name: str
    declared: Declared


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn:
    """``ADD COLUMN``."""

    column: ColumnDefinition
    after: str | None = None
    if_absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeColumn:
    """``CHANGE COLUMN``; ``MODIFY COLUMN`` keeps the name."""

    old: str
    column: ColumnDefinition
    after: str | None = None
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumn:
    """``RENAME COLUMN``."""

    old: str
    new: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn:
    """``DROP COLUMN``."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertCharset:
    """``CONVERT TO CHARACTER SET``: of every text column, and of those to come."""

    charset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultCharset:
    """The character set of text columns to come; None when the statement does not tell it by name."""

    charset: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryKey:
    """A primary key: the columns in it turn NOT NULL without being declared so."""


Action = AddColumn | ChangeColumn | RenameColumn | DropColumn | ConvertCharset | DefaultCharset | PrimaryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterTable:
    """``ALTER TABLE``, all its actions at once; ``renamed``: the table's new path, if it gets one."""

    path: Path
    actions: tuple[Action, ...] = ()
    renamed: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTables:
    """``RENAME TABLE``, pair after pair. ``if_exists``: nobody knows which of them took place."""

    pairs: tuple[tuple[Path, Path], ...]
    if_exists: bool = False

    def origin_of(self, path: Path) -> Path | None:
        """Return what a table was called before it got this name; None when there was none under any."""
        for old, new in reversed(self.pairs):
            if path == new:
                path = old
            elif path == old:
                return None
        return path

    def name_of(self, path: Path) -> Path:
        """Return what a table of this name is called afterwards."""
        for old, new in self.pairs:
            if path == old:
                path = new
        return path

    def touches(self, path: Path) -> bool:
        """Whether a table of this name is meant, before or afterwards."""
        return any(path in pair for pair in self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """``CREATE TABLE``; ``like``: the table whose columns it copies; ``columns``: None when they are not all known."""

    path: Path
    columns: tuple[ColumnDefinition, ...] | None = None
    charset: str | None = None
    like: Path | None = None
    if_absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTables:
    """``DROP TABLE``; a path with table ``*`` stands for all of a dropped schema."""

    paths: tuple[Path, ...]

    def touches(self, path: Path) -> bool:
        """Whether a table of this name goes."""
        return path in self.paths or (path[0], "*") in self.paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """A statement that is not understood; ``path``: the table that it concerns, None when it may be any."""

    reason: str
    path: Path | None = None


Definition = AlterTable | RenameTables | CreateTable | DropTables | Unclear


def concerns(definition: Definition, path: Path) -> bool:
    """Whether the table of this name may be another one, or another way, behind the statement."""
    if isinstance(definition, RenameTables | DropTables):
        return definition.touches(path)
    if isinstance(definition, AlterTable):
        return path in (definition.path, definition.renamed)
    if isinstance(definition, CreateTable):
        return path in (definition.path, definition.like)
    return definition.path in (None, path)
