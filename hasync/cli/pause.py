"""``hasync pause``: maintenance; no instance leads until somebody resumes."""

from functools import partial
from typing import Annotated

import typer

from hasync.cli.invocation import Invocation, invocation, meant
from hasync.cli.messages import say
from hasync.cli.options import AllOption, DryRunOption, ReasonOption, StreamOption, WithinOption, seconds
from hasync.cli.waiting import wait_for
from hasync.cli.wording import moment
from hasync.coordination import StreamCoordination
from hasync.fleet import wishes

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def pause(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    every: AllOption = False,
    reason: ReasonOption = "",
    for_s: Annotated[
        float | None,
        typer.Option("--for", parser=seconds, metavar="DURATION", help="Resume by itself after this, such as 30m."),
    ] = None,
    dry_run: DryRunOption = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when nobody leads or contends any more.")] = False,
    within_s: WithinOption = 60.0,
) -> None:
    """Pause a stream, or all, until resumed: maintenance.

    The leader applies what it has read, acknowledges and steps down, and nobody is elected.
    An instance whose streams are all paused is in maintenance: its supervisor restarts
    nothing for being silent. The wish is kept in ZooKeeper until 'hasync resume', also
    over restarts of all instances; with --for the instances themselves withdraw it, within
    ten seconds of that time. It is shown by 'status', by the metrics hasync_state and
    hasync_maintenance, and in the notes of /readyz: a paused instance is ready.

    \b
    hasync pause --reason 'Redis upgrade' --for 30m --wait
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    with call.connect() as cluster:
        streams = meant(call, cluster, stream, every=every)
        for ports in streams:
            say(f"{ports.stream}: {_asked(call, ports, reason, for_s, dry_run=dry_run)}")
        for ports in streams if wait and not dry_run else ():
            busy = f"{ports.stream}: somebody still leads or contends"
            wait_for(partial(idle, ports), else_say=busy, within_s=within_s, clock=call.clock)
            say(f"{ports.stream}: paused, nobody leads or contends")


def _asked(call: Invocation, ports: StreamCoordination, reason: str, for_s: float | None, *, dry_run: bool) -> str:
    """Pause a stream, and say what was done or would be."""
    until = "" if for_s is None else f" until {moment(call.clock.wall() + for_s)}"
    if dry_run:
        leader = ports.terms.leader()
        who = f"{leader.member} would step down" if leader else "nobody leads it now"
        return f"would be paused{until}, {who}; nothing is changed"
    wishes.pause(ports, wishes.Operator(by=call.operator, at=call.clock.wall(), reason=reason), for_s=for_s)
    return f"pause is asked for{until}"


def idle(ports: StreamCoordination) -> bool:
    """Whether nobody leads a stream nor waits to."""
    return ports.terms.leader() is None and not ports.election.contenders()
