"""``hasync list``: a line for each stream."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from hasync.cli.invocation import invocation
from hasync.cli.options import Format, OutputOption, StreamsOption, WatchOption
from hasync.cli.output import table
from hasync.cli.status import STYLES
from hasync.cli.watching import Screen, summarise
from hasync.cli.wording import NONE, lasting, place
from hasync.fleet.summary import Summary

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def list_streams(
    ctx: typer.Context,
    *,
    stream: StreamsOption = None,
    extended: Annotated[
        bool, typer.Option("--extended", "-e", help="Also since when, the position, and the instances that stand by.")
    ] = False,
    output: OutputOption = Format.TABLE,
    watch: WatchOption = False,
) -> None:
    """List streams: state, leader, lag.

    A line each; 'hasync status' says why one is not ok, and exits with 3 then. This exits
    with 0 whatever it shows. LAG is the leader's own word, '?' when it could not be asked.
    """
    call = invocation(ctx)
    with call.connect() as cluster:
        screen = Screen(call, cluster, output, lambda summaries, now_s: [streams(summaries, now_s, extended=extended)])
        if watch:
            screen.watch(stream or [])
        screen.show(summarise(cluster, stream or []))


def streams(summaries: Sequence[Summary], now_s: float, *, extended: bool) -> RenderableType:
    """Return the table; ``now_s``: Unix seconds."""
    columns = ("STREAM", "STATE", "LEADER", "EPOCH", "LAG", "STANDBYS", "CONFIG")
    if extended:
        return table(
            *columns,
            "SINCE",
            "POSITION",
            "STANDING BY",
            rows=[[*_row(each), *_more(each, now_s)] for each in summaries],
            spare=("STANDING BY", "SINCE", "POSITION", "CONFIG", "EPOCH", "STANDBYS"),
        )
    return table(*columns, rows=[_row(each) for each in summaries], spare=("CONFIG", "EPOCH", "STANDBYS"))


def _row(summary: Summary) -> list[str | Text]:
    facts, leader = summary.facts, summary.facts.leader
    return [
        facts.stream,
        Text(summary.state, style=STYLES[summary.state]),
        leader.member if leader else NONE,
        str(leader.epoch) if leader else NONE,
        lasting(summary.lag_s) if leader else NONE,
        str(len(_standbys(summary))),
        str(facts.revision.revision) if facts.revision else NONE,
    ]


def _more(summary: Summary, now_s: float) -> list[str | Text]:
    facts, leader = summary.facts, summary.facts.leader
    return [
        lasting(now_s - leader.since) if leader else NONE,
        place(facts.acknowledged.position if facts.acknowledged else None),
        " ".join(_standbys(summary)) or NONE,
    ]


def _standbys(summary: Summary) -> list[str]:
    return [name for name, role in summary.facts.roles().items() if role == "standby"]
