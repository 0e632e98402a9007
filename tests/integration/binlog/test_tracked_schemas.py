"""Table maps without names: rows still come as SELECT prints them, or the stream halts and says why."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from hasync.binlog.source import BinlogSource
from hasync.errors import SourceRefused
from hasync.model.change import RowChanges, Segment
from hasync.model.position import Position
from testbed import workdir
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, is_mariadb, is_mysql, read_to_end, read_until, source_of
from tests.integration.binlog.test_transactions import run

Rows = list[dict[str, bytes | None]]

NO_LOG = {"binlog-row-metadata": "NO_LOG"}
LEVELS = ["MINIMAL", "NO_LOG"]


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, server: SqlServer) -> Iterator[str]:
    """Let the server write less than full metadata, and give it back as it was."""
    if request.param == "NO_LOG" and is_mysql(server):
        pytest.skip("MariaDB's own")
    server.sql(f"SET GLOBAL binlog_row_metadata = {request.param}")
    yield str(request.param)
    server.sql("SET GLOBAL binlog_row_metadata = FULL")


@pytest.fixture
def source(server: SqlServer) -> Iterator[BinlogSource]:
    subject = source_of(server)
    yield subject
    subject.close()


def selected(server: SqlServer, schema: str, table: str = "t") -> Rows:
    """Return the rows of a table, as SELECT prints them."""
    with server.connect(database=schema, conv={}, use_unicode=False) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY id")
        names = [entry[0] for entry in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Scene:
    """Statements and, whenever a row was written, what SELECT made of it then."""

    def __init__(self, server: SqlServer, schema: str) -> None:
        self._server = server
        self._schema = schema
        self.expected: Rows = []

    def run(self, *statements: str) -> None:
        """Run statements, all in one session."""
        run(self._server, self._schema, *statements)

    def insert(self, values: str, table: str = "t") -> None:
        """Insert one row with an id above all others, and remember it."""
        self.run(f"INSERT INTO {table} {values}")
        self.expected.append(selected(self._server, self._schema, table)[-1])


WIDE = """CREATE TABLE t (
  id INT UNSIGNED PRIMARY KEY, e ENUM('a','b''c','d\\\\e','é') NOT NULL, s SET('x','y','z') CHARACTER SET latin1,
  u BIGINT UNSIGNED, i TINYINT, z INT(6) UNSIGNED ZEROFILL, l VARCHAR(20) CHARACTER SET latin1,
  g CHAR(5) CHARACTER SET gbk, b VARBINARY(10), t TEXT, bin BINARY(16), f FLOAT(7,3), d DECIMAL(10,2) UNSIGNED,
  at DATETIME(3), j JSON, y YEAR, bits BIT(12), gen BIGINT AS (i + 1) STORED, p POINT)"""
WIDE_ROW = """(id, e, s, u, i, z, l, g, b, t, bin, f, d, at, j, y, bits, p) VALUES
  ({id}, 'é', 'x,z', 18446744073709551614, -3, 42, 'é€', '漢字', x'00FF', '漢é😀', x'01', 1.5, 7.5,
   '2024-01-02 03:04:05.678', '[1]', 2024, b'101010101010', ST_GeomFromText('POINT(1 2)'))"""


def test_every_kind_of_column_is_known(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """Names, signs, character sets and members come from the catalog where the binlog has none."""
    scene = Scene(server, schema)
    extra = (", uu UUID, i6 INET6, i4 INET4, c VARCHAR(300) COMPRESSED", ", v VECTOR(2)")[is_mysql(server)]
    scene.run("SET sql_mode = ''", WIDE[:-1] + extra + ")")
    source.open(LATEST, Wanted(schema, skip=("j",)))
    row = WIDE_ROW.replace("p)", "p, uu, i6, i4, c)", 1).replace("2)'))", "2)'), UUID(), '::1', '1.2.3.4', 'é')")
    for number, member in enumerate(("'é'", "'b''c'", r"'d\\e'", "'a'")):
        scene.insert((row if is_mariadb(server) else WIDE_ROW).replace("'é'", member, 1).format(id=number))
    assert_rows(source, server, scene, skip=("j",))


def rows_of(segments: Sequence[Segment], skip: tuple[str, ...] = ()) -> Rows:
    """Return each row after its change, by the names that it came with."""
    found = []
    for segment in segments:
        for change in segment.changes:
            assert isinstance(change, RowChanges)
            names = [column.name for column in change.table.columns if column.name not in skip]
            found += [dict(zip(names, row, strict=True)) for row in change.after]
    return found


def assert_rows(source: BinlogSource, server: SqlServer, scene: Scene, skip: tuple[str, ...] = ()) -> None:
    """Read to the end and compare."""
    found = rows_of(read_to_end(source, server), skip)
    assert found == [{name: row[name] for name in row if name not in skip} for row in scene.expected]
    scene.expected.clear()


def test_definitions_are_followed_live(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """Each definition is carried out on what is known, as it comes."""
    scene = Scene(server, schema)
    scene.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10), e ENUM('x','y'), n INT UNSIGNED)")
    source.open(LATEST, Wanted(schema))
    for definition, values in SEQUENCE:
        scene.run(definition)
        scene.insert(values)
        assert_rows(source, server, scene)


def test_definitions_are_followed_by_who_knew_the_table(
    server: SqlServer, schema: str, level: str, source: BinlogSource
) -> None:
    """A reader that knew the table carries on where it was stopped, over many definitions."""
    scene = Scene(server, schema)
    scene.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10), e ENUM('x','y'), n INT UNSIGNED)")
    source.open(LATEST, Wanted(schema))
    scene.insert("VALUES (0, 'first', 'x', 4000000000)")
    assert_rows(source, server, scene)
    for definition, values in SEQUENCE:
        scene.run(definition)
        scene.insert(values)
    assert_rows(source, server, scene)


SEQUENCE = [
    ("ALTER TABLE t ADD COLUMN b INT UNSIGNED DEFAULT 7", "VALUES (1, 'a', 'x', 4294967295, 4000000000)"),
    ("ALTER TABLE t RENAME COLUMN a TO aa, RENAME COLUMN b TO a", "VALUES (2, 'b', 'y', 1, 2)"),
    ("/* c */ ALTER TABLE `t` CHANGE aa `Text one` VARCHAR(20) FIRST", "VALUES ('c', 3, 'y', 1, 2)"),
    (
        "ALTER TABLE t MODIFY e ENUM('x', 'y', 'z''s') AFTER n, ADD c CHAR(3) AFTER id",
        "VALUES ('d', 4, 'abc', 1, 3, 2)",
    ),
    ("ALTER TABLE t DROP COLUMN n, ADD UNIQUE KEY (c), ENGINE=InnoDB", "VALUES ('e', 5, 'abd', 'z''s', 2)"),
    ("ALTER TABLE t MODIFY a BIGINT, CONVERT TO CHARACTER SET latin1", "VALUES ('é', 6, 'ab', 'x', -5)"),
    ("CREATE INDEX i ON t (a)", "VALUES ('é', 7, 'aé', 'x', -5)"),
]


SMALL = "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10), e ENUM('x','y'), n INT UNSIGNED)"
UNDOABLE = [
    ("ALTER TABLE t ADD COLUMN b INT UNSIGNED DEFAULT 7 AFTER a", "VALUES (2, 'a', 4294967295, 'x', 4000000000)"),
    ("ALTER TABLE t RENAME COLUMN a TO n, RENAME COLUMN n TO a", "VALUES (3, 'b', 1, 'y', 4000000000)"),
    ("ALTER TABLE t MODIFY n VARCHAR(30)", "VALUES (4, 'longer than ten', 1, 'y', 2)"),
    ("RENAME TABLE t TO u, u TO v, v TO t", "VALUES (5, 'c', 1, 'y', 2)"),
    ("ALTER TABLE t ADD INDEX (b), ADD COLUMN s SET('p','q') FIRST", "VALUES ('p,q', 6, 'd', 1, 'y', 2)"),
]
HIDDEN = {"MINIMAL": (), "NO_LOG": ("a", "n")}
"""The character set before MODIFY, of the column that was called either, is in the MINIMAL table map only."""


def test_definitions_are_undone_by_who_comes_late(
    server: SqlServer, schema: str, level: str, source: BinlogSource
) -> None:
    """A reader that never saw the table as it was proves its columns from what they are now."""
    scene = Scene(server, schema)
    scene.run(SMALL)
    skip = HIDDEN[level]
    begin = source.open(LATEST, Wanted(schema, skip=skip))
    source.close()
    scene.insert("VALUES (1, 'a', 'x', 4000000000)")
    for definition, values in UNDOABLE:
        scene.run(definition)
        scene.insert(values)
    source.open(begin, Wanted(schema, skip=skip))
    assert_rows(source, server, scene, skip)


def test_takeover_between_definitions_proves_anew(server: SqlServer, schema: str, level: str) -> None:
    """Whoever comes next begins at any position between them, and gets the same rows from there on."""
    scene = Scene(server, schema)
    scene.run(SMALL)
    skip = HIDDEN[level]
    first = source_of(server, max_rows=1)
    position = first.open(LATEST, Wanted(schema, skip=skip))
    scene.insert("VALUES (1, 'a', 'x', 4000000000)")
    for definition, values in UNDOABLE:
        scene.run(definition)
        scene.insert(values)
    expected = [{name: row[name] for name in row if name not in skip} for row in scene.expected]
    for taken in range(len(expected)):
        with_rows = read_until(first, lambda read: bool(read[-1].changes))
        assert rows_of(with_rows, skip) == expected[taken : taken + 1]
        position = with_rows[-1].position
        first.close()
        first.open(position, Wanted(schema, skip=skip))
    first.close()


TOOLS = {
    "pt-online-schema-change": (
        "CREATE TABLE `_t_new` LIKE `{s}`.`t`",
        "ALTER TABLE `_t_new` ADD COLUMN c INT FIRST, DROP COLUMN n, MODIFY e ENUM('x','y','z')",
        "INSERT INTO _t_new (id, a, e) SELECT id, a, e FROM t",
        "RENAME TABLE `{s}`.`t` TO `{s}`.`_t_old`, `{s}`.`_t_new` TO `{s}`.`t`",
        "DROP TABLE IF EXISTS `_t_old`",
    ),
    "gh-ost": (
        "create /* gh-ost */ table `{s}`.`_t_gho` like `{s}`.`t`",
        "alter /* gh-ost */ table `{s}`.`_t_gho` ADD COLUMN c INT FIRST, DROP COLUMN n, MODIFY e ENUM('x','y','z')",
        "create /* gh-ost */ table `{s}`.`_t_del` (id int auto_increment primary key) comment='ghost-cut'",
        "insert /* gh-ost */ into _t_gho (id, a, e) select id, a, e from t",
        "drop /* gh-ost */ table if exists `{s}`.`_t_del`",
        "rename /* gh-ost */ table `{s}`.`t` to `{s}`.`_t_del`, `{s}`.`_t_gho` to `{s}`.`t`",
        "drop /* gh-ost */ table if exists `{s}`.`_t_del`",
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_online_schema_change_is_followed(
    server: SqlServer, schema: str, level: str, source: BinlogSource, tool: str
) -> None:
    """By a reader that knows the original: its copy is known as soon as it is made."""
    scene = Scene(server, schema)
    scene.run(SMALL)
    source.open(LATEST, Wanted(schema, ("t",)))
    scene.insert("VALUES (1, 'a', 'x', 4000000000)")
    assert_rows(source, server, scene)
    scene.run(*(statement.format(s=schema) for statement in TOOLS[tool]))
    scene.insert("VALUES (9, 2, 'b', 'z')")
    assert_rows(source, server, scene)


def test_online_schema_change_is_undone_by_who_comes_late(
    server: SqlServer, schema: str, level: str, source: BinlogSource
) -> None:
    """The dropped original is known by its copy."""
    scene = Scene(server, schema)
    scene.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10), e ENUM('x','y'))")
    begin = source.open(LATEST, Wanted(schema, ("t",)))
    source.close()
    scene.insert("VALUES (1, 'a', 'x')")
    dance = [
        statement.format(s=schema).replace(", DROP COLUMN n, MODIFY e ENUM('x','y','z')", "")
        for statement in TOOLS["gh-ost"]
    ]
    scene.run(*dance)
    scene.insert("VALUES (9, 2, 'b', 'y')")
    source.open(begin, Wanted(schema, ("t",)))
    assert_rows(source, server, scene)


def halted(source: BinlogSource, server: SqlServer, begin: Position, interest: Wanted) -> SourceRefused:
    """Return what a late reader halts with."""
    source.close()
    source.open(begin, interest)
    with pytest.raises(SourceRefused) as refused:
        read_to_end(source, server)
    assert "binlog_row_metadata = 'FULL'" in refused.value.hint
    return refused.value


HIDING = [
    ("ALTER TABLE t DROP COLUMN a", r"drops column a"),
    ("ALTER TABLE t MODIFY n INT UNSIGNED FIRST", "moves column n"),
    ("DROP TABLE t", "dropped"),
    ("DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY, aa VARCHAR(10), e ENUM('x','y'), n INT UNSIGNED)", "dropped"),
    ("ALTER TABLE t MODIFY e ENUM('y','x')", "type of column e"),
]


@pytest.mark.parametrize(("definitions", "reason"), HIDING, ids=[reason for _, reason in HIDING])
def test_definition_that_hides_the_columns_halts_who_comes_late(
    server: SqlServer, schema: str, level: str, source: BinlogSource, definitions: str, reason: str
) -> None:
    """The halt names table, place and cause; a rule that does not need the hidden column goes on."""
    run(server, schema, SMALL)
    begin = source.open(LATEST, Wanted(schema))
    run(server, schema, "INSERT INTO t VALUES (1, 'a', 'x', 2)", *definitions.split("; "))
    refused = halted(source, server, begin, Wanted(schema))
    assert f"{schema}.t" in refused.message
    assert reason in refused.message
    if "type of" in reason:
        source.close()
        source.open(begin, Wanted(schema, skip=("e",)))
        assert rows_of(read_to_end(source, server), ("e",)) == [{"id": b"1", "a": b"a", "n": b"2"}]
    else:
        assert f"{server.binlog_position()[0]}:" in refused.message


def test_table_that_may_not_be_looked_at_halts(server: SqlServer, schema: str, level: str) -> None:
    """Without SELECT the catalog shows nothing, and the halt says what to grant."""
    run(server, schema, SMALL)
    server.sql("CREATE USER blind@'%' IDENTIFIED BY 'blind'")
    server.sql("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO blind@'%'")
    source = source_of(server, user="blind", password="blind")
    try:
        source.open(LATEST, Wanted(schema))
        run(server, schema, "INSERT INTO t VALUES (1, 'a', 'x', 2)")
        with pytest.raises(SourceRefused, match="SELECT command denied") as refused:
            read_to_end(source, server)
        assert f"GRANT SELECT ON {schema}.t" in refused.value.hint
        assert not refused.value.local
    finally:
        source.close()
        server.sql("DROP USER blind@'%'")


def test_unlogged_definition_is_found_out(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """What was defined with sql_log_bin = 0 does not fit the table map, so nothing is decoded by it."""
    run(server, schema, SMALL)
    begin = source.open(LATEST, Wanted(schema))
    run(server, schema, "INSERT INTO t VALUES (1, 'a', 'x', 2)")
    run(server, schema, "SET sql_log_bin = 0", "ALTER TABLE t MODIFY n BIGINT UNSIGNED")
    assert "column n is no BIGINT" in halted(source, server, begin, Wanted(schema)).message


def test_unwanted_table_is_never_asked_for(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """Its rows are counted, though nobody could tell its columns by now."""
    run(server, schema, "CREATE TABLE other (id INT UNSIGNED)")
    source.open(LATEST, Wanted(schema, ("t",)))
    run(server, schema, "INSERT INTO other VALUES (1)", "DROP TABLE other")
    assert sum(segment.rows for segment in read_to_end(source, server)) == 1


def test_full_metadata_of_a_session_wins(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """Each table map tells itself: a full one needs nothing that was tracked, and may come between others."""
    run(server, schema, SMALL)
    begin = source.open(LATEST, Wanted(schema))
    rows = [f"INSERT INTO t VALUES ({number}, 'a', 'y', 3)" for number in range(4)]
    server.sql("SET GLOBAL binlog_row_metadata = FULL")
    run(server, schema, rows[0], "ALTER TABLE t DROP COLUMN a", "ALTER TABLE t ADD COLUMN a VARCHAR(10) AFTER id")
    server.sql(f"SET GLOBAL binlog_row_metadata = {level}")
    run(server, schema, rows[1])
    server.sql("SET GLOBAL binlog_row_metadata = FULL")
    run(server, schema, rows[2])
    server.sql(f"SET GLOBAL binlog_row_metadata = {level}")
    run(server, schema, rows[3])
    source.close()
    source.open(begin, Wanted(schema))
    expected = [{"id": str(number).encode(), "a": b"a", "e": b"y", "n": b"3"} for number in range(4)]
    assert rows_of(read_to_end(source, server)) == expected


def test_definitions_under_way_are_never_mistaken(server: SqlServer, schema: str, level: str) -> None:
    """Columns of one type change places all the time, while readers come and go at any position."""
    run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)")
    source = source_of(server, max_rows=5)
    position = source.open(LATEST, Wanted(schema))
    swaps = 60
    statements = [
        text.format(id=number)
        for number in range(swaps)
        for text in (
            "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a",
            "INSERT INTO t (id, a, b) VALUES ({id}, 1, 2)",
        )
    ]
    writer = threading.Thread(target=run, args=(server, schema, *statements))
    writer.start()
    found: Rows = []
    try:
        while len(found) < swaps:
            read = read_until(source, lambda read: bool(read[-1].changes))
            found += rows_of(read)
            if len(found) % 3 == 0:
                position = read[-1].position
                source.close()
                source.open(position, Wanted(schema))
    finally:
        writer.join()
        source.close()
    assert found == [{"id": str(number).encode(), "a": b"1", "b": b"2"} for number in range(swaps)]


def test_alter_in_two_phases_counts_when_it_is_done(server: SqlServer, schema: str, source: BinlogSource) -> None:
    """MariaDB's ``binlog_alter_two_phase`` writes the statement twice, first when it begins."""
    if is_mysql(server):
        pytest.skip("MariaDB's own")
    server.sql("SET GLOBAL binlog_row_metadata = NO_LOG")
    try:
        run(server, schema, "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)")
        begin = source.open(LATEST, Wanted(schema))
        run(
            server,
            schema,
            "INSERT INTO t (id, a, b) VALUES (1, 1, 2)",
            "SET binlog_alter_two_phase = 1",
            "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a",
            "INSERT INTO t (id, a, b) VALUES (2, 1, 2)",
        )
        expected = [{"id": str(number).encode(), "a": b"1", "b": b"2"} for number in (1, 2)]
        assert rows_of(read_to_end(source, server)) == expected
        source.close()
        source.open(begin, Wanted(schema))
        assert rows_of(read_to_end(source, server)) == expected
    finally:
        server.sql("SET GLOBAL binlog_row_metadata = FULL")


def test_compressed_definitions_are_read(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """``log_bin_compress`` packs long definitions too."""
    if is_mysql(server):
        pytest.skip("MariaDB's own")
    run(server, schema, SMALL)
    server.sql("SET GLOBAL log_bin_compress = ON")
    try:
        begin = source.open(LATEST, Wanted(schema))
        source.close()
        definition = f"ALTER TABLE t RENAME COLUMN a TO b /* {'x' * 500} */"
        run(server, schema, "INSERT INTO t VALUES (1, 'a', 'x', 2)", definition)
        source.open(begin, Wanted(schema))
        assert rows_of(read_to_end(source, server)) == [{"id": b"1", "a": b"a", "e": b"x", "n": b"2"}]
    finally:
        server.sql("SET GLOBAL log_bin_compress = OFF")


def test_rows_of_a_create_table_select_are_known(
    server: SqlServer, schema: str, level: str, source: BinlogSource
) -> None:
    """They come in the transaction of their table's definition, which therefore lies in front of them."""
    run(server, schema, SMALL, "INSERT INTO t VALUES (1, 'a', 'x', 4000000000)")
    begin = source.open(LATEST, Wanted(schema, ("copy",)))
    source.close()
    run(server, schema, "CREATE TABLE copy AS SELECT * FROM t", "ALTER TABLE copy ADD COLUMN z INT")
    source.open(begin, Wanted(schema, ("copy",)))
    assert rows_of(read_to_end(source, server)) == [{"id": b"1", "a": b"a", "e": b"x", "n": b"4000000000"}]


HIDDEN_COLUMNS = {
    "mysql": (
        "SET SESSION sql_generate_invisible_primary_key = ON",
        "CREATE TABLE t (id INT, a VARCHAR(10), j JSON)",
        "ALTER TABLE t ADD INDEX ((id + 1)), ADD INDEX ((CAST(j->'$.x' AS UNSIGNED ARRAY)))",
    ),
    "mariadb": ("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(10), j INT, FULLTEXT (a)) WITH SYSTEM VERSIONING",),
}


def test_hidden_columns_are_known_or_halt(server: SqlServer, schema: str, level: str, source: BinlogSource) -> None:
    """A generated key is in the catalog, an index's own column nowhere; those of versioned rows in the binlog only."""
    run(server, schema, *HIDDEN_COLUMNS[server.flavor])
    source.open(LATEST, Wanted(schema))
    run(server, schema, "INSERT INTO t (id, a) VALUES (1, 'a')")
    if is_mariadb(server):
        with pytest.raises(SourceRefused, match="5 columns in the binlog, 3 tracked"):
            read_to_end(source, server)
        return
    (row,) = rows_of(read_to_end(source, server))
    assert row == {"my_row_id": b"1", "id": b"1", "a": b"a", "j": None}


def test_filtered_binlog_halts(server: SqlServer) -> None:
    """A definition may be missing in it: it is filtered by the session's schema, rows by the table's."""
    options = {"binlog-ignore-db": "elsewhere", "binlog-row-metadata": "MINIMAL"}
    with workdir() as place, type(server)(place, options=options) as filtered:
        filtered.sql("CREATE DATABASE d")
        run(filtered, "d", SMALL)
        source = source_of(filtered)
        try:
            source.open(LATEST, Wanted("d"))
            run(filtered, "d", "INSERT INTO t VALUES (1, 'a', 'x', 2)")
            with pytest.raises(SourceRefused, match="filters its binlog") as refused:
                read_to_end(source, filtered)
            assert "binlog_ignore_db" in refused.value.hint
        finally:
            source.close()


def test_names_of_tables_are_folded_as_the_server_folds_them(server: SqlServer) -> None:
    """Under ``lower_case_table_names`` a definition may write the table's name as it likes."""
    if is_mysql(server):
        pytest.skip("MySQL takes the setting only when its data directory is made")
    with workdir() as place, type(server)(place, options={"lower-case-table-names": 1, **NO_LOG}) as folding:
        folding.sql("CREATE DATABASE d")
        run(folding, "d", "CREATE TABLE T (id INT PRIMARY KEY, a INT, b INT)")
        source = source_of(folding)
        try:
            begin = source.open(LATEST, Wanted("d"))
            run(folding, "D", "INSERT INTO T VALUES (1, 2, 3)", "ALTER TABLE D.T RENAME COLUMN a TO c")
            run(folding, "d", "INSERT INTO t (id, c, b) VALUES (2, 2, 3)")
            expected = [{"id": b"1", "a": b"2", "b": b"3"}, {"id": b"2", "c": b"2", "b": b"3"}]
            assert rows_of(read_to_end(source, folding)) == expected
            source.close()
            source.open(begin, Wanted("d"))
            assert rows_of(read_to_end(source, folding)) == expected
        finally:
            source.close()
