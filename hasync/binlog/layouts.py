"""Table layouts, parsed once per distinct TABLE_MAP body, and what is decoded of each.

A table that nobody wants never stops the stream, however strange its columns are; a
wanted one whose rows cannot be read exactly always does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hasync.binlog.catalog import Catalog, ambiguous, old_fraction, recognise
from hasync.binlog.rows import ColumnPlan, Columns, RowImages, count_rows, read_rows
from hasync.binlog.tablemap import ColumnLayout, TableMap, parse
from hasync.binlog.types import Extent, UnsupportedTypeError, decoding, extent
from hasync.errors import Fatal, SourceRefused
from hasync.model.change import Column, Interest, Kind, Operation, RowChanges, Selection, Table
from hasync.model.position import Flavor

METADATA_REMEDY = (
    "SET GLOBAL binlog_row_metadata = 'FULL', also in the session that wrote it; "
    "then start after the last event that was written without it"
)
IMAGE_REMEDY = (
    "SET GLOBAL binlog_row_image = 'FULL', also in the session that wrote it; then start after this transaction"
)
_MOST_LAYOUTS = 4096
"""Distinct table maps kept; past that all are forgotten, which costs one parse each."""

Images = tuple[Columns, ...]
Extents = tuple[tuple[tuple[int, int], ...], ...]


@dataclass(slots=True)
class Layout:
    """One distinct table map. ``table`` is None when columns have no names or a type no known length.

    ``opaque`` names the type whose length is not known: rows of such a table cannot be
    told apart, so an event of it counts as one row.
    """

    map: TableMap
    table: Table | None = None
    extents: tuple[tuple[int, int], ...] = ()
    opaque: str = ""
    selection: Selection | None = None
    asked: bool = False
    by_catalog: bool = False
    plans: dict[tuple[Operation, bytes], Images] = field(default_factory=dict)
    skips: dict[tuple[Operation, bytes], Extents] = field(default_factory=dict)

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
            layout.extents = tuple(_pair(extent(column)) for column in table_map.columns)
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

    def count(self, layout: Layout, rows: RowImages) -> int:
        """Count the rows without decoding. Raises ValueError when they are cut short."""
        if layout.opaque:
            return 1
        extents = layout.skips.get((rows.operation, rows.bitmaps))
        if extents is None:
            extents = layout.skips[rows.operation, rows.bitmaps] = _present(layout, rows.operation, rows.bitmaps)
        return count_rows(rows, extents)

    def changes(self, layout: Layout, rows: RowImages) -> RowChanges:
        """Decode the rows of a wanted table.

        Raises SourceRefused when a wanted column is missing or cannot be decoded, ValueError when damaged.
        """
        operation = rows.operation
        images = layout.plans.get((operation, rows.bitmaps))
        if images is None:
            images = layout.plans[operation, rows.bitmaps] = self._plan(layout, operation, rows.bitmaps)
        try:
            found = read_rows(rows, images)
        except ValueError as damaged:
            raise ValueError(f"rows of {layout.path}: {_without_values(damaged)}") from None
        assert layout.table is not None  # noqa: S101 - only a known table is selected
        assert layout.selection is not None  # noqa: S101 - the caller asked
        return RowChanges(
            table=layout.table,
            operation=operation,
            selection=layout.selection,
            before=found[0] if operation is not Operation.INSERT else (),
            after=found[-1] if operation is not Operation.DELETE else (),
        )

    def _plan(self, layout: Layout, operation: Operation, bitmaps: bytes) -> Images:
        _present(layout, operation, bitmaps)
        selection = layout.selection
        assert selection is not None  # noqa: S101 - the caller asked
        wanted = {
            Operation.INSERT: (selection.after,),
            Operation.UPDATE: (selection.before, selection.after),
            Operation.DELETE: (selection.before,),
        }[operation]
        size = len(bitmaps) // len(wanted)
        return tuple(
            self._image(layout, frozenset(columns), bitmaps[i * size : (i + 1) * size])
            for i, columns in enumerate(wanted)
        )

    def _image(self, layout: Layout, wanted: frozenset[int], bitmap: bytes) -> Columns:
        present = _positions(bitmap, layout.map.width)
        missing = wanted - set(present)
        if missing:
            assert layout.map.columns is not None  # noqa: S101 - only a known table is selected
            name = layout.map.columns[min(missing)].name
            raise SourceRefused(f"row image of {layout.path} lacks column {name}", hint=IMAGE_REMEDY)
        return tuple(self._column(layout, position, wanted=position in wanted) for position in present)

    def _column(self, layout: Layout, position: int, *, wanted: bool) -> ColumnPlan:
        prefix, size = layout.extents[position]
        if not wanted:
            return prefix, size, None, None
        assert layout.map.columns is not None  # noqa: S101 - only a known table is selected
        column = layout.map.columns[position]
        try:
            how = decoding(column, self._charsets)
        except UnsupportedTypeError as unknown:
            raise SourceRefused(
                f"column {column.name} of {layout.path} has {unknown}, which hasync cannot read exactly",
                hint="change the column's type or character set, or leave it out of the rule",
            ) from unknown
        return prefix, size, how.decode, how.arg


def _without_values(damaged: ValueError) -> str:
    """Return the error's text; a codec's own would show the value (I12)."""
    if isinstance(damaged, UnicodeDecodeError):
        return f"text that is not valid {damaged.encoding}"
    return str(damaged)


def _pair(length: Extent) -> tuple[int, int]:
    return length.prefix, length.size


def _positions(bitmap: bytes, width: int) -> list[int]:
    bits = int.from_bytes(bitmap, "little")
    return [position for position in range(width) if bits >> position & 1]


def _present(layout: Layout, operation: Operation, bitmaps: bytes) -> Extents:
    """Return the lengths of the columns in each image. Raises ValueError when there is none at all."""
    images = 2 if operation is Operation.UPDATE else 1
    size = len(bitmaps) // images
    found = tuple(
        tuple(layout.extents[position] for position in _positions(bitmaps[i * size : (i + 1) * size], layout.map.width))
        for i in range(images)
    )
    if not any(found):
        raise ValueError("rows event without any column")
    return found


def _unreadable(layout: Layout) -> SourceRefused:
    if layout.opaque:
        return SourceRefused(
            f"table {layout.path} has a column of {layout.opaque}, whose length is not known",
            hint="take the table out of the rules, or change the column; ALTER TABLE ... FORCE renews old time formats",
        )
    return SourceRefused(f"table map of {layout.path} has no column names", hint=METADATA_REMEDY)
