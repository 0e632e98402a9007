"""Every character of every character set that hasync reads comes as the UTF-8 that SELECT prints."""

from collections.abc import Iterator

import pytest

from hasync.binlog.charsets import transcoder
from hasync.binlog.source import BinlogSource
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, opened, read_to_end, source_of

SINGLE = "latin1 latin2 latin5 latin7 greek hebrew cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 koi8r koi8u tis620"
DOUBLE = "gbk gb2312 gb18030 sjis cp932 euckr ucs2 utf16 utf16le"
REFUSED = "armscii8 big5 dec8 eucjpms geostd8 hp8 keybcs2 macce macroman swe7 ujis"
AS_THEY_ARE = {"utf8mb4", "utf8mb3", "utf8", "ascii", "binary", "utf32"}


@pytest.fixture(scope="module")
def sequences(server: SqlServer) -> Iterator[str]:
    """Yield a schema with a table of all one and two byte strings, which is not in the binlog."""
    server.sql("CREATE DATABASE charsets")
    with server.connect(database="charsets") as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_log_bin = 0")
        cursor.execute("CREATE TABLE sequences (b VARBINARY(2) PRIMARY KEY) ENGINE = MyISAM")
        single = ", ".join(f"(x'{number:02x}')" for number in range(256))
        double = ", ".join(f"(x'{number:04x}')" for number in range(1 << 16))
        cursor.execute(f"INSERT INTO sequences VALUES {single}")
        cursor.execute(f"INSERT INTO sequences VALUES {double}")
    yield "charsets"
    server.sql("DROP DATABASE charsets")


def characters(server: SqlServer, schema: str, charset: str, source: BinlogSource) -> list[tuple[bytes, bytes]]:
    """Write every character of a set, and return each as it was read and as SELECT prints it."""
    source.open(LATEST, Wanted(schema))
    valid = f"HEX(CONVERT(b USING {charset})) = HEX(b) AND CHAR_LENGTH(CONVERT(b USING {charset})) = 1"
    if charset == "ucs2":  # half of a surrogate pair is no character; such a value is refused
        valid += " AND HEX(b) NOT REGEXP '^D[89A-F]'"
    with server.connect(database=schema) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.execute("DROP TABLE IF EXISTS c")
        columns = f"b VARBINARY(2) PRIMARY KEY, v VARCHAR(1) CHARACTER SET {charset}"
        cursor.execute(f"CREATE TABLE c ({columns}) ENGINE = MyISAM")
        cursor.execute(f"INSERT INTO c SELECT b, CONVERT(b USING {charset}) FROM sequences WHERE {valid}")
        read = {row.after[0]: row.after[1] for row in changes_of(read_to_end(source, server))}
        cursor.execute("SELECT b, CAST(CONVERT(v USING utf8mb4) AS BINARY) FROM c ORDER BY b")
        printed = cursor.fetchall()
    return [(read[raw] or b"", text) for raw, text in printed]


@pytest.mark.parametrize("charset", [*SINGLE.split(), *DOUBLE.split()])
def test_all_characters(server: SqlServer, sequences: str, charset: str) -> None:
    """Codes without a character are a question mark, also where Python knows one by now."""
    if not server.sql(f"SHOW CHARACTER SET LIKE '{charset}'"):
        pytest.skip("the server has no such character set")
    source = source_of(server)
    with opened(source, LATEST, Wanted(sequences)):
        found = characters(server, sequences, charset, source)
    assert len(found) > 90
    assert [pair for pair in found if pair[0] != pair[1]] == []


def test_all_others_are_refused(server: SqlServer) -> None:
    """A character set that is not in this table is not read at all."""
    there = {str(row[0]) for row in server.sql("SHOW CHARACTER SET")}
    tried = {*SINGLE.split(), *DOUBLE.split(), *AS_THEY_ARE}
    for charset in sorted(there - tried):
        assert charset in REFUSED.split()
        with pytest.raises(LookupError):
            transcoder(charset)
