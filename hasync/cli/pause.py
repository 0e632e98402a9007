"""``hasync pause``: maintenance; no instance leads until somebody resumes."""

from functools import partial
from typing import Annotated

import typer

from hasync.cli.invocation import invocation, meant
from hasync.cli.messages import say
from hasync.cli.options import AllOption, StreamOption, WithinOption
from hasync.cli.waiting import wait_for
from hasync.coordination import StreamCoordination
from hasync.fleet import wishes

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def pause(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    every: AllOption = False,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks at the status.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Return when nobody leads or contends any more.")] = False,
    within_s: WithinOption = 60.0,
) -> None:
    """Pause a stream, or all, until resumed: maintenance.

    The leader applies what it has read, acknowledges and steps down, and nobody is elected.
    An instance whose streams are all paused is in maintenance: its supervisor restarts
    nothing for being silent. The wish is kept in ZooKeeper until 'hasync resume', also
    over restarts of all instances. It is shown by 'status', by the metrics hasync_state
    and hasync_maintenance, and in the notes of /readyz: a paused instance is ready.
    """
    call = invocation(ctx)
    with call.connect() as cluster:
        streams = meant(call, cluster, stream, every=every)
        for ports in streams:
            wishes.pause(ports, wishes.Operator(by=call.operator, at=call.clock.wall(), reason=reason))
            say(f"{ports.stream}: pause is asked for")
        for ports in streams if wait else ():
            busy = f"{ports.stream}: somebody still leads or contends"
            wait_for(partial(idle, ports), else_say=busy, within_s=within_s, clock=call.clock)
            say(f"{ports.stream}: paused, nobody leads or contends")


def idle(ports: StreamCoordination) -> bool:
    """Whether nobody leads a stream nor waits to."""
    return ports.terms.leader() is None and not ports.election.contenders()
