"""What a table's columns were at a place of the binlog: the catalog's answer of now, with what came since undone."""

from hasync.binlog.ddl import AlterTable, CreateTable, DropTables, Path, RenameTables, Unclear, concerns
from hasync.binlog.schemarecords import SchemaRecords
from hasync.binlog.spots import Entry, Spot
from hasync.binlog.tableschema import TableSchema, UnprovableError
from hasync.errors import SourceUnavailable

_MOST_QUESTIONS = 10


class SchemaHistory:
    """The definitions between the reader's place and the binlog's end, read once, and the catalog's answers.

    Called from: the reader thread. Places that are asked for only move onward.
    """

    def __init__(self, records: SchemaRecords) -> None:
        """Ask ``records``."""
        self._records = records
        self._entries: list[Entry] = []
        self._until: Spot | None = None
        self._answers: dict[Path, tuple[int, TableSchema | None]] = {}
        """The catalog's answer, and in front of which entry it holds."""

    def schema(self, path: Path, place: Spot) -> TableSchema:
        """Return a table's columns as they were at ``place``.

        Raises UnprovableError naming the definition that hides them; SourceUnavailable, SourceRefused.
        """
        self._forget_before(place)
        return self._before(path, 0)

    def _forget_before(self, place: Spot) -> None:
        if self._until is None or place >= self._until:
            self._entries, self._answers, self._until = [], {}, place
            return
        gone = sum(entry.spot <= place for entry in self._entries)
        del self._entries[:gone]
        self._answers = {
            path: (index - gone, schema) for path, (index, schema) in self._answers.items() if index >= gone
        }

    def _before(self, path: Path, index: int) -> TableSchema:
        """Return the table's columns in front of an entry: follow its name onward, then undo what was met."""
        met: list[Entry] = []
        while True:
            found = self._answered(path, index)
            if found is not None:
                break
            entry = self._entries[index]
            index += 1
            if not concerns(entry.definition, path):
                continue
            if isinstance(entry.definition, AlterTable) and entry.definition.path == path:
                met.append(entry)
            copy = entry.definition.path if _copies(entry, path) else None  # type: ignore[union-attr]
            if copy is not None:
                found = self._original(path, copy, index)
                break
            path = _name_after(entry, path)
        for entry in reversed(met):
            found = _undone(found, entry)
        return found

    def _answered(self, path: Path, index: int) -> TableSchema | None:
        """Return the catalog's answer when it holds in front of this entry. Asks when there is no entry left."""
        if index == len(self._entries) and self._answers.get(path, (-1, None))[0] != index:
            self._ask(path)
        held, schema = self._answers.get(path, (-1, None))
        if held != index:
            return None
        if schema is None:
            raise UnprovableError(f"there is no table {'.'.join(path)} any more that the account may look at")
        return schema

    def _original(self, path: Path, copy: Path, index: int) -> TableSchema:
        """Go by the table itself, or by its copy (CREATE TABLE ... LIKE) where that leads nowhere.

        Online schema change tools make such a copy, alter it, swap the names and drop the original.
        """
        try:
            return self._before(path, index)
        except UnprovableError as lost:
            try:
                return self._before(copy, index)
            except UnprovableError:
                raise lost from None

    def _ask(self, path: Path) -> None:
        """Ask the catalog, until no definition of the table came in meanwhile."""
        for _ in range(_MOST_QUESTIONS):
            first = self._records.end()
            schema = self._records.schema(path)
            self._extend(self._records.end())
            if not any(first < entry.spot and concerns(entry.definition, path) for entry in self._entries):
                self._answers[path] = (len(self._entries), schema)
                return
        raise SourceUnavailable(f"table {'.'.join(path)} is redefined faster than it can be looked at")

    def _extend(self, end: Spot) -> None:
        assert self._until is not None  # noqa: S101 - schema() set it
        if end < self._until:
            raise UnprovableError(f"the binlog ends at {end}, in front of {self._until}")
        self._entries += self._records.definitions(self._until, end)
        self._until = end


def _copies(entry: Entry, path: Path) -> bool:
    found = entry.definition
    return isinstance(found, CreateTable) and found.like == path and found.path != path and not found.if_absent


def _name_after(entry: Entry, path: Path) -> Path:
    """Return what the table is called behind a definition. Raises UnprovableError when it was not there before."""
    found = entry.definition
    if isinstance(found, Unclear):
        raise UnprovableError(f"the statement that ends at {entry.spot} is not understood: {found.reason}")
    if isinstance(found, AlterTable) and found.path == path:
        return found.renamed or path
    if isinstance(found, RenameTables) and not found.if_exists and found.origin_of(found.name_of(path)) == path:
        return found.name_of(path)
    if isinstance(found, CreateTable) and (found.if_absent or found.path != path):
        return path
    verb = "dropped" if isinstance(found, DropTables) else "made anew, or renamed,"
    raise UnprovableError(f"{'.'.join(path)} is {verb} by the statement that ends at {entry.spot}")


def _undone(schema: TableSchema, entry: Entry) -> TableSchema:
    assert isinstance(entry.definition, AlterTable)  # noqa: S101 - only these are met
    try:
        return schema.before(entry.definition.actions)
    except UnprovableError as why:
        raise UnprovableError(f"the ALTER TABLE that ends at {entry.spot} hides it: {why}") from why
