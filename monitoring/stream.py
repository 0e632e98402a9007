"""``hasync / stream``: one stream in depth."""

from typing import Final

from monitoring.elements import Dashboard, Row, thresholds
from monitoring.overview import CONNECTED
from monitoring.panels import LAG, bars, heatmap, series, stat, timeline
from monitoring.queries import increase, of, process, quantile, quantiles, rate, reasons

STATES: Final = {
    1: ("starting", "purple"),
    2: ("standby", "#44475a"),
    3: ("leader", "green"),
    4: ("degraded", "orange"),
    5: ("draining", "blue"),
    6: ("halted", "red"),
    7: ("paused", "yellow"),
}
"""Numbers for hasync_state's values, so that one line can show them."""


def states() -> str:
    """Return one series for each pod: the number of the state that holds."""
    parts = (
        f"{of('state', f'hasync_state={chr(34)}{name}{chr(34)}')} * {number}" for number, (name, _) in STATES.items()
    )
    return f"max by (pod) ({' or '.join(parts)})"


NOW: Final = Row(
    "Now",
    "Who leads, and is it in step?",
    (
        stat(
            "Leader",
            "The pod that leads now.",
            "none",
            f"max by (pod) ({of('leader')}) == 1",
            legend="{{pod}}",
            width=4,
        ),
        stat(
            "Leads for",
            "Since it took over.",
            "s",
            f"time() - max({of('leader_since_timestamp_seconds')} > 0)",
        ),
        stat("Epoch", "The fencing number of the term.", "none", f"max({of('leader_epoch')})", width=2),
        stat(
            "Could lead",
            "Instances that lead, or could take over at once.",
            "short",
            f"sum({of('able')})",
            steps=thresholds((None, "red"), (1, "orange"), (2, "green")),
        ),
        stat(
            "Lag now",
            "Age of the moment up to which every change is in Redis.",
            "s",
            f"max({of('lag_seconds')})",
            steps=LAG,
        ),
        stat("Rows a second", "Row changes that Redis confirmed, a second.", "rowsps", rate(of("sink_rows_total"))),
        stat(
            "Older binlog files",
            "Files the source still has, older than the one being applied.",
            "short",
            f"min({of('source_purge_margin_files')})",
        ),
        stat("Config in force", "Revision of the config in force.", "none", f"max({of('config_version')})"),
    ),
)

LEADERSHIP: Final = Row(
    "Leadership",
    "Who led when, why did it end, and how long did the takeover take?",
    (
        timeline("Instances", "What each instance did for the stream.", states(), "{{pod}}", STATES, width=12),
        series(
            "Changes",
            "Leadership won, given up on purpose, and lost.",
            "short",
            (increase(of("leadership_changes_total"), "event"), "{{event}}"),
            width=6,
        ),
        series(
            "Ends of terms",
            "Why terms ended.",
            "short",
            (reasons(of("terms_ended_total"), "reason"), "{{reason}}"),
            width=6,
        ),
        bars(
            "Steps of a takeover",
            "Mean of each step, from the end of the one before, over the time shown.",
            "s",
            f"sort_desc(sum by (step) (increase({of('takeover_seconds_sum')}[$__range])) "
            f"/ (sum by (step) (increase({of('takeover_seconds_count')}[$__range])) > 0))",
            "{{step}}",
            width=12,
        ),
        series(
            "Takeover",
            "From winning the election to the first batch; each value is of the takeovers of the time shown.",
            "s",
            *(
                (quantile(share, of("failover_duration_seconds_bucket"), window="$__range"), f"p{share * 100:.0f}")
                for share in (0.5, 0.95)
            ),
            width=6,
        ),
        series(
            "Fence",
            "Writes of a former leader that Redis refused, and losses of Redis that were found.",
            "short",
            (increase(of("fenced_writes_total")), "fenced"),
            (increase(of("regressions_total")), "regressed"),
            width=6,
        ),
    ),
)

SOURCE: Final = Row(
    "Source",
    "How far behind, and what does the source send?",
    (
        series(
            "Lag", "Age of the moment up to which every change is in Redis.", "s", (f"max({of('lag_seconds')})", "lag")
        ),
        series(
            "Binlog not applied yet",
            "Bytes between what is applied and the source's end.",
            "bytes",
            (f"max({of('lag_bytes')})", "bytes"),
        ),
        series(
            "Binlog headroom",
            "Files older and newer than the one being applied: without older ones, the next purge takes it.",
            "short",
            (f"min({of('source_purge_margin_files')})", "older"),
            (f"max({of('lag_files')})", "newer"),
            steps=True,
        ),
        series(
            "Read",
            "Transactions, rows of tables with rules, and rows nobody wants.",
            "ops",
            (rate(of("source_transactions_total")), "transactions"),
            (rate(of("source_rows_total")), "rows"),
            (rate(of("source_skipped_rows_total"), "reason"), "skipped: {{reason}}"),
        ),
        series("Binlog read", "Bytes from the source.", "Bps", (rate(of("source_received_bytes_total")), "read")),
        series(
            "Connections",
            "Attempts to open the binlog stream, by result.",
            "short",
            (increase(of("source_connects_total"), "result"), "{{result}}"),
        ),
    ),
)

PIPELINE: Final = Row(
    "Pipeline",
    "Where does the time go between reading and writing?",
    (
        series(
            "Stages, 95 of 100",
            "Time of a batch in each stage: rules, Redis, position.",
            "s",
            (quantile(0.95, of("stage_duration_seconds_bucket"), "stage"), "{{stage}}"),
            width=6,
        ),
        series(
            "Queue",
            "Rows between reader and Redis, as a share of how many may be.",
            "percentunit",
            (f"max({of('queue_rows')} / {of('queue_capacity_rows')})", "full"),
            width=6,
        ),
        series(
            "Reader held back",
            "Share of the time in which the queue was full.",
            "percentunit",
            (rate(of("queue_blocked_seconds_total")), "held back"),
            width=6,
            maximum=1,
        ),
        series(
            "Batch size",
            "Row changes in a batch.",
            "short",
            *quantiles(of("sink_batch_rows_bucket")),
            width=6,
        ),
    ),
)

SINK: Final = Row(
    "Redis",
    "What is written, how fast, and what fails?",
    (
        series(
            "Rows applied",
            "Row changes that Redis confirmed, by operation.",
            "rowsps",
            (rate(of("sink_rows_total"), "operation"), "{{operation}}"),
            stacked=True,
        ),
        series(
            "Top tables",
            "The ten tables with the most rows.",
            "rowsps",
            (f"topk(10, {rate(of('sink_rows_total'), 'schema, table')})", "{{schema}}.{{table}}"),
        ),
        series("Batches", "Round trip of a batch.", "s", *quantiles(of("sink_batch_duration_seconds_bucket"))),
        heatmap(
            "Event age",
            "From the commit in the source to the confirmation by Redis, batch by batch.",
            "s",
            increase(of("event_age_seconds_bucket"), "le"),
        ),
        series(
            "Errors",
            "Failed calls of Redis, by kind; they are repeated.",
            "short",
            (increase(of("sink_errors_total"), "error"), "{{error}}"),
        ),
        series(
            "Retries",
            "Steps that failed and were repeated, of all streams of these instances.",
            "short",
            (increase(process("hasync_retries_total"), "operation"), "{{operation}}"),
        ),
    ),
)

CHECKPOINT: Final = Row(
    "Position and config",
    "What would a crash have to read again, and which rules hold?",
    (
        series(
            "Position's age",
            "Since the leader last saved its position to ZooKeeper.",
            "s",
            (
                f"max(time() - {of('checkpoint_last_success_timestamp_seconds')} and {of('leader')} == 1)",
                "age",
            ),
            width=6,
        ),
        series(
            "Saves",
            "Latency of a save, and saves that failed.",
            "s",
            *quantiles(of("checkpoint_duration_seconds_bucket")),
            width=6,
        ),
        series(
            "Rows not saved yet",
            "Applied after the saved position; Redis knows them, so they are not applied again.",
            "short",
            (f"max({of('checkpoint_pending_rows')})", "rows"),
            width=6,
        ),
        series(
            "Config",
            "Revision in force on each instance; refused ones keep the older.",
            "none",
            (f"max by (pod) ({of('config_version')})", "{{pod}}"),
            steps=True,
            width=6,
        ),
    ),
)

ZOOKEEPER: Final = Row(
    "ZooKeeper",
    "Does it answer, and how fast?",
    (
        timeline(
            "Sessions",
            "Whether each instance has one.",
            f"max by (pod) ({process('hasync_zookeeper_connected')})",
            "{{pod}}",
            CONNECTED,
            width=6,
        ),
        series(
            "Answers",
            "Latency of requests.",
            "s",
            *quantiles(process("hasync_zookeeper_request_duration_seconds_bucket")),
            width=6,
        ),
        series(
            "Session events",
            "Changes of sessions.",
            "short",
            (increase(process("hasync_zookeeper_session_events_total"), "state"), "{{state}}"),
            width=6,
        ),
        series(
            "Failed requests",
            "Requests that failed, by kind; 'conflict' is somebody else having been first.",
            "short",
            (increase(process("hasync_zookeeper_errors_total"), "error"), "{{error}}"),
            width=6,
        ),
    ),
)

RUNTIME: Final = Row(
    "Runtime",
    "What do the processes need?",
    (
        series(
            "CPU",
            "Share of a core used by each worker.",
            "percentunit",
            (rate(process("process_cpu_seconds_total"), "pod"), "{{pod}}"),
            width=6,
        ),
        series(
            "Memory",
            "Resident memory of each worker.",
            "bytes",
            (f"max by (pod) ({process('process_resident_memory_bytes')})", "{{pod}}"),
            width=6,
        ),
        series(
            "Garbage collections",
            "Of Python's, a second.",
            "ops",
            (rate(process("python_gc_collections_total"), "pod"), "{{pod}}"),
            width=6,
        ),
        series(
            "Open files",
            "File descriptors of each worker.",
            "short",
            (f"max by (pod) ({process('process_open_fds')})", "{{pod}}"),
            steps=True,
            width=6,
        ),
    ),
)

DASHBOARD: Final = Dashboard(
    uid="hasync-stream",
    title="hasync / stream",
    description="One stream in depth: leadership, source, pipeline, Redis, position, ZooKeeper, processes.",
    rows=(NOW, LEADERSHIP, SOURCE, PIPELINE, SINK, CHECKPOINT, ZOOKEEPER, RUNTIME),
    several=False,
)
"""The dashboard behind a line of the overview."""
