"""``hasync switchover``: another instance leads, in order."""

import threading
from collections.abc import Callable
from typing import Annotated

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
from hasync.cli.waiting import EVERY_S, wait_for
from hasync.coordination import StreamCoordination
from hasync.errors import EndReason, HasyncError
from hasync.fleet import wishes
from hasync.fleet.succession import NotYet, Plan, planned
from hasync.fleet.summary import Facts
from hasync.model.cluster import Intent, Leader

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def switchover(
    ctx: typer.Context,
    *,
    stream: StreamArgument = None,
    named: StreamOption = None,
    candidate: CandidateOption = None,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Return when the other instance leads; one that has just started is waited for."),
    ] = False,
    within_s: WithinOption = 60.0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Have another instance lead a stream, in order.

    The leader goes on until its successor stands next in the election; then it applies
    what it has read, acknowledges and steps down, within a fraction of a second. Refused
    while nobody leads, and when the successor is not there or could not lead. If it does
    not come to stand there, nothing has been interrupted; one that died or froze while it
    stood there costs what is left of its ZooKeeper session, then another one leads.
    Asking again for the same is no error. Who asked, when and why is in 'hasync history'.

    \b
    hasync switchover orders --candidate hasync-1 --reason 'new kernel' --wait
    """  # noqa: D301 - \b keeps the lines of the examples apart
    call = invocation(ctx)
    name = call.stream(either(stream, named))
    with call.connect() as cluster:
        ports = existing(cluster, name)
        plan = _planned(call, lambda: Facts.read(ports, cluster.members.list()), candidate, within_s if wait else 0.0)
        for warning in plan.warnings:
            warn(f"{name}: {warning}")
        if not dry_run and not plan.done and plan.standing is None:
            ask(call, f"Have {plan.leader.member} hand {name} over to {plan.target}?", yes=yes)
        leader = None if dry_run else _carry_out(call, cluster, plan, reason, within_s if wait else None)
    document = plan.to_json(asked=not dry_run and not plan.done, leader=leader)
    emit(document, output, facts(*((key, plain(value)) for key, value in document.items())))
    if dry_run:
        say("nothing is changed; the same without --dry-run does it")


def _planned(call: Invocation, look: Callable[[], Facts], candidate: str | None, within_s: float) -> Plan:
    """Decide; an instance that has just started is waited for."""
    deadline = call.clock.monotonic() + within_s
    while True:
        try:
            return planned(look(), candidate)
        except NotYet:
            if call.clock.monotonic() >= deadline:
                raise
        call.clock.wait(threading.Event(), EVERY_S)


def _carry_out(call: Invocation, cluster: Cluster, plan: Plan, reason: str, within_s: float | None) -> Leader | None:
    """Ask, and wait if told to; return who leads then, None when that was not waited for."""
    if plan.done:
        say(f"{plan.stream}: {plan.target} leads already, epoch {plan.leader.epoch}")
        return plan.leader
    ports = cluster.stream(plan.stream)
    operator = wishes.Operator(by=call.operator, at=call.clock.wall(), reason=reason)
    intent = wishes.hand_over(ports, plan, operator)
    say(f"{plan.stream}: {intent.by} asked {plan.leader.member} to hand over to {plan.target}")
    if within_s is None:
        return None
    succession = Succession(ports, intent, plan.leader)
    wait_for(succession.over, else_say=f"{plan.stream}: nobody has taken over", within_s=within_s, clock=call.clock)
    say(f"{plan.stream}: {succession.words}")
    return succession.now


class Succession:
    """Waits for the successor. ``now``: who leads, once it is over."""

    def __init__(self, ports: StreamCoordination, intent: Intent, before: Leader) -> None:
        self._ports = ports
        self._intent = intent
        self._before = before
        self.now: Leader | None = None

    def over(self) -> bool:
        """Look once. Raises HasyncError when it was given up, or somebody else leads."""
        standing = self._ports.intents.get() == self._intent  # first: it goes after the old leader has gone
        leader = self._ports.terms.leader()
        if leader is None:
            return False
        if leader.member == self._before.member and leader.epoch >= self._before.epoch:
            if standing:
                return False
            raise self._back_at(leader)
        self.now = leader
        if leader.member != self._intent.to:
            raise HasyncError(f"{self._ports.stream}: {self.words}, not {self._intent.to}")
        return True

    def _back_at(self, leader: Leader) -> HasyncError:
        """Say what became of it where the old leader leads: it never gave way, or the successor did not lead."""
        stream, to = self._ports.stream, self._intent.to
        span = range(self._before.epoch, leader.epoch)
        if any(term.epoch in span and term.end_reason is EndReason.HANDOVER for term in self._ports.terms.history(20)):
            return HasyncError(
                f"{stream}: {leader.member} leads again, epoch {leader.epoch}: "
                f"{to} was given the lead and did not take it",
                hint=f"nobody wrote in between, for how long shows 'hasync history'; is {to} still there?",
            )
        return HasyncError(
            f"{stream}: given up, {leader.member} goes on: {to} did not come forward in time",
            hint=f"nothing was interrupted; see why in the log of {to}, then try again",
        )

    @property
    def words(self) -> str:
        """Who leads."""
        return f"{self.now.member} leads, epoch {self.now.epoch}" if self.now else "nobody leads"
