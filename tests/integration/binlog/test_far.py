"""Places past 4 GiB in a file, which headers and the plain dump command cannot name: `make test-far`."""

import os
from collections.abc import Iterator

import pytest

from hasync.model.position import Position, Start, StartKind
from testbed import MariaDb, MySql, workdir
from testbed.sql import SqlServer
from tests.integration.binlog.bench import Wanted, changes_of, ids, is_mysql, opened, read_to_end, source_of
from tests.integration.binlog.mirror import mirrored, selected
from tests.integration.binlog.test_transactions import run

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.mariadb,
    pytest.mark.timeout(1800),
    pytest.mark.skipif("FAR" not in os.environ, reason="takes 10 GB of disk and minutes: make test-far"),
]

ROWS, ROW_BYTES = 300, 15_000_000
GTIDS_OFF = {"gtid-mode": "OFF", "enforce-gtid-consistency": "OFF"}
KINDS = {
    "mysql": (MySql, "BLACKHOLE", {}),
    "mysql without GTIDs": (MySql, "BLACKHOLE", GTIDS_OFF),
    "mariadb": (MariaDb, "MyISAM", {}),
}


@pytest.fixture(scope="module", params=KINDS)
def far(request: pytest.FixtureRequest) -> Iterator[SqlServer]:
    """Yield a server with one transaction of 4.5 GB at the end of its first file, and rows and a branch around it.

    However large, a transaction is never split over files; the file ends behind it.
    """
    kind, engine, options = KINDS[request.param]
    with workdir() as place, kind(place, options={"max-allowed-packet": "64M", **options}) as server:
        server.sql("CREATE DATABASE d")
        run(server, "d", "CREATE TABLE t (id INT PRIMARY KEY)")
        run(server, "d", f"CREATE TABLE big (id INT, b LONGBLOB) ENGINE={engine}")
        run(server, "d", "INSERT INTO t VALUES (1)")
        run(server, "d", "XA START 'x'", "INSERT INTO t VALUES (20), (21), (22)", "XA END 'x'", "XA PREPARE 'x'")
        run(
            server,
            "d",
            f"INSERT INTO big WITH RECURSIVE s AS (SELECT 1 n UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) "
            f"SELECT n, REPEAT('x', {ROW_BYTES}) FROM s",
        )
        run(server, "d", "INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3), (4), (5)")
        server.sql("XA COMMIT 'x'")
        run(server, "d", "DELETE FROM t WHERE id = 1")
        yield server


def test_stream_goes_on_past_4_gib(far: SqlServer) -> None:
    """The end of that transaction is a place like any other: a resume there loses and doubles nothing."""
    source = source_of(far, max_rows=100)
    wanted = Wanted("d", ("t",))
    with opened(source, Start(kind=StartKind.EARLIEST), wanted):
        segments = read_to_end(source, far)
    assert mirrored(changes_of(segments)) == selected(far, "d")
    [end] = {segment.position.pos: segment.position for segment in segments if segment.position.pos > 1 << 32}.values()
    behind = [b"2", b"3", b"4", b"5", b"20", b"21", b"22", b"1"]
    starts: list[Start | Position] = [end, Start(kind=StartKind.FILE, file=end.file, pos=end.pos)]
    starts += [Start(kind=StartKind.GTID, gtid_set=end.gtid_set)] if end.gtid_set else []
    for start in starts:
        with opened(source, start, wanted):
            assert ids(read_to_end(source, far)) == behind
    assert end.gtid_set or is_mysql(far)
