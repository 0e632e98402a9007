"""SQL text as tokens: what a server's own scanner sees of a statement, and nothing guessed.

Comments are dropped, those that the server executes are not; quotes, escapes and
``ANSI_QUOTES`` are the session's. Tokens are made as they are asked for, so that the body of
a procedure is not looked at once its first words say what it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from hasync.model.position import Flavor


class NotUnderstoodError(ValueError):
    """A statement, or a part of it, whose effect on a table's columns is not known for certain."""


class TokenKind(Enum):
    """What a token is."""

    WORD = "word"
    NAME = "quoted name"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; ``text`` is without quotes and escapes."""

    kind: TokenKind
    text: str

    def reads(self, *words: str) -> bool:
        """Whether it is one of these symbols or unquoted words (in capitals)."""
        return self.kind in (TokenKind.WORD, TokenKind.SYMBOL) and self.text.upper() in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a session's statements are read. ``folds_names``: case of schemas and tables does not count."""

    flavor: Flavor
    ansi_quotes: bool = False
    backslash_escapes: bool = True
    folds_names: bool = False


_REST = r"""
    (?P<space>\s+ | --(?=\s|$)[^\n]* | \#[^\n]*)
  | (?P<open>/\*M?!\d*)
  | (?P<comment>/\*.*?\*/)
  | (?P<close>\*/)
  | (?P<name>`(?:[^`]|``)+`)
  | (?P<number>\d+(?:\.\d+)?(?![\w$]))
  | (?P<word>[\w$]+)
  | (?P<symbol>[^'"`])
"""
_ESCAPING = r"""(?P<string>'(?:[^'\\]|\\.|'')*') | (?P<double>"(?:[^"\\]|\\.|"")*") |"""
_PLAIN = r"""(?P<string>'(?:[^']|'')*') | (?P<double>"(?:[^"]|"")*") |"""
_FLAGS = re.VERBOSE | re.DOTALL
_PATTERNS = {True: re.compile(_ESCAPING + _REST, _FLAGS), False: re.compile(_PLAIN + _REST, _FLAGS)}
_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}

_OLDEST_MYSQL = 80000
_OLDEST_MARIADB = 100600
_NEVER = 99999
_MARIADB_SKIPS_FROM = 50700
"""MariaDB does not execute what is meant for MySQL 5.7 and later."""


def tokens(text: str, dialect: Dialect) -> Iterator[Token]:
    """Yield a statement's tokens. Raises NotUnderstoodError when it cannot be told where they end."""
    pattern = _PATTERNS[dialect.backslash_escapes]
    at, inside = 0, False
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            raise NotUnderstoodError("a quote that does not end")
        kind, at = str(match.lastgroup), match.end()
        if kind == "open":
            if inside:
                raise NotUnderstoodError("a comment inside an executed comment")
            inside = _executed(match[0], dialect.flavor)
            at = at if inside else _behind_comment(text, at)
        elif kind == "close":
            if not inside:
                raise NotUnderstoodError("a comment that ends before it begins")
            inside = False
        elif kind not in ("space", "comment"):
            yield _token(kind, match[0], dialect)


def _executed(opening: str, flavor: Flavor) -> bool:
    """Whether every server of this flavor that hasync reads from executes the comment, or none does."""
    number = int(opening.rpartition("!")[2] or 0)
    mariadb = flavor is Flavor.MARIADB
    if "M" in opening and not mariadb:
        return False
    if mariadb and "M" not in opening and _MARIADB_SKIPS_FROM <= number <= _NEVER:
        return False
    if number <= (_OLDEST_MARIADB if mariadb else _OLDEST_MYSQL):
        return True
    if number == _NEVER:
        return False
    raise NotUnderstoodError(f"a comment for version {number} only")


def _behind_comment(text: str, at: int) -> int:
    end = text.find("*/", at)
    if end < 0 or "/*" in text[at:end]:
        raise NotUnderstoodError("a comment that does not end, or ends twice")
    return end + 2


def _token(kind: str, raw: str, dialect: Dialect) -> Token:
    if kind == "name":
        return Token(TokenKind.NAME, raw[1:-1].replace("``", "`"))
    if kind == "double" and dialect.ansi_quotes:
        return Token(TokenKind.NAME, raw[1:-1].replace('""', '"'))
    if kind in ("string", "double"):
        return Token(TokenKind.STRING, _unquoted(raw, escapes=dialect.backslash_escapes))
    return Token(TokenKind(kind), raw)


def _unquoted(raw: str, *, escapes: bool) -> str:
    quote, body = raw[0], raw[1:-1]
    if not escapes:
        return body.replace(quote * 2, quote)
    parts = re.split(r"(\\.)", body, flags=re.DOTALL)
    return "".join(
        _ESCAPED.get(part[1], part[1]) if part.startswith("\\") else part.replace(quote * 2, quote) for part in parts
    )


class Cursor:
    """Reads tokens one after the other. Each method raises NotUnderstoodError where its expectation fails."""

    def __init__(self, found: Iterator[Token]) -> None:
        """Read from a statement's tokens; a semicolon at the end does not count."""
        self._tokens = found
        self._ahead: list[Token] = []

    def peek(self, distance: int = 0) -> Token | None:
        """Return a token without taking it, None behind the end."""
        while len(self._ahead) <= distance:
            token = next(self._tokens, None)
            if token is None or token.reads(";"):
                return None
            self._ahead.append(token)
        return self._ahead[distance]

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.peek() is None

    def take(self) -> Token:
        """Take the next token."""
        token = self.peek()
        if token is None:
            raise NotUnderstoodError("the statement ends too early")
        return self._ahead.pop(0)

    def reads(self, *words: str) -> bool:
        """Whether the next token is one of these words or symbols."""
        token = self.peek()
        return token is not None and token.reads(*words)

    def accept(self, *words: str) -> bool:
        """Take these words when they come next, in this order; else take nothing."""
        for distance, word in enumerate(words):
            token = self.peek(distance)
            if token is None or not token.reads(word):
                return False
        del self._ahead[: len(words)]
        return True

    def any_of(self, *words: str) -> str:
        """Take the next token when it is one of these words; return it, or ""."""
        return self.take().text.upper() if self.reads(*words) else ""

    def expect(self, *words: str) -> None:
        """Take exactly these words."""
        if not self.accept(*words):
            raise NotUnderstoodError(f"{' '.join(words)} is missing")

    def name(self) -> str:
        """Take an identifier."""
        token = self.take()
        if token.kind not in (TokenKind.NAME, TokenKind.WORD):
            raise NotUnderstoodError("a name is missing")
        return token.text

    def string(self) -> str:
        """Take a string."""
        token = self.take()
        if token.kind is not TokenKind.STRING:
            raise NotUnderstoodError("a string is missing")
        return token.text

    def skip_parentheses(self) -> None:
        """Take everything up to the bracket that closes the one that comes next."""
        self.expect("(")
        depth = 1
        while depth:
            token = self.take()
            depth += token.reads("(") - token.reads(")")

    def skip_part(self) -> list[Token]:
        """Take everything up to the next comma, or closing bracket, of this level; return this level's tokens."""
        taken = []
        while not self.done and not self.reads(",", ")"):
            if self.reads("("):
                self.skip_parentheses()
            else:
                taken.append(self.take())
        return taken
