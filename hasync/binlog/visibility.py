"""Which of the tables that rules are about the account sees in the server's catalog, and which are hidden from it.

The catalog leaves tables out on which the account has no privilege, as if they were not
there. So a check that finds nothing wrong there proves something only for the tables it shows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hasync.binlog.server import Server
from hasync.model.change import Interest
from hasync.model.names import TablePattern

Path = tuple[str, str]
"""Schema and table."""

UNMATCHED_REMEDY = (
    "nothing to do where the tables come later; else correct the names, or GRANT SELECT ON schema.* TO the account"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What the catalog shows of the tables that are wanted.

    ``tables``: all that it shows, wanted or not. ``hidden``: wanted by their full name, and
    the account may not even learn whether they are there. ``unmatched``: names and
    patterns that none of the tables matches, though they may be there later. ``account``: whom
    they are hidden from, as a GRANT names it.
    """

    tables: Sequence[Path]
    hidden: Sequence[Path]
    unmatched: Sequence[TablePattern]
    account: str

    @property
    def hidden_names(self) -> str:
        """The hidden tables, for a message; empty when there is none."""
        return ", ".join(f"{schema}.{table}" for schema, table in self.hidden)

    @property
    def unmatched_names(self) -> str:
        """The names and patterns that match nothing, for a message; empty when all match."""
        return ", ".join(map(str, self.unmatched))

    @property
    def grants(self) -> str:
        """The statements that show the hidden tables."""
        return "; ".join(f"GRANT SELECT ON {_quoted(path)} TO {self.account}" for path in self.hidden)


def look(server: Server, interest: Interest) -> Visibility:
    """Ask the catalog. Raises SourceUnavailable, SourceRefused."""
    tables = _tables(server)
    missing = [pattern for pattern in interest.patterns() if not _shown(pattern, tables)]
    hidden = [
        pattern for pattern in missing if pattern.is_literal and server.hides(_quoted((pattern.schema, pattern.table)))
    ]
    return Visibility(
        tables=tables,
        hidden=[(pattern.schema, pattern.table) for pattern in hidden],
        unmatched=[pattern for pattern in missing if pattern not in hidden],
        account=server.account if hidden else "",
    )


def _tables(server: Server) -> list[Path]:
    rows = server.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' ORDER BY 1, 2"
    )
    return [(str(schema), str(name)) for schema, name in rows]


def _shown(pattern: TablePattern, tables: Sequence[Path]) -> bool:
    return any(pattern.matches(schema, table) for schema, table in tables)


def _quoted(path: Path) -> str:
    return ".".join(name if re.fullmatch(r"[A-Za-z_]\w*", name) else f"`{name.replace('`', '``')}`" for name in path)
