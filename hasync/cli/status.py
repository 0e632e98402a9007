"""``hasync status``: what the cluster does, stream by stream."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.console import RenderableType
from rich.text import Text

from hasync.cli.instances import instances, spread
from hasync.cli.invocation import invocation
from hasync.cli.options import Format, OutputOption, StreamsOption, WatchOption
from hasync.cli.output import facts, table
from hasync.cli.watching import Screen, summarise
from hasync.cli.wording import NONE, UNKNOWN, lasting, moment, place
from hasync.fleet.summary import Summary
from hasync.model.member import Member

app = typer.Typer(rich_markup_mode=None, add_completion=False)

DEGRADED: Final = 3
"""Exit code when a stream does not do its work."""

QUIET_S: Final = 10.0
"""An acknowledgement older than this means an idle stream, when its leader trails nothing."""

STYLES: Final = {"ok": "green", "disabled": "yellow", "paused": "yellow", "degraded": "bold red"}


@app.command()
def status(
    ctx: typer.Context,
    *,
    stream: StreamsOption = None,
    extended: Annotated[
        bool, typer.Option("--extended", "-e", help="Also GTIDs, the end of the binlog, hosts and processes.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only a line for each problem; for scripts.")] = False,
    output: OutputOption = Format.TABLE,
    watch: WatchOption = False,
) -> None:
    """Show leaders, positions, lag and trouble.

    Of several streams also how they are spread over the instances.

    Exits with 3 when a stream is degraded: no leader (paused, too), halted, its config
    refused, its leader degraded or not reachable at its admin port; with 1 when
    ZooKeeper cannot be asked. A missing standby is a warning only. The lag is the
    leader's own word, '?' when it could not be asked.

    \b
    hasync status -s orders --watch
    hasync status --check || page-somebody
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    with call.connect() as cluster:
        screen = Screen(call, cluster, output, problems if check else _tables if not extended else _extended)
        if watch:
            screen.watch(stream or [])
        summaries = summarise(cluster, stream or [])
        screen.show(summaries)
    if any(summary.problems for summary in summaries):
        raise typer.Exit(DEGRADED)


def problems(summaries: Sequence[Summary], _: float) -> list[RenderableType]:
    """Return a line for each problem."""
    return [Text(f"{each.facts.stream}: {problem}") for each in summaries for problem in each.problems]


def _tables(summaries: Sequence[Summary], now_s: float, *, extended: bool = False) -> list[RenderableType]:
    """Return each stream's picture, and behind several streams how they are spread over the instances."""
    shown = [picture for summary in summaries for picture in pictures(summary, now_s, extended=extended)]
    if len(summaries) > 1:
        shown.append(spread(instances(summaries)))
    return shown


def _extended(summaries: Sequence[Summary], now_s: float) -> list[RenderableType]:
    return _tables(summaries, now_s, extended=True)


def pictures(summary: Summary, now_s: float, *, extended: bool = False) -> list[RenderableType]:
    """Return a summary as people read it; ``now_s``: Unix seconds."""
    shown: list[RenderableType] = [_head(summary, now_s, extended=extended)]
    if summary.facts.members:
        shown.append(_members(summary, now_s, extended=extended))
    shown += [Text(f"✘ {problem}", style="red") for problem in summary.problems]
    shown += [Text(f"! {warning}", style="yellow") for warning in summary.warnings]
    return [*shown, Text("")]


def _head(summary: Summary, now_s: float, *, extended: bool) -> RenderableType:
    read, leader = summary.facts, summary.facts.leader
    rows: list[tuple[str, str | Text]] = [
        ("stream", read.stream),
        ("state", Text(summary.state, style=STYLES[summary.state])),
        ("leader", f"{leader.member} (epoch {leader.epoch})" if leader else NONE),
        ("since", f"{moment(leader.since)} ({lasting(now_s - leader.since)})" if leader else NONE),
        ("position", _position(summary, now_s)),
        ("lag", lasting(summary.lag_s) if leader else NONE),
        ("config", _config(summary)),
    ]
    if read.intent is not None:
        what = f"{read.intent.kind.value} to {read.intent.to}" if read.intent.to else read.intent.kind.value
        until = f" until {moment(read.intent.until)}" if read.intent.until else ""
        why = f": {read.intent.reason}" if read.intent.reason else ""
        rows.append(("intent", f"{what} by {read.intent.by} since {moment(read.intent.at)}{until}{why}"))
    return facts(*rows, *(_details(summary) if extended else ()))


def _details(summary: Summary) -> list[tuple[str, str | Text]]:
    position = summary.facts.acknowledged.position if summary.facts.acknowledged else None
    told, revision = summary.told, summary.facts.revision
    behind = UNKNOWN if told is None or told.behind_bytes is None else f"{told.behind_bytes} bytes"
    return [
        ("gtid", position.gtid_set or NONE if position else NONE),
        ("server", position.server_uuid if position else NONE),
        ("source end", (told.source_end if told else "") or UNKNOWN),
        ("behind", behind),
        ("rows", str(told.rows_applied) if told and told.reached else UNKNOWN),
        ("queue", " ".join(summary.facts.contenders) or NONE),
        ("comment", (revision.comment if revision else "") or NONE),
    ]


def _position(summary: Summary, now_s: float) -> str:
    acknowledged = summary.facts.acknowledged
    if acknowledged is None:
        return NONE
    age_s = now_s - acknowledged.acknowledged_at if acknowledged.acknowledged_at else None
    if age_s is not None and age_s > QUIET_S and summary.up_to_date:
        when = f"nothing new since {moment(acknowledged.acknowledged_at)}"
    else:
        when = f"acknowledged {UNKNOWN if age_s is None else lasting(age_s)} ago"
    return f"{place(acknowledged.position)} (batch {acknowledged.seq}, {when})"


def _config(summary: Summary) -> str:
    revision, told = summary.facts.revision, summary.told
    text = NONE
    if revision is not None:
        text = f"revision {revision.revision} by {revision.applied_by}, {moment(revision.applied_at)}"
    newest = revision.revision if revision is not None else 0
    if told is not None and told.reached and told.config_revision != newest:
        text += f"; in force: {told.config_revision}"
    return text


def _members(summary: Summary, now_s: float, *, extended: bool) -> RenderableType:
    name, members = summary.facts.stream, summary.facts.members
    columns = ("MEMBER", "ROLE", "EPOCH", "ADDRESS", "VERSION", "RESTARTS")
    if not extended:
        return table(*columns, rows=[_member(each, name) for each in members], spare=("VERSION", "ADDRESS", "EPOCH"))
    rows = [[*_member(each, name), *_process(each, name, now_s)] for each in members]
    more = ("HOST", "PID", "UP", "MEANT AS", "DETAIL")
    return table(*columns, *more, rows=rows, spare=("VERSION", "HOST", "ADDRESS", "MEANT AS", "EPOCH"))


def _member(member: Member, stream: str) -> list[str | Text]:
    said = member.streams[stream]
    restarts = f"{member.restarts} ({member.last_exit})" if member.restarts else "0"
    role = f"{said.role}, drained" if member.drained else said.role
    return [member.id, role, str(said.epoch or NONE), member.address or NONE, member.version or NONE, restarts]


def _process(member: Member, stream: str, now_s: float) -> list[str | Text]:
    said = member.streams[stream]
    up = lasting(now_s - member.started_at) if member.started_at else NONE
    return [member.host or NONE, str(member.pid or NONE), up, said.eligibility.value, said.detail or NONE]
