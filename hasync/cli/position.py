"""``hasync position``: where a stream stands, and moving it by hand."""

from typing import Annotated, Any

import typer
from rich.text import Text

from hasync.cli.aims import (
    DatetimeOption,
    DurationOption,
    EarliestOption,
    ExportOption,
    FileOption,
    GtidOption,
    LatestOption,
    PosOption,
    aim,
    write_export,
)
from hasync.cli.consent import ask
from hasync.cli.documents import STDIN
from hasync.cli.invocation import Invocation, existing, invocation
from hasync.cli.messages import say, warn
from hasync.cli.options import Format, NumberOption, OutputOption, StreamOption, YesOption
from hasync.cli.output import emit, facts, table
from hasync.cli.places import Stand, config_of, peek, resting, stand
from hasync.cli.reset import Plan, execute, planned, require_idle
from hasync.cli.targets import prove, understood
from hasync.cli.wording import NONE, UNKNOWN, moment, place
from hasync.errors import HasyncError
from hasync.model.cluster import TermRecord
from hasync.model.position import Position
from hasync.model.resume import MissingStatePolicy
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
def history(
    ctx: typer.Context, *, stream: StreamOption = None, number: NumberOption = 20, output: OutputOption = Format.TABLE
) -> None:
    """Show from where to where each term read.

    Newest first. A term of a member 'cli-...' is a reset. 'hasync history' says why terms ended.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        terms = existing(cluster, name).terms.history(number)
    document = [_travelled(term) for term in terms]
    rows = [
        [str(term.epoch), term.member, moment(term.since), place(term.begin), place(term.end), _gtids(term)]
        for term in terms
    ]
    columns = ("EPOCH", "MEMBER", "SINCE", "BEGIN", "END", "GTIDS AT THE END")
    emit(document, output, table(*columns, rows=rows, spare=("GTIDS AT THE END", "SINCE", "MEMBER")))


def _travelled(term: TermRecord) -> dict[str, Any]:
    return {key: value for key, value in term.to_json().items() if key in {"epoch", "member", "since", "begin", "end"}}


def _gtids(term: TermRecord) -> str:
    return (term.end.gtid_set if term.end else "") or NONE


@app.command()
def export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="Where to write it; else standard output.")] = STDIN,
    *,
    stream: StreamOption = None,
) -> None:
    """Write the position at which a new term would resume.

    As JSON, for 'position reset --from-file': before maintenance of the source, or to move
    a stream to another deployment. Redis' position wins over ZooKeeper's, as for a new term.

    \b
    hasync position export orders.json
    hasync position reset --from-file orders.json
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        ports = existing(cluster, name)
        state = peek(call.servers(name, config_of(ports)))
        now = resting(ports.positions.load().value, state)
    if now is None:
        raise HasyncError(f"{name} has no position yet", hint="it begins at the config's start, source.start")
    write_export(file, name, now, call.clock.wall())
    say(f"{name}: {place(now)}" + (f" is in {file}" if file != STDIN else ""))


@app.command()
def reset(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    to_earliest: EarliestOption = False,
    to_latest: LatestOption = False,
    to_file: FileOption = None,
    to_pos: PosOption = None,
    to_gtid: GtidOption = None,
    to_datetime: DatetimeOption = None,
    by_duration_s: DurationOption = None,
    from_file: ExportOption = None,
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

    \b
    hasync pause --wait
    hasync position reset --by-duration 2h
    hasync position reset --by-duration 2h --execute
    hasync resume --wait
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    start = aim(
        to_earliest=to_earliest,
        to_latest=to_latest,
        to_file=to_file,
        to_pos=to_pos,
        to_gtid=to_gtid,
        to_datetime=to_datetime,
        by_duration_s=by_duration_s,
        from_file=from_file,
        now_s=call.clock.wall(),
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
        _confirm(call, plan, yes=yes)
        epoch = execute(plan, ports, servers, clock=call.clock, by=call.operator)
        paused = ports.intents.get() is not None or ports.halts.get() is not None
    _show(plan, output, executed=True, epoch=epoch)
    say(f"{name}: moved to {plan.target}" + (f"; 'hasync resume -s {name}' lets it go on" if paused else ""))


def _confirm(call: Invocation, plan: Plan, *, yes: bool) -> None:
    """Show the plan to whoever is there, and ask. Raises HasyncError when the answer is no, or nobody is there."""
    if call.outside.interactive and not yes:
        _show(plan, Format.TABLE, executed=False)
    ask(call, f"Move {plan.stream} to {plan.target}?", yes=yes)


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
