"""Where a stream stands in the source's binlog, and where a new stream starts."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from hasync.model.gtid import GtidSet, MariadbGtidSet, MysqlGtidSet

FORMAT = 1
"""Version of the JSON form; a reader accepts this and the one before."""


class Flavor(StrEnum):
    """Whose binlog it is; decides the GTID notation and the event set."""

    MYSQL = "mysql"
    MARIADB = "mariadb"

    def gtid_set(self, text: str) -> GtidSet:
        """Parse ``text`` in this flavor's notation. Raises ValueError."""
        return MysqlGtidSet.parse(text) if self is Flavor.MYSQL else MariadbGtidSet.parse(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in a binlog between two transactions, or inside one that had to be split.

    ``file``/``pos``: byte offset in that server's file where reading resumes; always a
    transaction boundary. ``gtid_set``: all transactions before it, in the flavor's
    notation; empty when the source has no GTIDs. ``rows_done``: rows of the
    transaction that begins here which are applied already (0 at a boundary); a resume
    skips that many. ``timestamp``: commit time of the last transaction before it, Unix
    seconds, 0 when unknown; for display only. ``server_uuid``: the server that wrote
    the file; file and pos mean nothing on another.
    """

    flavor: Flavor
    server_uuid: str
    gtid_set: str = ""
    file: str
    pos: int
    rows_done: int = 0
    timestamp: float = 0.0

    @property
    def at_boundary(self) -> bool:
        """Whether no transaction is half applied here."""
        return self.rows_done == 0

    @property
    def file_number(self) -> int:
        """The number at the end of the file's name; names compare by it, not as text."""
        _, _, number = self.file.rpartition(".")
        return int(number) if number.isdigit() else 0

    def after_rows(self, rows: int) -> "Position":
        """Return this transaction start with ``rows`` more rows of it applied."""
        return replace(self, rows_done=self.rows_done + rows)

    def order(self) -> tuple[int, int, int]:
        """Sort key among positions of one server."""
        return (self.file_number, self.pos, self.rows_done)

    def same_place(self, other: "Position") -> bool:
        """Whether both name the same byte of the same server's binlog and the same row."""
        return self.server_uuid == other.server_uuid and self.file == other.file and self.order() == other.order()

    def to_json(self) -> dict[str, Any]:
        """Return the form kept in Redis and ZooKeeper (``zk/payloads/position.json``)."""
        return {
            "v": FORMAT,
            "flavor": self.flavor.value,
            "server_uuid": self.server_uuid,
            "gtid_set": self.gtid_set,
            "file": self.file,
            "pos": self.pos,
            "rows_done": self.rows_done,
            "timestamp": self.timestamp,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read the form of :meth:`to_json`.

        Raises ValueError when a field is missing or wrong, or the version is newer than this release reads.
        """
        version = document.get("v")
        if version != FORMAT:
            raise ValueError(f"position has format v={version!r}, this release reads v={FORMAT}")
        try:
            return cls(
                flavor=Flavor(document["flavor"]),
                server_uuid=str(document["server_uuid"]),
                gtid_set=str(document["gtid_set"]),
                file=str(document["file"]),
                pos=int(document["pos"]),
                rows_done=int(document["rows_done"]),
                timestamp=float(document["timestamp"]),
            )
        except KeyError as missing:
            raise ValueError(f"position lacks the field {missing.args[0]!r}") from missing

    def __str__(self) -> str:
        """``file:pos`` and, inside a transaction, ``+rows``."""
        return f"{self.file}:{self.pos}" + (f"+{self.rows_done}" if self.rows_done else "")


class StartKind(StrEnum):
    """How a stream without any position begins."""

    LATEST = "latest"
    EARLIEST = "earliest"
    FILE = "file"
    GTID = "gtid"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The place to open the source at: by kind, or at a known ``position`` (a resume).

    Exactly the fields of the kind are set: ``file`` and ``pos``; ``gtid_set``;
    ``timestamp`` (Unix seconds; the first transaction committed at or after it).
    """

    kind: StartKind
    file: str = ""
    pos: int = 4
    gtid_set: str = ""
    timestamp: float = 0.0
