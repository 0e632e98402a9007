"""Column definitions inside CREATE TABLE and ALTER TABLE."""

from collections.abc import Callable
from dataclasses import replace

from hasync.binlog.columntypes import Declared, charset_of_collation, read_type
from hasync.binlog.ddl import FIRST, ColumnDefinition
from hasync.binlog.sqltokens import Cursor, NotUnderstoodError, TokenKind
from hasync.model.position import Flavor

_KEYS = ("INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "PRIMARY", "CONSTRAINT", "FOREIGN", "CHECK")
_ALONE = frozenset(
    {"NOT", "NULL", "AUTO_INCREMENT", "UNIQUE", "KEY", "PRIMARY", "VISIBLE", "INVISIBLE", "VIRTUAL", "STORED"}
    | {"PERSISTENT", "ENFORCED", "GENERATED", "ALWAYS", "SERIAL"}
)
_WITH_VALUE = frozenset(
    {"COMMENT", "COLUMN_FORMAT", "STORAGE", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE", "SRID", "REF_SYSTEM_ID"}
)
_INTRODUCED = frozenset({"N", "X", "B", "DATE", "TIME", "TIMESTAMP"})
_ASCII_SAFE = frozenset({"utf8mb4"})


def read_columns(cursor: Cursor, flavor: Flavor) -> tuple[ColumnDefinition, ...]:
    """Take a list in brackets; keys and constraints in it are left out. Raises NotUnderstoodError."""
    cursor.expect("(")
    columns = []
    while True:
        if cursor.reads("PERIOD"):
            raise NotUnderstoodError("a period, which makes hidden columns")
        if cursor.reads(*_KEYS):
            cursor.skip_part()
        else:
            column, _ = read_column(cursor, flavor)
            columns.append(column)
        if cursor.accept(")"):
            return tuple(columns)
        cursor.expect(",")


def read_column(cursor: Cursor, flavor: Flavor) -> tuple[ColumnDefinition, str | None]:
    """Take a column up to the next comma; return it and the column that it is placed after, if it is.

    Raises NotUnderstoodError.
    """
    name = cursor.name()
    declared = read_type(cursor, flavor)
    after: str | None = None
    while not cursor.done and not cursor.reads(",", ")"):
        if cursor.accept("FIRST"):
            after = FIRST
        elif cursor.accept("AFTER"):
            after = cursor.name()
        elif cursor.accept("COLLATE"):
            declared = _collated(declared, cursor.take().text)
        else:
            _skip_attribute(cursor)
    return ColumnDefinition(name=name, declared=_certain(declared)), after


def _collated(declared: Declared, collation: str) -> Declared:
    if declared.charset is not None or not declared.textual:
        return declared
    return replace(declared, charset=charset_of_collation(collation))


def _certain(declared: Declared) -> Declared:
    """Forget members that the server may have stored otherwise than they are written."""
    members = declared.members or ()
    plain = all(text.isascii() for text in members) or declared.charset in _ASCII_SAFE
    if plain and not any(text.endswith(" ") for text in members):
        return declared
    return replace(declared, members=None)


def _skip_attribute(cursor: Cursor) -> None:
    token = cursor.take()
    word = token.text.upper()
    if token.kind is not TokenKind.WORD:
        raise NotUnderstoodError("a column attribute that is no word")
    if word in _WITH_VALUE:
        cursor.accept("=")
        cursor.take()
    elif word in _SKIPPED:
        _SKIPPED[word](cursor)
    elif word not in _ALONE:
        raise NotUnderstoodError(f"the column attribute {word[:20]}")


def _skip_value(cursor: Cursor) -> None:
    """Take a default: an expression in brackets, a literal, or a function with or without arguments."""
    if cursor.reads("("):
        cursor.skip_parentheses()
        return
    cursor.any_of("-", "+")
    token = cursor.take()
    if token.kind is TokenKind.NUMBER and cursor.accept("."):
        cursor.take()
    if token.kind is not TokenKind.WORD:
        return
    if cursor.reads("("):
        cursor.skip_parentheses()
    following = cursor.peek()
    introduces = token.text.startswith("_") or token.text.upper() in _INTRODUCED
    if introduces and following is not None and following.kind is TokenKind.STRING:
        cursor.take()


def _skip_constraint(cursor: Cursor) -> None:
    if not cursor.reads("CHECK"):
        cursor.name()
    cursor.expect("CHECK")
    cursor.skip_parentheses()


def _skip_reference(cursor: Cursor) -> None:
    cursor.name()
    if cursor.accept("."):
        cursor.name()
    if cursor.reads("("):
        cursor.skip_parentheses()
    if cursor.accept("MATCH"):
        cursor.take()
    while cursor.accept("ON"):
        if not cursor.any_of("DELETE", "UPDATE"):
            raise NotUnderstoodError("a reference")
        if cursor.any_of("SET", "NO", "CASCADE", "RESTRICT") in ("SET", "NO"):
            cursor.take()


def _skip_update(cursor: Cursor) -> None:
    cursor.expect("UPDATE")
    _skip_value(cursor)


def _skip_versioning(cursor: Cursor) -> None:
    cursor.expect("SYSTEM", "VERSIONING")


_SKIPPED: dict[str, Callable[[Cursor], None]] = {
    "DEFAULT": _skip_value,
    "ON": _skip_update,
    "AS": Cursor.skip_parentheses,
    "CHECK": Cursor.skip_parentheses,
    "CONSTRAINT": _skip_constraint,
    "REFERENCES": _skip_reference,
    "WITH": _skip_versioning,
    "WITHOUT": _skip_versioning,
}
"""How what follows an attribute's first word is taken."""
