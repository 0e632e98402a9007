"""``hasync resume``: withdraw a pause, clear a halt."""

from typing import Annotated

import typer

from hasync.cli.invocation import Cluster, invocation, meant
from hasync.cli.messages import say
from hasync.cli.options import AllOption, DryRunOption, StreamOption, WithinOption
from hasync.cli.waiting import wait_for
from hasync.coordination import StreamCoordination
from hasync.errors import HasyncError
from hasync.fleet import wishes
from hasync.fleet.summary import Facts
from hasync.model.cluster import Leader

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def resume(
    ctx: typer.Context,
    *,
    stream: StreamOption = None,
    every: AllOption = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when an instance leads.")] = False,
    within_s: WithinOption = 60.0,
    dry_run: DryRunOption = False,
) -> None:
    """Let a paused or halted stream, or all, go on.

    Withdraws the pause and clears the halt, and says which of them there was. After a
    halt, remove its cause first, or the stream halts again; --wait then ends at once
    with the new halt and exit code 1.
    """
    call = invocation(ctx)
    with call.connect() as cluster:
        streams = meant(call, cluster, stream, every=every)
        for ports in streams:
            for line in _foretold(cluster, ports) if dry_run else _released(cluster, ports):
                say(f"{ports.stream}: {line}")
        for ports in streams if wait and not dry_run else ():
            leading = Leading(ports)
            nobody = f"{ports.stream}: no instance leads"
            wait_for(leading.settled, else_say=nobody, within_s=within_s, clock=call.clock)
            say(f"{ports.stream}: {leading.words}")


class Leading:
    """Waits for a leader that stays: the same one at two looks, since a halt may follow an election at once."""

    def __init__(self, ports: StreamCoordination) -> None:
        self._ports = ports
        self._seen: Leader | None = None

    def settled(self) -> bool:
        """Look once. Raises HasyncError when the stream has halted again."""
        halt = self._ports.halts.get()
        if halt is not None:
            raise HasyncError(
                f"{self._ports.stream}: halted again by {halt.member}: {halt.code}: {halt.reason}",
                hint="; ".join(part for part in (halt.hint, f"then 'hasync resume -s {self._ports.stream}'") if part),
            )
        before, self._seen = self._seen, self._ports.terms.leader()
        return before is not None and self._seen is not None and before.epoch == self._seen.epoch

    @property
    def words(self) -> str:
        """Who leads."""
        return f"{self._seen.member} leads, epoch {self._seen.epoch}" if self._seen else "no instance leads"


def _foretold(cluster: Cluster, ports: StreamCoordination) -> list[str]:
    """Say what would be withdrawn and cleared."""
    facts = Facts.read(ports, cluster.members.list())
    lines = [f"would withdraw the {facts.intent.kind.value} by {facts.intent.by}"] if facts.intent else []
    if facts.halt is not None:
        lines.append(f"would clear the halt ({facts.halt.code}: {facts.halt.reason})")
    return [f"{line}; nothing is changed" for line in lines] or ["is neither paused nor halted"]


def _released(cluster: Cluster, ports: StreamCoordination) -> tuple[str, ...]:
    return wishes.resume(ports, cluster.members.list()) or ("was neither paused nor halted",)
