"""Records the corpus anew from servers that are started for it: ``python -m tests.fuzz.record``."""

import sys
from collections.abc import Iterator

from hasync.binlog.connection import Latch, Login
from hasync.binlog.dump import Dump, Request
from hasync.binlog.server import Server
from hasync.model.position import Flavor, Position
from testbed import MariaDb, MySql, workdir
from testbed.sql import SqlServer
from tests.fuzz.corpus import SCHEMA, Scene, save
from tests.fuzz.scenes import CALM, CALM_MARIADB, SCENES

_HEARTBEATS = (27, 41)
_HEARTBEAT_S = 0.3
_SERVER_ID = 4_000_000_077


def statements(text: str) -> list[str]:
    """Split a scene; no text in it holds a semicolon."""
    return [" ".join(statement.split()) for statement in text.split(";") if statement.strip()]


def run(server: SqlServer, text: str) -> None:
    """Run a scene on a connection of its own, so that its session settings end with it."""
    with server.connect(database=SCHEMA) as connection, connection.cursor() as cursor:
        for statement in statements(text):
            cursor.execute(statement)


def packets(login: Login, request: Request) -> Iterator[bytes]:
    """Yield what the server sends, up to its first heartbeat."""
    dump = Dump(login, request, server_id=_SERVER_ID, heartbeat_s=_HEARTBEAT_S, latch=Latch())
    try:
        while True:
            packet = dump.packet(wait=True)
            assert packet is not None
            yield packet
            if packet[5] in _HEARTBEATS:
                return
    finally:
        dump.close()


def record(server: SqlServer, flavor: Flavor, name: str, text: str) -> Scene:
    """Play one scene in a binlog file of its own, and read it."""
    server.script(f"DROP DATABASE IF EXISTS {SCHEMA}; CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
    server.sql("FLUSH BINARY LOGS")
    file = server.binlog_position()[0]
    run(server, text)
    login = Login(host=server.address, user=server.reader_user, password=server.reader_password)
    eyes = Server(login)
    start = Position(
        flavor=flavor, server_uuid=eyes.identity, gtid_set=eyes.gtids_before(file), file=file, pos=4, timestamp=0.0
    )
    scene = Scene(
        name=name,
        flavor=flavor,
        checksum=eyes.variables("binlog_checksum")["binlog_checksum"] != "NONE",
        start=start,
        charsets=eyes.charsets(),
        catalog={f"{SCHEMA}.{table}": eyes.column_types(SCHEMA, table) for table in _tables(server)},
        packets=tuple(packets(login, Request(flavor=flavor, file=file))),
    )
    eyes.close()
    run(server, CALM + (f";{CALM_MARIADB}" if flavor is Flavor.MARIADB else ""))
    return scene


def _tables(server: SqlServer) -> list[str]:
    return [str(row[0]) for row in server.sql(f"SHOW TABLES FROM {SCHEMA}")]


def main() -> None:
    """Record both servers."""
    with workdir() as place, MySql(place) as mysql, MariaDb(place) as mariadb:
        for flavor, server in ((Flavor.MYSQL, mysql), (Flavor.MARIADB, mariadb)):
            scenes = [record(server, flavor, name, text) for name, text in SCENES[flavor].items()]
            size = save(scenes, flavor)
            packets_in_all = sum(len(scene.packets) for scene in scenes)
            sys.stdout.write(f"{flavor.value}: {len(scenes)} scenes, {packets_in_all} packets, {size} bytes\n")


if __name__ == "__main__":
    main()
