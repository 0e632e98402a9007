"""``hasync pause``: no instance leads until somebody resumes."""

from typing import Annotated

import typer

from hasync.cli.invocation import existing, invocation
from hasync.cli.messages import say
from hasync.cli.options import StreamOption, WithinOption
from hasync.cli.waiting import wait_for
from hasync.coordination import StreamCoordination
from hasync.model.cluster import Intent, IntentKind

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def pause(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks at the status.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Return when nobody leads or contends any more.")] = False,
    within_s: WithinOption = 60.0,
) -> None:
    """Pause a stream until it is resumed.

    The leader applies what it has read, acknowledges and steps down, and nobody follows.
    The wish is kept in ZooKeeper until 'hasync resume', also over restarts of all instances.
    """
    call = invocation(ctx)
    name = call.stream(stream)
    with call.connect() as cluster:
        ports = existing(cluster, name)
        ports.intents.put(Intent(kind=IntentKind.PAUSE, by=call.operator, at=call.clock.wall(), reason=reason))
        say(f"{name}: pause is asked for")
        if wait:
            busy = f"{name}: somebody still leads or contends"
            wait_for(lambda: idle(ports), else_say=busy, within_s=within_s, clock=call.clock)
            say(f"{name}: paused, nobody leads or contends")


def idle(ports: StreamCoordination) -> bool:
    """Whether nobody leads a stream nor waits to."""
    return ports.terms.leader() is None and not ports.election.contenders()
