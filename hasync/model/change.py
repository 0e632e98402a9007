"""Row changes on their way from the binlog to the rules.

Rows travel in batches, and only the columns that a rule asked for: a source is given
an :class:`Interest`, which answers for each table layout with a :class:`Selection` (or
None: the rows of that table are only counted). A value is the bytes that ``SELECT``
would print for it, or None for NULL; so a template is concatenation and a comparison
is a comparison of bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hasync.model.names import TablePattern
from hasync.model.position import Position
from hasync.model.program import Program, Rendered, Tally

Value = bytes | None
Row = tuple[Value, ...]


class Operation(StrEnum):
    """What happened to a row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class Kind(StrEnum):
    """What a column holds, as far as a handler must know to get a Python value."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    TEXT = "text"
    BYTES = "bytes"
    JSON = "json"
    TEMPORAL = "temporal"
    ENUM = "enum"
    SET = "set"
    BIT = "bit"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table layout, in the table's order."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """The layout of a table at one point of the binlog (from its TABLE_MAP event)."""

    schema: str
    name: str
    columns: tuple[Column, ...]

    @property
    def path(self) -> str:
        """``schema.table``, as configs and logs name it."""
        return f"{self.schema}.{self.name}"


class Selection(Protocol):
    """Which columns of which image a consumer wants, by their number in the table."""

    @property
    def before(self) -> tuple[int, ...]:
        """Columns of the before image (update, delete), ascending."""

    @property
    def after(self) -> tuple[int, ...]:
        """Columns of the after image (insert, update), ascending."""

    @property
    def program(self) -> Program | None:
        """What to write, for a source that writes commands by itself; None: the rows are wanted as objects."""


class Interest(Protocol):
    """Decides per table layout what is decoded. Called from: the reader thread."""

    def select(self, table: Table) -> Selection | None:
        """Return what to decode of this table's rows, None when nothing.

        Raises Fatal when a rule needs a column that the layout lacks.
        """

    def patterns(self) -> Sequence[TablePattern]:
        """Return what the tables that are wanted are called, to see whether the account may look at them."""

    def emptied(self, schema: str, table: str) -> None:
        """Hear that a statement removed rows of this table (``*``: of all in the schema) without row events.

        Raises Fatal when what was made of those rows would stay behind in silence.
        """


@dataclass(frozen=True, slots=True)
class RowChanges:
    """The rows of one rows event: one table, one operation.

    ``before`` and ``after`` have one entry per row, ``()`` where the operation has no
    such image; an entry holds the selected columns only, in the selection's order.
    ``selection`` is the very object that :meth:`Interest.select` returned.
    """

    table: Table
    operation: Operation
    selection: Selection
    before: Sequence[Row]
    after: Sequence[Row]

    @property
    def rows(self) -> int:
        """Number of rows changed."""
        return len(self.after) or len(self.before)

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """The same count as :class:`Rendered` gives it."""
        return (Tally(self.table, self.operation, self.rows),)


Change = RowChanges | Rendered
"""Rows, or the commands that their selection's program made of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What a source hands over at once: whole transactions, or a piece of one large one.

    Once it is applied, a resume starts at ``position``. ``ends_transaction`` is False
    only for a piece of a transaction larger than the source's limit, never the last piece (I6). ``changes``
    may be empty: the position still moves on (other tables' traffic, heartbeats).
    ``transactions`` counts those that end here, ``rows`` all rows of the binlog in it,
    ``bytes`` the binlog bytes read for it. ``timestamp``: commit time of the last
    transaction, Unix seconds, with microseconds where the source's GTID event has them.
    ``idle``: the source said that it has nothing more to send (a heartbeat).
    """

    changes: tuple[Change, ...]
    position: Position
    ends_transaction: bool
    transactions: int
    rows: int
    bytes: int
    timestamp: float
    idle: bool = False
