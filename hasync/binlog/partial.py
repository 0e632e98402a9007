"""Partial updates (PARTIAL_UPDATE_ROWS): after images in which JSON columns hold only what changed.

Rare, and each row is laid out for itself, so their rows always become objects. The
layout is described in :mod:`hasync.binlog.jsondiff`.
"""

from collections.abc import Sequence

from hasync.binlog.charsets import decode_bytes
from hasync.binlog.codec.images import Rows, Shape
from hasync.binlog.codec.output import Output
from hasync.binlog.codec.text import Text
from hasync.binlog.frames import lenenc
from hasync.binlog.jsondiff import apply_diffs
from hasync.binlog.rowplan import IMAGE_REMEDY, Images, Wanted
from hasync.binlog.types import Code
from hasync.errors import SourceRefused
from hasync.model.change import Operation, Row, RowChanges, Value

_PARTIAL_JSON = 1
_NOWHERE = -1


class PartialPlan:
    """Reads such events, with all columns that the images have as slots. Called from: the reader thread."""

    def __init__(self, images: Images, wanted: Wanted | None, codes: Sequence[int]) -> None:
        """``codes``: the types of all columns of the table. Without ``wanted`` rows are only counted."""
        before, after = images.present()
        self._wanted = wanted
        self._json = [number for number, code in enumerate(codes) if code == Code.JSON]
        self._before = _Image(before, images)
        self._after = _Image(after, images)
        self._rows: list[tuple[Row, Row]] = []
        self._texts = wanted.texts() if wanted is not None else []
        if wanted is not None:
            self._require(wanted, before, after)

    @staticmethod
    def _require(wanted: Wanted, before: Sequence[int], after: Sequence[int]) -> None:
        lacking = [number for number in wanted.selection.before if number not in before]
        lacking += [number for number in wanted.selection.after if number not in (*before, *after)]
        if lacking:
            raise _lacks(wanted, min(lacking))

    def read(self, data: bytes, bounds: tuple[int, int]) -> int:
        """Decode all rows in ``data[bounds[0]:bounds[1]]`` and return how many there are.

        Raises ValueError, IndexError when they are damaged; SourceRefused when a document is not in the before image.
        """
        at, end = bounds
        self._rows = []
        while at < end:
            at, row = self._row(data, at, end)
            self._rows.append(row)
        return len(self._rows)

    def _row(self, data: bytes, at: int, end: int) -> tuple[int, tuple[Row, Row]]:
        at = self._before.find(data, at, end)
        options, at = lenenc(data, at)
        if options not in (0, _PARTIAL_JSON):
            raise ValueError(f"value options {options} are not known")
        partial: set[int] = set()
        if options:
            size = (len(self._json) + 7) // 8
            bits = int.from_bytes(data[at : at + size], "little")
            partial = {number for bit, number in enumerate(self._json) if bits >> bit & 1}
            at += size
        at = self._after.find(data, at, end)
        return at, ((), ()) if self._wanted is None else self._values(self._wanted, partial)

    def _values(self, wanted: Wanted, partial: set[int]) -> tuple[Row, Row]:
        selection = wanted.selection
        count = len(selection.before)
        before = [
            self._before.printed(number, text)
            for number, text in zip(selection.before, self._texts[:count], strict=True)
        ]
        after = [
            self._new(wanted, number, text, partial)
            for number, text in zip(selection.after, self._texts[count:], strict=True)
        ]
        return tuple(before), tuple(after)

    def _new(self, wanted: Wanted, number: int, text: Text, partial: set[int]) -> Value:
        if number not in self._after.columns:
            return self._before.printed(number, text)
        diffs = self._after.raw(number)
        if number not in partial or diffs is None:
            return self._after.printed(number, text)
        document = self._before.raw(number) if number in self._before.columns else None
        if document is None:
            raise _lacks(wanted, number)
        return apply_diffs(document, diffs)

    def put(self, output: Output, first: int, last: int) -> None:
        """See :class:`hasync.binlog.segments.EventRows`."""
        if self._wanted is None or first >= last:
            return
        rows = self._rows[first:last]
        output.add(
            RowChanges(
                table=self._wanted.table,
                operation=Operation.UPDATE,
                selection=self._wanted.selection,
                before=[before for before, _ in rows],
                after=[after for _, after in rows],
            )
        )

    def release(self) -> None:
        """Let go of the rows."""
        self._rows = []


class _Image:
    """One image of one row at a time, each of its columns a slot."""

    def __init__(self, columns: Sequence[int], images: Images) -> None:
        self.columns = {number: slot for slot, number in enumerate(columns)}
        extents = [images.extents[number] for number in columns]
        self._shape = Shape([(extent.prefix, extent.size, slot, _NOWHERE) for slot, extent in enumerate(extents)])
        self._rows = Rows([_RAW] * len(columns))

    def find(self, data: bytes, at: int, end: int) -> int:
        """Find the values of the image at ``at`` and return the offset behind it."""
        return self._rows.locate_one(data, (at, end), self._shape)

    def raw(self, number: int) -> Value:
        """Return a column's bytes as they are in the image."""
        return self._rows.value(0, self.columns[number])

    def printed(self, number: int, text: Text) -> Value:
        """Return a column's text."""
        raw = self.raw(number)
        return None if raw is None else text.value(raw, 0, len(raw))


_RAW = Text(decode_bytes, None)


def _lacks(wanted: Wanted, number: int) -> SourceRefused:
    name = wanted.columns[number].name
    return SourceRefused(f"row image of {wanted.table.path} lacks column {name}", hint=IMAGE_REMEDY)
