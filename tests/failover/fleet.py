"""Real instances of hasync as processes, a real workload, and the question whether Redis is what MySQL demands."""

import json
import os
import random
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from hasync.clock import SystemClock
from hasync.cluster.assembly import stream_coordination
from hasync.cluster.members import MemberList
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.coordination import StreamCoordination
from hasync.model.member import Member
from hasync.model.state import SinkState, state_key
from testbed import PortLease, Process, Redis, SqlServer, ZooKeeper, wait_until

STREAM = "orders"
ROOT = Path(__file__).parents[2]
SESSION_TIMEOUT_S = 2.0

SCHEMA = """
CREATE DATABASE IF NOT EXISTS app;
DROP TABLE IF EXISTS app.account, app.product, app.other;
CREATE TABLE app.account (id INT PRIMARY KEY, owner VARCHAR(50), balance INT, version INT);
CREATE TABLE app.product (id INT PRIMARY KEY, name VARCHAR(50), stock INT);
CREATE TABLE app.other (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(50));
"""

CONFIG = """
version: 1
source: {{hosts: ["{source}"], user: {user}, password: "env:MYSQL_PASSWORD"}}
redis: {{url: "redis://{redis}/0"}}
on_missing_state: {missing}
tables:
  app.account:
    - {{set: {{key: "account:{{id}}", value: "{{balance}}"}}}}
    - {{handler: "tests.failover.handlers:count_changes"}}
  app.product:
    - {{hash: {{key: "product:{{id}}", fields: [name, stock]}}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """The servers of one test. ``source`` and ``sink``: the addresses that the config names (a proxy's, perhaps)."""

    database: SqlServer
    redis: Redis
    zookeeper: ZooKeeper
    source: str
    sink: str
    directory: Path
    root: str

    def config(self, *, missing: str = "halt", extra: str = "") -> str:
        """Return the stream's document."""
        user = self.database.reader_user
        return CONFIG.format(source=self.source, redis=self.sink, user=user, missing=missing) + extra


class Running:
    """One ``hasync run``."""

    def __init__(self, member: str, backends: Backends, environment: Mapping[str, str]) -> None:
        self.member = member
        self._frozen = 0
        self._lease = PortLease()
        settings = {
            "PYTHONPATH": str(ROOT),
            "MYSQL_PASSWORD": backends.database.reader_password,
            "HASYNC_MEMBER_ID": member,
            "HASYNC_STREAMS": STREAM,
            "HASYNC_HTTP__PORT": str(self._lease.port),
            "HASYNC_LOG__FORMAT": "json",
            "HASYNC_ZOOKEEPER__HOSTS": backends.zookeeper.hosts,
            "HASYNC_ZOOKEEPER__ROOT": backends.root,
            "HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
            "HASYNC_REDIS_TIMEOUT_S": "1",
            "HASYNC_HEARTBEAT_S": "0.5",
            "HASYNC_SUPERVISOR__RESTART_MIN_S": "0.1",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
        self.process = Process(
            [sys.executable, "-m", "hasync", "run"],
            log=backends.directory / f"{member}.log",
            directory=ROOT,
            environment=inherited | settings | environment,
        )

    @property
    def address(self) -> str:
        """Where the admin port is."""
        return f"127.0.0.1:{self._lease.port}"

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of an answer of the admin port, (0, "") when there is none."""
        url = f"http://{self.address}{path}"
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    @property
    def standing(self) -> dict[str, Any]:
        """What it says of the stream; empty when it does not answer."""
        status, body = self.get("/status")
        return json.loads(body)["streams"].get(STREAM, {}) if status == 200 else {}

    @property
    def supervisor(self) -> dict[str, Any]:
        """What it says of its supervisor; empty when it does not answer, or has none."""
        status, body = self.get("/status")
        return (json.loads(body)["supervisor"] or {}) if status == 200 else {}

    @property
    def worker(self) -> int:
        """The process id of the worker, once it answers."""
        status, body = self.get("/status")
        return int(json.loads(body)["pid"]) if status == 200 else 0

    def signal_worker(self, number: signal.Signals) -> int:
        """Send a signal to the worker alone, and return its process id."""
        pid = wait_until("the worker answers", lambda: self.worker)
        os.kill(pid, number)
        return pid

    def freeze(self) -> None:
        """Stop supervisor and worker, as a machine that hangs does."""
        self._frozen = self.signal_worker(signal.SIGSTOP)
        self.process.freeze()

    def thaw(self) -> None:
        """Let both go on."""
        if self._frozen:
            os.kill(self._frozen, signal.SIGCONT)
            self._frozen = 0
        self.process.thaw()

    @property
    def leads(self) -> bool:
        """Whether it leads and its position is anchored: from here on every commit counts, also with start: latest."""
        standing = self.standing
        return standing.get("state") == "leader" and standing["position"] is not None

    def metric(self, name: str) -> float:
        """Return the sum of a metric's samples."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith((name + "{", name + " "))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def events(self) -> list[dict[str, Any]]:
        """Return the log lines so far."""
        lines = self.process.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def close(self) -> None:
        self.process.thaw()
        self.process.kill()
        self._lease.close()


@dataclass(slots=True)
class Fleet:
    """Instances on the same servers, and eyes of our own on ZooKeeper and Redis."""

    backends: Backends
    instances: list[Running] = field(default_factory=list)
    _session: ZooKeeperSession | None = None

    @property
    def coordination(self) -> StreamCoordination:
        """The stream's ports in ZooKeeper, on a session of the test's own."""
        return self.stream(STREAM)

    def stream(self, name: str) -> StreamCoordination:
        """Another stream's ports."""
        if self._session is None:
            hosts = self.backends.zookeeper.hosts.split(",")
            self._session = ZooKeeperSession(hosts=hosts, clock=SystemClock(), session_timeout_s=10)
            self._session.start()
            self._session.await_connected(10)
        return stream_coordination(
            session=self._session,
            znodes=Znodes(self.backends.root),
            stream=name,
            member="test",
            clock=SystemClock(),
        )

    def members(self) -> tuple[Member, ...]:
        """List the instances as they show themselves."""
        assert self.coordination
        assert self._session is not None
        return MemberList(session=self._session, znodes=Znodes(self.backends.root), clock=SystemClock()).list()

    def apply(self, document: str) -> int:
        """Store a config document; return its revision."""
        configs = self.coordination.configs
        current = configs.get()
        return configs.put(document, based_on=current.revision if current else 0, applied_by="test").revision

    def start(self, *members: str, **environment: str) -> list[Running]:
        """Start instances."""
        started = [Running(member, self.backends, environment) for member in members]
        self.instances += started
        for instance in started:
            instance.process.start()
        return started

    def leader(self, timeout_s: float = 20.0, *, other_than: Running | None = None) -> Running:
        """Wait for an instance that leads."""

        def find() -> Running | None:
            return next((each for each in self.instances if each is not other_than and each.leads), None)

        return wait_until("an instance leads", find, timeout_s=timeout_s)

    @property
    def state(self) -> SinkState | None:
        """The state key."""
        raw = self.backends.redis.command("GET", state_key(STREAM))
        return SinkState.from_json(orjson.loads(raw)) if raw else None

    def close(self) -> None:
        for instance in self.instances:
            instance.close()
        if self._session is not None:
            self._session.stop(1)


class Workload:
    """Clients that change rows: inserts, updates, multi-row statements, rollbacks, deletes; seeded."""

    def __init__(self, database: SqlServer, *, pause_s: float = 0.002, seed: int = 7) -> None:
        self._database = database
        self._pause_s = pause_s
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.commits = 0

    def _run(self) -> None:
        connection = self._database.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            while not self._stop.wait(self._pause_s):
                self._transaction(cursor)
                if self._random.random() < 0.1:
                    connection.rollback()
                else:
                    connection.commit()
                    self.commits += 1

    def _transaction(self, cursor: Any) -> None:
        number, kind = self._random.randrange(1, 60), self._random.random()
        if kind < 0.4:
            cursor.execute(
                "INSERT INTO app.account VALUES (%s, 'o', %s, 1) "
                "ON DUPLICATE KEY UPDATE balance = balance + 1, version = version + 1",
                (number, self._random.randrange(1000)),
            )
        elif kind < 0.7:
            cursor.execute(
                "UPDATE app.account SET balance = balance + 7, version = version + 1 WHERE id BETWEEN %s AND %s",
                (number, number + 5),
            )
        elif kind < 0.85:
            cursor.execute(
                "REPLACE INTO app.product VALUES (%s, %s, %s)", (number, f"p{number}", self._random.randrange(99))
            )
        elif kind < 0.9:
            cursor.execute("DELETE FROM app.product WHERE id = %s", (number,))
        else:
            cursor.execute("INSERT INTO app.other (note) VALUES ('x')")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def wait_commits(self, more: int, timeout_s: float = 60.0) -> None:
        """Wait until so many more transactions have committed."""
        goal = self.commits + more
        wait_until(f"{more} more commits", lambda: self.commits >= goal, timeout_s=timeout_s)


def demanded(database: SqlServer) -> dict[str, object]:
    """Return what MySQL's tables demand of Redis: every key and its content."""
    keys: dict[str, object] = {}
    for number, balance, version in database.sql("SELECT id, balance, version FROM app.account"):
        keys[f"account:{number}"] = str(balance)
        keys[f"changes:{number}"] = str(version)
    for number, name, stock in database.sql("SELECT id, name, stock FROM app.product"):
        keys[f"product:{number}"] = {"name": name, "stock": str(stock)}
    return keys


def held(redis: Redis) -> dict[str, object]:
    """Return every key of Redis but hasync's own."""
    with redis.client(decode_responses=True) as client:
        keys = [key for key in client.scan_iter() if not key.startswith("hasync:{")]
        return {key: client.hgetall(key) if client.type(key) == "hash" else client.get(key) for key in keys}


def assert_equal(database: SqlServer, redis: Redis, timeout_s: float = 30.0) -> None:
    """I1, I2, I8: once the stream has caught up, Redis is exactly what MySQL demands."""
    deadline = time.monotonic() + timeout_s
    while (wanted := demanded(database)) != (found := held(redis)):
        if time.monotonic() > deadline:
            wrong = {key: (wanted.get(key), found.get(key)) for key in wanted.keys() | found.keys()}
            raise AssertionError({key: pair for key, pair in wrong.items() if pair[0] != pair[1]})
        time.sleep(0.05)


@contextmanager
def fleet_on(backends: Backends) -> Iterator[Fleet]:
    """Give a fleet and end all its processes afterwards."""
    fleet = Fleet(backends)
    try:
        yield fleet
    finally:
        fleet.close()
