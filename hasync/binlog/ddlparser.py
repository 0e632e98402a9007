"""From the SQL text of a QUERY event to a definition (:mod:`hasync.binlog.ddl`).

Exact or not at all: every word of an action must be known. One that is not makes the
whole statement :class:`~hasync.binlog.ddl.Unclear`, never half of it applied.
"""

from collections.abc import Callable

from hasync.binlog.columnlist import read_column, read_columns
from hasync.binlog.columntypes import charset_of_collation, read_charset
from hasync.binlog.ddl import (
    Action,
    AddColumn,
    AlterTable,
    ChangeColumn,
    ConvertCharset,
    CreateTable,
    DefaultCharset,
    Definition,
    DropColumn,
    DropTables,
    Path,
    PrimaryKey,
    RenameColumn,
    RenameTables,
    Unclear,
)
from hasync.binlog.sqltokens import Cursor, Dialect, NotUnderstoodError, tokens

_KEYS = ("INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "PRIMARY", "CONSTRAINT", "FOREIGN", "CHECK")
_OTHER_KEYS = ("PARTITION", "PERIOD", "SYSTEM")
_PARTITION_VERBS = (
    *("DROP", "TRUNCATE", "ADD", "REORGANIZE", "EXCHANGE", "COALESCE", "ANALYZE", "CHECK", "OPTIMIZE", "REBUILD"),
    *("REPAIR", "DISCARD", "IMPORT"),
)
_NEUTRAL = frozenset(
    {"ENGINE", "COMMENT", "AUTO_INCREMENT", "ALGORITHM", "LOCK", "FORCE", "ORDER", "ROW_FORMAT"}
    | {"KEY_BLOCK_SIZE", "STATS_PERSISTENT", "STATS_AUTO_RECALC", "STATS_SAMPLE_PAGES", "COMPRESSION"}
    | {"ENCRYPTION", "DISABLE", "ENABLE", "DISCARD", "IMPORT", "MAX_ROWS", "MIN_ROWS", "AVG_ROW_LENGTH"}
    | {"CHECKSUM", "TABLE_CHECKSUM", "DELAY_KEY_WRITE", "PACK_KEYS", "CONNECTION", "DATA", "INDEX"}
    | {"INSERT_METHOD", "PASSWORD", "TABLESPACE", "UNION", "STORAGE", "AUTOEXTEND_SIZE", "ENGINE_ATTRIBUTE"}
    | {"SECONDARY_ENGINE", "SECONDARY_ENGINE_ATTRIBUTE", "SECONDARY_LOAD", "SECONDARY_UNLOAD", "WITH"}
    | {"WITHOUT", "UPGRADE", "TRANSACTIONAL", "PAGE_CHECKSUM", "PAGE_COMPRESSED", "PAGE_COMPRESSION_LEVEL"}
    | {"ENCRYPTED", "ENCRYPTION_KEY_ID", "ALTER", "DEFAULT", "CHARACTER", "CHARSET", "COLLATE"}
)
"""Options and actions that leave the columns alone, but for a character set among them."""

_MAKES_COLUMNS = frozenset({"ADD", "DROP", "CHANGE", "MODIFY", "RENAME", "CONVERT", "SYSTEM", "PERIOD", "VERSIONING"})


def parse(text: str, schema: str, dialect: Dialect) -> Definition | None:
    """Return what a statement does to columns, None when nothing. ``schema``: the session's default."""
    try:
        return _Statement(Cursor(tokens(text, dialect)), schema, dialect).read()
    except NotUnderstoodError as unclear:
        return Unclear(reason=str(unclear))


class _Statement:
    """One statement as it is read."""

    def __init__(self, cursor: Cursor, schema: str, dialect: Dialect) -> None:
        self._cursor = cursor
        self._schema = schema
        self._dialect = dialect

    def read(self) -> Definition | None:
        readers: dict[str, Callable[[], Definition | None]] = {
            "CREATE": self._create,
            "ALTER": self._alter,
            "DROP": self._drop,
            "RENAME": self._rename,
            "IMPORT": lambda: Unclear(reason="IMPORT TABLE"),
        }
        if self._cursor.accept("SET", "STATEMENT"):
            self._skip_variables()
        verb = self._cursor.any_of(*readers)
        return readers[verb]() if verb else None

    def _skip_variables(self) -> None:
        """MariaDB's ``SET STATEMENT variable = value FOR``."""
        while not self._cursor.accept("FOR"):
            if self._cursor.reads("SQL_MODE", "OLD_MODE", "CHARACTER_SET_CLIENT"):
                raise NotUnderstoodError("a statement in a mode of its own")
            self._cursor.take()

    def _path(self) -> Path:
        first = self._folded(self._cursor.name())
        if self._cursor.accept("."):
            return first, self._folded(self._cursor.name())
        return self._folded(self._schema), first

    def _folded(self, name: str) -> str:
        return name.lower() if self._dialect.folds_names else name

    def _guarded(self, path: Path, read: Callable[[Path], Definition]) -> Definition:
        """Read what follows a table's name: what is not understood then concerns this table only."""
        try:
            return read(path)
        except NotUnderstoodError as unclear:
            return Unclear(reason=str(unclear), path=path)

    # ---------------------------------------------------------------- whole tables

    def _create(self) -> Definition | None:
        cursor = self._cursor
        replaces = cursor.accept("OR", "REPLACE")
        if cursor.accept("SEQUENCE"):
            cursor.accept("IF", "NOT", "EXISTS")
            return CreateTable(path=self._path())
        if not cursor.accept("TABLE"):
            return None  # views, routines, users, and temporary tables, whose rows are never in the binlog
        if_absent = cursor.accept("IF", "NOT", "EXISTS") and not replaces
        return self._created(self._path(), if_absent=if_absent)

    def _created(self, path: Path, *, if_absent: bool) -> Definition:
        try:
            return self._created_as(path, if_absent=if_absent)
        except NotUnderstoodError:
            return CreateTable(path=path, if_absent=if_absent)

    def _created_as(self, path: Path, *, if_absent: bool) -> Definition:
        cursor = self._cursor
        if cursor.accept("LIKE") or cursor.accept("(", "LIKE"):
            return CreateTable(path=path, like=self._path(), if_absent=if_absent)
        columns = read_columns(cursor, self._dialect.flavor)
        found: list[Action] = []
        while not cursor.done:
            if cursor.reads("SELECT", "AS", "WITH", "IGNORE", "REPLACE", "VALUES", "TABLE"):
                raise NotUnderstoodError("a table made of a query, or with system versioning")
            if cursor.accept("PARTITION", "BY"):
                self._skip_all()
            elif not cursor.accept("START", "TRANSACTION") and not cursor.accept(",") and not self._charset(found):
                cursor.take()
        charset = next((action.charset for action in found if isinstance(action, DefaultCharset)), None)
        return CreateTable(path=path, columns=columns, charset=charset, if_absent=if_absent)

    def _drop(self) -> Definition | None:
        cursor = self._cursor
        if cursor.any_of("DATABASE", "SCHEMA"):
            cursor.accept("IF", "EXISTS")
            return DropTables(paths=((self._folded(cursor.name()), "*"),))
        if not cursor.any_of("TABLE", "TABLES", "SEQUENCE"):
            return None
        cursor.accept("IF", "EXISTS")
        paths = [self._path()]
        while cursor.accept(","):
            paths.append(self._path())
        return DropTables(paths=tuple(paths))

    def _rename(self) -> Definition | None:
        cursor = self._cursor
        if not cursor.any_of("TABLE", "TABLES"):
            return None
        if_exists = cursor.accept("IF", "EXISTS")
        pairs = [self._pair()]
        while cursor.accept(","):
            pairs.append(self._pair())
        if not cursor.done:
            raise NotUnderstoodError("words behind the names")
        return RenameTables(pairs=tuple(pairs), if_exists=if_exists)

    def _pair(self) -> tuple[Path, Path]:
        old = self._path()
        self._skip_wait()
        self._cursor.expect("TO")
        return old, self._path()

    def _skip_wait(self) -> None:
        if self._cursor.accept("WAIT"):
            self._cursor.take()
        else:
            self._cursor.accept("NOWAIT")

    # ---------------------------------------------------------------- ALTER TABLE

    def _alter(self) -> Definition | None:
        cursor = self._cursor
        while cursor.any_of("ONLINE", "OFFLINE", "IGNORE"):
            pass
        if not cursor.accept("TABLE"):
            return None
        cursor.accept("IF", "EXISTS")
        return self._guarded(self._path(), self._altered)

    def _altered(self, path: Path) -> Definition:
        self._skip_wait()
        found: list[Action] = []
        renamed: Path | None = None
        while not self._cursor.done:
            if self._partitions():
                break
            target = self._renamed() if self._cursor.reads("RENAME") else None
            if target:
                renamed = target
            else:
                self._action(found)
            if not self._cursor.done:
                self._cursor.expect(",")
        return AlterTable(path=path, actions=tuple(found), renamed=renamed)

    def _partitions(self) -> bool:
        """Partitions come and go without a column; their statements list names with commas of their own."""
        for verb in _PARTITION_VERBS:
            if self._cursor.accept(verb, "PARTITION"):
                self._skip_all()
                return True
        if self._cursor.accept("PARTITION", "BY") or self._cursor.accept("REMOVE", "PARTITIONING"):
            self._skip_all()
            return True
        return False

    def _skip_all(self) -> None:
        while not self._cursor.done:
            self._cursor.take()

    def _renamed(self) -> Path | None:
        """``RENAME [TO|AS|=] path``; columns and keys are renamed otherwise."""
        following = self._cursor.peek(1)
        if following is not None and following.reads("COLUMN", "INDEX", "KEY", "CONSTRAINT"):
            return None
        self._cursor.expect("RENAME")
        self._cursor.any_of("TO", "AS", "=")
        return self._path()

    def _action(self, found: list[Action]) -> None:
        verb = self._cursor.any_of("ADD", "DROP", "MODIFY", "CHANGE", "RENAME", "CONVERT")
        if verb == "ADD":
            self._add(found)
        elif verb == "DROP":
            self._remove(found)
        elif verb in ("MODIFY", "CHANGE"):
            found.append(self._change(keeps_name=verb == "MODIFY"))
        elif verb == "RENAME":
            self._rename_part(found)
        elif verb == "CONVERT":
            self._convert(found)
        else:
            self._neutral(found)

    def _add(self, found: list[Action]) -> None:
        cursor = self._cursor
        named = cursor.accept("COLUMN")
        if not named and self._adds_key(found):
            return
        if_absent = cursor.accept("IF", "NOT", "EXISTS")
        if cursor.reads("("):
            columns = read_columns(cursor, self._dialect.flavor)
            found += [AddColumn(column=column, if_absent=if_absent) for column in columns]
            return
        column, after = read_column(cursor, self._dialect.flavor)
        found.append(AddColumn(column=column, after=after, if_absent=if_absent))

    def _adds_key(self, found: list[Action]) -> bool:
        cursor = self._cursor
        if cursor.reads(*_OTHER_KEYS):
            raise NotUnderstoodError("hidden columns, or a column named like a keyword")
        if not cursor.reads(*_KEYS) and not cursor.accept("VECTOR", "INDEX") and not cursor.accept("VECTOR", "KEY"):
            return False
        words = cursor.skip_part()
        if any(token.reads("PRIMARY") for token in words):
            found.append(PrimaryKey())
        return True

    def _remove(self, found: list[Action]) -> None:
        cursor = self._cursor
        named = cursor.accept("COLUMN")
        if not named and cursor.reads(*_OTHER_KEYS):
            raise NotUnderstoodError("hidden columns, or a column named like a keyword")
        if not named and cursor.reads(*_KEYS):
            cursor.skip_part()
            return
        if_exists = cursor.accept("IF", "EXISTS")
        found.append(DropColumn(name=cursor.name(), if_exists=if_exists))
        cursor.any_of("RESTRICT", "CASCADE")

    def _change(self, *, keeps_name: bool) -> ChangeColumn:
        cursor = self._cursor
        cursor.accept("COLUMN")
        if_exists = cursor.accept("IF", "EXISTS")
        old = "" if keeps_name else cursor.name()
        column, after = read_column(cursor, self._dialect.flavor)
        return ChangeColumn(old=old or column.name, column=column, after=after, if_exists=if_exists)

    def _rename_part(self, found: list[Action]) -> None:
        cursor = self._cursor
        if not cursor.accept("COLUMN"):
            cursor.skip_part()
            return
        if_exists = cursor.accept("IF", "EXISTS")
        old = cursor.name()
        cursor.expect("TO")
        found.append(RenameColumn(old=old, new=cursor.name(), if_exists=if_exists))

    def _convert(self, found: list[Action]) -> None:
        self._cursor.expect("TO")
        charset = read_charset(self._cursor)
        if not charset or charset == "binary":
            raise NotUnderstoodError("a conversion that is not of text to text")
        if self._cursor.accept("COLLATE"):
            self._cursor.take()
        found.append(ConvertCharset(charset=charset))

    def _neutral(self, found: list[Action]) -> None:
        """Take table options and what else changes no column: one, or several without commas."""
        token = self._cursor.peek()
        if token is None or token.text.upper() not in _NEUTRAL:
            raise NotUnderstoodError(f"ALTER TABLE with {token.text.upper()[:20] if token else 'nothing'}")
        altered = self._cursor.accept("ALTER")
        while not self._cursor.done and not self._cursor.reads(",", ")"):
            if self._cursor.reads("("):
                self._cursor.skip_parentheses()
            elif altered or not self._charset(found):
                self._skip_word(altered=altered)

    def _skip_word(self, *, altered: bool) -> None:
        if not altered and self._cursor.accept("PARTITION", "BY"):
            self._skip_all()
        elif self._cursor.take().reads(*_MAKES_COLUMNS) and not altered:
            raise NotUnderstoodError("an action without a comma in front")

    def _charset(self, found: list[Action]) -> bool:
        charset = read_charset(self._cursor)
        if not charset and self._cursor.accept("COLLATE"):
            self._cursor.accept("=")
            found.append(DefaultCharset(charset=charset_of_collation(self._cursor.take().text)))
            return True
        if charset:
            found.append(DefaultCharset(charset=charset))
        return bool(charset)
