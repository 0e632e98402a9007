"""Columns that only the catalog tells apart: when it is asked, and what is made of its answer."""

from collections.abc import Mapping

import pytest

from hasync.binlog.catalog import ambiguous, has_old_times, old_times, recognise
from hasync.binlog.tablemap import ColumnLayout, TableMap
from hasync.binlog.types import Code, decoding
from hasync.errors import SourceRefused
from hasync.model.position import Flavor

CHARSETS = {45: "utf8mb4", 63: "binary"}


def column(code: int, *, meta: int = 0, unsigned: bool = False, collation: int = 0) -> ColumnLayout:
    """Return a column of a row image."""
    return ColumnLayout(name="c", code=code, meta=meta, unsigned=unsigned, collation=collation)


def of(*columns: ColumnLayout) -> TableMap:
    """Return the table map of a table with these columns."""
    names = tuple(each.name for each in columns)
    return TableMap(schema="s", name="t", width=len(columns), columns=columns, names=names)


def seen_as(one: ColumnLayout, **declared: str) -> ColumnLayout:
    """Return what a column is taken for when the catalog says this."""
    found = recognise(of(one), {0}, lambda _schema, _table: declared)
    assert found.columns is not None
    return found.columns[0]


DECLARED = [
    (column(Code.LONG, unsigned=True), "int(5) unsigned zerofill", Code.ZEROFILL, 5),
    (column(Code.LONG, unsigned=True), "int unsigned", Code.LONG, 0),
    (column(Code.LONG, unsigned=True), "bigint(20) unsigned zerofill", Code.LONG, 0),
    (column(Code.LONGLONG, unsigned=True), "bigint(20) unsigned zerofill", Code.ZEROFILL, 20),
    (column(Code.TINY, unsigned=True), "tinyint(3) unsigned zerofill", Code.ZEROFILL, 3),
    (
        column(Code.NEWDECIMAL, meta=0x0A02, unsigned=True),
        "decimal(10,2) unsigned zerofill",
        Code.ZEROFILL_DECIMAL,
        0x0A02,
    ),
    (column(Code.NEWDECIMAL, meta=0x0A02, unsigned=True), "decimal(10,2) unsigned", Code.NEWDECIMAL, 0x0A02),
    (column(Code.FLOAT, meta=4), "float", Code.FLOAT, 4),
    (column(Code.FLOAT, meta=4), "float unsigned", Code.FLOAT, 4),
    (column(Code.FLOAT, meta=4), "float(7,3)", Code.DECLARED_FLOAT, 3 << 8),
    (column(Code.FLOAT, meta=4), "float(7,3) unsigned zerofill", Code.DECLARED_FLOAT, 3 << 8 | 7),
    (column(Code.FLOAT, meta=4), "float unsigned zerofill", Code.DECLARED_FLOAT, 31 << 8 | 12),
    (column(Code.FLOAT, meta=4), "double(10,2)", Code.FLOAT, 4),
    (column(Code.DOUBLE, meta=8), "double(10,2)", Code.DECLARED_DOUBLE, 2 << 8),
    (column(Code.DOUBLE, meta=8), "double unsigned zerofill", Code.DECLARED_DOUBLE, 31 << 8 | 22),
    (column(Code.YEAR, unsigned=True), "year(2)", Code.MARIADB_YEAR2, 0),
    (column(Code.YEAR, unsigned=True), "year(4)", Code.YEAR, 0),
    (column(Code.STRING, meta=16, collation=63), "uuid", Code.MARIADB_UUID, 16),
    (column(Code.STRING, meta=16, collation=63), "binary(16)", Code.STRING, 16),
    (column(Code.STRING, meta=4, collation=63), "inet4", Code.MARIADB_INET4, 4),
]


@pytest.mark.parametrize(("one", "declared", "code", "meta"), DECLARED)
def test_column_is_what_it_was_declared(one: ColumnLayout, declared: str, code: int, meta: int) -> None:
    """In the words of COLUMN_TYPE; of another type by now, it is printed plainly."""
    assert ambiguous(one, CHARSETS, Flavor.MARIADB)
    found = seen_as(one, c=declared)
    assert (found.code, found.meta) == (code, meta)
    assert decoding(found, CHARSETS).kind is decoding(one, CHARSETS).kind or code == Code.MARIADB_UUID or meta == 4


CERTAIN = [
    column(Code.LONG),
    column(Code.NEWDECIMAL, meta=0x0A02),
    column(Code.STRING, meta=16, collation=45),
    column(Code.STRING, meta=15, collation=63),
    column(Code.BLOB, meta=1, collation=63),
    column(Code.TIME2, meta=3),
]


@pytest.mark.parametrize("one", CERTAIN)
def test_catalog_is_not_asked_about_what_is_certain(one: ColumnLayout) -> None:
    """A question costs a connection."""
    assert not ambiguous(one, CHARSETS, Flavor.MARIADB)
    assert not ambiguous(one, CHARSETS, Flavor.MYSQL)


def test_mysql_has_no_uuid_and_no_short_year() -> None:
    """Its BINARY(16) is one."""
    assert not ambiguous(column(Code.STRING, meta=16, collation=63), CHARSETS, Flavor.MYSQL)
    assert not ambiguous(column(Code.YEAR, unsigned=True), CHARSETS, Flavor.MYSQL)


@pytest.mark.parametrize("one", [column(Code.LONG, unsigned=True), column(Code.DOUBLE, meta=8)])
def test_number_that_the_catalog_does_not_show_is_printed_plainly(one: ColumnLayout) -> None:
    """It is the same number, and tables that are gone must not stop the stream."""
    assert seen_as(one) == one


def test_uuid_that_the_catalog_does_not_show_is_refused() -> None:
    """Its bytes would be taken for text."""
    with pytest.raises(SourceRefused, match="BINARY"):
        seen_as(column(Code.STRING, meta=16, collation=63))


OLD: Mapping[str, tuple[ColumnLayout, int, int]] = {
    "time /* mariadb-5.3 */": (column(Code.TIME), Code.TIME, 0),
    "time(3) /* mariadb-5.3 */": (column(Code.TIME), Code.MARIADB_TIME_HIRES, 3),
    "datetime(6)": (column(Code.DATETIME), Code.MARIADB_DATETIME_HIRES, 6),
    "timestamp(1) /* mariadb-5.3 */": (column(Code.TIMESTAMP), Code.MARIADB_TIMESTAMP_HIRES, 1),
}


@pytest.mark.parametrize("declared", OLD)
def test_old_times_get_their_fraction(declared: str) -> None:
    """Without it nothing behind them could be read."""
    one, code, digits = OLD[declared]
    found, unknown = old_times(of(one), lambda _schema, _table: {"c": declared})
    assert found.columns is not None
    assert (found.columns[0].code, found.columns[0].meta, unknown) == (code, digits, "")


@pytest.mark.parametrize("declared", [{}, {"c": "int"}, {"c": "datetime(3)"}])
def test_old_time_that_the_catalog_does_not_show_is_named(declared: dict[str, str]) -> None:
    """Nor one that is something else by now."""
    one = of(column(Code.TIME))
    assert old_times(one, lambda _schema, _table: declared) == (one, "c")


def test_other_tables_have_no_old_times() -> None:
    """All tables of MariaDB are looked at, and few are asked about."""
    assert not has_old_times(of(column(Code.LONG), column(Code.DATETIME2)))
    assert has_old_times(of(column(Code.LONG), column(Code.DATETIME)))
