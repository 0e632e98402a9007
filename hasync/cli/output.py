"""Data on standard output: a table for people, JSON or YAML for programs."""

import sys
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

import orjson
import typer
import yaml
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from hasync.cli.options import Format

GAP: Final = 2
"""Blanks between two columns."""

FOLDED: Final = 24
"""The last column of a table may be folded to this."""

PIPE_WIDTH: Final = 400
"""Columns when nobody looks: a line of a table must not be broken for a program that reads it."""


def console() -> Console:
    """Return the console on standard output; without colours when it is no terminal, or NO_COLOR is set."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    # No markup: what operators wrote (a reason, a key) is shown as it is.
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def emit(document: Any, output: Format, *tables: RenderableType, repeated: bool = False) -> None:
    """Write the document, or the tables that show it to people.

    ``repeated``: others follow, so JSON is one line each, and each YAML document begins with ``---``.
    """
    if output is Format.JSON:
        typer.echo(orjson.dumps(document, option=0 if repeated else orjson.OPT_INDENT_2).decode())
    elif output is Format.YAML:
        typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, explicit_start=repeated), nl=False)
    else:
        _print(console(), tables)


def _print(screen: Console, tables: Sequence[RenderableType]) -> None:
    if screen.is_terminal:
        screen.print(*tables, sep="\n")
        return
    with screen.capture() as captured:
        screen.print(*tables, sep="\n")
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())  # rich fills each cell with blanks, and nobody wants them in a file


def table(*columns: str, rows: Sequence[Sequence[str | Text]], spare: Sequence[str] = ()) -> RenderableType:
    """Return a plain table, as ``ps`` would print it. ``spare``: columns that go first where there is no room."""
    return _Table(columns, rows, spare)


class _Table:
    """A table that leaves columns out rather than break every line.

    Its last column is folded where it is long; the others only when nothing is left to leave out.
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[str | Text]], spare: Sequence[str]) -> None:
        self._columns = columns
        self._rows = rows
        self._spare = spare

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it as wide as it may be. Called by rich."""
        cells = {name: [name, *(str(row[at]) for row in self._rows)] for at, name in enumerate(self._columns)}
        widths = {name: max(map(cell_len, texts)) + GAP for name, texts in cells.items()}
        for name in self._spare:
            if _needed(widths) > options.max_width:
                del widths[name]
        yield self._drawn(widths, whole=_needed(widths) <= options.max_width)

    def _drawn(self, shown: Container[str], *, whole: bool) -> Table:
        made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        kept = [at for at, name in enumerate(self._columns) if name in shown]
        for at in kept:
            made.add_column(self._columns[at], overflow="fold", no_wrap=whole and at != kept[-1])
        for row in self._rows:
            made.add_row(*(row[at] for at in kept))
        return made


def _needed(widths: Mapping[str, int]) -> int:
    """Return the least width that breaks no line but those of the last column."""
    *others, last = widths.values()
    return sum(others) + min(last - GAP, FOLDED)


def facts(*rows: tuple[str, str | Text]) -> Table:
    """Return names and what belongs to them, one below the other."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def plain(value: Any) -> str:
    """Return a value of a document as people read it."""
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
