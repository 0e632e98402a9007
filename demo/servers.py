"""The demo's servers: a database, Redis and ZooKeeper, thrown away afterwards."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.fleet import Place
from demo.ledger import BinlogEnd
from demo.safeguards import Safeguards
from testbed import MariaDb, MySql, Redis, Server, ZooKeeper

if TYPE_CHECKING:
    import redis

DATABASES: dict[str, type[MySql | MariaDb]] = {"mysql": MySql, "mariadb": MariaDb}


class Servers:
    """The three servers, of one run.

    ``directory``: where their data goes; ``logs``: where their logs are copied at the end.
    ``secure``: with TLS only, and least-privilege accounts for hasync.
    """

    def __init__(self, *, database: str, directory: Path, logs: Path, secure: bool = False) -> None:
        self._safeguards = Safeguards(directory) if secure else None
        certificate = self._safeguards.certificate if self._safeguards else None
        self._source = DATABASES[database](directory, tls=certificate)
        self._redis = self._safeguards.redis(directory) if self._safeguards else Redis(directory)
        self._zookeeper = ZooKeeper(directory, tls=certificate)
        self._logs = logs

    @property
    def place(self) -> Place:
        """What instances must know."""
        return Place(
            zookeeper=self._zookeeper.hosts,
            source_port=self._source.port,
            redis_port=self._redis.port,
            source_password=self._source.reader_password,
            safeguards=self._safeguards,
        )

    @property
    def source(self) -> str:
        """The database's name."""
        return self._source.flavor

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """Names and addresses, for the screen."""
        return tuple((server.name, server.address) for server in self._all)

    def connect(self, *, autocommit: bool = False) -> Any:
        """Open a connection of the database's root."""
        return self._source.connect(autocommit=autocommit)

    def redis(self) -> "redis.Redis":
        """Return a client that does not decode answers."""
        return self._redis.client()

    def binlog_end(self) -> BinlogEnd:
        """Ask how far the binlog is written now."""
        return BinlogEnd.of(*self._source.binlog_position())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start all, and in the end save the logs and remove the rest.

        Raises testbed's StartError when one does not come up, MissingError when one is not installed.
        """
        with ExitStack() as stack:
            for server in self._all:
                stack.callback(server.close)
            stack.callback(self._save_logs)
            with ThreadPoolExecutor() as pool:
                list(pool.map(Server.start, self._all))
            if self._safeguards is not None:
                self._safeguards.admit(self._source)
            yield

    @property
    def _all(self) -> tuple[Server, ...]:
        return self._source, self._redis, self._zookeeper

    def _save_logs(self) -> None:
        for server in self._all:
            log = server.directory / "server.log"
            if log.exists():
                shutil.copyfile(log, self._logs / f"{server.name}.log")
