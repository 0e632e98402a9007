"""Table layouts, parsed once per distinct TABLE_MAP body, and what is decoded of each.

A table that nobody wants never stops the stream, however strange its columns are; a
wanted one whose rows cannot be read exactly always does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hasync.binlog.catalog import Catalog, ambiguous, has_old_times, old_times, recognise
from hasync.binlog.completion import Completed
from hasync.binlog.partial import PartialPlan
from hasync.binlog.rowplan import Images, RowPlan, Wanted
from hasync.binlog.schematracker import METADATA_REMEDY, SchemaTracker
from hasync.binlog.spots import Spot, Statement
from hasync.binlog.tablemap import ColumnLayout, TableMap, parse
from hasync.binlog.types import Extent, UnsupportedTypeError, decoding, extent
from hasync.errors import Fatal, SourceRefused
from hasync.model.change import Column, Interest, Kind, Operation, Selection, Table
from hasync.model.position import Flavor

_MOST_LAYOUTS = 4096
"""Distinct table maps kept; past that all are forgotten, which costs one parse each."""


@dataclass(slots=True)
class Layout:
    """One distinct table map. ``table`` is None when columns have no names or a type no known length.

    ``opaque`` names the type whose length is not known: rows of such a table cannot be
    told apart, so an event of it counts as one row. ``tracked``: what completed a map without names.
    """

    map: TableMap
    table: Table | None = None
    extents: tuple[Extent, ...] = ()
    opaque: str = ""
    selection: Selection | None = None
    asked: bool = False
    by_catalog: bool = False
    tracked: Completed | None = None
    plans: dict[tuple[Operation, bytes], RowPlan] = field(default_factory=dict)
    partials: dict[bytes, PartialPlan] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """``schema.table``."""
        return f"{self.map.schema}.{self.map.name}"


class Layouts:
    """All layouts met, and the one interest that says what of them is wanted."""

    def __init__(
        self,
        *,
        interest: Interest,
        charsets: Mapping[int, str],
        flavor: Flavor,
        catalog: Catalog,
        schemas: SchemaTracker | None = None,
    ) -> None:
        """``schemas``: completes the maps of wanted tables that come without names; without it they are refused."""
        self._interest = interest
        self._charsets = charsets
        self._flavor = flavor
        self._catalog = catalog
        self._schemas = schemas
        self._by_body: dict[bytes, Layout] = {}
        self.generation = 0
        """Another number whenever a body's layout may have become another one."""

    def follow(self, interest: Interest) -> None:
        """Ask another interest from now on."""
        self._interest = interest
        self._by_body.clear()
        self.generation += 1

    def redefined(
        self, emptied: Iterable[tuple[str, str]] = (), statement: Statement | None = None, spot: Spot | None = None
    ) -> None:
        """Forget what the server's catalog said: a table was defined anew. Raises what the interest raises.

        ``emptied``: the tables that lost rows by it, as (schema, table). ``statement``, which
        ends at ``spot``, is carried out on the tracked schemas.
        """
        for schema, table in emptied:
            self._interest.emptied(schema, table)
        self.generation += 1
        for body in [body for body, layout in self._by_body.items() if layout.by_catalog]:
            del self._by_body[body]
        if self._schemas is not None and statement is not None and spot is not None:
            self._schemas.met(statement, spot)

    def known(self, body: bytes) -> Layout | None:
        """Return the layout of a TABLE_MAP body that :meth:`of` was asked for since ``generation`` began."""
        layout = self._by_body.get(body)
        return layout if layout is not None and layout.asked and not layout.opaque else None

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
        if not table_map.named and self._schemas is not None and self._wanted_blindly(table_map):
            layout.tracked = self._schemas.complete(table_map)
            layout.map = layout.tracked.map
            layout.by_catalog = True
        if self._flavor is Flavor.MARIADB and has_old_times(layout.map):
            self._learn_fractions(layout)
        if layout.map.named and not layout.opaque:
            layout.table = self._table(layout.map)
        return layout

    def _learn_fractions(self, layout: Layout) -> None:
        """Ask how many digits MariaDB's old times have, on which their length depends."""
        layout.by_catalog = True
        layout.map, unclear = old_times(layout.map, self._catalog_of(layout))
        layout.extents = tuple(extent(column) for column in layout.map.columns or ())
        if unclear:
            layout.opaque = f"MariaDB's old time format ({unclear}), maybe with fractions"

    def _catalog_of(self, layout: Layout) -> Catalog:
        """Return what tells the columns' declared types: the server now, or as they were tracked to this place."""
        tracked = layout.tracked
        return self._catalog if tracked is None else lambda _schema, _table: tracked.types

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
                wanted = {*layout.selection.before, *layout.selection.after}
                _require_sure(layout, wanted)
                self._recognise(layout, wanted)
        elif self._wanted_blindly(layout.map):
            raise _unreadable(layout)
        layout.asked = True

    def _recognise(self, layout: Layout, wanted: set[int]) -> None:
        """Learn what the wanted columns are that the binlog does not tell apart, and ask again with their kinds."""
        columns = layout.map.columns or ()
        unclear = {position for position in wanted if ambiguous(columns[position], self._charsets, self._flavor)}
        if unclear:
            layout.by_catalog = True
            layout.map = recognise(layout.map, unclear, self._catalog_of(layout))
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

    def partial(self, layout: Layout, bitmaps: bytes) -> PartialPlan | None:
        """Return how partial updates are read. Raises as :meth:`rows`."""
        if layout.opaque:
            return None
        plan = layout.partials.get(bitmaps)
        if plan is None:
            images = Images(extents=layout.extents, operation=Operation.UPDATE, bitmaps=bitmaps)
            codes = [column.code for column in layout.map.columns or ()]
            plan = layout.partials[bitmaps] = PartialPlan(images, self._wanted(layout), codes)
        return plan

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


def _require_sure(layout: Layout, wanted: set[int]) -> None:
    unsure = wanted & layout.tracked.unsure if layout.tracked is not None else set()
    if unsure:
        raise SourceRefused(
            f"table map of {layout.path} does not tell the type of column {layout.map.names[min(unsure)]}, and a "
            "definition has changed it since",
            hint=METADATA_REMEDY,
        )


def _unreadable(layout: Layout) -> SourceRefused:
    if layout.opaque:
        return SourceRefused(
            f"table {layout.path} has a column of {layout.opaque}, whose length is not known",
            hint="take the table out of the rules, or change the column; ALTER TABLE ... FORCE renews old time formats",
        )
    return SourceRefused(f"table map of {layout.path} has no column names", hint=METADATA_REMEDY)
