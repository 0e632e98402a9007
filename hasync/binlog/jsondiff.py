"""MySQL's partial JSON updates (``binlog_row_value_options = PARTIAL_JSON``): a document and what changed in it.

Such updates come as PARTIAL_UPDATE_ROWS events (type 39), which have the head of
UPDATE_ROWS events and the same before images. An after image looks like this:

* a length-encoded integer, the value options; 0 or 1
* with bit 0 set only: a bitmap with a bit for each JSON column *of the table*, in the
  table map's order (type 245; also of generated columns and of those that this image
  does not have), eight to the byte, lowest bit first
* the NULL bitmap and the values, as in every image; but the value of a JSON column
  whose bit is set is, behind the four bytes of its length, not a document but what
  :func:`apply_diffs` takes. It is empty when the column did not change. A column that
  is or becomes NULL never has its bit set.

The options come with each row. The server writes diffs only when they are shorter, so
the rows and columns of one event differ. A before image without the column (MINIMAL)
leaves the after value unknown. Spec: ``Json_diff_vector`` in ``sql/json_diff.cc``, rows in
``sql/rpl_record.cc``; the layout was read off MySQL 9.7 (tests hold such events).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from hasync.binlog.frames import lenenc
from hasync.binlog.jsonb import Stored, members, print_value, quoted, stored_document

_REPLACE, _INSERT, _REMOVE = range(3)

_LEG = re.compile(
    rb"""\s*(?:
        \.\s*(?: "(?P<quoted> (?:[^"\\]|\\.)* )" | (?P<bare> [^\s.\["*]+ ) )
      | \[\s*(?P<last> last\s*-?\s*)? (?P<cell> [0-9]*)\s*\]
    )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """An element of an array: counted from its begin, or back from its last one."""

    number: int
    from_end: bool


Leg = bytes | Cell
"""One step of a path: a member's key, or an element."""
Node = Stored | list["Node"] | dict[bytes, "Node"]
"""A value: as it was stored until a path leads through it."""


@dataclass(frozen=True, slots=True)
class Diff:
    """One change: an operation, the path it is done at, and a value but for a removal."""

    operation: int
    path: tuple[Leg, ...]
    value: Stored | None


class _UnfitError(ValueError):
    """The diff is not one for this document."""

    def __init__(self) -> None:
        super().__init__("JSON diff does not fit the document in front of it")


def apply_diffs(before: bytes, diffs: bytes) -> bytes:
    """Return the text that ``SELECT`` prints for the value after the update.

    ``before``: the column's binary document in the before image. ``diffs``: its content
    in the after image: none or several of (operation, path, value), done in turn.

    Raises ValueError when either is damaged, or they do not fit each other.
    """
    document: list[Node] = [stored_document(before)]
    for diff in read_diffs(diffs):
        _apply(document, diff)
    out: list[bytes] = []
    _print(document[0], out)
    return b"".join(out)


def read_diffs(diffs: bytes) -> Iterator[Diff]:
    """Yield the changes in their order. Raises ValueError when they are cut short or not understood."""
    at = 0
    while at < len(diffs):
        operation = diffs[at]
        if operation > _REMOVE:
            raise ValueError(f"JSON diff has unknown operation {operation}")
        text, at = _counted(diffs, at + 1)
        path = parse_path(text)
        value = None
        if operation != _REMOVE:
            raw, at = _counted(diffs, at)
            value = stored_document(raw, depth=len(path) + 1)
        yield Diff(operation, path, value)


def _counted(diffs: bytes, at: int) -> tuple[bytes, int]:
    length, at = lenenc(diffs, at)
    if at + length > len(diffs):
        raise ValueError("JSON diff is cut short")
    return diffs[at : at + length], at + length


def parse_path(text: bytes) -> tuple[Leg, ...]:
    """Read a path without wildcards, such as ``$.a[3]."x y"[last-1]``. Raises ValueError when it is not one."""
    legs: list[Leg] = []
    at = 1
    while at < len(text):
        match = _LEG.match(text, at)
        if match is None:
            raise ValueError("JSON path is not understood")
        legs.append(_leg(match))
        at = match.end()
    if not legs or not text.startswith(b"$"):
        raise ValueError("JSON path is not understood")
    return tuple(legs)


def _leg(match: re.Match[bytes]) -> Leg:
    name = match["quoted"] if match["bare"] is None else match["bare"]
    if name is not None:
        key: str = json.loads(b'"' + name + b'"', strict=False)
        return key.encode()
    if match["last"] is None and not match["cell"]:
        raise ValueError("JSON path is not understood")
    return Cell(int(match["cell"] or 0), from_end=match["last"] is not None)


def _apply(document: list[Node], diff: Diff) -> None:
    parent = _expanded(document, 0)
    for leg in diff.path[:-1]:
        parent = _expanded(parent, _place(parent, leg))
    if diff.operation == _INSERT:
        _insert(parent, diff)
        return
    place = _place(parent, diff.path[-1])
    if diff.operation == _REPLACE:
        parent[place] = diff.value  # type: ignore[index,assignment]  # _place fits the parent; only removals lack values
    else:
        del parent[place]  # type: ignore[arg-type]


def _expanded(parent: list[Node] | dict[bytes, Node], place: int | bytes) -> list[Node] | dict[bytes, Node]:
    """Return the container at this place of its parent, taken apart into its members if it was not yet."""
    node = parent[place]  # type: ignore[index]
    if not isinstance(node, Stored):
        return node
    if node.is_object:
        opened: list[Node] | dict[bytes, Node] = dict(members(node))
    elif node.is_array:
        opened = [value for _, value in members(node)]
    else:
        raise _UnfitError
    parent[place] = opened  # type: ignore[index]
    return opened


def _place(parent: list[Node] | dict[bytes, Node], leg: Leg) -> int | bytes:
    """Return where the leg leads to in its container; it must be there."""
    if isinstance(parent, dict):
        if isinstance(leg, bytes) and leg in parent:
            return leg
    elif isinstance(leg, Cell):
        position = _position(parent, leg)
        if 0 <= position < len(parent):
            return position
    raise _UnfitError


def _position(array: list[Node], cell: Cell) -> int:
    return len(array) - 1 - cell.number if cell.from_end else cell.number


def _insert(parent: list[Node] | dict[bytes, Node], diff: Diff) -> None:
    """Add a member that is not there yet, or an element in front of the one at its place, at the end past all."""
    leg, value = diff.path[-1], diff.value
    assert value is not None  # noqa: S101 - only removals lack one
    if isinstance(parent, dict) and isinstance(leg, bytes) and leg not in parent:
        parent[leg] = value
    elif isinstance(parent, list) and isinstance(leg, Cell):
        parent.insert(min(max(_position(parent, leg), 0), len(parent)), value)  # insert() takes no number past 64 bits
    else:
        raise _UnfitError


def _print(node: Node, out: list[bytes]) -> None:
    if isinstance(node, Stored):
        print_value(node, out)
        return
    opening, closing = (b"{", b"}") if isinstance(node, dict) else (b"[", b"]")
    out.append(opening)
    for position, (key, value) in enumerate(_in_order(node)):
        if position:
            out.append(b", ")
        if isinstance(node, dict):
            out.append(quoted(key) + b": ")
        _print(value, out)
    out.append(closing)


def _in_order(node: list[Node] | dict[bytes, Node]) -> list[tuple[bytes, Node]]:
    """Return the members as MySQL orders them: shorter keys first, then by their bytes."""
    if isinstance(node, list):
        return [(b"", value) for value in node]
    return [(key, node[key]) for key in sorted(node, key=lambda key: (len(key), key))]
