"""How the rows of one table, operation and set of present columns are read, and what is made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hasync.binlog.codec.effects import Effects
from hasync.binlog.codec.images import Rows, Shape
from hasync.binlog.codec.output import Output
from hasync.binlog.codec.text import Text
from hasync.binlog.remedies import RESET
from hasync.binlog.tablemap import ColumnLayout
from hasync.binlog.types import Extent, UnsupportedTypeError, decoding
from hasync.errors import SourceRefused
from hasync.model.change import Operation, Row, RowChanges, Selection, Table

IMAGE_REMEDY = (
    "SET GLOBAL binlog_row_image = 'FULL', also in the session that wrote it; "
    f"then move the stream behind this transaction: {RESET}"
)
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table that somebody wants: its columns as the binlog lays them out, and what is wanted of them."""

    table: Table
    selection: Selection
    columns: Sequence[ColumnLayout]
    charsets: Mapping[int, str]

    def texts(self) -> list[Text]:
        """Return how each slot is printed. Raises SourceRefused for a column that cannot be."""
        return [self._text(number) for number in (*self.selection.before, *self.selection.after)]

    def _text(self, number: int) -> Text:
        column = self.columns[number]
        try:
            how = decoding(column, self.charsets)
        except UnsupportedTypeError as unknown:
            raise SourceRefused(
                f"column {column.name} of {self.table.path} has {unknown}, which hasync cannot read exactly",
                hint="change the column's type or character set, or leave it out of the rule",
            ) from unknown
        return Text(how.decode, how.arg)


class RowPlan:
    """Reads events of one kind. Called from: the reader thread.

    ``put`` is about the event that :meth:`read` read last.
    """

    def __init__(self, shapes: Sequence[Shape], wanted: Wanted | None, operation: Operation) -> None:
        """Without ``wanted`` the rows are only counted."""
        self.first = shapes[0]
        self.second = shapes[1] if len(shapes) > 1 else None
        self.rows = Rows(wanted.texts() if wanted else ())
        self._wanted = wanted
        self._operation = operation
        self._effects: Effects | None = None

    def effects(self, output: Output) -> Effects | None:
        """Return the rules' program for these rows, None when they are wanted as objects, or not at all."""
        program = self._wanted.selection.program if self._wanted else None
        if self._effects is None and self._wanted is not None and program is not None:
            target = output.target(self._wanted.table, self._operation)
            self._effects = Effects(program.effects[self._operation], by_row=program.by_row, target=target)
        return self._effects

    @property
    def objects(self) -> bool:
        """Whether the rows are wanted as objects."""
        return self._wanted is not None and self._wanted.selection.program is None

    def read(self, data: bytes, bounds: tuple[int, int]) -> int:
        """Find the values of all rows in ``data[bounds[0]:bounds[1]]`` and return the number of rows.

        Raises ValueError, IndexError when they are cut short.
        """
        return self.rows.locate(data, bounds, self.first, self.second)

    def put(self, output: Output, first: int, last: int) -> None:
        """See :class:`hasync.binlog.segments.EventRows`. Raises ValueError, IndexError for a value that is none."""
        if self._wanted is None or first >= last:
            return
        effects = self.effects(output)
        if effects is None:
            output.add(self._changes(self._wanted, first, last))
        else:
            effects.put(output, self.rows, first, last)

    def release(self) -> None:
        """Let go of the packet."""
        self.rows.release()

    def _changes(self, wanted: Wanted, first: int, last: int) -> RowChanges:
        before = len(wanted.selection.before)
        slots = before + len(wanted.selection.after)
        rows = range(first, last)
        olds = self._images(rows, range(before)) if self._operation is not Operation.INSERT else ()
        news = self._images(rows, range(before, slots)) if self._operation is not Operation.DELETE else ()
        return RowChanges(
            table=wanted.table,
            operation=self._operation,
            selection=wanted.selection,
            before=olds,
            after=news,
        )

    def _images(self, rows: range, slots: range) -> list[Row]:
        value: Any = self.rows.value
        return [tuple(value(row, slot) for slot in slots) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Which columns an event's images hold. ``extents``: of all columns; ``bitmaps``: a bit per column, per image."""

    extents: Sequence[Extent]
    operation: Operation
    bitmaps: bytes

    def present(self) -> list[list[int]]:
        """Return the columns in each image. Raises ValueError when there is none at all."""
        images = 2 if self.operation is Operation.UPDATE else 1
        size = len(self.bitmaps) // images
        found = [_positions(self.bitmaps[i * size : (i + 1) * size], len(self.extents)) for i in range(images)]
        if not any(found):
            raise ValueError("rows event without any column")
        return found

    def plan(self, wanted: Wanted | None) -> RowPlan:
        """Return how such events are read. Raises SourceRefused when a wanted column is in no image that has it."""
        present = self.present()
        slots = [dict.fromkeys(image, (_NOWHERE, _NOWHERE)) for image in present]
        if wanted is not None:
            self._place(wanted, slots)
        return RowPlan([self._shape(image) for image in slots], wanted, self.operation)

    def _shape(self, image: Mapping[int, tuple[int, int]]) -> Shape:
        extents = [(self.extents[number], slots) for number, slots in image.items()]
        return Shape([(length.prefix, length.size, *slots) for length, slots in extents])

    def _place(self, wanted: Wanted, slots: list[dict[int, tuple[int, int]]]) -> None:
        """Say where each wanted column's value goes.

        An update's after image lacks a column that did not change (row image MINIMAL, NOBLOB): the before image has it.
        """
        selection, after = wanted.selection, len(wanted.selection.before)
        if self.operation is not Operation.INSERT:
            for slot, number in enumerate(selection.before):
                self._require(wanted, number, slots[:1])
                slots[0][number] = (slot, _NOWHERE)
        if self.operation is not Operation.DELETE:
            for slot, number in enumerate(selection.after, after):
                self._require(wanted, number, slots)
                if number in slots[-1]:
                    slots[-1][number] = (slot, slots[-1][number][1] if len(slots) == 1 else _NOWHERE)
                else:
                    slots[0][number] = (slots[0][number][0], slot)

    @staticmethod
    def _require(wanted: Wanted, number: int, images: Sequence[Mapping[int, object]]) -> None:
        if not any(number in image for image in images):
            name = wanted.columns[number].name
            raise SourceRefused(f"row image of {wanted.table.path} lacks column {name}", hint=IMAGE_REMEDY)


def _positions(bitmap: bytes, width: int) -> list[int]:
    bits = int.from_bytes(bitmap, "little")
    return [position for position in range(width) if bits >> position & 1]
