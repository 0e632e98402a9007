"""Which tables a data definition empties: their rows go without row events."""

import re
from collections.abc import Iterator

from hasync.binlog.statements import without_lead

_NAME = rb"(`(?:[^`]|``)+`|[^\s`.,;()/]+)"
_TABLE = rb"(?:" + _NAME + rb"\s*\.\s*)?" + _NAME
_SPACE = rb"(?:\s|/\*.*?\*/)+"
_GONE = re.compile(
    rb"(?:TRUNCATE(?:"
    + _SPACE
    + rb"TABLE)?|DROP"
    + _SPACE
    + rb"TABLE|CREATE"
    + _SPACE
    + rb"OR"
    + _SPACE
    + rb"REPLACE"
    + _SPACE
    + rb"TABLE)(?:"
    + _SPACE
    + rb"IF"
    + _SPACE
    + rb"(?:NOT"
    + _SPACE
    + rb")?EXISTS)?"
    + _SPACE,
    re.IGNORECASE | re.DOTALL,
)
_PARTITION = re.compile(
    rb"ALTER"
    + _SPACE
    + rb"(?:\w+"
    + _SPACE
    + rb")*?TABLE"
    + _SPACE
    + rb"(?:IF"
    + _SPACE
    + rb"EXISTS"
    + _SPACE
    + rb")?"
    + _TABLE
    + rb".*?\b(?:DROP|TRUNCATE|EXCHANGE)"
    + _SPACE
    + rb"PARTITION\b",
    re.IGNORECASE | re.DOTALL,
)
_SCHEMA = re.compile(
    rb"DROP" + _SPACE + rb"(?:DATABASE|SCHEMA)(?:" + _SPACE + rb"IF" + _SPACE + rb"EXISTS)?" + _SPACE + _NAME,
    re.IGNORECASE | re.DOTALL,
)
_LIST = re.compile(_TABLE + rb"\s*(,?)\s*", re.DOTALL)


def emptied(sql: bytes, schema: bytes) -> tuple[tuple[str, str], ...]:
    """Return the tables whose rows a statement removes without row events, as (schema, table).

    TRUNCATE, DROP TABLE, CREATE OR REPLACE TABLE, and dropped, truncated or exchanged
    partitions; ``*`` is the table of a dropped schema. ``schema``: the session's default.
    """
    sql = without_lead(sql)
    if match := _SCHEMA.match(sql):
        return ((_plain(match[1]), "*"),)
    if match := _PARTITION.match(sql):
        return ((_plain(match[1] or schema), _plain(match[2])),)
    match = _GONE.match(sql)
    if match and b"TEMPORARY" not in match[0].upper():  # MySQL writes it as a comment for other servers
        return tuple(_listed(sql[match.end() :], schema))
    return ()


def _listed(names: bytes, schema: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while match := _LIST.match(names, at):
        yield _plain(match[1] or schema), _plain(match[2])
        at = match.end()
        if not match[3]:
            return


def _plain(name: bytes) -> str:
    if name.startswith(b"`"):
        name = name[1:-1].replace(b"``", b"`")
    return name.decode("utf-8", "replace")
