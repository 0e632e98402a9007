"""``hasync history``: who led a stream, when, and why it ended."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from hasync.cli.invocation import existing, invocation
from hasync.cli.options import Format, NumberOption, OutputOption, StreamOption
from hasync.cli.output import emit, table
from hasync.cli.wording import NONE, UNKNOWN, lasting, moment, place
from hasync.fleet.takeovers import ending
from hasync.model.cluster import Leader, TermRecord
from hasync.term.takeover import Step

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def history(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    number: NumberOption = 20,
    extended: Annotated[
        bool, typer.Option("--extended", "-e", help="Also positions, the steps of each takeover, and the note.")
    ] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show who led a stream, and why it ended.

    One line for each term, newest first: epoch, member, since when, for how long, the
    reason of its end. WHY is what its leader said of it, where the reason does not say all.
    TAKEOVER is how long it took from seeing the predecessor gone to the first batch
    applied, with -e step by step. NOTE is how its start was decided: 'agree' means that
    Redis and ZooKeeper had the same position. A term without an end is running, or its
    leader died without a word.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        ports = existing(cluster, name)
        leader, terms = ports.terms.leader(), ports.terms.history(number)
    document = [{**term.to_json(), "ended": ending(term, leader)} for term in terms]
    emit(document, output, _table(terms, leader, call.clock.wall(), extended=extended))


COLUMNS = ("EPOCH", "MEMBER", "SINCE", "LASTED", "ENDED", "TAKEOVER", "WHY")
MORE = ("BEGIN", "END", "NOTE", "STEPS OF THE TAKEOVER")


def _table(terms: Sequence[TermRecord], leader: Leader | None, now_s: float, *, extended: bool) -> RenderableType:
    if extended:
        return table(*COLUMNS, *MORE, rows=[[*_row(term, leader, now_s), *_more(term)] for term in terms])
    spare = ("TAKEOVER", "SINCE", "WHY")
    return table(*COLUMNS, rows=[_row(term, leader, now_s) for term in terms], spare=spare)


def _row(term: TermRecord, leader: Leader | None, now_s: float) -> list[str | Text]:
    return [
        str(term.epoch),
        term.member,
        moment(term.since),
        lasted(term, leader, now_s),
        ending(term, leader),
        f"{sum(term.takeover_ms.values()):.0f} ms" if term.takeover_ms else NONE,
        term.message or NONE,
    ]


def _more(term: TermRecord) -> list[str | Text]:
    return [place(term.begin), place(term.end), term.note or NONE, takeover(term)]


def lasted(term: TermRecord, leader: Leader | None, now_s: float) -> str:
    """Say how long a term lasted; of one that ended without a word nobody knows."""
    if term.until is None and (leader is None or leader.epoch != term.epoch):
        return UNKNOWN
    return lasting((now_s if term.until is None else term.until) - term.since)


def takeover(term: TermRecord) -> str:
    """Say how long each step of the takeover took, in milliseconds."""
    steps = {step.value: term.takeover_ms[step] for step in Step if step in term.takeover_ms}
    return " ".join(f"{step} {took:.0f}" for step, took in steps.items()) or NONE
