"""Data on standard output: a table for people, JSON or YAML for programs."""

import sys
from collections.abc import Sequence
from typing import Any, Final

import orjson
import typer
import yaml
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from hasync.cli.options import Format

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


def table(*columns: str, rows: Sequence[Sequence[str | Text]]) -> Table:
    """Return a plain table, as ``ps`` would print it."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def facts(*rows: tuple[str, str | Text]) -> Table:
    """Return names and what belongs to them, one below the other."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made
