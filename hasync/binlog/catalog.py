"""Columns that only the server's catalog tells apart.

What a binlog's table map, even a full one, does not say:

* UUID, INET6 and INET4 of MariaDB travel as BINARY.
* FLOAT and DOUBLE may have declared decimals, and any number may be ZEROFILL: ``SELECT``
  prints ``1.500`` and ``00042``. These are the same numbers, so where the catalog does not
  show the column (the table is gone by now, the account may not look), they are
  printed as 1.5 and 42.
* YEAR(2) of MariaDB travels as YEAR.
* Times in the format from before MariaDB 10.1 travel without their number of fractional
  digits, on which their length depends.

The catalog knows the table as it is now. A column that was turned from one of these
into another since is taken for what it is now.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from hasync.binlog.charsets import BINARY
from hasync.binlog.numbers import NOT_FIXED
from hasync.binlog.tablemap import ColumnLayout, TableMap
from hasync.binlog.types import Code
from hasync.errors import SourceRefused
from hasync.model.position import Flavor

Catalog = Callable[[str, str], Mapping[str, str]]
"""Returns each column's declared type of ``(schema, table)`` as it is now; nothing when the table is not visible."""

_CODES = {"uuid": Code.MARIADB_UUID, "inet6": Code.MARIADB_INET6, "inet4": Code.MARIADB_INET4}
_LENGTHS = frozenset({4, 16})
_INTEGERS: dict[int, str] = {
    Code.TINY: "tinyint",
    Code.SHORT: "smallint",
    Code.INT24: "mediumint",
    Code.LONG: "int",
    Code.LONGLONG: "bigint",
}
_FLOATS: dict[int, tuple[str, Code, int]] = {
    Code.FLOAT: ("float", Code.DECLARED_FLOAT, 12),
    Code.DOUBLE: ("double", Code.DECLARED_DOUBLE, 22),
}
"""Name, the type with declared decimals or width, and the width of a ZEROFILL one without."""
_OLD_TIMES: dict[int, tuple[str, Code]] = {
    Code.TIME: ("time", Code.MARIADB_TIME_HIRES),
    Code.DATETIME: ("datetime", Code.MARIADB_DATETIME_HIRES),
    Code.TIMESTAMP: ("timestamp", Code.MARIADB_TIMESTAMP_HIRES),
}
_DECLARED = re.compile(r"(?P<name>\w+)(?:\((?P<first>\d+)(?:,(?P<second>\d+))?\))?(?P<more>.*)", re.DOTALL)


def ambiguous(column: ColumnLayout, charsets: Mapping[int, str], flavor: Flavor) -> bool:
    """Whether a column may be one of these types, or another that looks the same."""
    if column.code in _FLOATS:
        return True
    if column.code in _INTEGERS or column.code == Code.NEWDECIMAL:
        return column.unsigned  # as ZEROFILL always is
    return flavor is Flavor.MARIADB and (
        column.code == Code.YEAR or (_like_uuid(column) and charsets.get(column.collation) == BINARY)
    )


def _like_uuid(column: ColumnLayout) -> bool:
    return column.code == Code.STRING and column.meta in _LENGTHS


def recognise(table_map: TableMap, positions: set[int], catalog: Catalog) -> TableMap:
    """Return the map with the ambiguous columns at ``positions`` made certain.

    Raises SourceRefused when the catalog does not show one that may be UUID or INET.
    """
    assert table_map.columns is not None  # noqa: S101 - only a known table is selected
    declared = catalog(table_map.schema, table_map.name)
    columns = list(table_map.columns)
    for position in positions:
        column = columns[position]
        kind = declared.get(column.name)
        if kind is not None:
            columns[position] = recognised(column, kind)
        elif _like_uuid(column):
            path = f"{table_map.schema}.{table_map.name}"
            raise SourceRefused(
                f"column {column.name} of {path} may be BINARY({column.meta}), UUID or INET, and nobody lets us look",
                hint=f"GRANT SELECT ON {path} TO the account, or leave the column out",
            )
    return replace(table_map, columns=tuple(columns))


def recognised(column: ColumnLayout, declared: str) -> ColumnLayout:
    """Return an ambiguous column as what it was declared (``COLUMN_TYPE``); as it is when they differ."""
    match = _DECLARED.match(declared)
    if match is None:
        return column
    if column.code in _FLOATS:
        return _declared_float(column, match)
    if column.code in _INTEGERS or column.code == Code.NEWDECIMAL:
        return _zerofill(column, match)
    if column.code == Code.YEAR:
        two = (match["name"], match["first"]) == ("year", "2")
        return replace(column, code=Code.MARIADB_YEAR2) if two else column
    return replace(column, code=_CODES.get(match["name"], column.code))


def _zerofill(column: ColumnLayout, declared: re.Match[str]) -> ColumnLayout:
    """Recognise a ZEROFILL column, unless it has become one of another type, which prints with another width."""
    if "zerofill" not in declared["more"] or declared["name"] != _INTEGERS.get(column.code, "decimal"):
        return column
    if column.code == Code.NEWDECIMAL:
        return replace(column, code=Code.ZEROFILL_DECIMAL)
    return replace(column, code=Code.ZEROFILL, meta=int(declared["first"] or 0))


def _declared_float(column: ColumnLayout, declared: re.Match[str]) -> ColumnLayout:
    name, code, width = _FLOATS[column.code]
    zerofill = "zerofill" in declared["more"]
    if declared["name"] != name or not (declared["first"] or zerofill):
        return column
    decimals = NOT_FIXED if declared["second"] is None else int(declared["second"])
    filled = int(declared["first"] or width) if zerofill else 0
    return replace(column, code=code, meta=decimals << 8 | filled)


def has_old_times(table_map: TableMap) -> bool:
    """Whether the length of a column depends on what the catalog says."""
    return any(column.code in _OLD_TIMES for column in table_map.columns or ())


def old_times(table_map: TableMap, catalog: Catalog) -> tuple[TableMap, str]:
    """Return the map with MariaDB's old times made certain, and the name of one that cannot be ("": all are)."""
    declared = catalog(table_map.schema, table_map.name)
    columns = list(table_map.columns or ())
    for position in [position for position, column in enumerate(columns) if column.code in _OLD_TIMES]:
        column = _old_time(columns[position], declared.get(columns[position].name, ""))
        if column is None:
            return table_map, columns[position].name
        columns[position] = column
    return replace(table_map, columns=tuple(columns)), ""


def _old_time(column: ColumnLayout, declared: str) -> ColumnLayout | None:
    name, code = _OLD_TIMES[column.code]
    match = _DECLARED.match(declared)
    if match is None or match["name"] != name:
        return None
    digits = int(match["first"] or 0)
    return replace(column, code=code, meta=digits) if digits else column
