"""Options that several commands have, and how their values are read."""

import math
from enum import StrEnum
from typing import Annotated

import typer

from hasync.cli.invocation import OUTPUT_VARIABLE
from hasync.cli.suggestions import member_names, stream_names
from hasync.model.duration import Duration
from hasync.model.names import Fault


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
        "--stream",
        "-s",
        metavar="NAME",
        help="The stream; not needed where HASYNC_STREAMS names exactly one.",
        autocompletion=stream_names,
    ),
]
OutputOption = Annotated[
    Format,
    typer.Option("--output", "-o", envvar=OUTPUT_VARIABLE, metavar="table|json|yaml", help="How data is written."),
]
StreamsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stream", "-s", metavar="NAME", help="Only this one; may be given again.", autocompletion=stream_names
    ),
]
WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Show it every 2 s until Ctrl-C; JSON as a line each.")
]
StreamArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[STREAM]",
        help="The stream; not needed where HASYNC_STREAMS names exactly one.",
        autocompletion=stream_names,
    ),
]
CandidateOption = Annotated[
    str | None,
    typer.Option(
        "--candidate",
        "--to",
        metavar="MEMBER",
        help="Who is to lead; else the next standby that can.",
        autocompletion=member_names,
    ),
]
NumberOption = Annotated[
    int, typer.Option("--number", "-n", metavar="N", min=1, max=100, help="How many at most, newest first.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All streams that there are.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever looks at status and history.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WithinOption = Annotated[
    float,
    typer.Option(
        "--within", parser=seconds, metavar="DURATION", help="How long to wait at most, else 60s.", show_default=False
    ),
]


def either(argument: str | None, option: str | None) -> str | None:
    """Return the stream, named as an argument or as an option. Raises typer.BadParameter when both differ."""
    if argument and option and argument != option:
        raise typer.BadParameter(f"{argument} and --stream {option} are two streams", param_hint="STREAM")
    return argument or option
