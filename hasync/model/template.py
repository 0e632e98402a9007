"""Templates of keys and values: text with ``{column}``, ``{old.column}``, ``{new.column}``, and nothing else.

There are no formats, conversions, indexes or calls, so a template can be checked when
the config is, and rendering is a concatenation of bytes. ``{{`` and ``}}`` stand for a
brace. Column names compare without regard to case, as MySQL compares them.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from hasync.model.names import Fault

_COLUMN = re.compile(r"[\w$](?:[\w$ -]*[\w$-])?")
_ALLOWED = "only {column}, {old.column} and {new.column} are allowed, {{ and }} for a brace"


class Image(StrEnum):
    """Which image of the row a reference reads; ``ROW`` leaves it to the rule (see docs/configuration.md)."""

    ROW = ""
    OLD = "old"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Reference:
    """A column of an image. ``column`` is in lower case."""

    image: Image
    column: str


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text and references, in order. ``text`` is as written."""

    text: str
    parts: tuple[str | Reference, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a template. Raises Fault with the offset (from 1) of what is wrong."""
        parts: list[str | Reference] = []
        literal, at = "", 0
        while at < len(text):
            if text[at : at + 2] in ("{{", "}}"):
                literal, at = literal + text[at], at + 2
            elif text[at] == "}":
                raise _fault(at, "a '}' without its '{'")
            elif text[at] == "{":
                parts += [literal] if literal else []
                literal, (reference, at) = "", _reference(text, at)
                parts.append(reference)
            else:
                literal, at = literal + text[at], at + 1
        return cls(text, (*parts, literal) if literal else tuple(parts))

    @property
    def references(self) -> tuple[Reference, ...]:
        """All references, in order, repeated as written."""
        return tuple(part for part in self.parts if isinstance(part, Reference))

    @property
    def images(self) -> frozenset[Image]:
        """The images that are read; empty for a constant."""
        return frozenset(reference.image for reference in self.references)

    @property
    def prefix(self) -> bytes:
        """The literal bytes before the first reference; all of it for a constant."""
        return self.parts[0].encode() if self.parts and isinstance(self.parts[0], str) else b""

    def __str__(self) -> str:
        """As written."""
        return self.text


def _reference(text: str, start: int) -> tuple[Reference, int]:
    end = text.find("}", start)
    if end < 0:
        raise _fault(start, "a '{' without its '}'")
    body = text[start + 1 : end]
    _refuse_format(body, start)
    image, dot, column = body.rpartition(".")
    if not _COLUMN.fullmatch(column) or column.isdigit():
        raise _fault(start, f"{text[start : end + 1]!r} does not name a column")
    if dot and image not in (Image.OLD, Image.NEW):
        raise _fault(start, f"{image!r} is not an image of a row ('old' and 'new' are)")
    return Reference(Image(image), column.lower()), end + 1


def _refuse_format(body: str, start: int) -> None:
    if not body:
        raise _fault(start, "'{}' names no column")
    if "{" in body:
        raise _fault(start, "a '{' inside a reference")
    for mark, what in (("!", "a conversion"), (":", "a format"), ("[", "an index"), ("(", "a call")):
        if mark in body:
            raise _fault(start, f"{what} ({mark!r}) is not possible")
    if body != body.strip():
        raise _fault(start, "blanks around the name of a column")


def _fault(offset: int, what: str) -> Fault:
    return Fault(f"{what} at character {offset + 1}", _ALLOWED)
