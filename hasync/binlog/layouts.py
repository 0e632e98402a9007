"""Table layouts, parsed once per distinct TABLE_MAP body, and what is decoded of each.

A table that nobody wants never stops the stream, however strange its columns are; a
wanted one whose rows cannot be read exactly always does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hasync.binlog.catalog import Catalog, ambiguous, old_fraction, recognise
from hasync.binlog.rowplan import Images, RowPlan, Wanted
from hasync.binlog.tablemap import ColumnLayout, TableMap, parse
from hasync.binlog.types import Extent, UnsupportedTypeError, decoding, extent
from hasync.errors import Fatal, SourceRefused
from hasync.model.change import Column, Interest, Kind, Operation, Selection, Table
from hasync.model.position import Flavor

METADATA_REMEDY = (
    "SET GLOBAL binlog_row_metadata = 'FULL', also in the session that wrote it; "
    "then start after the last event that was written without it"
)
_MOST_LAYOUTS = 4096
"""Distinct table maps kept; past that all are forgotten, which costs one parse each."""

@dataclass(slots=True)
class Layout:
    """One distinct table map. ``table`` is None when columns have no names or a type no known length.

    ``opaque`` names the type whose length is not known: rows of such a table cannot be
    told apart, so an event of it counts as one row.
    """

    map: TableMap
    table: Table | None = None
    extents: tuple[Extent, ...] = ()
    opaque: str = ""
    selection: Selection | None = None
    asked: bool = False
    by_catalog: bool = False
    plans: dict[tuple[Operation, bytes], RowPlan] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """``schema.table``."""
        return f"{self.map.schema}.{self.map.name}"


class Layouts:
    """All layouts met, and the one interest that says what of them is wanted."""

    def __init__(self, *, interest: Interest, charsets: Mapping[int, str], flavor: Flavor, catalog: Catalog) -> None:
        self._interest = interest
        self._charsets = charsets
        self._flavor = flavor
        self._catalog = catalog
        self._by_body: dict[bytes, Layout] = {}

    def follow(self, interest: Interest) -> None:
        """Ask another interest from now on."""
        self._interest = interest
        self._by_body.clear()

    def redefined(self, emptied: Iterable[tuple[str, str]] = ()) -> None:
        """Forget what the server's catalog said: a table was defined anew. Raises what the interest raises.

        ``emptied``: the tables that lost rows by it, as (schema, table).
        """
        for schema, table in emptied:
            self._interest.emptied(schema, table)
        for body in [body for body, layout in self._by_body.items() if layout.by_catalog]:
            del self._by_body[body]

    def of(self, body: bytes) -> Layout:
        """Return the layout of a TABLE_MAP body (behind table id and flags).

        Raises SourceRefused when the table is wanted but cannot be read; ValueError when the body is damaged;
        and what the interest raises.
        """
        layout = self._by_body.get(body)
        if layout is None:
            if len(self._by_body) >= _MOST_LAYOUTS:
                self._by_body.clear()
            layout = self._by_body[body] = self._describe(parse(body, self._flavor))
        if not layout.asked:
            self._select(layout)
        return layout

    def _describe(self, table_map: TableMap) -> Layout:
        layout = Layout(table_map)
        if table_map.columns is None:
            layout.opaque = f"type {table_map.unknown_type}"
            return layout
        try:
            layout.extents = tuple(extent(column) for column in table_map.columns)
        except UnsupportedTypeError as unknown:
            layout.opaque = str(unknown)
            return layout
        if self._flavor is Flavor.MARIADB and (column := old_fraction(table_map, self._catalog)):
            layout.opaque = f"MariaDB's old time format ({column}), maybe with fractions"
            layout.by_catalog = True
        elif table_map.named:
            layout.table = self._table(table_map)
        return layout

    def _table(self, table_map: TableMap) -> Table:
        columns = tuple(Column(column.name, self._kind(column)) for column in table_map.columns or ())
        return Table(table_map.schema, table_map.name, columns)

    def _kind(self, column: ColumnLayout) -> Kind:
        try:
            return decoding(column, self._charsets).kind
        except UnsupportedTypeError:
            return Kind.BYTES

    def _select(self, layout: Layout) -> None:
        if layout.table is not None:
            layout.selection = self._interest.select(layout.table)
            if layout.selection is not None:
                self._recognise(layout, {*layout.selection.before, *layout.selection.after})
        elif self._wanted_blindly(layout.map):
            raise _unreadable(layout)
        layout.asked = True

    def _recognise(self, layout: Layout, wanted: set[int]) -> None:
        """Learn what the wanted columns are that the binlog does not tell apart, and ask again with their kinds."""
        columns = layout.map.columns or ()
        unclear = {position for position in wanted if ambiguous(columns[position], self._charsets, self._flavor)}
        if unclear:
            layout.by_catalog = True
            layout.map = recognise(layout.map, unclear, self._catalog)
            layout.table = self._table(layout.map)
            layout.selection = self._interest.select(layout.table)

    def _wanted_blindly(self, table_map: TableMap) -> bool:
        """Ask for a table whose columns are not known; an interest that misses a column wants the table."""
        names = table_map.names if table_map.named else ()
        table = Table(table_map.schema, table_map.name, tuple(Column(name, Kind.BYTES) for name in names))
        try:
            return self._interest.select(table) is not None
        except Fatal:
            return True

    def rows(self, layout: Layout, operation: Operation, bitmaps: bytes) -> RowPlan | None:
        """Return how events with these columns in their images are read; None: one counts as one row.

        Raises SourceRefused when a wanted column is missing or cannot be decoded, ValueError when damaged.
        """
        if layout.opaque:
            return None
        plan = layout.plans.get((operation, bitmaps))
        if plan is None:
            images = Images(extents=layout.extents, operation=operation, bitmaps=bitmaps)
            plan = layout.plans[operation, bitmaps] = images.plan(self._wanted(layout))
        return plan

    def _wanted(self, layout: Layout) -> Wanted | None:
        if layout.table is None or layout.selection is None:
            return None
        return Wanted(layout.table, layout.selection, layout.map.columns or (), self._charsets)


def _unreadable(layout: Layout) -> SourceRefused:
    if layout.opaque:
        return SourceRefused(
            f"table {layout.path} has a column of {layout.opaque}, whose length is not known",
            hint="take the table out of the rules, or change the column; ALTER TABLE ... FORCE renews old time formats",
        )
    return SourceRefused(f"table map of {layout.path} has no column names", hint=METADATA_REMEDY)
