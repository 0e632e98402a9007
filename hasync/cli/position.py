"""``hasync position``: where a stream stands, and moving it by hand."""

from typing import Annotated, Any

import typer
from rich.text import Text

from hasync.cli.invocation import Invocation, existing, invocation
from hasync.cli.messages import say, warn
from hasync.cli.options import Format, OutputOption, StreamOption, YesOption
from hasync.cli.output import emit, facts
from hasync.cli.places import Stand, config_of, peek, stand
from hasync.cli.reset import Plan, execute, planned, require_idle
from hasync.cli.targets import prove, understood, without_zone
from hasync.cli.wording import NONE, UNKNOWN, moment, place
from hasync.errors import HasyncError
from hasync.model.names import Fault
from hasync.model.position import Position, Start
from hasync.model.resume import MissingStatePolicy
from hasync.model.start import read
from hasync.model.state import Acknowledged, SinkState

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Look at a stream's positions, or move it by hand.")


@app.command()
def show(ctx: typer.Context, *, stream: StreamOption = None, output: OutputOption = Format.TABLE) -> None:
    """Show where a stream stands.

    In ZooKeeper, in Redis and at its source, and where a new term would resume. Exits
    with 1 when Redis or the source could not be asked; what the others said is shown.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        ports = existing(cluster, name)
        config = config_of(ports)
        policy = MissingStatePolicy(config.on_missing_state)
        found = stand(ports, call.servers(name, config), policy)
    emit({"stream": name, **found.to_json()}, output, _picture(name, found))
    for failure in found.failures:
        warn(failure)
    if found.failures:
        raise typer.Exit(1)


def _picture(name: str, found: Stand) -> Any:
    return facts(
        ("stream", name),
        ("ZooKeeper", _acknowledged(found.acknowledged)),
        ("Redis", _state(found.state)),
        ("source now", _at(found.source) if found.source else UNKNOWN),
        ("would resume", found.resume),
    )


def _acknowledged(value: Acknowledged | None) -> str:
    if value is None:
        return NONE
    return f"{_at(value.position)}  epoch {value.epoch}, batch {value.seq}, {moment(value.acknowledged_at)}"


def _state(value: SinkState | None) -> str:
    if value is None:
        return NONE
    return f"{_at(value.position)}  epoch {value.epoch}, batch {value.seq}, {moment(value.applied_at)}"


def _at(position: Position | None) -> str:
    if position is None:
        return "no position yet"
    return f"{place(position)} on {position.server_uuid}" + (f"  GTID {position.gtid_set}" if position.gtid_set else "")


@app.command()
def reset(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    to_earliest: Annotated[
        bool, typer.Option("--to-earliest", help="To the oldest binlog that the source has.")
    ] = False,
    to_latest: Annotated[bool, typer.Option("--to-latest", help="To the end of the binlog as it is now.")] = False,
    to_file: Annotated[str | None, typer.Option(metavar="FILE", help="To this binlog file; with --to-pos.")] = None,
    to_pos: Annotated[int | None, typer.Option(metavar="N", min=4, help="The offset in --to-file.")] = None,
    to_gtid: Annotated[
        str | None, typer.Option(metavar="SET", help="Behind all transactions of this GTID set.")
    ] = None,
    to_datetime: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="To the first transaction since: RFC 3339 with its zone, or Unix seconds."),
    ] = None,
    do_execute: Annotated[bool, typer.Option("--execute", help="Do it; without this, only the plan is shown.")] = False,
    yes: YesOption = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Move a stream to another position.

    Shows the plan, and does it only with --execute. The stream has to be idle ('hasync
    pause --wait'). The target is looked up on the source, so a position that does not
    exist is refused: a file or an offset that is not there, GTIDs that were never executed,
    a time in the future. Forward, the changes in between never reach Redis; back, they are
    applied again. The move is a term of its own in 'hasync history'.
    """
    call = invocation(ctx)
    start = target(
        to_earliest=to_earliest,
        to_latest=to_latest,
        to_file=to_file,
        to_pos=to_pos,
        to_gtid=to_gtid,
        to_datetime=to_datetime,
    )
    name = call.stream(stream)
    if meaning := understood(start, now_s=call.clock.wall()):
        say(f"{name}: to {meaning}")
    with call.connect() as cluster:
        ports = existing(cluster, name)
        config = config_of(ports)
        servers = call.servers(name, config)
        plan = planned(ports, peek(servers), prove(servers, start), config)
        if not do_execute:
            _show(plan, output, executed=False)
            say("nothing is changed; the same with --execute does it")
            return
        require_idle(plan)
        _confirm(call, plan, asked=not yes)
        epoch = execute(plan, ports, servers, clock=call.clock, by=call.operator)
        paused = ports.intents.get() is not None or ports.halts.get() is not None
    _show(plan, output, executed=True, epoch=epoch)
    say(f"{name}: moved to {plan.target}" + (f"; 'hasync resume -s {name}' lets it go on" if paused else ""))


def target(
    *,
    to_earliest: bool,
    to_latest: bool,
    to_file: str | None,
    to_pos: int | None,
    to_gtid: str | None,
    to_datetime: str | None,
) -> Start:
    """Return the one place that the options name. Raises typer.BadParameter."""
    wishes: dict[str, Any] = {
        "--to-earliest": "earliest" if to_earliest else None,
        "--to-latest": "latest" if to_latest else None,
        "--to-file": _in_file(to_file, to_pos),
        "--to-gtid": None if to_gtid is None else {"gtid": to_gtid},
        "--to-datetime": None if to_datetime is None else {"timestamp": _number(to_datetime)},
    }
    named = [option for option, raw in wishes.items() if raw is not None]
    if len(named) != 1:
        raise typer.BadParameter(f"name exactly one target, got {', '.join(named) or 'none'}", param_hint="--to-...")
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


def _confirm(call: Invocation, plan: Plan, *, asked: bool) -> None:
    """Ask whoever is there. Raises HasyncError when the answer is no, or there is nobody to ask."""
    if not asked:
        return
    if not call.outside.interactive:
        raise HasyncError("not confirmed, and there is nobody to ask", hint="add --yes to do it without a question")
    _show(plan, Format.TABLE, executed=False)
    if not typer.confirm(f"Move {plan.stream} to {plan.target}?", err=True):
        raise HasyncError("declined, nothing is changed")


def _show(plan: Plan, output: Format, *, executed: bool, epoch: int | None = None) -> None:
    rows: list[tuple[str, str | Text]] = [
        ("stream", plan.stream),
        ("ZooKeeper", _acknowledged(plan.acknowledged)),
        ("Redis", _state(plan.state)),
        ("target", _at(plan.target)),
    ]
    rows += [("means", consequence) for consequence in plan.consequences]
    if executed:
        rows.append(("done", f"epoch {epoch}"))
    else:
        rows += [("in the way", Text(obstacle, style="yellow")) for obstacle in plan.obstacles]
    emit(plan.to_json(executed=executed, epoch=epoch), output, facts(*rows))
