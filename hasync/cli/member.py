"""``hasync member``: the instances, and giving one's streams away."""

from collections.abc import Sequence
from typing import Annotated

import typer

from hasync.cli.consent import ask
from hasync.cli.instances import document, spread
from hasync.cli.invocation import Cluster, Invocation, invocation
from hasync.cli.messages import say, warn
from hasync.cli.options import DryRunOption, Format, OutputOption, ReasonOption, WithinOption, YesOption
from hasync.cli.output import emit
from hasync.cli.suggestions import member_names
from hasync.cli.waiting import wait_for
from hasync.errors import HasyncError
from hasync.model.drain import Drain
from hasync.model.member import Eligibility, Member
from hasync.model.names import nearest

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Look at instances, and have one give its streams away.",
)

MemberArgument = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="The instance's id.", autocompletion=member_names)
]
OwnOption = Annotated[
    bool, typer.Option("--self", help="The instance of this environment: HASYNC_MEMBER_ID, or the host's name.")
]


@app.command("list")
def list_members(ctx: typer.Context, *, output: OutputOption = Format.TABLE) -> None:
    """List instances: what each leads, and which are drained.

    A line each, of those that are there now.
    """
    with invocation(ctx).connect() as cluster:
        members, drains = cluster.members.list(), cluster.drains.list()
    for drain in drains:
        if drain.member not in {member.id for member in members}:
            warn(f"{drain.member} is {drain.told}, and not there; 'hasync member undrain {drain.member}' forgets it")
    emit([document(member) for member in members], output, spread(members))


@app.command()
def drain(
    ctx: typer.Context,
    name: MemberArgument = None,
    *,
    own: OwnOption = False,
    reason: ReasonOption = "",
    wait: Annotated[bool, typer.Option("--wait", help="Return when it leads nothing.")] = False,
    within_s: WithinOption = 60.0,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Have an instance give its streams away, and take none, until it is undrained.

    For the time before its machine is worked on. It hands over in order what another
    instance can lead, the one with the fewest streams first, and gives way in elections.
    A stream that nobody else can lead it keeps: no stream stands still for a drain. The
    wish is kept in ZooKeeper, over restarts of the instance; nothing is rebalanced onto it.

    \b
    hasync member drain hasync-1 --reason 'new kernel' --wait
    hasync member undrain hasync-1
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    with call.connect() as cluster:
        member = _existing(cluster, _meant(call, name, own=own))
        led, stuck = _led(member), _stuck(cluster, member)
        say(f"{member.id}: leads {', '.join(led) or 'nothing'}")
        for stream in stuck:
            warn(f"{stream}: no other instance can lead it now, {member.id} would keep it")
        if dry_run:
            say("nothing is changed; the same without --dry-run does it")
            return
        if led:
            ask(call, f"Have {member.id} give {', '.join(led)} away?", yes=yes)
        cluster.drains.put(Drain(member=member.id, by=call.operator, at=call.clock.wall(), reason=reason))
        say(f"{member.id}: is drained from now on")
        if wait:
            still = f"{member.id}: still leads something"
            wait_for(lambda: not _leads(cluster, member.id), else_say=still, within_s=within_s, clock=call.clock)
            say(f"{member.id}: leads nothing")


@app.command()
def undrain(
    ctx: typer.Context, name: MemberArgument = None, *, own: OwnOption = False, dry_run: DryRunOption = False
) -> None:
    """Have a drained instance lead streams again.

    It takes them as the next elections and the spreading of streams bring them. It need
    not be there.
    """
    call = invocation(ctx)
    with call.connect() as cluster:
        meant = _meant(call, name, own=own)
        drains = {each.member: each for each in cluster.drains.list()}
        if meant not in drains:
            say(f"{meant}: was not drained")
            if name and meant not in {member.id for member in cluster.members.list()}:
                raise HasyncError(f"there is no instance {meant!r}", hint=_known(cluster, meant))
        elif dry_run:
            say(f"{meant}: would be undrained, it is {drains[meant].told}; nothing is changed")
        elif cluster.drains.clear(meant):
            say(f"{meant}: leads streams again; it was {drains[meant].told}")


def _meant(call: Invocation, name: str | None, *, own: bool) -> str:
    """Return the id that is meant. Raises typer.BadParameter when that is not clear."""
    if (name is None) == (not own):
        raise typer.BadParameter("name an instance, or say --self", param_hint="NAME")
    return name or call.settings.member_id


def _existing(cluster: Cluster, name: str) -> Member:
    """Return an instance that is there. Raises HasyncError."""
    for member in cluster.members.list():
        if member.id == name:
            return member
    raise HasyncError(f"there is no instance {name!r}", hint=_known(cluster, name))


def _known(cluster: Cluster, name: str) -> str:
    names = [member.id for member in cluster.members.list()]
    return nearest(name, names) or "no instance is there; 'hasync member list' shows them"


def _led(member: Member) -> list[str]:
    return sorted(name for name, status in member.streams.items() if status.role in {"leader", "draining"})


def _leads(cluster: Cluster, name: str) -> bool:
    """Whether the instance leads anything, by the leaders' own znodes: its status is a little behind."""
    members = {member.id: member for member in cluster.members.list()}
    streams: Sequence[str] = list(members[name].streams) if name in members else cluster.catalog.names()
    leaders = (cluster.stream(stream).terms.leader() for stream in streams)
    return any(leader is not None and leader.member == name for leader in leaders)


def _stuck(cluster: Cluster, member: Member) -> list[str]:
    """Name what it leads and nobody else could."""
    others = [other for other in cluster.members.list() if other.id != member.id and not other.drained]
    return [name for name in _led(member) if not any(_takes(other, name) for other in others)]


def _takes(member: Member, stream: str) -> bool:
    status = member.streams.get(stream)
    if status is None or status.role != "standby" or not status.able:
        return False
    return status.eligibility is not Eligibility.BARRED
