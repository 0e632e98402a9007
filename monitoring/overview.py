"""``hasync / overview``: the whole fleet, one line for each stream."""

from typing import Final

from monitoring.elements import Dashboard, Row, thresholds
from monitoring.panels import LAG, NONE_WANTED, series, stat, table, timeline
from monitoring.queries import increase, of, or_zero, process, quantile, rate, reasons

LEADS: Final = {0: ("stands by", "#44475a"), 1: ("leads", "green")}
CONNECTED: Final = {0: ("away", "red"), 1: ("connected", "green")}

FLEET: Final = Row(
    "Fleet",
    "Is everything all right?",
    (
        stat("Instances", "Instances that Prometheus can scrape.", "short", f"count({process('hasync_build_info')})"),
        stat(
            "Streams known", "Streams that any instance knows.", "short", f"count(count by (stream) ({of('leader')}))"
        ),
        stat(
            "Without a leader",
            "Streams that nobody leads now, paused and halted ones included.",
            "short",
            or_zero(f"count(sum by (namespace, stream) ({of('leader')}) == 0)"),
            steps=NONE_WANTED,
        ),
        stat(
            "Without a standby",
            "Streams that have a leader, and no other instance that could take over.",
            "short",
            or_zero(
                f"count(sum by (namespace, stream) ({of('leader')}) > 0 unless on (namespace, stream) "
                f"sum by (namespace, stream) ({of('able')} and {of('leader')} == 0) > 0)"
            ),
            steps=thresholds((None, "green"), (1, "orange")),
        ),
        stat(
            "Halted",
            "Streams that wait for somebody: see hasync status.",
            "short",
            f"sum(max by (namespace, stream) ({of('halted')}))",
            steps=NONE_WANTED,
        ),
        stat(
            "Paused",
            "Streams that operators paused, or whose config disables them.",
            "short",
            f"sum(max by (namespace, stream) ({of('paused')}))",
            steps=thresholds((None, "green"), (1, "blue")),
        ),
        stat("Worst lag", "The stream that is furthest behind.", "s", f"max({of('lag_seconds')})", steps=LAG),
        stat("Rows a second", "Row changes that Redis confirmed, a second.", "rowsps", rate(of("sink_rows_total"))),
    ),
)

STREAMS: Final = Row(
    "Streams",
    "Who leads what, and how far behind is it?",
    (
        table(
            "Streams",
            "Each stream now: its leader, the lag, what it applies, and the binlog files between it and the purge.",
            {
                "Leads": (f"max by (stream, pod) ({of('leader')}) == 1", "short"),
                "Epoch": (f"max by (stream) ({of('leader_epoch')})", "none"),
                "For": (f"time() - max by (stream) ({of('leader_since_timestamp_seconds')} > 0)", "s"),
                "Lag": (f"max by (stream) ({of('lag_seconds')})", "s"),
                "Rows": (rate(of("sink_rows_total"), "stream"), "rowsps"),
                "Could lead": (f"sum by (stream) ({of('able')})", "short"),
                "Older binlog files": (f"min by (stream) ({of('source_purge_margin_files')})", "short"),
                "Config": (f"max by (stream) ({of('config_version')})", "none"),
            },
            by="stream",
        ),
        timeline(
            "Leaders",
            "Which instance leads which stream, and since when.",
            f"max by (stream, pod) ({of('leader')})",
            "{{stream}} · {{pod}}",
            LEADS,
            width=12,
        ),
        series(
            "Lag",
            "Age of the moment up to which every change is in Redis.",
            "s",
            (f"max by (stream) ({of('lag_seconds')})", "{{stream}}"),
            width=12,
            links=True,
        ),
        series(
            "Rows applied",
            "Row changes that Redis confirmed.",
            "rowsps",
            (rate(of("sink_rows_total"), "stream"), "{{stream}}"),
            links=True,
        ),
        series(
            "Event age, 99 of 100",
            "From the commit in the source to the confirmation by Redis.",
            "s",
            (quantile(0.99, of("event_age_seconds_bucket"), "stream"), "{{stream}}"),
            links=True,
        ),
        series(
            "Binlog not applied yet",
            "Bytes between what is applied and the source's end.",
            "bytes",
            (f"max by (stream) ({of('lag_bytes')})", "{{stream}}"),
            links=True,
        ),
    ),
)

TROUBLE: Final = Row(
    "Changes and trouble",
    "What happened, and to whom?",
    (
        series(
            "Leadership",
            "Changes of leaders; 'lost' are those that nobody asked for.",
            "short",
            (increase(of("leadership_changes_total"), "event"), "{{event}}"),
        ),
        series(
            "Ends of terms",
            "Why leaders stopped leading.",
            "short",
            (reasons(of("terms_ended_total"), "reason"), "{{reason}}"),
        ),
        series(
            "Able instances",
            "Instances that lead, or could take over at once.",
            "short",
            (f"sum by (stream) ({of('able')})", "{{stream}}"),
            steps=True,
        ),
        series(
            "Retries",
            "Steps that failed and were repeated.",
            "short",
            (increase(process("hasync_retries_total"), "operation"), "{{operation}}"),
        ),
        series(
            "Guards",
            "Writes refused by the fence, losses of Redis found, streams halted, operations given up.",
            "short",
            (increase(of("fenced_writes_total")), "fenced"),
            (increase(of("regressions_total")), "regressed"),
            (increase(of("halts_total")), "halted"),
            (increase(process("hasync_retries_exhausted_total")), "given up"),
        ),
        series(
            "Workers started again",
            "By the supervisor of each instance, since its own start.",
            "short",
            (f"max by (pod) ({process('hasync_worker_restarts')})", "{{pod}}"),
            steps=True,
        ),
    ),
)

SERVERS: Final = Row(
    "Servers",
    "Do ZooKeeper, the sources and Redis answer?",
    (
        timeline(
            "ZooKeeper",
            "Whether each instance has a session.",
            f"max by (pod) ({process('hasync_zookeeper_connected')})",
            "{{pod}}",
            CONNECTED,
            width=8,
        ),
        series(
            "ZooKeeper's answers, 99 of 100",
            "Latency of requests.",
            "s",
            (quantile(0.99, process("hasync_zookeeper_request_duration_seconds_bucket"), "pod"), "{{pod}}"),
        ),
        series(
            "Redis' answers, 99 of 100",
            "Round trip of a batch.",
            "s",
            (quantile(0.99, of("sink_batch_duration_seconds_bucket"), "stream"), "{{stream}}"),
            links=True,
        ),
        series(
            "Older binlog files",
            "Files the source still has, older than the one being applied: the next to be purged.",
            "short",
            (f"min by (stream) ({of('source_purge_margin_files')})", "{{stream}}"),
            steps=True,
            links=True,
        ),
        series(
            "Sources lost and opened",
            "Attempts to open the binlog stream, by result.",
            "short",
            (increase(of("source_connects_total"), "result"), "{{result}}"),
        ),
        series(
            "Memory",
            "Resident memory of each worker.",
            "bytes",
            (f"max by (pod) ({process('process_resident_memory_bytes')})", "{{pod}}"),
        ),
    ),
)

DASHBOARD: Final = Dashboard(
    uid="hasync-overview",
    title="hasync / overview",
    description="All instances and streams: who leads, how far behind, what is in trouble.",
    rows=(FLEET, STREAMS, TROUBLE, SERVERS),
    several=True,
)
"""The dashboard to begin with."""
