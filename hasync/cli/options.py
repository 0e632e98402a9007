"""Options that several commands have, and how their values are read."""

import math
from enum import StrEnum
from typing import Annotated, Final

import typer

from hasync.model.duration import Duration
from hasync.model.names import Fault

OUTPUT_VARIABLE: Final = "HASYNC_OUTPUT"


class Format(StrEnum):
    """How data is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def seconds(text: str | float) -> float:
    """Read ``500ms``, ``30s``, ``2m`` or a plain number of seconds. Raises typer.BadParameter."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        if value <= 0:
            raise typer.BadParameter(f"{text} is not a time to wait; write more than 0")
        return value
    try:
        return Duration.parse(text).seconds
    except Fault as fault:
        raise typer.BadParameter(f"{text!r}: {fault}") from None


StreamOption = Annotated[
    str | None,
    typer.Option(
        "--stream", "-s", metavar="NAME", help="The stream; not needed where HASYNC_STREAMS names exactly one."
    ),
]
OutputOption = Annotated[
    Format,
    typer.Option("--output", "-o", envvar=OUTPUT_VARIABLE, metavar="table|json|yaml", help="How data is written."),
]
AllOption = Annotated[bool, typer.Option("--all", help="All streams that there are.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for whoever looks at status and history.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WithinOption = Annotated[
    float, typer.Option("--within", parser=seconds, metavar="DURATION", help="How long --wait waits at most.")
]
