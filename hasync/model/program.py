"""What a table's rules write, as a value that a source can carry out while it reads the row images.

A source that is given a :class:`Program` with a selection need not make rows of it:
it writes commands (:class:`Rendered`) straight from the image. What it writes is what
:mod:`hasync.stream.steps` would make of the same rows; that is the reference.

A *slot* is a place in the row of both images joined: the selected columns of the before
image, then those of the after image.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hasync.model.command import Packed

if TYPE_CHECKING:
    from hasync.model.change import Operation, Table

Parts = tuple[bytes | int, ...]
"""A text: literal bytes, and slots whose values are put there. NULL in a slot means no text at all."""

Pairs = tuple[tuple[int, int], ...]
"""Slots of the same column in the before and in the after image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete the key. ``differ``: only if one of these columns changed."""

    key: Parts
    differ: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PutString:
    """Write a string under the key; a value that is NULL deletes it. ``old_key``: deleted when it is another."""

    key: Parts
    value: Parts
    old_key: Parts | None = None
    ttl_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutHash:
    """Write fields of a hash; those that are NULL are removed. ``old_key``: deleted when it is another."""

    key: Parts
    fields: tuple[tuple[bytes, Parts], ...]
    old_key: Parts | None = None
    ttl_ms: int | None = None


Write = Delete | PutString | PutHash


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one rule does with a row. ``changed``: an update counts only if one of these columns changed."""

    writes: tuple[Write, ...]
    changed: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The rules of one table, by operation, in document order.

    ``by_row``: rules may meet on one key, so all of them see a row before any sees the
    next. Otherwise each takes a whole event, deletes of moved keys first.
    """

    effects: Mapping["Operation", tuple[Effect, ...]]
    by_row: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows of a table went into commands."""

    table: "Table"
    operation: "Operation"
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What programs made of consecutive rows. ``skipped``: rows without an effect, by reason."""

    commands: tuple[Packed, ...]
    tallies: tuple[Tally, ...]
    skipped: tuple[tuple[str, int], ...] = ()
