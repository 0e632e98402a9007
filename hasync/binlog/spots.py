"""Definitions and where they are in the binlog of one server."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hasync.binlog.charsets import transcoder
from hasync.binlog.ddl import Definition, Unclear
from hasync.binlog.ddlparser import parse
from hasync.binlog.place import file_number
from hasync.binlog.sqltokens import Dialect
from hasync.model.position import Flavor

_FLAGS, _SQL_MODE, _CATALOG, _AUTO_INCREMENT, _CHARSET, _CATALOG_NZ = 0, 1, 2, 3, 4, 6
_FIXED_BYTES = {_FLAGS: 4, _SQL_MODE: 8, _AUTO_INCREMENT: 4, _CHARSET: 6}
_ANSI_QUOTES = 0x4
_NO_BACKSLASH_ESCAPES = 0x100000


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A boundary between events; spots of one server are in order."""

    number: int
    pos: int
    file: str = field(compare=False)

    def __str__(self) -> str:
        """``file:pos``."""
        return f"{self.file}:{self.pos}"


def spot(file: str, pos: int) -> Spot:
    """Return the spot of a file's name and an offset in it."""
    return Spot(file_number(file), pos, file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A QUERY event's text and what of its session decides how the text is read."""

    sql: bytes
    schema: bytes
    sql_mode: int = 0
    collation: int = 0
    """Of the client, 0 when the event does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A definition in the binlog; ``spot`` is where it ends."""

    spot: Spot
    definition: Definition


def statement(data: bytes, at: int, end: int, sql: bytes) -> Statement:
    """Return the statement of a QUERY event's body; ``sql``: its text, inflated where it came compressed.

    Raises ValueError when the body is cut short.
    """
    length, status = data[at + 8], int.from_bytes(data[at + 11 : at + 13], "little")
    stop = at + 13 + status
    if stop + length > end:
        raise ValueError("QUERY event is cut short")
    found = _status(data[at + 13 : stop])
    mode, charset = found.get(_SQL_MODE, b""), found.get(_CHARSET, b"")
    return Statement(
        sql=sql,
        schema=data[stop : stop + length],
        sql_mode=int.from_bytes(mode, "little"),
        collation=int.from_bytes(charset[:2], "little"),
    )


def _status(block: bytes) -> dict[int, bytes]:
    """Read the status variables up to the first that is of no use here."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(block):
        code = block[at]
        if code in _FIXED_BYTES:
            size = _FIXED_BYTES[code]
        elif code in (_CATALOG, _CATALOG_NZ) and at + 1 < len(block):
            size = 1 + block[at + 1] + (code == _CATALOG)
        else:
            break
        found[code] = block[at + 1 : at + 1 + size]
        at += 1 + size
    return found


class Reading:
    """Reads statements as one server does. Called from: the reader thread."""

    def __init__(self, *, flavor: Flavor, charsets: Mapping[int, str], folds_names: bool) -> None:
        """``charsets``: the character set of each collation id; ``folds_names``: ``lower_case_table_names`` is set."""
        self.flavor = flavor
        self.charsets = charsets
        self._folds_names = folds_names

    def folded(self, name: str) -> str:
        """Return what a schema's or table's name is compared by."""
        return name.lower() if self._folds_names else name

    def definition(self, found: Statement) -> Definition | None:
        """Return what a statement does to columns, None when nothing."""
        dialect = Dialect(
            flavor=self.flavor,
            ansi_quotes=bool(found.sql_mode & _ANSI_QUOTES),
            backslash_escapes=not found.sql_mode & _NO_BACKSLASH_ESCAPES,
            folds_names=self._folds_names,
        )
        text = self._decoded(found)
        if text is None:
            return Unclear(reason="a statement in a character set that cannot be read")
        return parse(text, found.schema.decode("utf-8", "replace"), dialect)

    def _decoded(self, found: Statement) -> str | None:
        if found.sql.isascii():
            return found.sql.decode()
        charset = self.charsets.get(found.collation)
        try:
            codec = transcoder(charset) if charset else None
            if charset is None or charset == "binary":
                return None
            return codec.decode(found.sql) if codec else found.sql.decode()
        except (LookupError, UnicodeDecodeError):
            return None
