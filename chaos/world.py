"""The cluster: three instances, three ZooKeepers, two databases, two Redis with three Sentinels, each on its node."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import redis as redis_py

from chaos.instances import ROOT, STREAM, Instance
from chaos.network import Node, run
from testbed import DatabaseName, Ensemble, MariaDb, MySql, Redis, Sentinel, Server, SqlServer, ZooKeeper, wait_until

SESSION_TIMEOUT_S: Final = 4.0
STEP_DOWN_AFTER_S: Final = 12.0
ZOOKEEPER_DISK: Final = "128m"
LOG_DISK: Final = "64m"
UP_WITHIN_S: Final = 90.0

CONFIG: Final = """
version: 1
source: {{hosts: [{databases}], user: {user}, password: "env:MYSQL_PASSWORD", start: earliest, connect_timeout: 2s}}
redis: {{url: "redis+sentinel://{sentinels}/main/0"}}
tables:
  chaos.account:
    - {{set: {{key: "account:{{id}}", value: "{{balance}}"}}}}
  chaos.counter:
    - {{handler: "chaos.handlers:count"}}
  chaos.entry:
    - {{hash: {{key: "entry:{{id}}", fields: [note, size]}}}}
"""

SETTINGS: Final = {
    "HASYNC_STREAMS": STREAM,
    "HASYNC_LOG__FORMAT": "json",
    "HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": f"{SESSION_TIMEOUT_S:g}",
    "HASYNC_REDIS_TIMEOUT_S": "1",
    "HASYNC_HEARTBEAT_S": "0.5",
    "HASYNC_RETRY__MAX_S": "1",
    "HASYNC_RETRY__DEGRADED_AFTER_S": "5",
    "HASYNC_RETRY__STEP_DOWN_AFTER_S": f"{STEP_DOWN_AFTER_S:g}",
    "HASYNC_SUPERVISOR__HEARTBEAT_S": "3",
    "HASYNC_SUPERVISOR__RESTART_MIN_S": "0.1",
    "HASYNC_SUPERVISOR__RESTART_MAX_S": "2",
    "HASYNC_SUPERVISOR__HEALTHY_S": "2",
    "HASYNC_SUPERVISOR__GIVE_UP_AFTER": "0",
    "HASYNC_DRILLS__ENABLED": "true",
}

FOLLOW: Final = {
    "mysql": "CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}, SOURCE_USER='root', "
    "SOURCE_PASSWORD='root', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1, "
    "SOURCE_RETRY_COUNT=100000; START REPLICA",
    "mariadb": "CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, MASTER_USER='root', "
    "MASTER_PASSWORD='root', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1; START SLAVE",
}
EVERYWHERE: Final = "0.0.0.0"


class World:
    """The cluster; `close` ends it, and the end of this process does too."""

    def __init__(self, directory: Path, database: DatabaseName) -> None:
        """Make the nodes and take a place for each server; `start` starts them."""
        self.directory = directory
        self.flavor = database
        self._mount(directory / "zookeeper", ZOOKEEPER_DISK)
        self._mount(directory / "logs", LOG_DISK)
        self.workers = [Node(f"w{n}", 10 + n, directory) for n in (1, 2, 3)]
        self.nodes = {node.name: node for node in self.workers}
        self.ensemble = Ensemble(directory / "zookeeper", options={"clientPortAddress": EVERYWHERE, "preAllocSize": 64})
        for number, member in enumerate(self.ensemble, 1):
            self._on(f"zk{number}", 20 + number, member)
        kind = MySql if database == "mysql" else MariaDb
        more: dict[str, str | int | None] = {"bind-address": EVERYWHERE}
        if database == "mariadb":
            more["log-slave-updates"] = "ON"
        self.databases: list[SqlServer] = [kind(directory, name=f"db{n}", server_id=n, options=more) for n in (1, 2)]
        durable: dict[str, str | int] = {"appendonly": "yes", "repl-timeout": 5}
        first = Redis(directory, name="rd1", options=durable)
        self._on("rd1", 41, first)
        self.redises = [first, Redis(directory, name="rd2", options=durable, replica_of=first)]
        for number in (1, 2):
            self._on(f"db{number}", 30 + number, self.databases[number - 1])
        self._on("rd2", 42, self.redises[1])
        self.sentinels = [
            self._on(f"s{n}", 50 + n, Sentinel(directory, name=f"s{n}", primary=first)) for n in (1, 2, 3)
        ]
        self.instances = [Instance(node, directory, self._settings()) for node in self.workers]
        self.names = {name: node.address for name, node in self.nodes.items()}

    def _mount(self, place: Path, size: str) -> None:
        place.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place))

    def _on(self, name: str, number: int, server: Any) -> Any:
        node = Node(name, number, self.directory)
        self.nodes[name] = node
        return server.place(node.address, node.wrap)

    def _settings(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
        hosts = ",".join(f"zk{number}:{member.port}" for number, member in enumerate(self.ensemble, 1))
        secret = {"MYSQL_PASSWORD": self.databases[0].reader_password, "PYTHONPATH": str(ROOT)}
        return inherited | SETTINGS | secret | {"HASYNC_ZOOKEEPER__HOSTS": hosts}

    @property
    def source(self) -> SqlServer:
        """The database that is written to."""
        return self.databases[0]

    def config(self) -> str:
        """Return the stream's document."""
        databases = ", ".join(f'"db{n}:{server.port}"' for n, server in enumerate(self.databases, 1))
        sentinels = ",".join(f"s{n}:{server.port}" for n, server in enumerate(self.sentinels, 1))
        return CONFIG.format(databases=databases, sentinels=sentinels, user=self.source.reader_user)

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Start everything and return when an instance leads."""
        servers: list[Server | Ensemble] = [*self.databases, self.redises[0], self.ensemble]
        with ThreadPoolExecutor(len(servers)) as pool:
            for future in [pool.submit(server.start) for server in servers]:
                future.result()
        self.redises[1].start()
        for sentinel in self.sentinels:
            sentinel.start()
        self.follow()
        for node in self.workers:
            node.resolve(self.names)
        wait_until(
            "Sentinels know each other", lambda: all(s.companions() == (1, 2) for s in self.sentinels), timeout_s=30
        )

    def start_instances(self) -> None:
        """Store the config and start hasync; return when one leads and two stand by."""
        self.apply_config()
        for instance in self.instances:
            instance.start()
        wait_until("one leads, two stand by", lambda: self.settled, timeout_s=UP_WITHIN_S, poll_s=0.2)

    def follow(self) -> None:
        """Have the second database replicate from the first."""
        second = self.databases[1]
        second.script(FOLLOW[self.flavor].format(host=self.source.host, port=self.source.port))
        second.sql("SET GLOBAL read_only = ON")

    def hasync(self, *words: str, check: bool = True) -> str:
        """Run a command of hasync on the first worker's node and return its output."""
        node = self.workers[0]
        command = [*node.wrap, f"--wd={ROOT}", sys.executable, "-m", "hasync", *words]
        done = subprocess.run(command, env=self._settings(), capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode != 0:
            raise RuntimeError(f"hasync {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def apply_config(self) -> None:
        """Store the stream's document."""
        path = self.directory / "stream.yaml"
        path.write_text(self.config())
        self.hasync("config", "apply", "--stream", STREAM, str(path))

    # ------------------------------------------------------------------ who is what

    def leader(self) -> Instance | None:
        """The instance that says it leads."""
        return next((each for each in self.instances if each.state == "leader"), None)

    @property
    def settled(self) -> bool:
        """Whether one leads and all others stand by."""
        return sorted(each.state for each in self.instances) == ["leader", "standby", "standby"]

    def primary(self) -> Redis | None:
        """The Redis that most Sentinels name and that is a primary; None while there is none."""
        named: list[str] = []
        for sentinel in self.sentinels:
            try:
                named.append(sentinel.primary()[0])
            except (redis_py.RedisError, OSError, ValueError):
                continue
        best = max(set(named), key=named.count, default="")
        found = next((each for each in self.redises if each.host == best), None)
        return found if found is not None and role(found) == "master" else None

    def zookeeper(self, leads: bool) -> ZooKeeper | None:
        """The member that leads the ensemble, or one that follows."""
        mode = "leader" if leads else "follower"
        return next((member for member in self.ensemble if member.mode() == mode), None)

    def close(self) -> None:
        """End everything."""
        for instance in self.instances:
            instance.close()
        for server in (*self.sentinels, *self.redises, *self.databases, *self.ensemble):
            server.kill()
        for node in self.nodes.values():
            node.close()

    def keep_logs(self, target: Path) -> None:
        """Copy every log there."""
        target.mkdir(parents=True, exist_ok=True)
        for log in self.directory.rglob("*.log"):
            shutil.copy(log, target / f"{log.parent.name}-{log.name}")


def role(server: Redis) -> str:
    """Return "master", "slave", or "" when it does not answer."""
    try:
        return str(server.info("replication")["role"])
    except (redis_py.RedisError, OSError, KeyError):
        return ""
