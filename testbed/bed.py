"""One of each: a database, a Redis and a ZooKeeper, started side by side."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Self

from testbed.mariadb import MariaDb
from testbed.mysql import MySql
from testbed.redis import Redis
from testbed.servers import Server
from testbed.sql import Options, SqlServer
from testbed.workdirs import workdir
from testbed.zookeeper import Ensemble, ZooKeeper

DatabaseName = Literal["mysql", "mariadb"]
DATABASES: dict[str, type[SqlServer]] = {"mysql": MySql, "mariadb": MariaDb}


class Testbed:
    """The three servers a stream needs, in a work directory that is removed at the end.

    Attributes:
        directory: the work directory; anything else may be put there too.
        database, redis, zookeeper: the servers; `zookeeper` is an `Ensemble` when more than one is asked for.
    """

    __test__ = False  # the name makes pytest think of a test

    directory: Path
    database: SqlServer
    redis: Redis
    zookeeper: ZooKeeper | Ensemble

    def __init__(
        self,
        *,
        database: DatabaseName = "mysql",
        zookeepers: int = 1,
        database_options: Options | None = None,
        redis_options: dict[str, str | int] | None = None,
        keep: bool = False,
    ) -> None:
        """Choose the servers.

        Args:
            zookeepers: 1 for a single server, 3 for an ensemble that survives the loss of one.
            keep: leave the work directory, with data and logs, where it is.
        """
        self._database = DATABASES[database]
        self._zookeepers = zookeepers
        self._database_options = database_options
        self._redis_options = redis_options
        self._keep = keep
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start all three at the same time.

        Raises:
            StartError, MissingError: One could not be started; the others are ended.
        """
        with ExitStack() as stack:  # unwinds what was started if something fails on the way
            self.directory = stack.enter_context(workdir(keep=self._keep))
            self.database = self._database(self.directory, options=self._database_options)
            self.redis = Redis(self.directory, options=self._redis_options)
            self.zookeeper = (
                ZooKeeper(self.directory) if self._zookeepers == 1 else Ensemble(self.directory, size=self._zookeepers)
            )
            servers: list[Server | Ensemble] = [self.database, self.redis, self.zookeeper]
            for server in servers:
                stack.callback(self._end, server)
            with ThreadPoolExecutor(len(servers)) as pool:
                for future in [pool.submit(server.start) for server in servers]:
                    future.result()
            self._stack = stack.pop_all()
        return self

    def _end(self, server: Server | Ensemble) -> None:
        if self._keep:
            server.kill()
        else:
            server.close()

    def __exit__(self, *_: object) -> None:
        """End all three."""
        self._stack.close()
