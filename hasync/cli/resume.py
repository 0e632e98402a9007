"""``hasync resume``: withdraw a pause, clear a halt."""

from typing import Annotated

import typer

from hasync.cli.invocation import existing, invocation
from hasync.cli.messages import say
from hasync.cli.options import StreamOption, WithinOption
from hasync.cli.waiting import wait_for
from hasync.coordination import StreamCoordination
from hasync.model.cluster import Halt, Intent

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def resume(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when an instance leads.")] = False,
    within_s: WithinOption = 60.0,
) -> None:
    """Let a paused or halted stream go on.

    Withdraws the pause and clears the halt, and says which of them there was. After a
    halt, remove its cause first, or the stream halts again.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        ports = existing(cluster, name)
        for line in _released(ports):
            say(f"{name}: {line}")
        if wait:
            wait_for(
                f"{name} has a leader",
                lambda: ports.terms.leader() is not None,
                within_s=within_s,
                clock=call.clock,
            )
            say(f"{name}: {_leading(ports)}")


def _released(ports: StreamCoordination) -> list[str]:
    """Withdraw the pause, clear the halt, and say what was done."""
    intent, halt = ports.intents.get(), ports.halts.get()
    done = []
    if intent is not None and ports.intents.clear():
        done.append(_withdrawn(intent))
    if halt is not None and ports.halts.clear():
        done.append(_cleared(halt))
    return done or ["was neither paused nor halted"]


def _withdrawn(intent: Intent) -> str:
    return f"pause by {intent.by} is withdrawn" + (f" (its reason: {intent.reason})" if intent.reason else "")


def _cleared(halt: Halt) -> str:
    return f"halt is cleared ({halt.code}: {halt.reason})"


def _leading(ports: StreamCoordination) -> str:
    leader = ports.terms.leader()
    return f"{leader.member} leads, epoch {leader.epoch}" if leader else "had a leader a moment ago"
