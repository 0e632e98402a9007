"""The options of ``position reset`` that name a place, and the file that ``position export`` writes."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from hasync.cli.documents import STDIN
from hasync.cli.documents import read as read_text
from hasync.cli.options import seconds
from hasync.cli.targets import without_zone
from hasync.errors import HasyncError
from hasync.model.names import Fault
from hasync.model.position import Position, Start
from hasync.model.start import read

EarliestOption = Annotated[bool, typer.Option("--to-earliest", help="To the oldest binlog that the source has.")]
LatestOption = Annotated[bool, typer.Option("--to-latest", help="To the end of the binlog as it is now.")]
FileOption = Annotated[
    str | None, typer.Option("--to-file", metavar="FILE", help="To this binlog file; with --to-pos.")
]
PosOption = Annotated[int | None, typer.Option("--to-pos", metavar="N", min=4, help="The offset in --to-file.")]
GtidOption = Annotated[
    str | None, typer.Option("--to-gtid", metavar="SET", help="Behind all transactions of this GTID set.")
]
DatetimeOption = Annotated[
    str | None,
    typer.Option(
        "--to-datetime",
        metavar="TIME",
        help="To the first transaction since: RFC 3339 with its zone, or Unix seconds.",
    ),
]
DurationOption = Annotated[
    float | None,
    typer.Option(
        "--by-duration",
        parser=seconds,
        metavar="DURATION",
        help="Back to the first transaction of this last time, such as 2h.",
    ),
]
ExportOption = Annotated[
    str | None, typer.Option("--from-file", metavar="FILE", help="To what 'position export' wrote; '-' too.")
]


def aim(
    *,
    to_earliest: bool,
    to_latest: bool,
    to_file: str | None,
    to_pos: int | None,
    to_gtid: str | None,
    to_datetime: str | None,
    by_duration_s: float | None,
    from_file: str | None,
    now_s: float,
) -> Start | Position:
    """Return the one place that the options name; ``now_s``: Unix seconds. Raises typer.BadParameter, HasyncError."""
    wishes: dict[str, Any] = {
        "--to-earliest": "earliest" if to_earliest else None,
        "--to-latest": "latest" if to_latest else None,
        "--to-file": _in_file(to_file, to_pos),
        "--to-gtid": None if to_gtid is None else {"gtid": to_gtid},
        "--to-datetime": None if to_datetime is None else {"timestamp": _number(to_datetime)},
        "--by-duration": None if by_duration_s is None else {"timestamp": now_s - by_duration_s},
        "--from-file": from_file,
    }
    named = [option for option, raw in wishes.items() if raw is not None]
    if len(named) != 1:
        raise typer.BadParameter(f"name exactly one target, got {', '.join(named) or 'none'}", param_hint="--to-...")
    if from_file is not None:
        return read_export(from_file)
    try:
        return read(wishes[named[0]])
    except Fault as fault:
        told = without_zone(to_datetime or "") or f"{wishes[named[0]]}: {fault}"
        raise typer.BadParameter(told, param_hint=named[0]) from None


def _in_file(file: str | None, pos: int | None) -> dict[str, Any] | None:
    """Return the place in a file, None when none was named. Raises typer.BadParameter for half a place."""
    if (file is None) != (pos is None):
        raise typer.BadParameter("--to-file and --to-pos go together", param_hint="--to-file")
    return None if file is None else {"file": file, "pos": pos}


def _number(text: str) -> float | str:
    """Return Unix seconds as a number; anything else as it is."""
    try:
        return float(text)
    except ValueError:
        return text


def write_export(file: str, stream: str, position: Position, now_s: float) -> None:
    """Write a position to a file, or to standard output. Raises HasyncError."""
    document = {"stream": stream, "exported_at": now_s, "position": position.to_json()}
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    if file == STDIN:
        typer.echo(text)
        return
    try:
        Path(file).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise HasyncError(f"{file} cannot be written: {error.strerror or type(error).__name__}") from error


def read_export(file: str) -> Position:
    """Read what :func:`write_export` wrote. Raises HasyncError."""
    try:
        return Position.from_json(orjson.loads(read_text(file))["position"])
    except (ValueError, TypeError, KeyError) as error:
        raise HasyncError(
            f"{file} is no exported position: {error}", hint="'hasync position export' writes one"
        ) from error
