"""A table map without names, completed by the schema that was tracked for it, and held against it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hasync.binlog.charsets import BINARY
from hasync.binlog.columntypes import Declared
from hasync.binlog.tablemap import ColumnLayout, TableMap
from hasync.binlog.tableschema import TableSchema, TrackedColumn
from hasync.binlog.types import Code
from hasync.model.position import Flavor

_SIGNED = frozenset({Code.TINY, Code.SHORT, Code.INT24, Code.LONG, Code.LONGLONG})
_MEMBERS = frozenset({Code.ENUM, Code.SET})
_TEXT = frozenset(
    {Code.STRING, Code.VAR_STRING, Code.VARCHAR, Code.BLOB, Code.TINY_BLOB, Code.MEDIUM_BLOB, Code.LONG_BLOB}
    | {Code.VARCHAR_COMPRESSED, Code.BLOB_COMPRESSED}
)
_AS_BINARY = frozenset({"uuid", "inet6", "inet4"})
"""Told apart by :mod:`hasync.binlog.catalog`."""
_MAYBE_HIDDEN = frozenset({4, 16})
_ALIASES = {"utf8": "utf8mb3"}
_MEMBER_CHARSET = "utf8mb4"
"""Members come from SQL text, whatever the column's own character set is."""


class MismatchError(ValueError):
    """The tracked schema is not that of the table map; the message names the first difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A table map with names.

    ``unsure``: the columns of which not everything is known that decoding needs; ``types``: the
    others' declared types, for :mod:`hasync.binlog.catalog`.
    """

    map: TableMap
    unsure: frozenset[int] = frozenset()
    types: Mapping[str, str] = field(default_factory=dict)


class Completion:
    """Completes table maps of one server. Called from: the reader thread."""

    def __init__(self, charsets: Mapping[int, str], flavor: Flavor) -> None:
        """``charsets``: the character set of each collation id of the server."""
        self._charsets = charsets
        self._flavor = flavor
        self._collations = {name: number for number, name in reversed(list(charsets.items()))}

    def of(self, table_map: TableMap, schema: TableSchema) -> Completed:
        """Return the map with what the schema says. Raises MismatchError when it is not this table's."""
        if len(schema.columns) != table_map.width:
            raise MismatchError(f"{table_map.width} columns in the binlog, {len(schema.columns)} tracked")
        assert table_map.columns is not None  # noqa: S101 - the caller asked
        columns, unsure, types = [], set(), {}
        for position, (column, tracked) in enumerate(zip(table_map.columns, schema.columns, strict=True)):
            self._require_same(table_map, position, tracked)
            completed = self._completed(column, tracked.declared, signed=table_map.signed)
            if completed is None:
                unsure.add(position)
            elif tracked.declared is not None and tracked.declared.base:
                types[tracked.name] = tracked.declared.spelled(column.code)
            columns.append(replace(completed or column, name=tracked.name))
        names = tuple(column.name for column in columns)
        named = replace(table_map, columns=tuple(columns), names=names)
        return Completed(map=named, unsure=frozenset(unsure), types=types)

    def _require_same(self, table_map: TableMap, position: int, tracked: TrackedColumn) -> None:
        assert table_map.columns is not None  # noqa: S101 - the caller asked
        column, declared = table_map.columns[position], tracked.declared
        if tracked.nullable is not None and tracked.nullable is not table_map.nullable[position]:
            raise MismatchError(f"column {tracked.name} may be NULL in one, not in the other")
        if declared is None or not declared.base:
            return
        if not declared.may_be(column):
            raise MismatchError(f"column {tracked.name} is no {declared.base.upper()} of that size in the binlog")
        if table_map.signed and column.code in _SIGNED and declared.unsigned is not column.unsigned:
            raise MismatchError(f"column {tracked.name} is UNSIGNED in one, not in the other")
        self._require_same_charset(column, tracked.name, declared)

    def _require_same_charset(self, column: ColumnLayout, name: str, declared: Declared) -> None:
        if not column.collation or column.code in _MEMBERS or not declared.textual or declared.charset is None:
            return
        found = self._charsets.get(column.collation)
        if found != _ALIASES.get(declared.charset, declared.charset) and not _same_bytes(found, declared.charset):
            raise MismatchError(f"column {name} has character set {found} in the binlog, {declared.charset} tracked")

    def _completed(self, column: ColumnLayout, declared: Declared | None, *, signed: bool) -> ColumnLayout | None:
        """Return the column with all that decoding needs, None when that is not known."""
        known = declared if declared is not None and declared.base else None
        if column.code in _SIGNED and not signed:
            return None if known is None else replace(column, unsigned=known.unsigned)
        if column.code in _MEMBERS:
            return self._with_members(column, known)
        if column.code in _TEXT:
            return self._with_collation(column, known)
        return column

    def _with_members(self, column: ColumnLayout, known: Declared | None) -> ColumnLayout | None:
        if known is None or known.members is None or _MEMBER_CHARSET not in self._collations:
            return None
        members = tuple(text.encode() for text in known.members)
        return replace(column, members=members, collation=self._collations[_MEMBER_CHARSET])

    def _with_collation(self, column: ColumnLayout, known: Declared | None) -> ColumnLayout | None:
        if known is None and self._may_hide(column):
            return None
        if column.collation:
            return column
        charset = BINARY if known is not None and known.base in _AS_BINARY else known and known.charset
        if not charset:
            return None
        collation = self._collations.get(_ALIASES.get(charset, charset))
        return None if collation is None else replace(column, collation=collation)

    def _may_hide(self, column: ColumnLayout) -> bool:
        """Whether it may be UUID or INET instead of BINARY."""
        if self._flavor is Flavor.MYSQL or column.code != Code.STRING or column.meta not in _MAYBE_HIDDEN:
            return False
        return not column.collation or self._charsets.get(column.collation) == BINARY


def _same_bytes(one: str | None, other: str) -> bool:
    """``utf8`` is an alias of either, as the server is set; both are UTF-8."""
    return other == "utf8" and one in ("utf8", "utf8mb3", "utf8mb4")
