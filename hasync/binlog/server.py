"""The server's SQL side: who it is, what it keeps, where its binlog ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hasync.binlog.connection import Latch, Link, Login, server_code, translated
from hasync.binlog.place import file_number
from hasync.errors import HasyncError, PositionLost, SourceRefused, SourceUnavailable
from hasync.model.position import Flavor, Position

_QUERY_TIMEOUT_S = 30.0
"""MariaDB reads a whole binlog file to answer BINLOG_GTID_POS."""

_LAST_ASKABLE = 0xFFFFFFFF
"""BINLOG_GTID_POS takes 32 bits. A file grows over that by one transaction only, and ends behind it."""

_DENIED = (1044, 1142)
"""No access to the schema, to the table; also told of one that is not there."""
_LOST = (0, *range(2000, 3000))
"""Not what a server answers: numbers of the client that lost it."""

_COMMIT_GRACE_S = 3
"""How long a transaction that was sent may take until its server counts it as executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinlogFile:
    """One file of SHOW BINARY LOGS."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where the server's binlog ends now. ``gtid_set``: executed there, empty without GTIDs."""

    file: str
    pos: int
    gtid_set: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """What of the binlog lies behind a position, and before it. ``end``: ``file:pos`` of the binlog's end.

    ``count_files``: begun after the position's own. ``spare_files``: older ones that the server still
    has; with 0 the next purge takes the position's own, unless that is the one being written.
    """

    count_bytes: int
    count_files: int
    spare_files: int
    end: str


class Server:
    """A short-lived SQL connection to one server. Called from: one thread."""

    def __init__(self, login: Login, latch: Latch | None = None) -> None:
        """Connect and learn who it is. Raises SourceUnavailable, SourceRefused."""
        self.host = login.host
        self._link = Link(login, read_timeout_s=_QUERY_TIMEOUT_S, latch=latch)
        try:
            self.version = str(self.one("SELECT @@version"))
            self.flavor = Flavor.MARIADB if "mariadb" in self.version.lower() else Flavor.MYSQL
            self.identity = self._identity()
        except BaseException:
            self.close()
            raise

    @property
    def account(self) -> str:
        """The account as a GRANT names it: ``'hasync'@'%'``. Raises SourceUnavailable."""
        user, _, host = str(self.one("SELECT CURRENT_USER()")).rpartition("@")
        return f"'{user}'@'{host}'"

    def close(self) -> None:
        """Drop the connection."""
        self._link.close()

    def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows. Raises as the constructor."""
        with translated(self.host), self._link.raw.cursor() as cursor:
            cursor.execute(sql, arguments or None)
            return list(cursor.fetchall())

    def one(self, sql: str, *arguments: object) -> Any:
        """Run a statement and return its first value, None when there is no row."""
        rows = self.rows(sql, *arguments)
        return rows[0][0] if rows else None

    def _identity(self) -> str:
        """Return MySQL's server_uuid; for MariaDB, which has none, a name made of its server id.

        MariaDB's ``server_uid`` is a hash of the network card and changes with each new
        pod, so it cannot be used. The server id is unique among servers that replicate from
        each other; that a file is really the same one is proven by its GTIDs
        (:meth:`gtids_at`).
        """
        if self.flavor is Flavor.MYSQL:
            return str(self.one("SELECT @@server_uuid")).lower()
        return f"mariadb-{self.one('SELECT @@server_id')}"

    def variables(self, *names: str) -> Mapping[str, str]:
        """Return global variables by name; those the server does not know are missing."""
        marks = ", ".join(["%s"] * len(names))
        rows = self.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({marks})", *names)
        return {str(name).lower(): str(value) for name, value in rows}

    def charsets(self) -> dict[int, str]:
        """Return the character set of each collation id."""
        if self.flavor is Flavor.MYSQL:
            rows = self.rows("SELECT ID, CHARACTER_SET_NAME FROM information_schema.COLLATIONS")
        else:
            # uca1400 collations are listed once here, with an id per character set.
            rows = self.rows(
                "SELECT ID, CHARACTER_SET_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
            )
        return {int(number): str(name) for number, name in rows if number is not None and name is not None}

    def column_types(self, schema: str, table: str) -> dict[str, str]:
        """Return the declared type of each column of a table as it is now; empty when the account does not see it."""
        rows = self.rows(
            "SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS "
            "WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
            schema,
            table,
        )
        return {str(name): str(kind).lower() for name, kind in rows}

    def hides(self, path: str) -> bool:
        """Whether the account may not even learn if there is this table, whose ``path`` is quoted where it has to be.

        Raises SourceUnavailable when the server does not answer.
        """
        try:
            self.rows(f"SELECT 1 FROM {path} LIMIT 0")  # noqa: S608 - a name from the config, quoted
        except HasyncError as error:
            code = server_code(error)
            if code in _LOST:
                raise
            return code in _DENIED  # else there is no such table, or it cannot be read by anyone
        return False

    def files(self) -> list[BinlogFile]:
        """Return the binlog files, oldest first."""
        return [BinlogFile(name=row[0], size_bytes=int(row[1])) for row in self.rows("SHOW BINARY LOGS")]

    def end(self) -> End:
        """Return where the binlog ends now. Raises SourceRefused when there is none, SourceUnavailable.

        On MySQL the GTIDs of transactions that commit right now may be missing: it adds
        them after it has moved the end.
        """
        file, pos, *more = self._status()
        if self.flavor is Flavor.MARIADB and pos > _LAST_ASKABLE:
            raise SourceUnavailable(f"{self.host} is about to end the file {file}, which has grown over 4 GiB")
        if self.flavor is Flavor.MARIADB:
            return End(file=file, pos=pos, gtid_set=self.gtids_at(file, pos) or "")
        return End(file=file, pos=pos, gtid_set=_compact(more[-1]))

    def end_place(self) -> tuple[str, int]:
        """Return file and offset of the binlog's end. Raises SourceRefused when there is none."""
        file, pos, *_ = self._status()
        return file, pos

    def _status(self) -> tuple[Any, ...]:
        new_name = self.flavor is Flavor.MYSQL and self.version_numbers() >= (8, 2)
        rows = self.rows("SHOW BINARY LOG STATUS" if new_name else "SHOW MASTER STATUS")
        if not rows:
            raise SourceRefused(f"{self.host} writes no binlog", hint="start the server with log_bin")
        return (str(rows[0][0]), int(rows[0][1]), *rows[0][2:])

    def version_numbers(self) -> tuple[int, int]:
        """Return the version's first two numbers."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    def gtids_at(self, file: str, pos: int) -> str | None:
        """Return MariaDB's GTID position at a file's offset; None when the file is not there."""
        found = self.one("SELECT BINLOG_GTID_POS(%s, %s)", file, pos)
        return None if found is None else str(found)

    def gtids_before(self, file: str) -> str:
        """Return what was executed before a file's first transaction."""
        if self.flavor is Flavor.MARIADB:
            return self.gtids_at(file, 4) or ""
        for row in self.rows("SHOW BINLOG EVENTS IN %s LIMIT 3", file):
            if row[2] == "Previous_gtids":
                return _compact(row[5])
        return ""

    def executed(self) -> str:
        """Return all transactions that the server has executed."""
        name = "gtid_executed" if self.flavor is Flavor.MYSQL else "gtid_current_pos"
        return _compact(self.one(f"SELECT @@global.{name}"))

    def purged(self) -> str:
        """Return MySQL's transactions that are no longer in its binlog."""
        return _compact(self.one("SELECT @@global.gtid_purged"))

    def has_executed(self, gtid_set: str) -> bool:
        """Whether the server has executed all of ``gtid_set``.

        MySQL sends a transaction before it counts it as executed (with semi-synchronous
        replication much earlier), so what came a moment ago is waited for.
        """
        if self.contains(self.executed(), gtid_set):
            return True
        if self.flavor is not Flavor.MYSQL or self.variables("gtid_mode").get("gtid_mode") != "ON":
            return False
        return bool(self.one("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)", gtid_set, _COMMIT_GRACE_S) == 0)

    def contains(self, outer: str, inner: str) -> bool:
        """Whether ``inner`` is a subset of ``outer``; by our own sets, which know tags and both flavors."""
        return self.flavor.gtid_set(outer).covers(self.flavor.gtid_set(inner))  # type: ignore[arg-type]


def _compact(gtid_set: object) -> str:
    return "".join(str(gtid_set or "").split()).lower()


class Head:
    """Where the source's binlog ends, asked over a connection of its own, for the lag.

    Called from: one thread, another than the reader's.
    """

    def __init__(self, login: Login) -> None:
        """Remember the account; the connection is made when first asked."""
        self._login = login
        self._server: Server | None = None

    def end(self) -> End:
        """Return the end. Raises SourceUnavailable, SourceRefused; the next call connects anew."""
        end: End = self._ask(Server.end)
        return end

    def distance(self, position: Position) -> Distance | None:
        """Return what of the binlog lies behind ``position``; None on another server than the position's.

        Raises PositionLost when the server does not hold it any more. The dump does not tell:
        after RESET both servers go on beating at the old place.
        """
        distance: Distance | None = self._ask(lambda server: _distance(server, position))
        return distance

    def _ask(self, question: Callable[[Server], Any]) -> Any:
        if self._server is None:
            self._server = Server(self._login)
        try:
            return question(self._server)
        except HasyncError:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection; may be called twice."""
        if self._server is not None:
            self._server.close()
            self._server = None


def _distance(server: Server, position: Position) -> Distance | None:
    if server.identity != position.server_uuid:
        return None
    sizes = {file.name: file.size_bytes for file in server.files()}
    if sizes.get(position.file, 0) < position.pos or not server.has_executed(position.gtid_set):
        raise PositionLost(
            f"{server.host} does not hold {position} any more: its binlog was reset or purged under the stream",
            hint="compare the tables with Redis, then choose a new start ('hasync position reset')",
        )
    names = sorted(sizes, key=file_number)
    place = names.index(position.file)
    behind = names[place + 1 :]
    last = names[-1]
    return Distance(
        count_bytes=sizes[position.file] - position.pos + sum(sizes[name] for name in behind),
        count_files=len(behind),
        spare_files=place,
        end=f"{last}:{sizes[last]}",
    )
