"""The metrics of one stream: children bound once, leader-only gauges added and removed with the term."""

import threading
from collections.abc import Callable, Mapping

from prometheus_client import Counter

from hasync.errors import (
    ConfigInvalid,
    CoordinationRefused,
    EndReason,
    HandlerFailed,
    PositionLost,
    Regressed,
    SinkRefused,
    SinkUnavailable,
    SourceRefused,
    StateMissing,
)
from hasync.metrics.collectors import Collectors
from hasync.metrics.families import Change, Result, Skip, Stage, State
from hasync.model.change import Segment
from hasync.ports import Clock

TableOperation = tuple[str, str, str]
"""Schema, table, operation."""

SINK = "redis"
SINK_ERRORS = tuple(kind.code for kind in (SinkUnavailable, SinkRefused, Regressed, StateMissing, HandlerFailed))
HALTS = tuple(
    kind.code
    for kind in (
        *(SourceRefused, PositionLost, SinkRefused, StateMissing, HandlerFailed),
        *(ConfigInvalid, CoordinationRefused),
    )
)
"""What can halt a stream."""

TABLES_MAX = 1000
"""Tables counted by name: a wildcard over tables that are made daily must not fill the memory."""

OTHER = "_other_"


class StreamMetrics:
    """Counts what happens to one stream. Safe from any thread."""

    def __init__(self, stream: str, collectors: Collectors, clock: Clock) -> None:
        """Bind all children; called by :meth:`hasync.metrics.Metrics.stream`."""
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._leading = False
        self._applied_until: float | None = None
        self._bind_leadership(collectors)
        self._bind_source(collectors)
        self._bind_pipeline(collectors)
        self._bind_sink(collectors)
        self._bind_bookkeeping(collectors)

    def _bind_leadership(self, collectors: Collectors) -> None:
        self._leader = collectors.gauge("leader").labels(self._stream)
        self._state = collectors.stateset("state").labels(self._stream)
        self._since = collectors.gauge("leader_since_timestamp_seconds").labels(self._stream)
        changes = collectors.counter("leadership_changes")
        self._changes = {change: changes.labels(self._stream, change) for change in Change}
        self.epoch = collectors.gauge("leader_epoch").labels(self._stream)
        self.failover_s = collectors.histogram("failover_duration_seconds").labels(self._stream)
        self._takeover_s = collectors.histogram("takeover_seconds")
        self.members = collectors.gauge("members").labels(self._stream)
        self.halted = collectors.gauge("halted").labels(self._stream)
        self._halts = collectors.counter("halts")
        for code in HALTS:
            self._halts.labels(self._stream, code)
        ends = collectors.counter("terms_ended")
        self._ends = {reason: ends.labels(self._stream, reason.value) for reason in EndReason}
        self.able = collectors.gauge("able").labels(self._stream)
        self.standing_back = collectors.gauge("standing_back").labels(self._stream)
        self._paused = collectors.gauge("paused").labels(self._stream)
        self._lag_s = collectors.gauge("lag_seconds")
        self._lag_bytes = collectors.gauge("lag_bytes")
        self._lag_files = collectors.gauge("lag_files")
        self._spare_files = collectors.gauge("source_purge_margin_files")

    def _bind_source(self, collectors: Collectors) -> None:
        self.source_connected = collectors.gauge("source_connected").labels(self._stream)
        connects = collectors.counter("source_connects")
        self._connects = {result: connects.labels(self._stream, result) for result in Result}
        self._received_bytes = collectors.counter("source_received_bytes").labels(self._stream)
        self._transactions = collectors.counter("source_transactions").labels(self._stream)
        skipped = collectors.counter("source_skipped_rows")
        self._skipped = {reason: skipped.labels(self._stream, reason) for reason in Skip}
        self._last_event = collectors.gauge("source_last_event_timestamp_seconds").labels(self._stream)
        rows = collectors.counter("source_rows")
        self._source_rows = _PerTable(lambda table: rows.labels(self._stream, *table))

    def _bind_pipeline(self, collectors: Collectors) -> None:
        self.queue_rows = collectors.gauge("queue_rows").labels(self._stream)
        self.queue_capacity_rows = collectors.gauge("queue_capacity_rows").labels(self._stream)
        self.queue_blocked_s = collectors.counter("queue_blocked_seconds").labels(self._stream)
        stages = collectors.histogram("stage_duration_seconds")
        self.stage_s = {stage: stages.labels(self._stream, stage) for stage in Stage}
        self._age_s = collectors.histogram("event_age_seconds").labels(self._stream)

    def _bind_sink(self, collectors: Collectors) -> None:
        self.sink_connected = collectors.gauge("sink_connected").labels(self._stream, SINK)
        self._batch_rows = collectors.histogram("sink_batch_rows").labels(self._stream, SINK)
        self._batch_s = collectors.histogram("sink_batch_duration_seconds").labels(self._stream, SINK)
        self._sink_errors = collectors.counter("sink_errors")
        for code in SINK_ERRORS:
            self._sink_errors.labels(self._stream, SINK, code)
        self.fenced_writes = collectors.counter("fenced_writes").labels(self._stream)
        self.regressions = collectors.counter("regressions").labels(self._stream)
        rows = collectors.counter("sink_rows")
        self._sink_rows = _PerTable(lambda table: rows.labels(self._stream, SINK, *table))

    def _bind_bookkeeping(self, collectors: Collectors) -> None:
        saves = collectors.counter("checkpoints")
        self._saves = {result: saves.labels(self._stream, result) for result in Result}
        self._save_s = collectors.histogram("checkpoint_duration_seconds").labels(self._stream)
        self._saved_at = collectors.gauge("checkpoint_last_success_timestamp_seconds").labels(self._stream)
        self._pending_rows = collectors.gauge("checkpoint_pending_rows").labels(self._stream)
        self._config_version = collectors.gauge("config_version").labels(self._stream)
        self._config_ok = collectors.gauge("config_last_reload_successful").labels(self._stream)
        self._config_ok.set(1)  # a stream without a config has refused none
        self._config_at = collectors.gauge("config_last_reload_success_timestamp_seconds").labels(self._stream)

    # ------------------------------------------------------------------ leadership

    def watch_takeovers(self, *steps: str) -> None:
        """Begin the times of these steps with none, so that rate() sees the first takeover."""
        for step in steps:
            self._takeover_s.labels(self._stream, step)

    def takeover_step(self, step: str, seconds: float) -> None:
        """Note how long a step of a takeover took."""
        self._takeover_s.labels(self._stream, step).observe(seconds)

    def enter(self, state: State) -> None:
        """Say where this instance stands with the stream."""
        self._state.state(state)
        self.halted.set(state is State.HALTED)
        self._paused.set(state is State.PAUSED)

    def halt(self, code: str) -> None:
        """Note that this instance has halted the stream for all, for an error with this ``code``."""
        self._halts.labels(self._stream, code).inc()

    def term_ended(self, reason: EndReason) -> None:
        """Note why a term ended."""
        self._ends[reason].inc()

    def lead(self, epoch: int) -> None:
        """Begin a term. Lag appears with the first :meth:`applied_up_to`, not as an invented 0."""
        with self._lock:
            self._leading = True
            self._applied_until = None
        self._leader.set(1)
        self._since.set(self._clock.wall())
        self.epoch.set(epoch)
        self._changes[Change.ACQUIRED].inc()

    def stand_by(self, change: Change) -> None:
        """End a term. Lag disappears: a 0 or a last value would lie in ``max()`` over the instances.

        ``change``: RELEASED on purpose, LOST otherwise. Harmless when there was no term.
        """
        with self._lock:
            led, self._leading = self._leading, False
            for gauge in (self._lag_s, self._lag_bytes, self._lag_files, self._spare_files):
                gauge.remove(self._stream)
        for gauge in (self.able, self._leader, self._since, self.source_connected, self.queue_rows, self._pending_rows):
            gauge.set(0)
        if led:
            self._changes[change].inc()

    def applied_up_to(self, moment: float) -> None:
        """Say that every change committed up to ``moment`` (Unix seconds) is applied.

        A heartbeat with an empty queue says it of now. The lag is computed when it is
        read, so that a loop that stands still shows a growing lag, not its last good one.
        """
        with self._lock:
            self._applied_until = moment
            if self._leading:
                self._lag_s.labels(self._stream).set_function(lambda: self.lag_s() or 0.0)

    def lag_s(self) -> float | None:
        """Return the lag in seconds, None on a standby and before the first batch of a term."""
        until = self._applied_until
        if until is None or not self._leading:
            return None
        return max(0.0, self._clock.wall() - until)

    def lag_bytes(self, count: int) -> None:
        """Say how many binlog bytes are not applied yet; ignored on a standby."""
        with self._lock:
            if self._leading:
                self._lag_bytes.labels(self._stream).set(max(0, count))

    def files(self, behind: int, *, spare: int) -> None:
        """Say how many binlog files are newer than the one being applied, and how many older; ignored on a standby."""
        with self._lock:
            if self._leading:
                self._lag_files.labels(self._stream).set(behind)
                self._spare_files.labels(self._stream).set(spare)

    # ---------------------------------------------------------------------- source

    def connected(self, result: Result) -> None:
        """Note an attempt to open the source, and whether it is open now."""
        self._connects[result].inc()
        self.source_connected.set(result is Result.OK)

    def read(self, segment: Segment) -> None:
        """Count a segment; rows that no rule asked for count as skipped."""
        self._received_bytes.inc(segment.bytes)
        self._transactions.inc(segment.transactions)
        if segment.timestamp:
            self._last_event.set(segment.timestamp)
        wanted = 0
        for tally in (tally for change in segment.changes for tally in change.tallies):
            self._source_rows.inc((tally.table.schema, tally.table.name, tally.operation), tally.rows)
            wanted += tally.rows
        self._skipped[Skip.NO_RULE].inc(max(0, segment.rows - wanted))

    def skipped(self, reason: Skip, rows: int) -> None:
        """Count rows that were read and are not applied."""
        self._skipped[reason].inc(rows)

    # ------------------------------------------------------------------------ sink

    def applied(self, rows: Mapping[TableOperation, int], *, duration_s: float, committed_at: float) -> None:
        """Count a batch that the sink acknowledged.

        ``committed_at``: commit time of its last transaction, Unix seconds, 0 when unknown.
        """
        for table, count in rows.items():
            self._sink_rows.inc(table, count)
        total = sum(rows.values())
        self._batch_rows.observe(total)
        self._pending_rows.inc(total)
        self._batch_s.observe(duration_s)
        if committed_at:
            self._age_s.observe(max(0.0, self._clock.wall() - committed_at))

    def sink_failed(self, code: str) -> None:
        """Count a failed call of the sink by its error's ``code``."""
        self._sink_errors.labels(self._stream, SINK, code).inc()

    # ------------------------------------------------------------------ checkpoint

    def saved(self, result: Result, *, duration_s: float, pending_rows: int = 0) -> None:
        """Note a position save to ZooKeeper. ``pending_rows``: applied meanwhile, and so not in what was saved."""
        self._saves[result].inc()
        if result is Result.OK:
            self._save_s.observe(duration_s)
            self._pending_rows.set(pending_rows)
            self._saved_at.set(self._clock.wall())

    # ---------------------------------------------------------------------- config

    def config_applied(self, revision: int) -> None:
        """Note the config now in force."""
        self._config_version.set(revision)
        self._config_ok.set(1)
        self._config_at.set(self._clock.wall())

    def config_refused(self) -> None:
        """Note that a newer config was not accepted; the last good one is in force."""
        self._config_ok.set(0)


class _PerTable:
    """Counter children per table and operation, bounded in number."""

    def __init__(self, bind: Callable[[TableOperation], Counter]) -> None:
        self._bind = bind
        self._children: dict[TableOperation, Counter] = {}
        self._tables: set[tuple[str, str]] = set()

    def inc(self, table: TableOperation, count: int) -> None:
        child = self._children.get(table)
        if child is None:
            child = self._bind(self._label(table))
            if len(self._tables) < TABLES_MAX or table[:2] in self._tables:
                self._children[table] = child
        child.inc(count)

    def _label(self, table: TableOperation) -> TableOperation:
        schema, name, operation = table
        if (schema, name) not in self._tables and len(self._tables) >= TABLES_MAX:
            return OTHER, OTHER, str(operation)
        self._tables.add((schema, name))
        return schema, name, str(operation)
