"""Every character of every character set that hasync reads comes as the UTF-8 that SELECT prints."""

from collections.abc import Iterator

import pytest

from hasync.binlog.charsets import transcoder
from hasync.binlog.source import BinlogSource
from testbed.sql import SqlServer
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, opened, read_to_end, source_of

SINGLE = (
    "armscii8 cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 dec8 geostd8 greek hebrew hp8 keybcs2 koi8r koi8u "
    "latin1 latin2 latin5 latin7 macce macroman swe7 tis620"
)
DOUBLE = "big5 cp932 euckr gb2312 gbk sjis ucs2 utf16 utf16le"
LONGEST = {
    **dict.fromkeys(SINGLE.split(), 1),
    **dict.fromkeys(DOUBLE.split(), 2),
    "eucjpms": 3,
    "ujis": 3,
    "gb18030": 4,
}
"""Bytes of a set's longest code that is tried."""
AS_THEY_ARE = {"utf8mb4", "utf8mb3", "utf8", "ascii", "binary", "utf32"}


def sequences_of(length: int) -> Iterator[str]:
    """Yield the byte strings that may be codes of this length, as hexadecimal digits."""
    if length < 3:
        yield from (f"{number:0{2 * length}x}" for number in range(1 << 8 * length))
    elif length == 3:
        yield from (f"8f{second:02x}{third:02x}" for second in range(0x80, 0x100) for third in range(0x80, 0x100))
    else:  # of gb18030: all of the basic plane, and some for what lies beyond it or nowhere
        leads = (*range(0x81, 0x85), 0x90, 0x95, 0xE3)
        last = [f"{third:02x}{fourth:02x}" for third in range(0x81, 0xFF) for fourth in range(0x30, 0x3A)]
        yield from (f"{first:02x}{second:02x}{end}" for first in leads for second in range(0x30, 0x3A) for end in last)


@pytest.fixture(scope="module")
def sequences(server: SqlServer) -> Iterator[str]:
    """Yield a schema with a table of all strings that may be codes, which is not in the binlog."""
    server.sql("CREATE DATABASE charsets")
    with server.connect(database="charsets") as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_log_bin = 0")
        cursor.execute("CREATE TABLE sequences (b VARBINARY(4) PRIMARY KEY) ENGINE = MyISAM")
        for length in (1, 2, 3, 4):
            values = ", ".join(f"(x'{code}')" for code in sequences_of(length))
            cursor.execute(f"INSERT INTO sequences VALUES {values}")
    yield "charsets"
    server.sql("DROP DATABASE charsets")


def characters(server: SqlServer, schema: str, charset: str, source: BinlogSource) -> list[tuple[bytes, bytes]]:
    """Write every character of a set, and return each as it was read and as SELECT prints it."""
    source.open(LATEST, Wanted(schema))
    text = f"CONVERT(b USING {charset})"
    valid = f"LENGTH(b) <= {LONGEST[charset]} AND HEX({text}) = HEX(b) AND CHAR_LENGTH({text}) = 1"
    with server.connect(database=schema) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.execute("DROP TABLE IF EXISTS c")
        columns = f"b VARBINARY(4) PRIMARY KEY, v VARCHAR(1) CHARACTER SET {charset}"
        cursor.execute(f"CREATE TABLE c ({columns}) ENGINE = MyISAM")
        cursor.execute(f"INSERT INTO c SELECT b, {text} FROM sequences WHERE {valid}")
        read = {row.after[0]: row.after[1] for row in changes_of(read_to_end(source, server))}
    with server.connect(database=schema, conv={}, use_unicode=False) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT b, v FROM c ORDER BY b")
        return [(read[raw] or b"", text) for raw, text in cursor.fetchall()]


@pytest.mark.parametrize("charset", LONGEST)
def test_all_characters(server: SqlServer, sequences: str, charset: str) -> None:
    """Codes without a character are a question mark, also where Python knows one by now."""
    if not server.sql(f"SHOW CHARACTER SET LIKE '{charset}'"):
        pytest.skip("the server has no such character set")
    source = source_of(server)
    with opened(source, LATEST, Wanted(sequences)):
        found = characters(server, sequences, charset, source)
    assert len(found) > 90
    assert [pair for pair in found if pair[0] != pair[1]] == []


def test_servers_have_no_other_sets(server: SqlServer) -> None:
    """Each one is tried here, or is Unicode; a set that is not known is not read at all."""
    there = {str(row[0]) for row in server.sql("SHOW CHARACTER SET")}
    assert there <= {*LONGEST, *AS_THEY_ARE}
    with pytest.raises(LookupError):
        transcoder("klingon")
