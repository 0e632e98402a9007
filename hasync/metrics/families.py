"""Every metric of hasync as data: name, kind, labels, meaning. The objects and the page in docs are made from it.

Rules (prometheus.io/docs/practices/naming): base units in the name, ``_total`` on
counters only, moments as ``_timestamp_seconds``. Labels are bounded: never a row's key,
a GTID, a file or an error's text. No label names the instance; Prometheus adds it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "hasync"

LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
AGE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
TAKEOVER_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300)
BATCH_ROWS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)


class State(StrEnum):
    """Where an instance stands with a stream; exactly one at a time."""

    STARTING = "starting"
    STANDBY = "standby"
    LEADER = "leader"
    DEGRADED = "degraded"
    DRAINING = "draining"
    HALTED = "halted"
    PAUSED = "paused"


class Change(StrEnum):
    """How leadership changes: won, given up on purpose, or taken away."""

    ACQUIRED = "acquired"
    RELEASED = "released"
    LOST = "lost"


class Result(StrEnum):
    """How an attempt ended."""

    OK = "ok"
    ERROR = "error"


class Skip(StrEnum):
    """Why a row that was read is not applied."""

    NO_RULE = "no_rule"
    NULL_KEY = "null_key"
    RESERVED_KEY = "reserved_key"


class Stage(StrEnum):
    """Where a batch spends its time."""

    TRANSFORM = "transform"
    WRITE = "write"
    CHECKPOINT = "checkpoint"


class Kind(StrEnum):
    """The Prometheus type."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    STATESET = "stateset"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. ``name``: without prefix and without ``_total``."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    leader_only: bool = False

    @property
    def full_name(self) -> str:
        """The name that PromQL uses."""
        return f"{NAMESPACE}_{self.name}{'_total' if self.kind is Kind.COUNTER else ''}"


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str, leader_only: bool = False) -> Family:
    return Family(name, Kind.GAUGE, text, labels, leader_only=leader_only)


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = LATENCY_S) -> Family:
    return Family(name, Kind.HISTOGRAM, text, labels, buckets)


SECTIONS: dict[str, tuple[Family, ...]] = {
    "Instance": (
        _gauge("build_info", "Constant 1, labelled with the running version.", "version", "python_version"),
        _gauge("codec_compiled", "Whether the binlog codec is compiled (1), or runs many times slower (0)."),
        _counter("retries", "Attempts that failed and were repeated.", "operation"),
        _counter("retries_exhausted", "Operations given up on after the last attempt.", "operation"),
        _gauge("drill_running", "Whether a drill's deed is being done to this instance (1) or not (0).", "deed"),
    ),
    "Supervisor": (
        _gauge("supervised", "Whether a supervisor watches over this worker (1) or not (0)."),
        _gauge("worker_restarts", "How often the supervisor has started the worker again since its own start."),
        _gauge("worker_last_exit_timestamp_seconds", "When the worker before this one ended, 0 for never."),
        _gauge("worker_sessions_closed", "ZooKeeper sessions that the supervisor closed for dead workers."),
    ),
    "Leadership": (
        _gauge("maintenance", "Whether all streams of this instance are paused (1) or not (0)."),
        _gauge("drained", "Whether operators want this instance to lead nothing (1) or not (0)."),
        _counter("rebalances", "Hand-overs this instance asked for, to spread leaders evenly."),
        _gauge("leader", "Whether this instance leads the stream (1) or not (0).", "stream"),
        Family("state", Kind.STATESET, "Where this instance stands with the stream.", ("stream",)),
        _gauge("leader_epoch", "Epoch this instance last held or observed.", "stream"),
        _gauge("leader_since_timestamp_seconds", "When this instance became leader, 0 when it is not.", "stream"),
        _counter("leadership_changes", "Leadership changes of this instance.", "stream", "event"),
        _counter(
            "terms_ended",
            "Terms of this instance that ended, by reason; also some that never began.",
            *("stream", "reason"),
        ),
        _gauge(
            "able", "Whether this instance leads without trouble, or could take over at once (1), or not (0).", "stream"
        ),
        _gauge("standing_back", "Whether it lets others try first, after terms lost by its own fault (1).", "stream"),
        _histogram(
            "failover_duration_seconds",
            "Winning the election to the first batch applied, or to having nothing to apply.",
            "stream",
            buckets=TAKEOVER_S,
        ),
        _histogram("takeover_seconds", "Each step of a takeover, from the end of the one before.", "stream", "step"),
        _gauge("members", "Instances registered in ZooKeeper that stand ready for the stream.", "stream"),
        _gauge("halted", "Whether the stream stands still until somebody acts (1) or not (0).", "stream"),
        _counter("halts", "Times this instance halted the stream for all, by the error's code.", "stream", "code"),
        _gauge(
            "paused",
            "Whether operators have paused the stream, or its config disables it (1), or neither (0).",
            "stream",
        ),
    ),
    "ZooKeeper": (
        _gauge("zookeeper_connected", "Whether the session is usable (1), or suspended or lost (0)."),
        _gauge("zookeeper_last_contact_timestamp_seconds", "When ZooKeeper last answered a request."),
        _counter("zookeeper_session_events", "Changes of the session's state.", "state"),
        _counter("zookeeper_errors", "Requests that failed, by kind.", "error"),
        _histogram("zookeeper_request_duration_seconds", "Latency of requests that were answered.", "operation"),
    ),
    "Source": (
        _gauge("source_connected", "Whether the binlog stream is open (1) or not (0).", "stream"),
        _counter("source_connects", "Attempts to open the binlog stream.", "stream", "result"),
        _counter("source_received_bytes", "Binlog bytes read.", "stream"),
        _counter("source_transactions", "Transactions read.", "stream"),
        _counter(
            "source_rows", "Row changes read of tables that have rules.", "stream", "schema", "table", "operation"
        ),
        _counter("source_skipped_rows", "Row changes read and not applied.", "stream", "reason"),
        _gauge("source_last_event_timestamp_seconds", "Commit time of the last transaction read.", "stream"),
        _gauge(
            "source_purge_margin_files",
            "Binlog files that the source still has, older than the one being applied.",
            "stream",
            leader_only=True,
        ),
    ),
    "Lag": (
        _gauge(
            "lag_seconds",
            "Age of the moment up to which every change is applied; caught up, it stays below the heartbeat.",
            "stream",
            leader_only=True,
        ),
        _gauge("lag_bytes", "Binlog bytes between the source's end and what is applied.", "stream", leader_only=True),
        _gauge("lag_files", "Binlog files begun after the one being applied.", "stream", leader_only=True),
        _histogram(
            "event_age_seconds",
            "Source commit to sink acknowledgement, per batch (by its last transaction).",
            "stream",
            buckets=AGE_S,
        ),
    ),
    "Pipeline": (
        _gauge("queue_rows", "Rows read and not yet acknowledged by the sink.", "stream"),
        _gauge("queue_capacity_rows", "Most rows that may wait.", "stream"),
        _counter("queue_blocked_seconds", "Time the reader waited because the queue was full.", "stream"),
        _histogram("stage_duration_seconds", "Time a batch spends in a stage.", "stream", "stage"),
    ),
    "Sink": (
        _gauge("sink_connected", "Whether the sink answers (1) or not (0).", "stream", "sink"),
        _counter(
            "sink_rows",
            "Row changes acknowledged by the sink.",
            *("stream", "sink", "schema", "table", "operation"),
        ),
        _histogram("sink_batch_rows", "Row changes per batch.", "stream", "sink", buckets=BATCH_ROWS),
        _histogram("sink_batch_duration_seconds", "Round trip of a batch.", "stream", "sink"),
        _counter("sink_errors", "Failed calls of the sink, by kind.", "stream", "sink", "error"),
        _counter("fenced_writes", "Writes refused because a newer epoch exists.", "stream"),
        _counter("regressions", "Times the sink was found to have lost acknowledged writes.", "stream"),
    ),
    "Checkpoint": (
        _counter("checkpoints", "Position saves to ZooKeeper.", "stream", "result"),
        _histogram("checkpoint_duration_seconds", "Latency of position saves that succeeded.", "stream"),
        _gauge("checkpoint_last_success_timestamp_seconds", "When a position was last saved, 0 for never.", "stream"),
        _gauge("checkpoint_pending_rows", "Rows applied after the last saved position.", "stream"),
    ),
    "Config": (
        _gauge("config_version", "Revision of the config in force, 0 for none.", "stream"),
        _gauge(
            "config_last_reload_successful",
            "Whether the last config was accepted (1, and before the first) or refused (0).",
            "stream",
        ),
        _gauge("config_last_reload_success_timestamp_seconds", "When a config was last accepted.", "stream"),
    ),
}


def families() -> Iterator[Family]:
    """Yield every metric, in the order of the documentation."""
    for section in SECTIONS.values():
        yield from section
