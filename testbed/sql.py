"""What a throw-away MySQL and a throw-away MariaDB have in common."""

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pymysql
from pymysql.constants import CLIENT

from testbed.certificates import Certificate
from testbed.servers import Server
from testbed.templates import copy

Options = Mapping[str, str | int | None]

ACCOUNTS = """
ALTER USER 'root'@'localhost' IDENTIFIED BY 'root';
CREATE USER 'root'@'%' IDENTIFIED BY 'root';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE USER 'hasync'@'%' IDENTIFIED BY 'hasync';
GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'hasync'@'%';
"""


class SqlServer(Server):
    """A server that writes a row binlog with full metadata and full images, GTIDs on, and starts with none in it.

    It keeps what was committed over a SIGKILL of its process, not over a power cut: nothing is synced to disk.
    """

    flavor: ClassVar[str]
    defaults: ClassVar[Options]
    root_user = "root"
    root_password = "root"
    reader_user = "hasync"
    reader_password = "hasync"

    def __init__(
        self,
        workdir: Path,
        *,
        name: str | None = None,
        server_id: int = 1,
        options: Options | None = None,
        tls: Certificate | None = None,
    ) -> None:
        """Take a place below `workdir`, without starting anything.

        Args:
            server_id: as in `--server-id`; unique among servers that replicate from each other.
            options: server options without the dashes; None as value is a bare flag. They override `defaults`.
            tls: the server's certificate; it then takes encrypted connections only.
        """
        super().__init__(workdir, name=name or self.flavor)
        self.server_id = server_id
        self.tls = tls
        self.options = {**self.defaults, "server-id": server_id, **_tls_options(tls), **(options or {})}

    @property
    def data(self) -> Path:
        """The data directory; it holds the binlog files too."""
        return self.directory / "data"

    @abstractmethod
    def _template(self) -> Path:
        """Return the initialised data directory to copy."""

    @abstractmethod
    def _server_command(self) -> list[str]:
        """Return program and options that say where things are."""

    def _prepare(self) -> None:
        copy(self._template(), self.data)
        (self.data / "auto.cnf").unlink(missing_ok=True)  # or two servers would share a server_uuid

    def _command(self) -> list[str]:
        place = {
            "datadir": self.data,
            "bind-address": self.host,
            "port": self.port,
            "socket": "server.sock",  # relative to the data directory: a long path would not fit a socket address
            "pid-file": self.directory / "server.pid",
        }
        return [*self._server_command(), *as_root(), *arguments(place), *arguments(self.options)]

    def _ready(self) -> bool:
        try:
            self.connect(connect_timeout=1, read_timeout=1).close()
        except (pymysql.MySQLError, OSError):
            return False
        return True

    def connect(self, *, user: str = root_user, password: str = root_password, **settings: Any) -> Any:
        """Return a new PyMySQL connection, in autocommit mode, with TLS where the server has it."""
        known = {"host": self.host, "port": self.port, "user": user, "password": password}
        encrypted = {"ssl": self.tls.client_context()} if self.tls else {"ssl_disabled": True}
        return pymysql.connect(**{"autocommit": True, "charset": "utf8mb4", **encrypted, **known, **settings})

    def sql(
        self, statement: str, parameters: Sequence[object] | None = None, *, database: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one statement as root on a connection of its own and return the rows of its result."""
        with self.connect(database=database) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    def script(self, statements: str, *, database: str | None = None) -> None:
        """Run several statements, separated by semicolons, as root on one connection; results are dropped."""
        several = self.connect(database=database, client_flag=CLIENT.MULTI_STATEMENTS)
        with several as connection, connection.cursor() as cursor:
            cursor.execute(statements)
            while cursor.nextset():
                pass

    def create_reader(self, user: str, password: str, *, plugin: str | None = None) -> None:
        """Create an account that may read the binlog and every table; `reader_user` exists from the start."""
        identified = f"IDENTIFIED WITH {plugin} BY %s" if plugin else "IDENTIFIED BY %s"
        self.sql(f"CREATE USER %s@'%%' {identified}", (user, password))
        self.sql("GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO %s@'%%'", (user,))

    @abstractmethod
    def gtid_set(self) -> str:
        """Return the GTIDs of everything committed, in the server's own notation; "" at first."""

    @abstractmethod
    def binlog_position(self) -> tuple[str, int]:
        """Return the current binlog file and the position of its end."""

    def binlog_files(self) -> list[str]:
        """Return the names of the binlog files, oldest first."""
        return [row[0] for row in self.sql("SHOW BINARY LOGS")]

    def dump_threads(self) -> int:
        """Return how many replicas (a hasync leader is one) are reading the binlog."""
        return sum(str(row[4]).startswith("Binlog Dump") for row in self.sql("SHOW PROCESSLIST"))


def _tls_options(tls: Certificate | None) -> Options:
    if tls is None:
        return {}
    files = {"ssl-ca": str(tls.authority), "ssl-cert": str(tls.cert), "ssl-key": str(tls.key)}
    return {**files, "require-secure-transport": "ON"}


def arguments(options: Mapping[str, object]) -> list[str]:
    """Return options as command line arguments."""
    return [f"--{name}" if value is None else f"--{name}={value}" for name, value in options.items()]


def as_root() -> list[str]:
    """Return the option without which these servers refuse to run as root."""
    return ["--user=root"] if os.geteuid() == 0 else []
