"""Templates compiled for a table: from rows to bytes, many rows at a time.

The inner loops are list comprehensions over row tuples with everything resolved
beforehand; nothing is looked up by name once a table's plan is made.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter

from hasync.model.change import Row, Value
from hasync.model.template import Reference, Template

Render = Callable[[Sequence[Row]], list[Value]]
"""Renders one text per row; None where a column that it needs is NULL."""


def compile_template(template: Template, place: Callable[[Reference], int]) -> Render:
    """Return the renderer of ``template``; ``place`` tells where in the row tuples a reference is found."""
    parts = [part.encode() if isinstance(part, str) else place(part) for part in template.parts]
    places = [part for part in parts if isinstance(part, int)]
    if not places:
        return _constant(template.prefix)
    if len(places) == 1:
        prefix, suffix = (b"".join(side) for side in _around(parts))
        return _single(prefix, places[0], suffix)
    pattern = b"".join(b"%b" if isinstance(part, int) else part.replace(b"%", b"%%") for part in parts)
    return _several(pattern, itemgetter(*places))


def _around(parts: Sequence[bytes | int]) -> tuple[list[bytes], list[bytes]]:
    at = next(number for number, part in enumerate(parts) if isinstance(part, int))
    before, after = parts[:at], parts[at + 1 :]
    return [part for part in before if isinstance(part, bytes)], [part for part in after if isinstance(part, bytes)]


def _constant(text: bytes) -> Render:
    return lambda rows: [text] * len(rows)


def _single(prefix: bytes, at: int, suffix: bytes) -> Render:
    if not prefix and not suffix:
        return lambda rows: [row[at] for row in rows]
    if not suffix:
        return lambda rows: [None if (value := row[at]) is None else prefix + value for row in rows]
    return lambda rows: [None if (value := row[at]) is None else prefix + value + suffix for row in rows]


def _several(pattern: bytes, values_of: Callable[[Row], Row]) -> Render:
    def render(rows: Sequence[Row]) -> list[Value]:
        return [None if None in (values := values_of(row)) else pattern % values for row in rows]

    return render
