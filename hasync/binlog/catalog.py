"""MariaDB columns that only the server's catalog tells apart.

UUID, INET6 and INET4 travel as BINARY. Times in the format from before MariaDB 10.1 travel
without their number of fractional digits, on which their length depends.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from hasync.binlog.charsets import BINARY
from hasync.binlog.tablemap import ColumnLayout, TableMap
from hasync.binlog.types import Code
from hasync.errors import SourceRefused
from hasync.model.position import Flavor

Catalog = Callable[[str, str], Mapping[str, str]]
"""Returns each column's declared type of ``(schema, table)`` as it is now; nothing when the table is not visible."""

_CODES = {"uuid": Code.MARIADB_UUID, "inet6": Code.MARIADB_INET6, "inet4": Code.MARIADB_INET4}
_LENGTHS = frozenset({4, 16})
_OLD_TIMES = frozenset({Code.TIME, Code.DATETIME, Code.TIMESTAMP})


def ambiguous(column: ColumnLayout, charsets: Mapping[int, str], flavor: Flavor) -> bool:
    """Whether a column may be one of these types, or a BINARY of the same length."""
    return (
        flavor is Flavor.MARIADB
        and column.code == Code.STRING
        and column.meta in _LENGTHS
        and charsets.get(column.collation) == BINARY
    )


def recognise(table_map: TableMap, positions: set[int], catalog: Catalog) -> TableMap:
    """Return the map with the ambiguous columns at ``positions`` made certain.

    The catalog knows the table as it is now; a column that was turned from one of these
    types into BINARY, or back, is taken for what it is now.

    Raises SourceRefused when the catalog does not show them.
    """
    assert table_map.columns is not None  # noqa: S101 - only a known table is selected
    path = f"{table_map.schema}.{table_map.name}"
    declared = catalog(table_map.schema, table_map.name)
    columns = list(table_map.columns)
    for position in positions:
        column = columns[position]
        kind = declared.get(column.name)
        if kind is None:
            raise SourceRefused(
                f"column {column.name} of {path} may be BINARY({column.meta}), UUID or INET, and nobody lets us look",
                hint=f"GRANT SELECT ON {path} TO the account, or leave the column out",
            )
        columns[position] = replace(column, code=_CODES.get(kind, column.code))
    return replace(table_map, columns=tuple(columns))


def old_fraction(table_map: TableMap, catalog: Catalog) -> str:
    """Return the column whose length is not known because it may be an old time with fractions, "" when none is."""
    old = [column.name for column in table_map.columns or () if column.code in _OLD_TIMES]
    if not old:
        return ""
    declared = catalog(table_map.schema, table_map.name)
    return next((name for name in old if "(" in declared.get(name, "(")), "")
