"""The table of a drill's probe: one committed row after the other, on a connection of its own."""

import re
from typing import Final

from hasync.binlog.connection import Link, Login, translated
from hasync.errors import ConfigInvalid, HasyncError, SourceRefused

NAME: Final = re.compile(r"[A-Za-z0-9_$]+\.[A-Za-z0-9_$]+")
ANSWER_S: Final = 2.0
"""How long one commit may take."""


class SqlBeats:
    """Writes rows of a drill. A broken connection is made anew by the next call. Called from: one thread at a time."""

    def __init__(self, login: Login, table: str, *, remedy: str) -> None:
        """``table``: ``schema.table``; ``remedy``: what to do when it cannot be written. Raises ConfigInvalid."""
        if not NAME.fullmatch(table):
            raise ConfigInvalid(f"the probe's table {table!r} is not written schema.table")
        self.name = table
        self._login = login
        self._remedy = remedy
        self._link: Link | None = None

    def insert(self, drill: str, beat: int) -> None:
        """Commit one row."""
        self._run(f"INSERT INTO {self.name} (drill, beat) VALUES (%s, %s)", drill, beat)  # noqa: S608 - checked above

    def clear(self, drill: str) -> None:
        """Delete the drill's rows."""
        self._run(f"DELETE FROM {self.name} WHERE drill = %s", drill)  # noqa: S608 - checked above

    def close(self) -> None:
        """Drop the connection."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _run(self, sql: str, *arguments: object) -> None:
        try:
            link = self._link = self._link or Link(self._login, read_timeout_s=ANSWER_S)
            with translated(self._login.host), link.raw.cursor() as cursor:
                cursor.execute(sql, arguments)
        except SourceRefused as refused:
            self.close()
            raise SourceRefused(refused.message, hint=self._remedy) from refused
        except HasyncError:
            self.close()
            raise
