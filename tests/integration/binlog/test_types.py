"""A decoded value is the bytes that SELECT prints, for every column type and its edges."""

from collections.abc import Iterator, Sequence

import pytest

from hasync.binlog.source import BinlogSource
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, is_mysql, opened, read_until, source_of

INTEGERS = [
    ("TINYINT", ["-128", "-1", "0", "127"]),
    ("TINYINT UNSIGNED", ["0", "128", "255"]),
    ("SMALLINT", ["-32768", "32767"]),
    ("SMALLINT UNSIGNED", ["0", "65535"]),
    ("MEDIUMINT", ["-8388608", "-1", "8388607"]),
    ("MEDIUMINT UNSIGNED", ["0", "8388608", "16777215"]),
    ("INT", ["-2147483648", "2147483647"]),
    ("INT UNSIGNED", ["0", "4294967295"]),
    ("BIGINT", ["-9223372036854775808", "9223372036854775807"]),
    ("BIGINT UNSIGNED", ["0", "18446744073709551614", "18446744073709551615"]),
    ("BOOLEAN", ["TRUE", "FALSE"]),
    ("YEAR", ["1901", "2155", "0", "2024"]),
]
DECIMALS = [
    ("DECIMAL(10,2)", ["0", "0.5", "-0.5", "12345678.90", "-99999999.99", "-0.01"]),
    ("DECIMAL(65,30)", ["1", "-0.000000000000000000000000000001", "99999999999999999999999999999999999.5"]),
    ("DECIMAL(5,5)", ["0.00001", "-0.99999", "0"]),
    ("DECIMAL(18,9)", ["123456789.987654321", "-1.000000001"]),
    ("DECIMAL(20,0)", ["0", "-12345678901234567890", "9"]),
    ("DECIMAL(1,0)", ["9", "-9", "0"]),
]
FLOATS = [
    (
        "FLOAT",
        ["0", "-0.0", "1.1", "-1.5e-10", "16777216", "1234567", "3.402823e38", "1e-38", "0.1", "123456789", "1e15"],
    ),
    (
        "DOUBLE",
        ["0", "0.1", "1e15", "1e16", "123456789012345678", "1.7976931348623157e308", "-2.2250738585072014e-308"],
    ),
    ("DOUBLE", ["1e-14", "1.5e-15", "1e-15", "1e-16", "100000000000000000000", "123456789012345.67", "-1e22", "1/3"]),
]
BITS = [("BIT(1)", ["b'0'", "b'1'"]), ("BIT(12)", ["b'101010101010'", "1"]), ("BIT(64)", ["18446744073709551615", "1"])]
TEXTS = [
    ("CHAR(10)", ["''", "'abc'", "'  x '", "'é漢😀'"]),
    ("CHAR(200) CHARACTER SET utf8mb4", ["REPEAT('😀', 200)", "'x'"]),
    ("VARCHAR(50)", ["''", "'trailing  '", "'\\\\''\\\"'", "'é漢😀'"]),
    ("VARCHAR(500)", ["REPEAT('é', 500)", "'a'"]),
    ("TINYTEXT", ["'tiny'"]),
    ("TEXT", ["REPEAT('漢', 1000)"]),
    ("MEDIUMTEXT", ["'m'"]),
    ("LONGTEXT", ["'l'", "''"]),
    ("VARCHAR(20) CHARACTER SET latin1", ["'é€ÿ'", "CONVERT(x'818D8F909DA0' USING latin1)"]),
    ("VARCHAR(20) CHARACTER SET gbk", ["'漢字abc'"]),
    ("VARCHAR(20) CHARACTER SET utf8mb3", ["'漢é'"]),
    ("VARCHAR(20) CHARACTER SET ascii", ["'plain'"]),
    ("VARCHAR(20) CHARACTER SET ucs2", ["'漢é'"]),
    ("VARCHAR(20) CHARACTER SET utf16", ["'漢😀'"]),
    ("VARCHAR(20) CHARACTER SET utf32", ["'漢😀'"]),
    ("CHAR(5) CHARACTER SET cp1251", ["'Привет'"]),
    ("TEXT CHARACTER SET latin2", ["'łąž'"]),
    ("TEXT CHARACTER SET sjis", ["'漢字カナ'"]),
]
BINARIES = [
    ("BINARY(4)", ["x'01'", "x'00'", "x'00000000'", "x'01020300'", "x'20202020'"]),
    ("BINARY(255)", ["x'FF00'"]),
    ("VARBINARY(10)", ["x''", "x'0100'", "x'FFFE00'"]),
    ("VARBINARY(300)", ["REPEAT(x'00', 300)"]),
    ("TINYBLOB", ["x'00FF'"]),
    ("BLOB", ["REPEAT(x'80', 70)"]),
    ("MEDIUMBLOB", ["REPEAT(x'81', 70000)"]),
    ("LONGBLOB", ["x''"]),
    ("POINT", ["ST_GeomFromText('POINT(1 2)')"]),
]
CHOICES = [
    ("ENUM('a','b','é漢')", ["'a'", "'b'", "'é漢'", "0"]),
    ("ENUM('x','ü') CHARACTER SET latin1", ["'ü'"]),
    ("SET('r','w','é')", ["''", "'r'", "'r,é'", "'w,r'"]),
    ("SET('1','2','3','4','5','6','7','8','9')", ["'1,9'", "511"]),
]
TIMES = [
    ("DATE", ["'2024-02-29'", "'0000-00-00'", "'2024-02-31'", "'1000-01-01'", "'9999-12-31'", "'2024-00-00'"]),
    ("TIME", ["'00:00:00'", "'-00:00:01'", "'838:59:59'", "'-838:59:59'", "'-01:02:03'"]),
    ("TIME(1)", ["'-01:02:03.1'", "'01:02:03.9'"]),
    ("TIME(3)", ["'-01:02:03.123'", "'-00:00:00.001'", "'838:59:58.999'", "'-00:00:01.000'"]),
    ("TIME(6)", ["'-00:00:00.000001'", "'-838:59:58.999999'", "'12:34:56.789012'", "'00:00:00'"]),
    ("DATETIME", ["'2024-01-02 03:04:05'", "'0000-00-00 00:00:00'", "'2024-02-31 10:00:00'", "'9999-12-31 23:59:59'"]),
    ("DATETIME(1)", ["'2024-01-02 03:04:05.6'"]),
    ("DATETIME(4)", ["'2024-01-02 03:04:05.0607'"]),
    ("DATETIME(6)", ["'2024-01-02 03:04:05.000001'", "'0000-00-00'"]),
    ("TIMESTAMP NULL", ["'2024-01-02 03:04:05'", "'0000-00-00'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"]),
    ("TIMESTAMP NULL", ["'2000-02-29 23:59:59'", "'1999-12-31 00:00:00'", "'2024-12-31 23:59:59'", "'2024-03-01'"]),
    ("TIMESTAMP(3) NULL", ["'2024-01-02 03:04:05.678'", "'0000-00-00'"]),
    ("TIMESTAMP(6) NULL", ["'2024-01-02 03:04:05.000001'"]),
]
JSONS = [
    (
        "JSON",
        ["'null'", "'true'", "'[]'", "'{}'", '\'"é\\\\u0001\\\\"\\\\\\\\/\\\\b\\\\f\\\\n\\\\r\\\\t"\'', "'0'", "'-1'"],
    ),
    ("JSON", ['\'{"b": 1, "a": [1, 2.5, null, {"x": "y"}], "long": 123456789012}\'', "'18446744073709551615'"]),
    ("JSON", ["'[32767, 32768, -32768, -32769, 65535, 65536, 2147483648, 4294967296]'", "'1e300'", "'1.0'", "'1e-20'"]),
]
MYSQL_ONLY = [
    ("JSON", ["JSON_OBJECT('d', CAST(1.50 AS DECIMAL(10,2)), 'n', CAST(-0.25 AS DECIMAL(5,2)))"]),
    ("JSON", ["JSON_ARRAY(CAST('2024-01-02' AS DATE), CAST('-01:02:03.5' AS TIME(6)))"]),
    (
        "JSON",
        ["JSON_ARRAY(CAST('2024-01-02 03:04:05.678' AS DATETIME(3)))", "JSON_OBJECT('b', x'00FF', 'bit', b'101')"],
    ),
    ("JSON", ["JSON_ARRAY(1e0, 1.5e0, -0e0, 123456789012345678e0, CAST(3 AS UNSIGNED), TRUE)"]),
    ("JSON", ["JSON_OBJECT('k', REPEAT('x', 70000), 'n', 70000, 'm', 1)", "JSON_OBJECT('', '')"]),
    ("VECTOR(3)", ["TO_VECTOR('[1, 2.5, -3]')"]),
    ("GEOMETRY", ["ST_GeomFromText('LINESTRING(0 0, 1 1)', 4326)"]),
    ("VARCHAR(20) CHARACTER SET gb18030", ["'漢é😀'"]),
]
MARIADB_ONLY = [
    ("VARCHAR(20) COLLATE uca1400_ai_ci", ["'é漢'"]),
    ("TEXT COLLATE utf8mb4_nopad_bin", ["'x '"]),
    ("UUID", ["'00112233-4455-6677-8899-aabbccddeeff'", "'00112233-4455-1677-8899-aabbccdd0000'", "x'00'"]),
    ("INET6", ["'::'", "'::1'", "'2001:db8::ff00:42:8329'", "'::ffff:1.2.3.0'", "'::1.2.3.4'", "'1::'", "'::1:0'"]),
    ("INET6", ["'fe80:0:0:1:0:0:0:1'", "'1:0:2:0:3:0:4:0'", "'::ffff:0:0'", "'::0.1.0.0'", "'1:2:3:4:5:6:7:0'"]),
    ("INET4", ["'1.2.3.4'", "'0.0.0.0'", "'255.255.255.0'"]),
    ("BINARY(16)", ["x'01'"]),
    ("VARCHAR(300) COMPRESSED", ["'short'", "''", "REPEAT('é', 299)"]),
    ("TEXT CHARACTER SET latin1 COMPRESSED", ["REPEAT('é', 500)"]),
    ("BLOB COMPRESSED", ["REPEAT(x'00FF', 500)", "x'00'"]),
]

EVERYWHERE = [*INTEGERS, *DECIMALS, *FLOATS, *BITS, *TEXTS, *BINARIES, *CHOICES, *TIMES, *JSONS]


def name_of(case: tuple[str, Sequence[str]]) -> str:
    return case[0].replace(" ", "_")


@pytest.fixture(scope="module")
def tables(server: SqlServer) -> Iterator[str]:
    server.sql("CREATE DATABASE types CHARACTER SET utf8mb4")
    yield "types"
    server.sql("DROP DATABASE types")


@pytest.fixture(scope="module")
def reader(server: SqlServer, tables: str) -> Iterator[BinlogSource]:
    """Yield a source that follows all the tests of this module, so that a type breaks the later ones too."""
    source = source_of(server)
    with opened(source, LATEST, Wanted(tables)):
        yield source


def select(server: SqlServer, sql: str) -> list[tuple[bytes | None, ...]]:
    """Return rows as the server prints them."""
    raw = server.connect(conv={}, use_unicode=False, init_command="SET time_zone = '+00:00'")
    with raw as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def write(server: SqlServer, schema: str, column: str, values: Sequence[str]) -> None:
    """Make table ``t`` with such a column and insert the values, the last row NULL."""
    settings = "SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'"
    with server.connect(database=schema, init_command=settings) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS t")
        cursor.execute(f"CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, head VARCHAR(9), v {column}, tail CHAR(3))")
        for value in values:
            cursor.execute(f"INSERT IGNORE INTO t (head, v, tail) VALUES ('head', {value}, 'end')")
        cursor.execute("INSERT INTO t (v) VALUES (NULL)")


def hold_against_select(server: SqlServer, schema: str, reader: BinlogSource, case: tuple[str, Sequence[str]]) -> None:
    column, values = case
    write(server, schema, column, values)
    rows = len(values) + 1
    segments = read_until(reader, lambda read: len(changes_of(read)) >= rows)
    printed = select(server, f"SELECT * FROM {schema}.t ORDER BY id")
    assert [change.after for change in changes_of(segments)] == printed


@pytest.mark.parametrize("case", EVERYWHERE, ids=name_of)
def test_value_is_what_select_prints(
    server: SqlServer, tables: str, reader: BinlogSource, case: tuple[str, Sequence[str]]
) -> None:
    """Both servers, all types that both have."""
    hold_against_select(server, tables, reader, case)


@pytest.mark.parametrize("case", MYSQL_ONLY, ids=name_of)
def test_mysql_value_is_what_select_prints(
    server: SqlServer, tables: str, reader: BinlogSource, case: tuple[str, Sequence[str]]
) -> None:
    """Types, and JSON's inner types, that only MySQL has."""
    if not is_mysql(server):
        pytest.skip("MySQL's own")
    hold_against_select(server, tables, reader, case)


@pytest.mark.parametrize("case", MARIADB_ONLY, ids=name_of)
def test_mariadb_value_is_what_select_prints(
    server: SqlServer, tables: str, reader: BinlogSource, case: tuple[str, Sequence[str]]
) -> None:
    """Collations with numbers that only MariaDB has."""
    if is_mysql(server):
        pytest.skip("MariaDB's own")
    hold_against_select(server, tables, reader, case)
