"""Names as configs write them: tables with wildcards, network endpoints, and the nearest right word."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

SYSTEM_SCHEMAS = frozenset({"mysql", "information_schema", "performance_schema", "sys"})
"""The server's own schemas: a wildcard never reaches into them, only their spelled-out name does."""

_PORT_LIMIT = 65535


class Fault(ValueError):  # noqa: N818 - one fault of a document, collected and not raised to the top
    """One thing that is wrong with a value in a config: what, and what to write instead.

    A ValueError, so that pydantic collects it with all the others; ``at`` leads from
    the value being checked to the part that is wrong.
    """

    def __init__(self, what: str, remedy: str, *, at: tuple[str | int, ...] = ()) -> None:
        """Keep the parts; the message is both."""
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy
        self.at = at


class Faults(ValueError):  # noqa: N818 - see Fault
    """Several faults found by one check."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Keep all of them."""
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` when a known word is close, else the known words; empty when there are none."""
    words = sorted({str(name) for name in known})
    if close := get_close_matches(word.lower(), [known_word.lower() for known_word in words], n=1, cutoff=0.6):
        match = next(known_word for known_word in words if known_word.lower() == close[0])
        return f"did you mean {match!r}?"
    return f"known here: {', '.join(words[:20])}{', ...' if len(words) > 20 else ''}" if words else ""


def path_of(steps: Iterable[str | int]) -> str:
    """Write the way to a value as messages name it: ``tables."test.users"[0].delete[1]``."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if re.fullmatch(r"[A-Za-z_][\w-]*", step) else f'"{step}"'
            text += f".{name}" if text else name
    return text


@dataclass(frozen=True, slots=True)
class TablePattern:
    """A ``schema.table`` of a config; ``*`` stands for any text and ``?`` for one character, in both parts.

    Compared case-sensitively, as MySQL on Linux does (``lower_case_table_names=0``).
    """

    schema: str
    table: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``schema.table``. Raises Fault."""
        schema, dot, table = text.partition(".")
        if not dot:
            raise Fault("a table is named by its schema and its name", f"write 'schema.{text}', or '*.{text}'")
        if "." in table:
            raise Fault("more than one dot", "write schema.table; a dot inside a name is matched by '?'")
        if not schema or not table:
            raise Fault("the schema or the table is empty", "write both parts of schema.table; '*' matches any name")
        if text != text.strip() or "`" in text or "%" in text:
            raise Fault(
                "blanks, backticks and '%' are no part of a name", "write schema.table with the wildcards * and ?"
            )
        return cls(schema, table)

    def matches(self, schema: str, table: str) -> bool:
        """Whether this table is meant; a schema with a wildcard never means one of :data:`SYSTEM_SCHEMAS`."""
        if schema in SYSTEM_SCHEMAS and schema != self.schema:
            return False
        return _glob(self.schema, schema) and _glob(self.table, table)

    @property
    def is_literal(self) -> bool:
        """Whether it names one table, without a wildcard."""
        return not {"*", "?"} & {*self.schema, *self.table}

    def __str__(self) -> str:
        """As written."""
        return f"{self.schema}.{self.table}"


def _glob(pattern: str, name: str) -> bool:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(text, name, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's address."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, default_port: int) -> Self:
        """Read ``host``, ``host:port`` or ``[ipv6]:port``. Raises Fault."""
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:/@\[\]]+)(?::(\d{1,5}))?", text)
        if match is None:
            raise Fault("not an address", "write host:port, for IPv6 [address]:port, without user or scheme")
        port = int(match[2] or default_port)
        if not 1 <= port <= _PORT_LIMIT:
            raise Fault(f"port {port} does not exist", f"write a port from 1 to {_PORT_LIMIT}")
        return cls(match[1].strip("[]"), port)

    def __str__(self) -> str:
        """``host:port``, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
