"""Looks at everything but the state key's writes: ZooKeeper, databases, instances, and a reader of all accounts."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson
import pymysql
import redis
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from chaos.ears import KEY, state_of
from chaos.instances import STREAM, Instance
from chaos.record import Pair, Record, Standing, State
from chaos.workload import ACCOUNTS
from chaos.world import World
from hasync.model.position import Flavor

POSITION: Final = f"/hasync/streams/{STREAM}/position"
TROUBLE: Final = (redis.RedisError, pymysql.MySQLError, KazooException, OSError, ValueError, KeyError, RuntimeError)


class Eye:
    """Does one look again and again in a thread of its own.  ``looked``: when the last one succeeded."""

    def __init__(self, name: str, look: Callable[[], None], every_s: float) -> None:
        """Begin."""
        self.name = name
        self.looked = 0.0
        self._look = look
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"eye-{name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            with suppress(*TROUBLE):
                self._look()
                self.looked = time.time()

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(3)


class Looks:
    """The looks themselves; each appends to ``record``, which is another one in each round."""

    def __init__(self, world: World) -> None:
        """Look at this cluster."""
        self._world = world
        self._zookeeper: Any = None
        self._asked_zookeeper_at = 0.0
        self._answered_at = 0.0
        self._flavor = Flavor(world.flavor)
        self.record = Record()
        self.primary_name = ""

    # ------------------------------------------------------------------ positions

    def pair(self) -> None:
        """ZooKeeper's position, the primary's state, what the databases have executed: in this order (I5)."""
        acknowledged = self._acknowledged()
        server = self._world.primary()
        state = state_of(server.command("GET", KEY)) if server else None
        has = self._source_has(state) if state else None
        self.primary_name = server.name if server else ""
        self.record.pairs.append(Pair(at=time.time(), acknowledged_seq=acknowledged, state=state, source_has=has))

    def _acknowledged(self) -> int | None:
        """Return the sequence that ZooKeeper has; None when it does not say. A client without answers is replaced."""
        if self._zookeeper is None:
            hosts = ",".join(member.address for member in self._world.ensemble)
            self._zookeeper = KazooClient(hosts=hosts, timeout=4, connection_retry={"max_tries": -1, "max_delay": 1})
            self._zookeeper.start_async()
            self._answered_at = time.time()
        try:
            data, _ = self._zookeeper.get_async(POSITION).get(timeout=1)
        except (KazooException, TimeoutError, self._zookeeper.handler.timeout_exception):
            if time.time() - self._answered_at > 4:
                self.forget_zookeeper()
            return None
        self._answered_at = time.time()
        return int(orjson.loads(data)["seq"])

    def forget_zookeeper(self) -> None:
        """Begin a new session: the ensemble may be younger than the old one (its data were restored)."""
        client, self._zookeeper = self._zookeeper, None
        if client is not None:
            threading.Thread(target=lambda: (client.stop(), client.close()), daemon=True).start()

    def _source_has(self, state: State) -> bool | None:
        wanted = self._flavor.gtid_set(state.gtid_set)
        answers = []
        for database in self._world.databases:
            with suppress(pymysql.MySQLError, OSError):
                answers.append(self._flavor.gtid_set(_ask(database, _executed(self._world.flavor))).covers(wanted))  # type: ignore[arg-type]
        return any(answers) if len(answers) == len(self._world.databases) or any(answers) else None

    # ------------------------------------------------------------------ others

    def sums(self) -> None:
        """Read all accounts of the primary in one step (I6)."""
        server = next((each for each in self._world.redises if each.name == self.primary_name), None)
        if server is None:
            return
        with server.client(socket_timeout=1) as client:
            for _ in range(20):
                found = client.mget([f"account:{number}" for number in range(1, ACCOUNTS + 1)])
                if all(value is not None for value in found):
                    self.record.sums.append((time.time(), sum(map(int, found))))
                time.sleep(0.02)

    def dumps(self) -> None:
        """Count the binlog dumps of hasync's account on all databases."""
        count = 0
        for database in self._world.databases:
            with database.connect(connect_timeout=1, read_timeout=1) as connection, connection.cursor() as cursor:
                cursor.execute("SHOW PROCESSLIST")
                count += sum(row[1] == database.reader_user and "Dump" in str(row[4]) for row in cursor.fetchall())
        self.record.dumps.append((time.time(), count))

    def standing(self, instance: Instance) -> None:
        """Ask one instance, and look at its processes."""
        status = instance.status
        stream = status.get("streams", {}).get(STREAM, {})
        state = str(stream.get("state", ""))
        used = [usage(pid) for pid in instance.pids]
        self.record.standings.append(
            Standing(
                at=time.time(),
                member=instance.member,
                answered=bool(status),
                state=state,
                leads=int(stream.get("epoch") or 0) if state == "leader" else 0,
                fds=sum(each[0] for each in used),
                threads=sum(each[1] for each in used),
                rss_mib=sum(each[2] for each in used),
            )
        )


def usage(pid: int) -> tuple[int, int, float]:
    """Return file descriptors, threads and resident MiB of a process; zeros when it is gone."""
    try:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
        fds = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return fds, int(lines["Threads"]), int(lines["VmRSS"].split()[0]) / 1024
    except (OSError, KeyError, ValueError):
        return 0, 0, 0.0


def _executed(flavor: str) -> str:
    return "SELECT @@GLOBAL.gtid_executed" if flavor == "mysql" else "SELECT @@GLOBAL.gtid_current_pos"


def _ask(database: Any, statement: str) -> str:
    with database.connect(connect_timeout=1, read_timeout=1) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0]).replace("\n", "")
