"""``hasync history``: who led a stream, when, and why it ended."""

from typing import Annotated, Any

import typer

from hasync.cli.invocation import existing, invocation
from hasync.cli.options import Format, OutputOption, StreamOption
from hasync.cli.output import emit, table
from hasync.cli.wording import NONE, moment, place
from hasync.fleet.takeovers import ending
from hasync.model.cluster import Leader, TermRecord
from hasync.term.takeover import Step

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def history(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    number: Annotated[int, typer.Option("-n", "--number", min=1, max=100, help="How many terms, newest first.")] = 20,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show who led a stream, and why it ended.

    One line for each term, newest first: epoch, member, from when to when, the reason of
    its end, from which position to which. NOTE is how its start was decided: 'agree' means
    that Redis and ZooKeeper had the same position. WHY is what its leader said of its end,
    where the reason does not say all. TAKEOVER is how long it took from seeing the
    predecessor gone to the first batch applied, step by step. A term without an end is running, or its leader died
    without a word.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        ports = existing(cluster, name)
        leader, terms = ports.terms.leader(), ports.terms.history(number)
    document = [{**term.to_json(), "ended": ending(term, leader)} for term in terms]
    emit(document, output, table(*COLUMNS, rows=[_row(term, leader) for term in terms]))


COLUMNS = ("EPOCH", "MEMBER", "SINCE", "UNTIL", "ENDED", "BEGIN", "END", "NOTE", "WHY", "TAKEOVER")


def _row(term: TermRecord, leader: Leader | None) -> list[Any]:
    return [
        str(term.epoch),
        term.member,
        moment(term.since),
        moment(term.until),
        ending(term, leader),
        place(term.begin),
        place(term.end),
        term.note or NONE,
        term.message or NONE,
        takeover(term),
    ]


def takeover(term: TermRecord) -> str:
    """Say how long the takeover took in all, and each step of it, in milliseconds."""
    steps = {step.value: term.takeover_ms[step] for step in Step if step in term.takeover_ms}
    if not steps:
        return NONE
    return f"{sum(steps.values()):.0f} ms: " + " ".join(f"{step} {took:.0f}" for step, took in steps.items())
