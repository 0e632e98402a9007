"""``hasync status``: what the cluster does, stream by stream."""

import threading
from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from hasync.cli.instances import document, instances, spread
from hasync.cli.invocation import Cluster, Invocation, existing, invocation
from hasync.cli.messages import say
from hasync.cli.options import Format, OutputOption
from hasync.cli.output import console, emit, facts, table
from hasync.cli.wording import NONE, UNKNOWN, lasting, moment, place
from hasync.errors import CoordinationUnavailable
from hasync.fleet.leaderstatus import ask_leader
from hasync.fleet.summary import Facts, Summary

app = typer.Typer(rich_markup_mode=None, add_completion=False)

DEGRADED: Final = 3
"""Exit code when a stream does not do its work."""

WATCH_EVERY_S: Final = 2.0

QUIET_S: Final = 10.0
"""An acknowledgement older than this means an idle stream, when its leader trails nothing."""

STYLES: Final = {"ok": "green", "disabled": "yellow", "paused": "yellow", "degraded": "bold red"}


@app.command()
def status(
    ctx: typer.Context,
    *,
    stream: Annotated[
        list[str] | None, typer.Option("--stream", "-s", metavar="NAME", help="Only this one; may be given again.")
    ] = None,
    output: OutputOption = Format.TABLE,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it every 2 s until Ctrl-C; JSON as a line each.")
    ] = False,
) -> None:
    """Show leaders, positions, lag and trouble; of several streams also how they are spread.

    Exits with 3 when a stream is degraded: no leader (paused, too), halted, its config
    refused, its leader degraded or not reachable at its admin port; with 1 when
    ZooKeeper cannot be asked. A missing standby is a warning only. The lag is the
    leader's own word, '?' when it could not be asked.
    """
    call = invocation(ctx)
    with call.connect() as cluster:
        if watch:
            _watch(call, cluster, stream or [], output)
        summaries = summarise(cluster, stream or [])
        _show(call, summaries, output)
    if any(summary.problems for summary in summaries):
        raise typer.Exit(DEGRADED)


def summarise(cluster: Cluster, asked: Sequence[str]) -> list[Summary]:
    """Look at the streams asked for, or at all. Raises HasyncError for one that does not exist."""
    members = cluster.members.list()
    running = {name for member in members for name in member.streams}
    for name in set(asked) - running:
        existing(cluster, name)
    names = asked or sorted({*cluster.catalog.names(), *running})
    return [_summary(Facts.read(cluster.stream(name), members)) for name in names]


def _summary(read: Facts) -> Summary:
    told = ask_leader(read.leader, read.stream) if read.leader else None
    return Summary(facts=read, told=told)


def _show(call: Invocation, summaries: Sequence[Summary], output: Format, *, repeated: bool = False) -> None:
    if not summaries:
        say(f"no stream below {call.settings.zookeeper.root}; 'hasync config apply' makes one")
    members = instances(summaries)
    told = {"streams": [summary.to_json() for summary in summaries], "instances": [document(each) for each in members]}
    emit(told, output, *_tables(summaries, call.clock.wall()), repeated=repeated)


def _tables(summaries: Sequence[Summary], now_s: float) -> list[RenderableType]:
    """Return each stream's picture, and behind several streams how they are spread over the instances."""
    shown = [picture for summary in summaries for picture in pictures(summary, now_s)]
    return [*shown, spread(instances(summaries))] if len(summaries) > 1 else shown


def _watch(call: Invocation, cluster: Cluster, asked: Sequence[str], output: Format) -> None:
    """Show it again and again; ends by KeyboardInterrupt."""
    never, screen = threading.Event(), console()
    if output is not Format.TABLE or not screen.is_terminal:
        while True:
            _show(call, summarise(cluster, asked), output, repeated=True)
            call.clock.wait(never, WATCH_EVERY_S)
    with Live(console=screen, auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            live.update(_frame(call, cluster, asked), refresh=True)
            call.clock.wait(never, WATCH_EVERY_S)


def _frame(call: Invocation, cluster: Cluster, asked: Sequence[str]) -> RenderableType:
    now = call.clock.wall()
    try:
        summaries = summarise(cluster, asked)
    except CoordinationUnavailable as error:
        return Text(f"{moment(now)}  ZooKeeper does not answer: {error.message}", style=STYLES["degraded"])
    return Group(Text(moment(now), style="dim"), *_tables(summaries, now))


def pictures(summary: Summary, now_s: float) -> list[RenderableType]:
    """Return a summary as people read it; ``now_s``: Unix seconds."""
    shown: list[RenderableType] = [_head(summary, now_s)]
    if summary.facts.members:
        shown.append(_members(summary))
    shown += [Text(f"✘ {problem}", style="red") for problem in summary.problems]
    shown += [Text(f"! {warning}", style="yellow") for warning in summary.warnings]
    return [*shown, Text("")]


def _head(summary: Summary, now_s: float) -> RenderableType:
    read, leader = summary.facts, summary.facts.leader
    rows: list[tuple[str, str | Text]] = [
        ("stream", read.stream),
        ("state", Text(summary.state, style=STYLES[summary.state])),
        ("leader", f"{leader.member} (epoch {leader.epoch})" if leader else NONE),
        ("since", f"{moment(leader.since)} ({lasting(now_s - leader.since)})" if leader else NONE),
        ("position", _position(summary, now_s)),
        ("lag", lasting(summary.lag_s)),
        ("config", _config(summary)),
    ]
    if read.intent is not None:
        what = f"{read.intent.kind.value} to {read.intent.to}" if read.intent.to else read.intent.kind.value
        rows.append(("intent", f"{what} by {read.intent.by} since {moment(read.intent.at)}"))
    return facts(*rows)


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


def _members(summary: Summary) -> RenderableType:
    read = summary.facts
    rows = []
    for member in read.members:
        said = member.streams[read.stream]
        restarts = f"{member.restarts} ({member.last_exit})" if member.restarts else "0"
        rows.append(
            [member.id, said.role, str(said.epoch or NONE), member.address or NONE, member.version or NONE, restarts]
        )
    return table("MEMBER", "ROLE", "EPOCH", "ADDRESS", "VERSION", "RESTARTS", rows=rows)
