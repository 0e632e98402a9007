"""Tagged GTIDs (MySQL 8.3 and later): read, counted, printed and asked for as the server does."""

from collections.abc import Iterator

import pytest

from hasync.binlog.source import BinlogSource
from hasync.model.gtid import MysqlGtidSet
from hasync.model.position import Position, Start, StartKind
from testbed.mysql import MySql
from tests.integration.binlog.bench import LATEST, Wanted, changes_of, ids, opened, read_to_end, source_of
from tests.integration.binlog.mirror import mirrored, selected
from tests.integration.binlog.test_transactions import run

pytestmark = pytest.mark.mysql

OTHER = "00112233-4455-6677-8899-aabbccddeeff"


@pytest.fixture
def table(mysql: MySql) -> Iterator[str]:
    mysql.sql("CREATE DATABASE tags")
    run(mysql, "tags", "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))")
    yield "tags"
    mysql.sql("DROP DATABASE tags")
    mysql.sql("RESET BINARY LOGS AND GTIDS")  # the others' sets are as they were


@pytest.fixture
def source(mysql: MySql) -> Iterator[BinlogSource]:
    subject = source_of(mysql)
    yield subject
    subject.close()


def write(mysql: MySql, table: str) -> None:
    """Write six rows in six transactions with several tags, of this and another server, with gaps."""
    tags = ["AUTOMATIC:blue", "AUTOMATIC", "AUTOMATIC:_2", f"{OTHER}:red:300", f"{OTHER}:7", "AUTOMATIC:blue"]
    for number, tag in enumerate(tags):
        run(mysql, table, f"SET gtid_next = '{tag}'", f"INSERT INTO t VALUES ({number}, '{tag}')")


def test_tagged_transactions_are_read(mysql: MySql, table: str, source: BinlogSource) -> None:
    """The rows come, the set is the server's to the letter, and the commit time has microseconds."""
    source.open(LATEST, Wanted(table))
    write(mysql, table)
    segments = read_to_end(source, mysql)
    assert mirrored(changes_of(segments)) == selected(mysql, table)
    assert segments[-1].position.gtid_set == mysql.gtid_set()
    assert MysqlGtidSet.parse(mysql.gtid_set()).tagged
    [[now]] = mysql.sql("SELECT UNIX_TIMESTAMP(NOW(6))")
    assert 0 <= float(now) - segments[-1].timestamp < 60


def test_start_by_tagged_gtids(mysql: MySql, table: str) -> None:
    """Each set that the server had on the way is asked for, and gives what is not in it."""
    reader = source_of(mysql, max_rows=1)
    with opened(reader, LATEST, Wanted(table)) as begin:
        write(mysql, table)
        mysql.sql("FLUSH BINARY LOGS")
        segments = read_to_end(reader, mysql)
    whole = ids(segments)
    assert len(whole) == 6
    places = [begin, *(segment.position for segment in segments)]
    done = [0]
    for segment in segments:
        done.append(done[-1] + len(ids([segment])))
    for place, count in zip(places, done, strict=True):
        by_gtid = Start(kind=StartKind.GTID, gtid_set=place.gtid_set)
        elsewhere = Position(flavor=place.flavor, server_uuid=OTHER, gtid_set=place.gtid_set, file="x.1", pos=4)
        for start in (by_gtid, place, elsewhere):
            with opened(reader, start, Wanted(table)):
                assert ids(read_to_end(reader, mysql)) == whole[count:]


def test_latest_has_the_tags(mysql: MySql, table: str, source: BinlogSource) -> None:
    """Begun behind tagged transactions, the position's set is the server's."""
    write(mysql, table)
    assert source.open(LATEST, Wanted(table)).gtid_set == mysql.gtid_set()


@pytest.mark.parametrize(
    "text",
    [
        f"{OTHER}:1-5:blue:1:3-4:red:7,{OTHER[:-1]}e:green:1",
        f"{OTHER}:red:7:blue:4:3:1",
        f"{OTHER}:7:5-6:1,{OTHER}:a:2,{OTHER}:a:1",
        f"{OTHER.upper()}:BLUE:1",
    ],
)
def test_set_is_printed_as_the_server_prints_it(mysql: MySql, text: str) -> None:
    """Sorted and joined the same way; a subset for one is a subset for the other."""
    [[printed]] = mysql.sql("SELECT GTID_SUBTRACT(%s, '')", (text,))
    assert str(MysqlGtidSet.parse(text)) == printed.replace("\n", "")
    smaller = f"{OTHER}:blue:1"
    [[subset]] = mysql.sql("SELECT GTID_SUBSET(%s, %s)", (smaller, text))
    assert MysqlGtidSet.parse(text).covers(MysqlGtidSet.parse(smaller)) is bool(subset)
