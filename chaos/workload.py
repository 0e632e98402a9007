"""Clients that change rows all the time, with a log of what was acknowledged to them."""

import random
import threading
from collections import deque
from contextlib import suppress
from typing import Any, Final

import pymysql

from testbed import SqlServer

ACCOUNTS: Final = 20
COUNTERS: Final = 40
BALANCE: Final = 1000
TOTAL: Final = ACCOUNTS * BALANCE
KEPT: Final = 300
"""So many entries stay in the table; older ones are deleted."""
MARK: Final = "sesame-row-value"
"""Part of each entry: it must never be seen in a log or in ZooKeeper (I12)."""

SCHEMA: Final = f"""
CREATE DATABASE chaos;
CREATE TABLE chaos.account (id INT PRIMARY KEY, balance INT NOT NULL);
CREATE TABLE chaos.counter (id INT PRIMARY KEY, n INT NOT NULL);
CREATE TABLE chaos.entry (id INT PRIMARY KEY, note VARCHAR(60) NOT NULL, size INT NOT NULL);
INSERT INTO chaos.account VALUES {",".join(f"({number},{BALANCE})" for number in range(1, ACCOUNTS + 1))};
INSERT INTO chaos.counter VALUES {",".join(f"({number},1)" for number in range(1, COUNTERS + 1))};
"""


class Workload:
    """Transactions at a steady rate in a thread of its own; seeded; goes on over the loss of the server.

    Each transaction adds one entry.  ``acked``: entries whose commit was confirmed and that nobody tried to delete.
    """

    def __init__(self, database: SqlServer, *, seed: int, pause_s: float = 0.02) -> None:
        """Store the tables."""
        database.script(SCHEMA)
        self._database = database
        self._random = random.Random(seed)
        self._pause_s = pause_s
        self._stop, self._going, self._idle = threading.Event(), threading.Event(), threading.Event()
        self._idle.set()
        self._number = 0
        self._live: deque[int] = deque()
        self.acked: set[int] = set()
        self.commits = 0
        self._thread = threading.Thread(target=self._run, name="workload", daemon=True)
        self._thread.start()

    def go(self) -> None:
        """Begin, or go on."""
        self._idle.clear()
        self._going.set()

    def pause(self) -> None:
        """Stop, and return when no transaction is under way (one may hang on a server that is away)."""
        self._going.clear()
        self._idle.wait(10)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._going.set()
        self._thread.join(5)

    def _run(self) -> None:
        connection: Any = None
        while not self._stop.wait(self._pause_s):
            if not self._going.is_set():
                self._idle.set()
                self._going.wait()
                continue
            try:
                connection = connection or self._connect()
                self._transaction(connection)
            except (pymysql.MySQLError, OSError):
                self._drop(connection)
                connection = None
                self._stop.wait(0.2)
        self._drop(connection)

    def _connect(self) -> Any:
        return self._database.connect(autocommit=False, connect_timeout=1, read_timeout=3, write_timeout=3)

    def _drop(self, connection: Any) -> None:
        if connection is not None:
            with suppress(pymysql.MySQLError, OSError):
                connection.close()

    def _transaction(self, connection: Any) -> None:
        self._number += 1
        number, old = self._number, self._old()
        with connection.cursor() as cursor:
            note = f"{MARK}-{self._random.random()}"
            cursor.execute("INSERT INTO chaos.entry VALUES (%s, %s, %s)", (number, note, number % 7))
            if old is not None:
                self.acked.discard(old)
                cursor.execute("DELETE FROM chaos.entry WHERE id = %s", (old,))
            self._changes(cursor)
        if self._random.random() < 0.05:
            connection.rollback()
            if old is not None:
                self._live.append(old)
            return
        connection.commit()
        self.commits += 1
        self.acked.add(number)
        self._live.append(number)

    def _old(self) -> int | None:
        return self._live.popleft() if len(self._live) > KEPT else None

    def _changes(self, cursor: Any) -> None:
        kind, number = self._random.random(), self._random.randrange(1, COUNTERS + 1)
        if kind < 0.4:
            one, other = self._random.sample(range(1, ACCOUNTS + 1), 2)
            amount = self._random.randrange(1, 50)
            cursor.execute("UPDATE chaos.account SET balance = balance - %s WHERE id = %s", (amount, one))
            cursor.execute("UPDATE chaos.account SET balance = balance + %s WHERE id = %s", (amount, other))
        elif kind < 0.8:
            cursor.execute("UPDATE chaos.counter SET n = n + 1 WHERE id = %s", (number,))
        else:
            cursor.execute("UPDATE chaos.counter SET n = n + 1 WHERE id BETWEEN %s AND %s", (number, number + 4))
