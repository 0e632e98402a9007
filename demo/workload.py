"""Clients that keep the tables busy while the drill goes on around them."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

import pymysql
import redis

from demo.audit import CACHED
from demo.holdings import Holdings
from demo.schema import first_names, first_user_ids
from demo.transactions import Desk, draw, place_orders, stock_up

CLIENTS = 3

TRANSACTIONS_PER_S = 70
"""What each client tries to reach; with three of them some thousand rows a second, ledger included."""

ROLLED_BACK = 0.06
"""Share of transactions that a client takes back at the end."""

_CONFLICTS = {1205, 1213}
"""Lock wait timeout and deadlock: the server has chosen this transaction to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What clients did so far; for display only, the verdict asks MySQL."""

    transactions: int = 0
    rolled_back: int = 0
    rows: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Sum of two clients."""
        return Tally(
            transactions=self.transactions + other.transactions,
            rolled_back=self.rolled_back + other.rolled_back,
            rows=self.rows + other.rows,
        )


NOTHING = Tally()
"""Before the first transaction."""

Connect = Callable[[], Any]
"""Opens a PyMySQL connection, autocommit off."""


class Client:
    """One thread with one connection, running transactions until stopped."""

    def __init__(
        self, *, number: int, seed: int, connect: Connect, cache: "redis.Redis", stop: threading.Event
    ) -> None:
        self._connection = connect()
        self._cache = cache
        self._stop = stop
        self._random = Random(seed * 1000 + number)
        self._holdings = Holdings(
            client=number,
            first=[key for key in first_user_ids() if key % CLIENTS == number % CLIENTS],
            random=self._random,
            seed=self._seed,
        )
        self._thread = threading.Thread(target=self._run, name=f"client-{number}", daemon=True)
        self.tally = Tally()
        self.error: Exception | None = None

    def start(self) -> None:
        """Begin to work."""
        with self._connection.cursor() as cursor:
            # No gap locks: clients that insert next to each other need not wait.
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self._thread.start()

    def join(self) -> None:
        """Wait for the last transaction and hang up; the stop event must be set."""
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        if self._connection.open:
            self._connection.close()

    def _seed(self, keys: Iterable[str]) -> None:
        seed(self._connection, self._cache, keys)

    def _run(self) -> None:
        """Work, and keep what went wrong for the drill to find. The thread's top frame."""
        try:
            self._open_shop()
            self._work()
        except Exception as error:  # noqa: BLE001 - a thread's top frame: the drill ends the demo with it
            self.error = error

    def _open_shop(self) -> None:
        for transaction in (place_orders, stock_up) * 5:
            self._holdings.prepare()
            self._transact(transaction)

    def _work(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self._holdings.prepare()
            self._transact(draw(self._random))
            due = max(due + 1 / TRANSACTIONS_PER_S, time.monotonic() - 1)
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _transact(self, transaction: Callable[[Desk], None]) -> None:
        with self._connection.cursor() as cursor:
            desk = Desk(cursor=cursor, holdings=self._holdings, random=self._random)
            try:
                transaction(desk)
            except pymysql.err.OperationalError as error:
                if error.args[0] not in _CONFLICTS:
                    raise
                self._roll_back()
            else:
                self._end(desk)

    def _end(self, desk: Desk) -> None:
        if self._random.random() < ROLLED_BACK:
            self._roll_back()
            return
        self._connection.commit()
        self._holdings.committed()
        self.tally += Tally(transactions=1, rows=desk.rows)

    def _roll_back(self) -> None:
        self._connection.rollback()
        self._holdings.rolled_back()
        self.tally += Tally(rolled_back=1)


class Workload:
    """All clients together."""

    def __init__(self, *, seed: int, connect: Connect, cache: "redis.Redis") -> None:
        self._stop = threading.Event()
        self._clients = tuple(
            Client(number=number, seed=seed, connect=connect, cache=cache, stop=self._stop)
            for number in range(1, CLIENTS + 1)
        )

    def start(self) -> None:
        """Let all clients begin."""
        for client in self._clients:
            client.start()

    def stop(self) -> None:
        """Let all clients finish their transaction; may be called twice."""
        self._stop.set()
        for client in self._clients:
            client.join()

    @property
    def tally(self) -> Tally:
        """What all clients did so far."""
        return sum((client.tally for client in self._clients), NOTHING)

    @property
    def error(self) -> Exception | None:
        """Why a client gave up, None while all are well."""
        return next((client.error for client in self._clients if client.error), None)


def seed_first_users(connection: Any, cache: "redis.Redis") -> None:
    """Put the cache keys of the users that exist from the start into Redis."""
    seed(connection, cache, (key for user_id in first_user_ids() for key in _first_keys(user_id)))


def seed(connection: Any, cache: "redis.Redis", keys: Iterable[str]) -> None:
    """Note cache keys in MySQL's ledger, then put them into Redis.

    Ends a transaction. Only for keys that no change has touched yet: then whoever
    deletes them does so after they were put there.
    """
    keys = list(keys)
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO ledger.seeded VALUES (%s)", [(key.encode(),) for key in keys])
    connection.commit()
    cache.mset(dict.fromkeys(keys, CACHED))


def _first_keys(user_id: int) -> tuple[str, ...]:
    username, email = first_names(user_id)
    return (
        f"user:{user_id}",
        f"user:username:{username}",
        f"user:email:{email}",
        f"user:{user_id}:orders",
        f"user:{user_id}:order:stats",
    )
