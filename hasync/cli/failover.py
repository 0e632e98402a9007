"""``hasync failover``: another instance leads, whether the leader answers or not."""

import typer

from hasync.cli.consent import ask
from hasync.cli.invocation import Cluster, Invocation, existing, invocation
from hasync.cli.messages import say, warn
from hasync.cli.options import (
    CandidateOption,
    DryRunOption,
    Format,
    OutputOption,
    ReasonOption,
    StreamArgument,
    StreamOption,
    WithinOption,
    YesOption,
    either,
)
from hasync.cli.output import emit, facts, plain
from hasync.cli.waiting import wait_for
from hasync.coordination import StreamCoordination
from hasync.errors import HasyncError
from hasync.fleet.failover import Forced, forced
from hasync.fleet.summary import Facts
from hasync.model.cluster import Leader

app = typer.Typer(rich_markup_mode=None, add_completion=False)

PATIENCE_S = 3.0
"""How long a leader has to hand over in order before the lock is taken from it."""


@app.command()
def failover(
    ctx: typer.Context,
    *,
    stream: StreamArgument = None,
    named: StreamOption = None,
    candidate: CandidateOption = None,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    within_s: WithinOption = 60.0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Have another instance lead a stream, though its leader does not answer.

    A leader that died is replaced without this, as soon as its ZooKeeper session ends. This
    is for one that hangs while its session lives, and for a queue whose first does not
    lead. All others give way to the candidate; the leader has three seconds to hand over in
    order, then the lock is taken from it. Its epoch fences whatever it may still send, so
    nothing is lost or applied twice. Refused while the stream is paused or halted, and when
    the candidate is not in the election. Returns when the candidate leads.

    \b
    hasync failover orders --candidate hasync-1 --reason 'hangs in NFS'
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    name = call.stream(either(stream, named))
    with call.connect() as cluster:
        ports = existing(cluster, name)
        last = next(iter(ports.terms.history(1)), None)
        plan = forced(Facts.read(ports, cluster.members.list()), candidate, last.epoch if last else 0)
        for warning in plan.warnings:
            warn(f"{name}: {warning}")
        taken, leader = None, plan.leader if plan.done else None
        if plan.done:
            say(f"{name}: {plan.target} leads already")
        elif not dry_run:
            ask(call, f"Have {plan.target} lead {name} instead of {plan.holder or 'nobody'}?", yes=yes)
            taken, leader = Takeover(call, cluster, ports, plan).carry_out(reason, within_s)
    document = plan.to_json(forced=taken, leader=leader)
    emit(document, output, facts(*((key, plain(value)) for key, value in document.items())))
    if dry_run:
        say("nothing is changed; the same without --dry-run does it")


class Takeover:
    """Carries a failover out."""

    def __init__(self, call: Invocation, cluster: Cluster, ports: StreamCoordination, plan: Forced) -> None:
        self._call = call
        self._cluster = cluster
        self._ports = ports
        self._plan = plan
        self._deadline_s = call.clock.monotonic() + PATIENCE_S
        self._taken = False
        self._leader: Leader | None = None

    def carry_out(self, reason: str, within_s: float) -> tuple[bool, Leader | None]:
        """Return whether the lock was taken, and who leads. Raises HasyncError when it does not come about."""
        call, plan = self._call, self._plan
        wish = plan.wish(by=call.operator, at=call.clock.wall(), reason=reason)
        self._ports.intents.put(wish)
        say(f"{plan.stream}: all others give way to {plan.target}")
        try:
            wait_for(
                self._over, else_say=f"{plan.stream}: {plan.target} does not lead", within_s=within_s, clock=call.clock
            )
        except HasyncError:
            self._ports.intents.settle(wish)
            raise
        if self._leader is not None:
            say(f"{plan.stream}: {self._leader.member} leads, epoch {self._leader.epoch}")
        return self._taken, self._leader

    def _over(self) -> bool:
        """Look once, and take the lock when it is time. Raises HasyncError when somebody else leads."""
        plan, leader = self._plan, self._ports.terms.leader()
        if leader is not None and leader.epoch > plan.epoch:
            self._leader = leader
            if leader.member != plan.target:
                raise HasyncError(f"{plan.stream}: {leader.member} leads, epoch {leader.epoch}, not {plan.target}")
            return True
        queue = self._ports.election.contenders()
        behind = len(queue) > 1 and queue[0] != plan.target and queue[1] == plan.target
        if behind and self._call.clock.monotonic() >= self._deadline_s and self._cluster.depose(plan.stream, queue[0]):
            self._taken = True
            say(f"{plan.stream}: {queue[0]} did not hand over, its lock is taken")
        return False
