"""A whole deployment as docs/security.md asks for it: TLS everywhere, least-privilege accounts, secrets in files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import pymysql
from kazoo.client import KazooClient

from testbed import (
    Authority,
    Certificate,
    DeadlineError,
    MariaDb,
    MySql,
    Redis,
    Server,
    SqlServer,
    ZooKeeper,
    wait_until,
)

ROOT = Path(__file__).parents[2]
ACCOUNTS = ROOT / "docs" / "accounts"
PLACEHOLDER = "CHANGE-ME"
DEADLINE_S = 40.0
STREAM = "orders"
ADMIN = "user admin on >admin allkeys allchannels allcommands"
DATABASES: Mapping[str, type[MySql | MariaDb]] = {"mysql": MySql, "mariadb": MariaDb}


def statements(name: str, password: str = "") -> str:
    """Return a file of docs/accounts, with a password in it."""
    return (ACCOUNTS / name).read_text().replace(PLACEHOLDER, password)


class Estate:
    """Servers, accounts and secrets of one deployment; ``secrets`` holds the passwords that the files begin with."""

    def __init__(
        self,
        place: Path,
        *,
        database: str,
        secrets: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Choose the servers; nothing is started before the ``with``.

        ``secrets``: other ones, by name; with ``key`` hasync shows a certificate to all servers, whose key is
        sealed with it. ``settings``: more variables for all processes.
        """
        self.settings = dict(settings or {})
        self.client: Certificate | None = None
        self.place = place
        self.database = database
        self.authority = Authority(place / "tls")
        first = {"source": "first-source", "redis": "first-redis", "zookeeper": "hasync:first-zookeeper"}
        self.secrets = first | dict(secrets or {})
        if "key" in self.secrets:
            self.client = self.authority.issue("hasync", key_password=self.secrets["key"])
        certificate = self.authority.issue("server")
        self.source: SqlServer = DATABASES[database](place, tls=certificate)
        users = {"aclfile": str(place / "users.acl"), "appendonly": "yes"}
        self.redis = Redis(place, tls=certificate, options=users, username="admin", password="admin")
        self.zookeeper = ZooKeeper(place, tls=certificate)
        self._stack = ExitStack()

    # ------------------------------------------------------------------------- servers

    def __enter__(self) -> Self:
        """Start all, create the accounts and the table, store the config."""
        (self.place / "users.acl").write_text(f"{statements('redis.acl', self.secrets['redis'])}{ADMIN}\n")
        (self.place / "secrets").mkdir()
        for name, secret in self.secrets.items():
            self.put(name, secret)
        servers: list[Server] = [self.source, self.redis, self.zookeeper]
        with ExitStack() as stack:
            for server in servers:
                stack.callback(server.close)
                server.launch()
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda server: server.wait_ready(), servers))
            self.source.sql("DROP USER IF EXISTS hasync")
            self.source.script(statements(f"{self.database}.sql", self.secrets["source"]))
            self.source.script("CREATE DATABASE shop; CREATE TABLE shop.users (id INT PRIMARY KEY, name VARCHAR(50))")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End all."""
        self._stack.close()

    def put(self, name: str, secret: str) -> None:
        """Write a secret's file as Kubernetes does: at once, by renaming."""
        fresh = self.place / "secrets" / f".{name}"
        fresh.write_text(f"{secret}\n")
        fresh.rename(self.file(name))

    def file(self, name: str) -> Path:
        """Where a secret is."""
        return self.place / "secrets" / name

    def admin(self, *words: str | bytes) -> Any:
        """Run a command as Redis' administrator."""
        return self.redis.command(*words)

    @contextmanager
    def tree(self, credential: str) -> Iterator[KazooClient]:
        """Connect to ZooKeeper under an identity."""
        client = KazooClient(
            hosts=self.zookeeper.hosts,
            use_ssl=True,
            ca=str(self.authority.file),
            auth_data=[("digest", credential)],
            timeout=10,
        )
        client.start(15)
        try:
            yield client
        finally:
            client.stop()
            client.close()

    # -------------------------------------------------------------------------- hasync

    def environ(self) -> dict[str, str]:
        """Return the environment of an instance or a command."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
        return {
            **inherited,
            "HASYNC_STREAMS": STREAM,
            "HASYNC_ZOOKEEPER__HOSTS": self.zookeeper.hosts,
            "HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": "4",
            "HASYNC_ZOOKEEPER__AUTH": f"file:{self.file('zookeeper')}",
            "HASYNC_ZOOKEEPER__TLS__CA": str(self.authority.file),
            "HASYNC_HTTP__PORT": "0",
            "HASYNC_LOG__FORMAT": "json",
            **self._shown_to_zookeeper(),
            **self.settings,
        }

    def _shown_to_zookeeper(self) -> dict[str, str]:
        prefix = "HASYNC_ZOOKEEPER__TLS__"
        return {f"{prefix}{name.upper()}": value for name, value in self._tls().items() if name != "ca"}

    def _tls(self) -> dict[str, str]:
        """Return the part ``tls`` of a config document."""
        found = {"ca": str(self.authority.file)}
        if self.client is not None:
            key = {"key": str(self.client.key), "key_password": f"file:{self.file('key')}"}
            found |= {"cert": str(self.client.cert), **key}
        return found

    def document(self) -> str:
        """Return the stream's config."""
        return json.dumps(
            {
                "version": 1,
                "source": {
                    "hosts": [self.source.address],
                    "user": "hasync",
                    "password": f"file:{self.file('source')}",
                    "start": "earliest",
                    "tls": self._tls(),
                },
                "redis": {
                    "url": f"rediss://{self.redis.address}/0",
                    "username": "hasync",
                    "password": f"file:{self.file('redis')}",
                    "tls": self._tls(),
                },
                "tables": {
                    "shop.users": [
                        {"set": {"key": "user:{id}", "value": "{name}"}},
                        {"hash": {"key": "user:{id}:hash", "fields": ["name"]}, "ttl": "1h"},
                    ]
                },
            }
        )

    def run(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "hasync", *words],
            env=self.environ() | more,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def done(self, *words: str) -> str:
        """Run a command that must succeed, and return what it printed."""
        finished = self.run(*words)
        assert finished.returncode == 0, f"{words}: {finished.stdout}{finished.stderr}"
        return finished.stdout

    def deploy(self) -> None:
        """Make the tree, and store the config."""
        self.done("init-zk")
        document = self.place / "stream.yaml"
        document.write_text(self.document())
        self.done("config", "apply", "--stream", STREAM, str(document))

    def findings(self) -> dict[str, Any]:
        """Return what doctor finds, by name."""
        finished = self.run("doctor", "--stream", STREAM, "-o", "json")
        checks = json.loads(finished.stdout)["checks"]
        return {check["name"]: check for check in checks}

    @contextmanager
    def instance(self, member: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run an instance for the time of a ``with``; its log lies in the place."""
        with self.log(member).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "hasync", "run"],
                env={**self.environ(), "HASYNC_MEMBER_ID": member},
                stderr=log,
                stdout=log,
                stdin=subprocess.DEVNULL,
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, member: str) -> Path:
        """Where an instance writes to."""
        return self.place / f"{member}.log"

    def leader(self) -> str:
        """Return who leads, empty for nobody."""
        finished = self.run("status", "-o", "json")
        streams = json.loads(finished.stdout)["streams"]
        return str((streams[0].get("leader") or {}).get("member") or "")

    # ---------------------------------------------------------------------------- data

    def write(self, number: int, name: str) -> None:
        """Commit a row."""
        self.source.sql("REPLACE INTO shop.users VALUES (%s, %s)", (number, name))

    def wait_for(self, number: int, name: str) -> None:
        """Wait until Redis has a row."""
        key, value = f"user:{number}", name.encode()
        try:
            wait_until(f"{key} is {name}", lambda: self.admin("GET", key) == value, timeout_s=DEADLINE_S)
        except DeadlineError:
            for log in sorted(self.place.glob("*.log")):
                sys.stderr.write("\n".join([log.name, *log.read_text().splitlines()[-8:], ""]))
            raise

    def kill_readers(self) -> None:
        """End the leader's connections to the source, as a restart of the network would."""
        for number, user, *_ in self.source.sql("SHOW PROCESSLIST"):
            if user == "hasync":
                try:
                    self.source.sql(f"KILL {number}")
                except pymysql.MySQLError as gone:
                    assert gone.args[0] == 1094, gone  # noqa: PT017 - it ended by itself
