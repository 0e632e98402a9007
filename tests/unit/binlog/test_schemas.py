"""Columns carried over definitions, onward and back, and the proof that an answer of the catalog is of use."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from hasync.binlog.ddl import Definition, Path
from hasync.binlog.ddlparser import parse
from hasync.binlog.schemahistory import SchemaHistory
from hasync.binlog.schematracker import SchemaTracker
from hasync.binlog.spots import Entry, Reading, Spot, Statement, spot, statement
from hasync.binlog.sqltokens import Dialect
from hasync.binlog.tablemap import TableMap
from hasync.binlog.tablemap import parse as parse_map
from hasync.binlog.tableschema import TableSchema, UnprovableError, created
from hasync.binlog.types import Code
from hasync.errors import SourceRefused, SourceUnavailable
from hasync.model.position import Flavor
from tests.unit.binlog.events import CHARSETS, table_body

MYSQL = Dialect(flavor=Flavor.MYSQL)
T = ("d", "t")


def definition(sql: str) -> Definition:
    found = parse(sql, "d", MYSQL)
    assert found is not None
    return found


def schema(columns: str) -> TableSchema:
    """Return the columns of a CREATE TABLE, in utf8mb4."""
    found = definition(f"CREATE TABLE t ({columns}) CHARSET=utf8mb4")
    return created(found.columns, found.charset)  # type: ignore[union-attr, arg-type]


def names(found: TableSchema) -> str:
    return " ".join(column.name for column in found.columns)


def types(found: TableSchema) -> list[str]:
    return [column.declared.base if column.declared else "?" for column in found.columns]


ONWARD = [
    ("ADD d INT", "a b c d"),
    ("ADD d INT FIRST", "d a b c"),
    ("ADD d INT AFTER a, ADD e INT AFTER d", "a d e b c"),
    ("ADD d INT AFTER A", "a d b c"),
    ("DROP b", "a c"),
    ("DROP b, ADD b BIGINT", "a c b"),
    ("RENAME COLUMN a TO b, RENAME COLUMN b TO a", "b a c"),
    ("CHANGE a b INT, CHANGE b a INT", "b a c"),
    ("CHANGE B x INT", "a x c"),
    ("MODIFY c INT FIRST", "c a b"),
    ("MODIFY c INT FIRST, MODIFY b INT FIRST", "b c a"),
    ("MODIFY a INT AFTER c, DROP b", "c a"),
    ("ADD d INT, MODIFY a INT AFTER d", "b c d a"),
    ("ADD COLUMN IF NOT EXISTS b INT", "a b c"),
    ("ADD COLUMN IF NOT EXISTS d INT AFTER a", "a d b c"),
    ("DROP COLUMN IF EXISTS x, DROP COLUMN IF EXISTS b", "a c"),
    ("MODIFY COLUMN IF EXISTS x INT FIRST", "a b c"),
    ("RENAME COLUMN IF EXISTS x TO y", "a b c"),
    ("ENGINE=InnoDB", "a b c"),
]


@pytest.mark.parametrize(("actions", "expected"), ONWARD, ids=[actions for actions, _ in ONWARD])
def test_definition_is_carried_out_as_the_server_does(actions: str, expected: str) -> None:
    """All actions see the old names; what is added or moved is placed in the statement's order."""
    found = definition(f"ALTER TABLE t {actions}")
    assert names(schema("a INT, b INT, c INT").after(found.actions)) == expected  # type: ignore[union-attr]


IMPOSSIBLE = [
    *("DROP x", "ADD b INT", "RENAME COLUMN x TO y", "RENAME COLUMN a TO b", "ADD d INT AFTER x", "MODIFY x INT"),
    *("RENAME COLUMN a TO x, ADD d INT AFTER x", "CHANGE a x INT, ADD d INT AFTER a", "DROP a, MODIFY a INT"),
    "DROP b, ADD COLUMN IF NOT EXISTS b INT",
]


@pytest.mark.parametrize("actions", IMPOSSIBLE)
def test_definition_that_does_not_fit_is_not_carried_out(actions: str) -> None:
    """A column that is missing, there twice, or meant twice: what is tracked is not what the server has."""
    found = definition(f"ALTER TABLE t {actions}")
    with pytest.raises(UnprovableError):
        schema("a INT, b INT, c INT").after(found.actions)  # type: ignore[union-attr]


def test_character_set_of_new_columns_is_the_tables() -> None:
    """A default that the same statement changes is not guessed; a conversion is of every text."""
    start = schema("a TEXT, b INT, e ENUM('x')")
    onward = start.after(definition("ALTER TABLE t ADD c TEXT").actions)  # type: ignore[union-attr]
    assert [column.declared and column.declared.charset for column in onward.columns] == [
        *("utf8mb4", "", "utf8mb4", "utf8mb4")
    ]
    both = start.after(definition("ALTER TABLE t ADD c TEXT, CHARSET latin1").actions)  # type: ignore[union-attr]
    assert both.columns[-1].declared.charset is None  # type: ignore[union-attr]
    assert both.charset == "latin1"
    converted = start.after(definition("ALTER TABLE t CONVERT TO CHARACTER SET gbk").actions)  # type: ignore[union-attr]
    assert [column.declared and column.declared.charset for column in converted.columns] == ["gbk", "", "gbk"]


BACK = [
    ("ADD b INT AFTER a", "a c", ["int", "int"]),
    ("RENAME COLUMN b TO a, RENAME COLUMN a TO b", "b a c", ["int", "int", "int"]),
    ("MODIFY b BIGINT", "a b c", ["int", "?", "int"]),
    ("CHANGE x b INT, ADD c INT", "a x", ["int", "?"]),
    ("ADD KEY (a)", "a b c", ["int", "int", "int"]),
]


@pytest.mark.parametrize(("actions", "expected", "kinds"), BACK, ids=[actions for actions, *_ in BACK])
def test_definition_is_undone_as_far_as_it_tells(actions: str, expected: str, kinds: list[str]) -> None:
    """New columns go, names come back; what type a column had before is not known."""
    found = schema("a INT, b INT, c INT").before(definition(f"ALTER TABLE t {actions}").actions)  # type: ignore[union-attr]
    assert names(found) == expected
    assert types(found) == kinds


@pytest.mark.parametrize(
    "actions",
    [
        *("DROP x", "DROP COLUMN IF EXISTS x", "MODIFY b INT FIRST", "ADD COLUMN IF NOT EXISTS b INT", "ADD x INT"),
        *("RENAME COLUMN x TO y", "RENAME COLUMN IF EXISTS a TO b"),
    ],
)
def test_definition_that_hides_what_was_before_is_not_undone(actions: str) -> None:
    """Where a column was, or whether it was there at all, is never guessed."""
    with pytest.raises(UnprovableError):
        schema("a INT, b INT, c INT").before(definition(f"ALTER TABLE t {actions}").actions)  # type: ignore[union-attr]


# ---------------------------------------------------------------------------- history


@dataclass
class Binlog:
    """A server's records, made by hand: statements at 100, 200, ..., and tables as they are now."""

    tables: dict[Path, TableSchema]
    sql: list[str] = field(default_factory=list)
    arriving: list[str] = field(default_factory=list)
    """Statements that come in, one each time the catalog is asked."""
    questions: int = 0

    def end(self) -> Spot:
        return spot("bin.000001", 100 * len(self.sql) + 50)

    def schema(self, path: Path) -> TableSchema | None:
        self.questions += 1
        if self.arriving:
            self.sql.append(self.arriving.pop(0))
        return self.tables.get(path)

    def definitions(self, since: Spot, until: Spot) -> list[Entry]:
        entries = [
            Entry(spot=spot("bin.000001", 100 * number), definition=definition(sql))
            for number, sql in enumerate(self.sql, 1)
        ]
        return [entry for entry in entries if since < entry.spot <= until]


def at(pos: int) -> Spot:
    return spot("bin.000001", pos)


def columns_at(pos: int, now: dict[str, str], *sql: str, table: str = "t") -> str:
    """Return what the columns were at ``pos``, with tables as they are now, behind these statements."""
    tables = {("d", name): schema(columns) for name, columns in now.items()}
    return names(SchemaHistory(Binlog(tables, list(sql))).schema(("d", table), at(pos)))


def test_catalogs_answer_holds_where_nothing_came_since() -> None:
    """Other tables' definitions do not matter, nor do those in front of the place."""
    assert (
        columns_at(150, {"t": "a INT, b INT"}, "ALTER TABLE t DROP x", "ALTER TABLE u DROP x", "DROP TABLE v") == "a b"
    )


def test_definitions_behind_the_place_are_undone() -> None:
    """Newest first, each from the columns that it led to."""
    sql = (
        "ALTER TABLE t ADD b INT",
        "ALTER TABLE t RENAME COLUMN b TO c, ADD d INT",
        "ALTER TABLE t RENAME COLUMN a TO b",
    )
    now = {"t": "b INT, c INT, d INT"}
    assert [columns_at(pos, now, *sql) for pos in (0, 100, 200, 300)] == ["a", "a b", "a c d", "b c d"]


def test_table_is_followed_to_its_new_name() -> None:
    """RENAME TABLE, a swap over a third name, and ALTER TABLE ... RENAME."""
    assert columns_at(0, {"u": "a INT"}, "RENAME TABLE t TO u") == "a"
    swap = "RENAME TABLE t TO x, u TO t, x TO u"
    assert columns_at(0, {"u": "a INT", "t": "b INT"}, swap) == "a"
    assert columns_at(0, {"u": "a INT, b INT"}, "ALTER TABLE t RENAME TO u, ADD b INT") == "a"


PT_OSC = (
    "CREATE TABLE _t_new LIKE t",
    "ALTER TABLE _t_new ADD c INT FIRST, RENAME COLUMN b TO bb",
    "RENAME TABLE t TO _t_old, _t_new TO t",
    "DROP TABLE IF EXISTS _t_old",
)


def test_dropped_original_is_known_by_its_copy() -> None:
    """Online schema change tools copy a table with LIKE, alter the copy and drop the original."""
    now = {"t": "c INT, a INT, bb INT"}
    assert [columns_at(pos, now, *PT_OSC) for pos in (0, 300)] == ["a b", "c a bb"]
    assert columns_at(100, now, *PT_OSC, table="_t_new") == "a b"
    with pytest.raises(UnprovableError, match="dropped"):
        columns_at(100, now, *PT_OSC)


LOST = [
    ("ALTER TABLE t DROP x", "drops column x"),
    ("ALTER TABLE t MODIFY a INT FIRST", "moves column a"),
    ("DROP TABLE t", "dropped"),
    ("DROP DATABASE d", "dropped"),
    ("CREATE TABLE t (a INT)", "made anew"),
    ("RENAME TABLE u TO t", "renamed"),
    ("RENAME TABLE IF EXISTS t TO u", "renamed"),
    ("ALTER TABLE t FROBNICATE", "not understood"),
    ("IMPORT TABLE FROM 'x'", "not understood"),
]


@pytest.mark.parametrize(("sql", "reason"), LOST, ids=[sql for sql, _ in LOST])
def test_definition_that_hides_the_columns_is_named(sql: str, reason: str) -> None:
    """The message says which statement it is, by place, and what it hides."""
    with pytest.raises(UnprovableError, match=reason) as lost:
        columns_at(0, {"t": "a INT"}, sql)
    assert "bin.000001:100" in str(lost.value)


def test_table_that_is_gone_is_not_known() -> None:
    """Neither is one that the account may not look at."""
    with pytest.raises(UnprovableError, match=r"no table d\.t"):
        columns_at(0, {})


def test_create_if_not_exists_proves_nothing() -> None:
    """The table was there already, or this is no place where rows of it can be."""
    assert columns_at(0, {"t": "a INT"}, "CREATE TABLE IF NOT EXISTS t (x INT)") == "a"
    with pytest.raises(UnprovableError, match="dropped"):
        columns_at(0, {"u": "a INT"}, "CREATE TABLE IF NOT EXISTS u LIKE t", "DROP TABLE t")


def test_answer_is_asked_again_when_a_definition_came_meanwhile() -> None:
    """Whether the catalog showed it already cannot be told."""
    records = Binlog({T: schema("a INT, b INT")}, arriving=["ALTER TABLE t ADD b INT"])
    history = SchemaHistory(records)
    assert names(history.schema(T, at(0))) == "a"
    assert records.questions == 2
    assert names(history.schema(T, at(100))) == "a b"
    assert records.questions == 2


def test_table_that_is_redefined_all_the_time_is_waited_for() -> None:
    """That is no reason to halt."""
    records = Binlog({T: schema("a INT")}, arriving=["ALTER TABLE t FORCE"] * 100)
    with pytest.raises(SourceUnavailable):
        SchemaHistory(records).schema(T, at(0))


# ---------------------------------------------------------------------------- tracking


ID_AND_TEXT = [(Code.LONG, b""), (Code.VARCHAR, (200).to_bytes(2, "little"))]


def table_map(columns: Sequence[tuple[int, bytes]] = ID_AND_TEXT, name: str = "t") -> TableMap:
    """Return a map with nothing optional in it."""
    return parse_map(table_body("d", name, columns, None), Flavor.MARIADB)


class Tracked:
    """A tracker over a binlog by hand; it stands where it last met a statement."""

    def __init__(self, records: Binlog) -> None:
        self.records = records
        self.pos = 0
        reading = Reading(flavor=Flavor.MARIADB, charsets=CHARSETS, folds_names=False)
        self.tracker = SchemaTracker(history=SchemaHistory(records), reading=reading, here=lambda: at(self.pos))

    def meet(self, sql: str) -> None:
        """Meet the next statement."""
        self.pos += 100
        self.tracker.met(Statement(sql=sql.encode(), schema=b"d"), at(self.pos))

    def names(self, table: TableMap) -> str:
        """Return the names that a map gets."""
        return " ".join(self.tracker.complete(table).map.names)


def test_definitions_are_carried_out_without_another_question() -> None:
    """Once proven, a table is known through everything that comes, also under other names and as a copy."""
    subject = Tracked(Binlog({T: schema("id INT, v VARCHAR(50)")}))
    assert subject.names(table_map()) == "id v"
    steps = [
        "ALTER TABLE t RENAME COLUMN v TO w",
        *PT_OSC[:1],
        "ALTER TABLE _t_new MODIFY w VARCHAR(50) FIRST",
        *PT_OSC[2:],
    ]
    for sql in steps:
        subject.records.sql.append(sql)
        subject.meet(sql)
    assert subject.names(table_map(ID_AND_TEXT[::-1])) == "w id"
    assert subject.records.questions == 1


def test_unclear_definition_makes_the_table_unknown() -> None:
    """It is asked for anew, at the place behind the definition."""
    subject = Tracked(Binlog({T: schema("id INT, v VARCHAR(50)")}))
    subject.tracker.complete(table_map())
    subject.records.sql.append("ALTER TABLE t FROBNICATE")
    subject.meet("ALTER TABLE t FROBNICATE")
    subject.records.tables[T] = schema("k INT, v VARCHAR(50)")
    assert subject.names(table_map()) == "k v"
    assert subject.records.questions == 2


@pytest.mark.parametrize(
    "columns",
    [
        "id INT",
        "id INT, v VARCHAR(50), w INT",
        "id BIGINT, v VARCHAR(50)",
        "id INT, v VARCHAR(70)",
        "v VARCHAR(50), id INT",
    ],
)
def test_schema_that_is_not_the_table_maps_halts(columns: str) -> None:
    """Width, types and sizes are held against each other before any row is read."""
    subject = Tracked(Binlog({T: schema(columns)}))
    with pytest.raises(SourceRefused, match=r"d\.t .*cannot be proven") as refused:
        subject.tracker.complete(table_map())
    assert "FULL" in refused.value.hint


def test_sign_that_no_one_tells_is_unsure() -> None:
    """A type that was changed since is not known, where the map does not tell it either."""
    subject = Tracked(Binlog({T: schema("id INT, v VARCHAR(50)")}, ["ALTER TABLE t MODIFY id INT"]))
    found = subject.tracker.complete(table_map())
    assert found.unsure == {0}


def test_member_texts_of_an_earlier_definition_are_used() -> None:
    """What a later definition hides, the one that was met has told."""
    enum = [(Code.LONG, b""), (Code.STRING, bytes((Code.ENUM, 1)))]
    sql = ["ALTER TABLE t MODIFY e ENUM('x', 'y')", "ALTER TABLE t MODIFY e ENUM('x', 'y', 'z')"]
    subject = Tracked(Binlog({T: schema("id INT, e ENUM('x', 'y', 'z')")}, sql))
    assert subject.tracker.complete(table_map(enum)).unsure == {1}
    subject.meet(sql[0])
    found = subject.tracker.complete(table_map(enum))
    assert found.map.columns is not None
    assert found.map.columns[1].members == (b"x", b"y")
    assert not found.unsure


def test_statements_session_decides_how_it_is_read() -> None:
    """Modes and the client's character set come from the event's status variables."""
    mode = (0x4).to_bytes(8, "little")
    status = b"\0" + bytes(4) + b"\1" + mode + b"\6\3std" + b"\4" + (8).to_bytes(2, "little") + bytes(4) + b"\x05xyz"
    head = bytes(8) + b"\1" + bytes(2) + len(status).to_bytes(2, "little") + status + b"d\0"
    sql = 'ALTER TABLE "t" ADD "é" INT'.encode("latin1")
    found = statement(head + sql, 0, len(head + sql), sql)
    assert (found.schema, found.sql_mode, found.collation) == (b"d", 4, 8)
    read = Reading(flavor=Flavor.MYSQL, charsets=CHARSETS, folds_names=False).definition(found)
    assert read == definition("ALTER TABLE t ADD `é` INT")
