"""Faults of the database: restarted, crashed, its dump killed, a transaction cut off in its middle."""

from contextlib import suppress
from typing import Any, ClassVar

import pymysql

from chaos.faults.fault import Fault, Scene
from chaos.promise import Promise
from testbed import SqlServer, wait_until


def revive(server: SqlServer) -> None:
    """Have it run again and answer."""
    if not server.running:
        server.start()


class SourceLost(Fault):
    """F12: the source restarted, crashed, killed in the middle of a transaction, or its binlog dump killed."""

    name: ClassVar[str] = "F12"
    title: ClassVar[str] = "database restarted or crashed, dump killed"
    promise: ClassVar[Promise] = Promise(terms=4, budget_s=60)
    hold_s: ClassVar[tuple[float, float]] = (0.5, 2.0)

    def begin(self, scene: Scene) -> None:
        """Do one of the four."""
        kind = scene.chance.choice(["restart", "crash", "crash in a transaction", "dump killed"])
        scene.note(kind)
        server = scene.world.source
        scene.undo(lambda: _following(scene))
        scene.undo(lambda: revive(server))
        if kind == "restart":
            server.stop()
        elif kind == "dump killed":
            _kill_dumps(server)
        else:
            if kind != "crash":
                _leave_open(scene, server)
            server.kill()


def _leave_open(scene: Scene, server: SqlServer) -> None:
    connection = server.connect(autocommit=False)
    scene.undo(lambda: _dropped(connection))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE chaos.counter SET n = n + 1000 WHERE id = 1")


def _dropped(connection: Any) -> None:
    with suppress(pymysql.MySQLError, OSError):
        connection.close()


def _kill_dumps(server: SqlServer) -> None:
    for row in server.sql("SHOW PROCESSLIST"):
        if row[1] == server.reader_user and "Dump" in str(row[4]):
            with suppress(pymysql.MySQLError):
                server.sql(f"KILL {int(row[0])}")


def _following(scene: Scene) -> None:
    """Wait until the replica replicates again."""
    second = scene.world.databases[1]
    word = "REPLICA" if scene.world.flavor == "mysql" else "SLAVE"

    def follows() -> bool:
        with second.connect() as connection, connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(f"SHOW {word} STATUS")
            row = cursor.fetchone()
        prefix = word.title()
        return {row[f"{prefix}_IO_Running"], row[f"{prefix}_SQL_Running"]} == {"Yes"}

    wait_until("the second database replicates", follows, timeout_s=40, poll_s=0.2)
