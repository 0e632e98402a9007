"""The story that the demo tells: elect, work, kill the leader, go on, catch up, audit."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from demo import audit, content, ledger, statekey
from demo.fleet import Instance
from demo.picture import Picture, Rate, Seat, SinkRows
from demo.screen import Screen
from demo.servers import Servers
from demo.statekey import State, TakeoverWatch
from demo.verdict import DemoFailed, Takeover, Verdict
from demo.workload import NOTHING, Workload

LEADER_WITHIN_S = 30.0
TAKEOVER_WITHIN_S = 20.0
CAUGHT_UP_WITHIN_S = 60.0

KILL_AT = 0.4
"""Share of the workload's time that passes before the leader is killed."""

_GLANCE_S = 0.02
_REDRAW_S = 0.2
_MOST_FINDINGS = 20

Answer = TypeVar("Answer")


class Drill:
    """Runs the story once. Called from: the main thread."""

    def __init__(self, *, servers: Servers, screen: Screen, state_key: str, seconds: float, began_at: float) -> None:
        self._servers = servers
        self._screen = screen
        self._state_key = state_key
        self._seconds = seconds
        self._began_at = began_at
        self._redis = servers.redis()
        self._instances: tuple[Instance, ...] = ()
        self._workload: Workload | None = None
        self._phase = "starting"
        self._drawn_at = 0.0
        self._rates = (Rate(), Rate())
        self._sink_rows = SinkRows()
        self.takeover = Takeover()

    def tell(self, event: str) -> None:
        """Show an event."""
        self._screen.tell(time.monotonic() - self._began_at, event)

    def run(self, instances: tuple[Instance, ...], workload: Workload) -> Verdict:
        """Tell the story and judge it. Raises DemoFailed."""
        self._instances = instances
        self._elect()
        with ExitStack() as stack:
            self._workload = workload
            stack.callback(workload.stop)
            self._work(workload)
        self._catch_up()
        return self._judge()

    # ------------------------------------------------------------------ the steps

    def _elect(self) -> None:
        self._phase = "electing"
        for instance in self._instances:
            instance.start()
            self.tell(f"{instance.member} started, pid {instance.pid}")
        leader = self._until(self._leader, LEADER_WITHIN_S, "no instance took the lead")
        state = self._until(self._anchored, LEADER_WITHIN_S, "the leader did not begin to stream")
        self.takeover = Takeover(epoch_before=state.epoch)
        self.tell(f"{leader.member} leads, epoch {state.epoch}")

    def _work(self, workload: Workload) -> None:
        self._phase = "working"
        ends_at = time.monotonic() + self._seconds
        workload.start()
        self.tell("workload started")
        self._pass(self._seconds * KILL_AT)
        self._kill_leader()
        self._pass(max(ends_at - time.monotonic(), self._seconds * KILL_AT / 2))
        workload.stop()
        if workload.error:
            raise DemoFailed(f"a client of the workload failed: {workload.error}")
        tally = workload.tally
        self.tell(f"workload stopped: {tally.transactions} transactions, {tally.rolled_back} rolled back")

    def _kill_leader(self) -> None:
        self._phase = "leader killed"
        victim = self._until(self._leader, LEADER_WITHIN_S, "nobody leads in mid-workload")
        epoch = self._until(self._anchored, LEADER_WITHIN_S, "the state key is gone").epoch
        self.takeover = Takeover(epoch_before=epoch)
        worker = victim.kill()
        watch = TakeoverWatch(client=self._servers.redis(), key=self._state_key, epoch=epoch)
        watch.start()
        self.tell(f"SIGKILL {victim.member}'s worker, pid {worker}, in mid-workload")
        try:
            self.takeover = self._until(lambda: watch.takeover, TAKEOVER_WITHIN_S, "no standby took over")
        finally:
            watch.stop()
        heir = self._until(self._leader, LEADER_WITHIN_S, "the new leader does not say so")
        self._phase = "working"
        self.tell(f"{heir.member} took over after {self.takeover.duration_ms} ms, epoch {self.takeover.epoch_after}")

    def _catch_up(self) -> None:
        self._phase = "catching up"
        began_at = time.monotonic()
        end = self._servers.binlog_end()
        self._until(lambda: self._reached(end), CAUGHT_UP_WITHIN_S, "the stream did not catch up")
        self.tell(f"caught up with the binlog in {time.monotonic() - began_at:.1f} s")

    def _judge(self) -> Verdict:
        self._phase = "auditing"
        self._draw()
        state = self._anchored()
        takeover = Takeover(
            duration_ms=self.takeover.duration_ms,
            epoch_before=self.takeover.epoch_before,
            epoch_after=state.epoch if state else None,
        )
        with self._servers.connect() as connection:
            facts = ledger.read(connection)
        found = content.read(self._redis, without=frozenset({self._state_key.encode()}))
        demand = audit.Demand.of(facts)
        findings = audit.compare(demand, found)
        self.tell(f"audit: {audit.tally(demand, found, self._servers.source)}")
        self._report(findings)
        return Verdict(
            rows=facts.rows,
            lost=audit.total(findings, audit.Kind.LOST),
            doubled=audit.total(findings, audit.Kind.DOUBLED),
            stale=audit.total(findings, audit.Kind.STALE),
            takeover=takeover,
        )

    def _report(self, findings: list[audit.Finding]) -> None:
        for finding in findings[:_MOST_FINDINGS]:
            self.tell(str(finding))
        if len(findings) > _MOST_FINDINGS:
            self.tell(f"… and {len(findings) - _MOST_FINDINGS} more")

    # ------------------------------------------------------------ looking and waiting

    def _leader(self) -> Instance | None:
        return next((instance for instance in self._instances if instance.status().leads), None)

    def _anchored(self) -> State | None:
        """Return the state once it names a place of the binlog: from then on no row can be missed."""
        state = statekey.read(self._redis, self._state_key)
        return state if state and state.reached else None

    def _reached(self, end: ledger.BinlogEnd) -> bool:
        state = self._anchored()
        return state is not None and state.reached is not None and state.reached >= end

    def _pass(self, duration_s: float) -> None:
        ends_at = time.monotonic() + duration_s
        self._until(lambda: time.monotonic() >= ends_at, duration_s + 5, "time stands still")

    def _until(self, question: Callable[[], Answer | None], timeout_s: float, failing: str) -> Answer:
        """Ask until the answer is something, watching over all parts meanwhile."""
        ends_at = time.monotonic() + timeout_s
        while not (answer := question()):
            self._watch_over()
            if time.monotonic() > ends_at:
                raise DemoFailed(f"{failing} within {timeout_s:.0f} s")
            time.sleep(_GLANCE_S)
        return answer

    def _watch_over(self) -> None:
        for instance in self._instances:
            if instance.died:
                raise DemoFailed(f"{instance.member} exited with code {instance.exit_code}; see {instance.log}")
        if self._workload and self._workload.error:
            raise DemoFailed(f"a client of the workload failed: {self._workload.error}")
        if time.monotonic() - self._drawn_at >= _REDRAW_S:
            self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        self._screen.show(self._picture())

    def _picture(self) -> Picture:
        now_s = time.monotonic() - self._began_at
        seats = tuple(Seat(member=each.member, pid=each.pid, status=each.status()) for each in self._instances)
        tally = self._workload.tally if self._workload else NOTHING
        sink_rows = self._sink_rows.of(seats)
        source_rate, sink_rate = self._rates
        return Picture(
            elapsed_s=now_s,
            phase=self._phase,
            servers=self._servers.addresses,
            source=self._servers.source,
            seats=seats,
            state=statekey.read(self._redis, self._state_key),
            tally=tally,
            source_rows_per_s=source_rate.of(now_s, tally.rows),
            sink_rows=sink_rows,
            sink_rows_per_s=sink_rate.of(now_s, sink_rows),
        )
