"""Runs drills one after the other: puts eyes, probe and conductor together, and makes a report of each."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from hasync import __version__
from hasync.cli.invocation import Cluster, Invocation, ProbeAccount, Servers, existing
from hasync.cli.messages import say, warn
from hasync.cli.places import config_of
from hasync.coordination import StreamCoordination
from hasync.drill.conductor import Conductor, require_leader
from hasync.drill.eyes import Eyes
from hasync.drill.findings import find, injected_at
from hasync.drill.kinds import Request
from hasync.drill.plan import Plan, Step
from hasync.drill.probe import Probe
from hasync.drill.recording import Recording
from hasync.drill.report import Evidence, report
from hasync.errors import HasyncError
from hasync.fleet.leaderstatus import ask_leader
from hasync.model.cluster import Leader

TERMS_SHOWN = 12
"""Records of terms that are looked through: more than a drill makes."""


class DrillRun:
    """All drills of one command, on one stream. ``within_s``: how long undoing each may take."""

    def __init__(self, call: Invocation, stream: str, account: ProbeAccount | None, *, within_s: float) -> None:
        self._call = call
        self._stream = stream
        self._account = account
        self._within_s = within_s

    def all(self, plan: Plan) -> list[dict[str, Any]]:
        """Run them; return their reports. One that is not undone is the last.

        Raises HasyncError when an instance refuses, or the stream is not fit for a drill.
        """
        with self._call.connect() as cluster:
            return list(self._reports(cluster, plan))

    def _reports(self, cluster: Cluster, plan: Plan) -> Iterator[dict[str, Any]]:
        for number, step in enumerate(plan.steps):
            if number:
                self._call.clock.wait(threading.Event(), plan.pause_s)
            made = self._one(cluster, step)
            say(f"{step.kind.value}: {'passed' if made['passed'] else 'failed'}")
            yield made
            if not made["undone"]["done"]:
                return

    def _one(self, cluster: Cluster, step: Step) -> dict[str, Any]:
        call, ports, recording = self._call, existing(cluster, self._stream), Recording()
        require_leader(ports.terms, self._stream)  # before the probe, whose first row nobody would apply
        servers = call.servers(self._stream, config_of(ports))
        request = Request(
            id=secrets.token_hex(8),
            kind=step.kind,
            stream=self._stream,
            by=call.operator,
            for_s=step.for_s,
            within_s=self._within_s,
        )
        eyes = Eyes(sink=servers.sink(), terms=ports.terms, lag_s=self._lag_s, recording=recording, clock=call.clock)
        with ExitStack() as stack:
            probe = self._probe(stack, request, servers, recording)
            with ExitStack() as watching:
                watching.enter_context(eyes.watching())
                if probe is not None:
                    watching.enter_context(probe.beating())
                undoing = self._conductor(cluster, ports, recording).conduct(request)
            tally = probe.tally() if probe else None
        samples = recording.samples()
        started_at = call.clock.wall() - (call.clock.monotonic() - injected_at(samples))
        evidence = Evidence(
            samples=samples,
            findings=find(samples, tally, for_s=step.for_s),
            undoing=undoing,
            terms=ports.terms.history(TERMS_SHOWN),
            blind=eyes.blind,
            started_at=started_at,
            version=__version__,
        )
        return report(request, step.budgets, evidence)

    def _conductor(self, cluster: Cluster, ports: StreamCoordination, recording: Recording) -> Conductor:
        return Conductor(
            drills=cluster.drills(self._stream),
            terms=ports.terms,
            members=cluster.members,
            recording=recording,
            clock=self._call.clock,
            say=say,
        )

    def _probe(self, stack: ExitStack, request: Request, servers: Servers, recording: Recording) -> Probe | None:
        """Return the probe, if one is asked for; it is taken away again when ``stack`` ends."""
        if self._account is None:
            return None
        table, counts = servers.probe(self._account)
        probe = Probe(drill=request.id, table=table, counts=counts, recording=recording, clock=self._call.clock)
        stack.callback(_clean, probe)
        return probe

    def _lag_s(self, leader: Leader) -> float | None:
        return ask_leader(leader, self._stream).lag_s


def _clean(probe: Probe) -> None:
    """Take the probe's rows away. That this failed must not hide what the drill found."""
    try:
        probe.clean()
    except HasyncError as error:
        warn(f"the probe's rows stay: {error}")
