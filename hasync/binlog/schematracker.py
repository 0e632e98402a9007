"""Schemas tracked in binlog order, for table maps that say less than ``binlog_row_metadata = FULL``.

The first time such a table is met, its columns are proven by :class:`SchemaHistory`; from
then on each definition that comes is carried out on them. What is used is held against
the table map every time; what cannot be proven stops the stream.
"""

from collections.abc import Callable

from hasync.binlog.completion import Completed, Completion, MismatchError
from hasync.binlog.ddl import AlterTable, CreateTable, Definition, DropTables, Path, RenameTables
from hasync.binlog.remedies import RESET
from hasync.binlog.schemahistory import SchemaHistory
from hasync.binlog.spots import Reading, Spot, Statement
from hasync.binlog.tablemap import TableMap
from hasync.binlog.tableschema import TableSchema, UnprovableError, created
from hasync.errors import SourceRefused

METADATA_REMEDY = (
    "SET GLOBAL binlog_row_metadata = 'FULL', also in the session that wrote it; "
    f"then move the stream behind the last event that was written without it: {RESET}"
)
_MOST_TABLES = 10_000
"""Tables kept; past that all are forgotten, which costs a question to the catalog each."""


class SchemaTracker:
    """The schemas of one dump. Called from: the reader thread."""

    def __init__(self, *, history: SchemaHistory, reading: Reading, here: Callable[[], Spot]) -> None:
        """Know nothing yet. ``here`` returns the boundary in front of the transaction that is being read."""
        self._history = history
        self._reading = reading
        self._completion = Completion(reading.charsets, reading.flavor)
        self._here = here
        self._schemas: dict[Path, TableSchema] = {}
        self._met: Spot | None = None

    def met(self, found: Statement, spot: Spot) -> None:
        """Carry a statement out on what is tracked; it ends at ``spot``."""
        self._met = spot
        definition = self._reading.definition(found) if self._schemas else None
        if definition is not None:
            self._carry_out(definition)

    def complete(self, table_map: TableMap) -> Completed:
        """Return the map of a wanted table with names and all else that can be known of its columns.

        Raises SourceRefused when its columns cannot be proven; SourceUnavailable.
        """
        path = (self._reading.folded(table_map.schema), self._reading.folded(table_map.name))
        tracked, completed = self._tracked(path, table_map)
        if completed is not None and not completed.unsure:
            return completed
        try:
            proven = self._history.schema(path, self._place())
            schema = tracked.completed(proven) if tracked is not None else proven
            found = self._completion.of(table_map, schema)
        except (UnprovableError, MismatchError) as why:
            if completed is not None:
                return completed
            raise self._refused(table_map, why) from why
        self._keep(path, schema)
        return found

    def _tracked(self, path: Path, table_map: TableMap) -> tuple[TableSchema | None, Completed | None]:
        schema = self._schemas.get(path)
        if schema is None:
            return None, None
        try:
            return schema, self._completion.of(table_map, schema)
        except MismatchError:
            del self._schemas[path]
            return None, None

    def _place(self) -> Spot:
        """Return the spot that no definition lies behind, in front of what is read now."""
        here = self._here()
        return here if self._met is None else max(here, self._met)

    def _refused(self, table_map: TableMap, why: Exception) -> SourceRefused:
        return SourceRefused(
            f"table map of {table_map.schema}.{table_map.name} behind {self._place()} has no column names, "
            f"and they cannot be proven: {why}",
            hint=METADATA_REMEDY,
        )

    def _keep(self, path: Path, schema: TableSchema) -> None:
        if len(self._schemas) >= _MOST_TABLES:
            self._schemas.clear()
        self._schemas[path] = schema

    # ------------------------------------------------------------------------ definitions

    def _carry_out(self, found: Definition) -> None:
        if isinstance(found, AlterTable):
            self._alter(found)
        elif isinstance(found, RenameTables):
            self._rename(found)
        elif isinstance(found, CreateTable):
            self._create(found)
        elif isinstance(found, DropTables):
            self._forget(found.touches)
        else:
            self._forget(lambda path: found.path in (None, path))

    def _forget(self, gone: Callable[[Path], bool]) -> None:
        for path in [path for path in self._schemas if gone(path)]:
            del self._schemas[path]

    def _alter(self, found: AlterTable) -> None:
        schema = self._schemas.pop(found.path, None)
        if found.renamed is not None:
            self._schemas.pop(found.renamed, None)
        if schema is not None:
            try:
                self._keep(found.renamed or found.path, schema.after(found.actions))
            except UnprovableError:
                return  # asked for anew when it is met

    def _rename(self, found: RenameTables) -> None:
        for old, new in found.pairs:
            schema = self._schemas.pop(old, None)
            self._schemas.pop(new, None)
            if schema is not None and not found.if_exists:
                self._schemas[new] = schema

    def _create(self, found: CreateTable) -> None:
        if found.if_absent:
            return  # a table that is tracked was there; of another nobody knows
        self._schemas.pop(found.path, None)
        if found.like is not None:
            schema = self._schemas.get(found.like)
        else:
            schema = None if found.columns is None else created(found.columns, found.charset)
        if schema is not None:
            self._keep(found.path, schema)
