"""Row images that are not whole: which columns a rule needs that MINIMAL or NOBLOB may leave out.

A before image always has the key that identifies the row. Beyond it, MINIMAL has what the
statement changed (or gave, for an INSERT), NOBLOB all but large columns that did not change.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hasync.binlog.server import Server
from hasync.binlog.visibility import UNMATCHED_REMEDY, Path, Visibility
from hasync.errors import Fatal
from hasync.model.change import Column, Interest, Kind, Selection, Table
from hasync.model.check import Check

NAME = "source.binlog_row_image"
WHOLE = frozenset({"FULL", "FULL_NODUP"})
"""MariaDB 11's FULL_NODUP leaves out of the after image what is in the before image."""

_LARGE = {
    *("tinyblob", "blob", "mediumblob", "longblob", "tinytext", "text", "mediumtext", "longtext", "json", "vector"),
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "geomcollection"),
}
_REMEDY = (
    "SET GLOBAL binlog_row_image = 'FULL'; and in my.cnf; sessions keep the old value until they reconnect; "
    "or let the rules use key columns only"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Declared:
    """A column of a table as it is now; ``key``: every before image has it."""

    name: str
    type: str
    key: bool


def check(server: Server, image: str, interest: Interest | None, visible: Visibility | None) -> Check:
    """Hold the server's row image against what is wanted of the tables that the account sees now.

    ``interest``, ``visible``: not needed for whole images; else without them nothing is known to be wanted.
    Raises SourceUnavailable, SourceRefused.
    """
    text = f"binlog_row_image = {image!r}"
    if image.upper() in WHOLE:
        return Check(name=NAME, ok=True, detail=text)
    if interest is None or visible is None:
        return Check(name=NAME, ok=True, detail=f"{text}, and no table is wanted")
    lacking = list(_lacking(server, image.upper(), interest, visible.tables))
    if lacking or visible.hidden:
        return _failed(text, lacking, visible)
    if visible.unmatched:
        return Check(
            name=NAME,
            ok=False,
            warning=True,
            detail=f"{text} has what the rules need of tables that the account sees; none matches "
            f"{visible.unmatched_names}",
            remedy=UNMATCHED_REMEDY,
        )
    return Check(name=NAME, ok=True, detail=f"{text} has what the rules need")


def _failed(text: str, lacking: Sequence[str], visible: Visibility) -> Check:
    details, remedies = [], []
    if lacking:
        details.append(f"rows may come without columns that rules need: {', '.join(lacking)}")
        remedies.append(_REMEDY)
    if visible.hidden:
        details.append(f"the account may not look whether it has what the rules need of {visible.hidden_names}")
        remedies.append(visible.grants)
    return Check(name=NAME, ok=False, detail=f"{text}: {'; '.join(details)}", remedy="; ".join(remedies))


def _lacking(server: Server, image: str, interest: Interest, tables: Iterable[Path]) -> Iterator[str]:
    for schema, name in tables:
        if not _wanted(interest, Table(schema, name, ())):
            continue
        declared = _declared(server, schema, name)
        selection = _select(interest, Table(schema, name, tuple(Column(one.name, Kind.BYTES) for one in declared)))
        if selection is not None:
            needed = sorted({*selection.before, *selection.after})
            yield from (f"{schema}.{name}.{declared[at].name}" for at in needed if _may_lack(image, declared[at]))


def _may_lack(image: str, column: _Declared) -> bool:
    return not column.key and (image != "NOBLOB" or column.type in _LARGE)


def _wanted(interest: Interest, table: Table) -> bool:
    """Ask with no column at all: an interest that misses one wants the table."""
    try:
        return interest.select(table) is not None
    except Fatal:
        return True


def _select(interest: Interest, table: Table) -> Selection | None:
    try:
        return interest.select(table)
    except Fatal:
        return None  # told when its first row comes, by which time the table may be another


def _declared(server: Server, schema: str, name: str) -> Sequence[_Declared]:
    columns = server.rows(
        "SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS "
        "WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
        schema,
        name,
    )
    key = _key(server, schema, name)
    return [
        _Declared(name=str(column), type=str(kind).lower(), key=key is None or str(column) in key)
        for column, kind in columns
    ]


def _key(server: Server, schema: str, name: str) -> frozenset[str] | None:
    """Return the columns of the key that identifies a row; None when there is none, and before images are whole.

    Without a primary key it is one of the unique keys without NULL: what all of those have in common is certain.
    """
    parts = server.rows(
        "SELECT INDEX_NAME, COLUMN_NAME, NULLABLE FROM information_schema.STATISTICS "
        "WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND NON_UNIQUE = 0",
        schema,
        name,
    )
    keys: dict[str, set[str]] = {}
    for index, column, _ in parts:
        keys.setdefault(str(index), set()).add(str(column))
    for index in {str(index) for index, column, nullable in parts if nullable == "YES" or column is None}:
        keys.pop(index)
    if "PRIMARY" in keys:
        return frozenset(keys["PRIMARY"])
    return _common(keys.values()) if keys else None


def _common(keys: Iterable[set[str]]) -> frozenset[str]:
    return frozenset(set.intersection(*keys))
