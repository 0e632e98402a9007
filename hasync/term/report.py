"""What happens to a stream on this instance, told to metrics, log and status.

The roads know only their observers; this is the one that turns steps into numbers and
lines. It holds no row value and no secret (I12).
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hasync.errors import EndReason, HasyncError, Retryable, SourceUnavailable
from hasync.logs import Event, Log
from hasync.metrics import Change, Metrics, Result, Skip, Stage, State, StreamMetrics, TableOperation
from hasync.model.change import Segment
from hasync.model.check import Check
from hasync.model.cluster import Halt, Intent
from hasync.model.position import Position
from hasync.model.resume import Resume, ResumeKind
from hasync.model.state import Acknowledged, SinkState
from hasync.ports import Clock
from hasync.retry import RetryObserver
from hasync.stream.pipeline import Applied
from hasync.term.leading import Outcome
from hasync.term.role import STANDING_BACK, Role
from hasync.term.takeover import Step
from hasync.term.watcher import Compiled

SINK_OPERATIONS = ("apply", "claim", "read_state")
CONTROL_OPERATIONS = ("read_position", "raise_epoch")
OPEN_SOURCE = "open_source"

STATES = {
    "leader": State.LEADER,
    "draining": State.DRAINING,
    "halted": State.HALTED,
    "paused": State.PAUSED,
    "disabled": State.PAUSED,
    "waiting": State.STARTING,
}
"""The metric's states of roles; all others stand by."""

NOT_LEADING: Mapping[str, Any] = {
    "degraded": {},
    "degraded_long": False,
    "queue_rows": 0,
    "behind_bytes": None,
    "source_end": "",
}
"""What nobody but a leader knows of a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStanding:
    """What ``/status`` and ``hasync status`` say of one stream on one instance. Times: Unix seconds.

    ``degraded``: what is being retried now, and why; ``degraded_long``: for longer than
    ``retry.degraded_after_s``. ``behind_bytes``: of binlog that are not applied yet, up to
    ``source_end`` (``file:pos``), None and empty while unknown.
    """

    role: Role = field(default_factory=lambda: Role("starting"))
    epoch: int = 0
    since: float = 0.0
    state: SinkState | None = None
    acknowledged: Acknowledged | None = None
    resumed: str = ""
    config_revision: int = 0
    config_refusal: str = ""
    degraded: Mapping[str, str] = field(default_factory=dict)
    degraded_long: bool = False
    checks: tuple[Check, ...] = ()
    last_end: str = ""
    rows_applied: int = 0
    queue_rows: int = 0
    behind_bytes: int | None = None
    source_end: str = ""

    @property
    def failed_checks(self) -> tuple[Check, ...]:
        """Checks of the last preflight that keep this instance from leading; warnings do not."""
        return tuple(check for check in self.checks if not check.ok and not check.warning)

    def to_json(self) -> dict[str, Any]:
        """Return the stream's part of the status document."""
        return {
            "state": self.role.state,
            "detail": self.role.detail,
            "epoch": self.epoch,
            "since": self.since or None,
            "seq": self.state.seq if self.state else None,
            "position": self.state.position.to_json() if self.state and self.state.position else None,
            "acknowledged": self.acknowledged.to_json() if self.acknowledged else None,
            "resumed": self.resumed,
            "config_revision": self.config_revision,
            "config_refusal": self.config_refusal,
            "degraded": dict(self.degraded),
            "degraded_long": self.degraded_long,
            "failed_checks": [f"{check.name}: {check.detail}" for check in self.failed_checks],
            "last_end": self.last_end,
            "rows_applied": self.rows_applied,
            "queue_rows": self.queue_rows,
            "behind_bytes": self.behind_bytes,
            "source_end": self.source_end or None,
        }


class StreamReport(RetryObserver):
    """Observes one stream on one instance. Each method says by its observer's Protocol which thread calls."""

    def __init__(
        self, *, stream: str, process: Metrics, log: Log, clock: Clock, degraded_after_s: float = 30.0
    ) -> None:
        """``degraded_after_s``: trouble this long makes a leader *degraded*: said in log, metric and readiness."""
        self._process = process
        self._metrics: StreamMetrics = process.stream(stream)
        self._degraded_after_s = degraded_after_s
        self._troubled_since: dict[str, float] = {}
        process.watch_retries(*SINK_OPERATIONS, OPEN_SOURCE, *CONTROL_OPERATIONS)
        self._metrics.watch_takeovers(*(step.value for step in Step))
        self._log = log.bind(stream=stream)
        self._clock = clock
        self._turned_at = clock.monotonic()
        self._elected_at: float | None = None
        self._lock = threading.Lock()
        self.standing_now = StreamStanding()

    @property
    def turned_ago_s(self) -> float:
        """Seconds since the stream's thread last went round; what liveness looks at. Called from: any thread."""
        return self._clock.monotonic() - self._turned_at

    def members(self, count: int) -> None:
        """So many instances stand ready for the stream. Called from: the main thread."""
        self._metrics.members.set(count)

    def lag_s(self) -> float | None:
        """Return how far applied changes trail the source, None when this instance does not lead."""
        return self._metrics.lag_s()

    def _now(self, **changes: Any) -> None:
        with self._lock:  # several threads tell; a change made from an older view would undo another's
            self.standing_now = replace(self.standing_now, **changes)

    # --------------------------------------------------------------- the candidate

    def turning(self) -> None:
        self._turned_at = self._clock.monotonic()

    def standing(self, role: Role) -> None:
        if role != self.standing_now.role:
            self._log.info(Event.STANDING, state=role.state, detail=role.detail)
        self._now(role=role)
        self._metrics.enter(STATES.get(role.state, State.STANDBY))
        self._metrics.standing_back.set(role.detail.startswith(STANDING_BACK))

    def halted(self, halt: Halt) -> None:
        self._log.error(Event.HALTED, code=halt.code, reason=halt.reason, hint=halt.hint, position=_text(halt.position))
        self.standing(Role("halted", f"{halt.code}: {halt.reason}"))
        self._metrics.halt(halt.code)

    def handing_over(self, intent: Intent) -> None:
        self._log.info(Event.HANDING_OVER, to=intent.to, by=intent.by, reason=intent.reason or None)

    def hand_over_failed(self, intent: Intent, why: str) -> None:
        self._log.warning(Event.HAND_OVER_FAILED, to=intent.to, by=intent.by, message=why)

    def failed(self, error: Exception) -> None:
        self._log.error(Event.FAILED, error=error)
        self._now(role=Role("waiting", f"internal error: {type(error).__name__}"))

    def checked(self, checks: tuple[Check, ...]) -> None:
        """Keep the latest preflight. Called from: the preflight's thread."""
        known = self.standing_now.failed_checks
        self._now(checks=checks)
        if self.standing_now.failed_checks == known:
            return
        for check in self.standing_now.failed_checks:
            self._log.warning(Event.PREFLIGHT_FAILED, check=check.name, detail=check.detail, remedy=check.remedy)

    # ------------------------------------------------------------------- the config

    def config_applied(self, compiled: Compiled) -> None:
        self._log.info(Event.CONFIG_APPLIED, revision=compiled.revision)
        self._metrics.config_applied(compiled.revision)
        self._now(config_revision=compiled.revision, config_refusal="")

    def config_refused(self, revision: int, error: HasyncError) -> None:
        problems = getattr(error, "problems", ())
        self._log.error(Event.CONFIG_REFUSED, revision=revision, error=error, problems=list(problems))
        self._metrics.config_refused()
        self._now(config_refusal="; ".join(problems) or str(error))

    # --------------------------------------------------------------------- the term

    def elected(self) -> None:
        """The lock is ours; the takeover is timed from here."""
        self._elected_at = self._clock.monotonic()

    def step_taken(self, step: Step, seconds: float) -> None:
        self._metrics.takeover_step(step.value, seconds)

    def decided(self, epoch: int, resume: Resume) -> None:
        level = self._log.warning if resume.kind in {ResumeKind.REWIND, ResumeKind.REPLACED} else self._log.info
        level(Event.RESUMED, epoch=epoch, kind=resume.kind.value, explanation=resume.explanation)
        if resume.kind is ResumeKind.REWIND:
            self._metrics.regressions.inc()
        self._now(resumed=resume.explanation)

    def began(self, epoch: int, claimed: SinkState) -> None:
        self._log.info(Event.TERM_BEGAN, epoch=epoch, seq=claimed.seq, position=_text(claimed.position))
        self._metrics.lead(epoch)
        self._metrics.sink_connected.set(1)  # it took the claim; a source that is silent may bring no batch for long
        self._metrics.enter(State.LEADER)
        self._now(role=Role("leader"), epoch=epoch, since=self._clock.wall(), state=claimed)

    def draining(self, reason: EndReason) -> None:
        self._now(role=Role("draining", reason.value))
        self._metrics.enter(State.DRAINING)

    def ended(self, epoch: int, outcome: Outcome) -> None:
        orderly = outcome.reason in {EndReason.SHUTDOWN, EndReason.HANDOVER, EndReason.PAUSED, EndReason.CONFIG}
        write = self._log.info if orderly else self._log.warning
        position = _text(outcome.last.position) if outcome.last else None
        write(
            Event.TERM_ENDED,
            epoch=epoch,
            reason=outcome.reason.value,
            message=outcome.message or None,
            position=position,
        )
        self._metrics.stand_by(Change.RELEASED if orderly else Change.LOST)
        self._metrics.term_ended(outcome.reason)
        role = Role("standby" if outcome.error is None else "halted", outcome.message)
        self._now(role=role, since=0.0, last_end=outcome.reason.value, **NOT_LEADING)

    def fenced(self, foreign: SinkState) -> None:
        """A write of ours was refused because a newer epoch, or another writer, holds the state."""
        self._metrics.fenced_writes.inc()
        self._log.warning(Event.FENCED, by_epoch=foreign.epoch, at_seq=foreign.seq)

    # --------------------------------------------------------------------- the data

    def opened(self, position: Position) -> None:
        self._metrics.connected(Result.OK)
        self._log.info(Event.SOURCE_OPENED, position=str(position), server_uuid=position.server_uuid)

    def source_lost(self, error: SourceUnavailable) -> None:
        self._metrics.source_connected.set(0)
        self._log.warning(Event.SOURCE_LOST, error=error)

    def read(self, segment: Segment) -> None:
        self._metrics.read(segment)

    def held_back(self, seconds: float) -> None:
        self._metrics.queue_blocked_s.inc(seconds)

    def waiting(self, rows: int, capacity_rows: int) -> None:
        self._metrics.queue_rows.set(rows)
        self._metrics.queue_capacity_rows.set(capacity_rows)
        self._now(queue_rows=rows)

    def caught_up(self) -> None:
        """All that the source has sent is applied, as of now."""
        self._finish_takeover(self.standing_now.epoch)
        self._metrics.applied_up_to(self._clock.wall())

    def behind(self, count_bytes: int, source_end: str) -> None:
        """So many bytes of binlog are not applied yet. Called from: the distances' thread."""
        self._metrics.lag_bytes(count_bytes)
        self._now(behind_bytes=count_bytes, source_end=source_end)

    def files(self, behind: int, *, spare: int) -> None:
        """So many binlog files are newer than the one being applied, so many older. The distances' thread calls it."""
        self._metrics.files(behind, spare=spare)

    def applied(self, applied: Applied) -> None:
        self._finish_takeover(applied.state.epoch)
        self._metrics.sink_connected.set(1)
        if applied.batch is None:
            self._now(state=applied.state)
            return
        rows: Counter[TableOperation] = Counter()
        for tally in (tally for change in applied.batch.changes() for tally in change.tallies):
            rows[tally.table.schema, tally.table.name, tally.operation.value] += tally.rows
        self._metrics.stage_s[Stage.TRANSFORM].observe(applied.rendered_s)
        self._metrics.stage_s[Stage.WRITE].observe(applied.duration_s)
        for reason, count in (applied.writes.skipped if applied.writes else Counter()).items():
            self._metrics.skipped(Skip(reason), count)
        committed_at = applied.batch.timestamp
        self._metrics.applied(rows, duration_s=applied.duration_s, committed_at=committed_at)
        if committed_at:
            self._metrics.applied_up_to(min(self._clock.wall(), end_of(committed_at)))
        self._now(state=applied.state, rows_applied=self.standing_now.rows_applied + rows.total())

    def _finish_takeover(self, epoch: int) -> None:
        if self._elected_at is None:
            return
        took_s, self._elected_at = self._clock.monotonic() - self._elected_at, None
        self._metrics.failover_s.observe(took_s)
        self._log.info(Event.TAKEOVER, epoch=epoch, takeover_ms=round(took_s * 1000, 1))

    # ------------------------------------------------------------- acknowledgements

    def acknowledged(self, acknowledged: Acknowledged, seconds: float) -> None:
        self._metrics.saved(Result.OK, duration_s=seconds)
        self._metrics.stage_s[Stage.CHECKPOINT].observe(seconds)
        self._now(acknowledged=acknowledged)

    def acknowledge_failed(self, error: HasyncError) -> None:
        self._metrics.saved(Result.ERROR, duration_s=0.0)
        self._log.debug(Event.ACKNOWLEDGE_FAILED, error=error)

    # ---------------------------------------------------------------------- retries

    def degraded(self, operation: str, error: Retryable) -> None:
        self._log.warning(Event.RETRYING, operation=operation, error=error)
        if operation in SINK_OPERATIONS:
            self._metrics.sink_connected.set(0)
        self._troubled_since.setdefault(operation, self._clock.monotonic())
        self._now(degraded={**self.standing_now.degraded, operation: error.message})

    def retrying(self, operation: str, attempt: int, error: Retryable, wait_s: float) -> None:
        self._process.retried(operation)
        if operation in SINK_OPERATIONS:
            self._metrics.sink_failed(error.code)
        if operation == OPEN_SOURCE:
            self._metrics.connected(Result.ERROR)
        self._now(degraded={**self.standing_now.degraded, operation: error.message})
        since = self._troubled_since.get(operation, self._clock.monotonic())
        if self._clock.monotonic() - since >= self._degraded_after_s and not self.standing_now.degraded_long:
            self._degrade(operation, error)
        self._log.debug(Event.RETRYING, operation=operation, attempt=attempt, wait_s=round(wait_s, 3), error=error)

    def _degrade(self, operation: str, error: Retryable) -> None:
        self._log.error(Event.DEGRADED, operation=operation, error=error)
        self._now(degraded_long=True)
        if self.standing_now.role.state == "leader":
            self._metrics.enter(State.DEGRADED)

    def exhausted(self, operation: str, error: Retryable) -> None:
        self._process.gave_up(operation)
        self._log.error(Event.GAVE_UP, operation=operation, error=error)

    def healed(self, operation: str, degraded_s: float) -> None:
        self._log.info(Event.RECOVERED, operation=operation, degraded_s=round(degraded_s, 3))
        self._troubled_since.pop(operation, None)
        rest = {name: why for name, why in self.standing_now.degraded.items() if name != operation}
        self._now(degraded=rest, degraded_long=self.standing_now.degraded_long and bool(rest))
        if not rest and self.standing_now.role.state == "leader":
            self._metrics.enter(State.LEADER)


def end_of(moment: float) -> float:
    """Return the latest moment that a commit time stands for: MariaDB gives whole seconds only."""
    return moment + 1 if moment == int(moment) else moment


def _text(position: Position | None) -> str | None:
    return None if position is None else str(position)
