"""Metrics: names, zeros from the start, and nothing that lies on a standby."""

import re
import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hasync.errors import EndReason, Fatal
from hasync.metrics import Change, Metrics, Result, Skip, Stage, State, StreamMetrics
from hasync.metrics.families import SECTIONS, Family, Kind, families
from hasync.metrics.reference import reference
from hasync.metrics.stream import HALTS, OTHER, TABLES_MAX
from hasync.model.change import Column, Operation, RowChanges, Segment, Table
from hasync.model.change import Kind as ColumnKind
from hasync.model.drill import Deed
from hasync.model.position import Flavor, Position
from hasync.term.report import STATES

ROOT = Path(__file__).parents[2]
UNITS = ("_seconds", "_bytes", "_rows", "_transactions")


class SetClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the set moment."""
        return self.now

    def wall(self) -> float:
        """Return the set moment."""
        return self.now

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Move on at once."""
        self.now += timeout_s
        return event.is_set()

    def random(self) -> float:
        """Draw nothing."""
        return 0.0


class WholeTable:
    """A selection of everything."""

    before = (0,)
    after = (0,)
    program = None


class Bench:
    """Metrics on a registry of their own, and what a scrape of them says."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.metrics = Metrics(CollectorRegistry(), self.clock)

    def samples(self) -> dict[str, float]:
        text = generate_latest(self.metrics.registry).decode()
        return {
            sample.name + str(sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get(name + str(sorted((label, str(value)) for label, value in labels.items())))


@pytest.fixture
def bench() -> Bench:
    """Return fresh metrics."""
    return Bench()


@pytest.fixture
def stream(bench: Bench) -> StreamMetrics:
    """Return the metrics of one stream."""
    return bench.metrics.stream("orders")


def a_segment(*, rows: int, wanted: int) -> Segment:
    table = Table("shop", "orders", (Column("id", ColumnKind.INTEGER),))
    changes = RowChanges(table, Operation.INSERT, WholeTable(), ((),) * wanted, ((b"1",),) * wanted)
    position = Position(flavor=Flavor.MYSQL, server_uuid="u", file="b.1", pos=4, gtid_set="")
    return Segment(
        changes=(changes,) if wanted else (),
        position=position,
        ends_transaction=True,
        transactions=1,
        rows=rows,
        bytes=100,
        timestamp=990.0,
    )


@pytest.mark.parametrize("family", list(families()), ids=lambda family: family.name)
def test_name_follows_prometheus_rules(family: Family) -> None:
    """What promtool check metrics complains about never gets in."""
    name = family.full_name
    assert re.fullmatch(r"hasync(_[a-z]+)+", name)
    assert name.endswith("_total") == (family.kind is Kind.COUNTER)
    assert not re.search(r"_(count|sum|bucket)$|_(gauge|counter|histogram|milliseconds|ms|minutes|kb|mb)(_|$)", name)
    assert ("_timestamp_" not in name) or name.endswith("_timestamp_seconds")
    assert family.kind is not Kind.HISTOGRAM or name.endswith(UNITS)
    assert family.help.endswith(".")
    assert not {"le", "quantile", "instance", "job", "pod", "key", "gtid", "file"} & set(family.labels)
    assert list(family.buckets) == sorted(set(family.buckets))


def test_every_metric_of_a_new_stream_is_exposed(bench: Bench, stream: StreamMetrics) -> None:
    """The exposition parses, and each family is there with its type and help."""
    assert stream is bench.metrics.stream("orders")
    text = generate_latest(bench.metrics.registry).decode()
    exposed = {family.name: family for family in text_string_to_metric_families(text)}
    for family in families():
        found = exposed[family.full_name.removesuffix("_total")]
        assert found.documentation == family.help
        kind = "gauge" if family.kind is Kind.STATESET else str(family.kind)
        assert found.type == kind
    assert {name for name in exposed if name.startswith("hasync_")} == {
        family.full_name.removesuffix("_total") for family in families()
    }
    assert "process_resident_memory_bytes" in exposed
    assert "_created" not in text


def test_counters_that_alerts_use_begin_at_zero(bench: Bench, stream: StreamMetrics) -> None:
    """A counter that appears with its first increment is invisible to increase()."""
    assert stream
    bench.metrics.watch_retries("apply")
    for name, labels in (
        ("hasync_fenced_writes_total", {"stream": "orders"}),
        ("hasync_regressions_total", {"stream": "orders"}),
        ("hasync_leadership_changes_total", {"stream": "orders", "event": "lost"}),
        ("hasync_terms_ended_total", {"stream": "orders", "reason": "fenced"}),
        ("hasync_halts_total", {"stream": "orders", "code": "sink_refused"}),
        ("hasync_drill_running", {"deed": "crash"}),
        ("hasync_zookeeper_errors_total", {"error": "ConnectionLoss"}),
        ("hasync_checkpoints_total", {"stream": "orders", "result": "error"}),
        ("hasync_sink_errors_total", {"stream": "orders", "sink": "redis", "error": "sink_unavailable"}),
        ("hasync_source_connects_total", {"stream": "orders", "result": "error"}),
        ("hasync_retries_exhausted_total", {"operation": "apply"}),
        ("hasync_zookeeper_session_events_total", {"state": "lost"}),
    ):
        assert bench.value(name, **labels) == 0


def test_standby_shows_no_lag(bench: Bench, stream: StreamMetrics) -> None:
    """A standby knows no lag; a 0 from it would hide the leader's in max() and min()."""
    stream.applied_up_to(900.0)
    stream.lag_bytes(5)
    stream.files(1, spare=2)
    assert not [name for name in bench.samples() if "lag" in name or "margin" in name]
    assert stream.lag_s() is None


def test_lag_appears_with_the_first_applied_batch_and_goes_with_the_term(bench: Bench, stream: StreamMetrics) -> None:
    """Between claim and first batch there is no lag to tell, and after the term neither."""
    stream.lead(7)
    assert not [name for name in bench.samples() if "lag" in name]
    stream.applied_up_to(990.0)
    stream.lag_bytes(42)
    stream.files(1, spare=2)
    assert bench.value("hasync_lag_files", stream="orders") == 1
    assert bench.value("hasync_source_purge_margin_files", stream="orders") == 2
    assert bench.value("hasync_lag_seconds", stream="orders") == 10.0
    assert bench.value("hasync_lag_bytes", stream="orders") == 42
    stream.stand_by(Change.LOST)
    assert not [name for name in bench.samples() if "lag" in name or "margin" in name]


def test_lag_grows_when_the_loop_stands_still(bench: Bench, stream: StreamMetrics) -> None:
    """A stalled leader must not go on showing its last good lag."""
    stream.lead(7)
    stream.applied_up_to(1000.0)
    assert bench.value("hasync_lag_seconds", stream="orders") == 0
    bench.clock.now += 300
    assert bench.value("hasync_lag_seconds", stream="orders") == 300


def test_source_clock_ahead_shows_no_negative_lag(bench: Bench, stream: StreamMetrics) -> None:
    """Clocks differ between machines; lag and age are never negative."""
    stream.lead(7)
    stream.applied_up_to(2000.0)
    stream.applied({("shop", "orders", "insert"): 1}, duration_s=0.1, committed_at=2000.0)
    assert bench.value("hasync_lag_seconds", stream="orders") == 0
    assert bench.value("hasync_event_age_seconds_sum", stream="orders") == 0


def test_term_is_told_by_gauges_and_changes(bench: Bench, stream: StreamMetrics) -> None:
    """Who leads, since when, under which epoch; ending a term twice counts once."""
    stream.lead(7)
    assert bench.value("hasync_leader", stream="orders") == 1
    assert bench.value("hasync_leader_epoch", stream="orders") == 7
    assert bench.value("hasync_leader_since_timestamp_seconds", stream="orders") == 1000.0
    stream.stand_by(Change.RELEASED)
    stream.stand_by(Change.LOST)
    assert bench.value("hasync_leader", stream="orders") == 0
    assert bench.value("hasync_leader_since_timestamp_seconds", stream="orders") == 0
    changes = {
        change: bench.value("hasync_leadership_changes_total", stream="orders", event=change) for change in Change
    }
    assert changes == {Change.ACQUIRED: 1, Change.RELEASED: 1, Change.LOST: 0}


@pytest.mark.parametrize("state", list(State))
def test_exactly_one_state_holds(bench: Bench, stream: StreamMetrics, state: State) -> None:
    """The state is a stateset, and ``halted`` says the same as it."""
    stream.enter(state)
    shown = {other: bench.value("hasync_state", stream="orders", hasync_state=other) for other in State}
    assert [other for other, value in shown.items() if value] == [state]
    assert bench.value("hasync_halted", stream="orders") == (state is State.HALTED)
    assert bench.value("hasync_paused", stream="orders") == (state is State.PAUSED)


def test_segment_is_counted_by_table_and_the_rest_as_skipped(bench: Bench, stream: StreamMetrics) -> None:
    """Rows that no rule asked for are counted, but not by table."""
    stream.read(a_segment(rows=5, wanted=2))
    stream.skipped(Skip.NULL_KEY, 1)
    labels = {"stream": "orders", "schema": "shop", "table": "orders", "operation": "insert"}
    assert bench.value("hasync_source_rows_total", **labels) == 2
    assert bench.value("hasync_source_skipped_rows_total", stream="orders", reason="no_rule") == 3
    assert bench.value("hasync_source_skipped_rows_total", stream="orders", reason="null_key") == 1
    assert bench.value("hasync_source_received_bytes_total", stream="orders") == 100
    assert bench.value("hasync_source_transactions_total", stream="orders") == 1
    assert bench.value("hasync_source_last_event_timestamp_seconds", stream="orders") == 990.0


def test_batch_is_counted_and_pending_until_saved(bench: Bench, stream: StreamMetrics) -> None:
    """What is applied but not yet saved is what a crash would have to read again."""
    stream.applied(
        {("shop", "orders", "insert"): 2, ("shop", "users", "delete"): 1}, duration_s=0.1, committed_at=999.0
    )
    labels = {"stream": "orders", "sink": "redis", "schema": "shop", "table": "users", "operation": "delete"}
    assert bench.value("hasync_sink_rows_total", **labels) == 1
    assert bench.value("hasync_sink_batch_rows_sum", stream="orders", sink="redis") == 3
    assert bench.value("hasync_event_age_seconds_sum", stream="orders") == 1.0
    assert bench.value("hasync_checkpoint_pending_rows", stream="orders") == 3
    stream.saved(Result.ERROR, duration_s=0.1)
    assert bench.value("hasync_checkpoint_pending_rows", stream="orders") == 3
    assert bench.value("hasync_checkpoint_last_success_timestamp_seconds", stream="orders") == 0
    stream.saved(Result.OK, duration_s=0.1, pending_rows=1)
    assert bench.value("hasync_checkpoint_pending_rows", stream="orders") == 1
    assert bench.value("hasync_checkpoint_last_success_timestamp_seconds", stream="orders") == 1000.0


def test_ended_term_leaves_nothing_that_looks_alive(bench: Bench, stream: StreamMetrics) -> None:
    """A former leader shows no open source, no queue and no pending rows."""
    stream.lead(7)
    stream.connected(Result.OK)
    stream.queue_rows.set(9)
    stream.applied({("shop", "orders", "insert"): 2}, duration_s=0.1, committed_at=0)
    stream.stand_by(Change.LOST)
    for name in ("source_connected", "queue_rows", "checkpoint_pending_rows"):
        assert bench.value(f"hasync_{name}", stream="orders") == 0


def test_number_of_tables_is_bounded(bench: Bench, stream: StreamMetrics) -> None:
    """A wildcard over tables that are made every day must not grow the series without end."""
    for number in range(TABLES_MAX + 50):
        stream.applied({("shop", f"t{number}", "insert"): 1}, duration_s=0.1, committed_at=0)
    stream.applied({("shop", "t0", "delete"): 1}, duration_s=0.1, committed_at=0)
    rows = [name for name in bench.samples() if name.startswith("hasync_sink_rows_total")]
    assert len(rows) == TABLES_MAX + 2
    labels = {"stream": "orders", "sink": "redis", "operation": "insert"}
    assert bench.value("hasync_sink_rows_total", schema=OTHER, table=OTHER, **labels) == 50


def test_zookeeper_is_observed(bench: Bench) -> None:
    """Session events move the gauge; failed requests do not count as contact."""
    bench.metrics.session_event("connected")
    bench.metrics.request("get", 0.01, "ok")
    assert bench.value("hasync_zookeeper_connected") == 1
    assert bench.value("hasync_zookeeper_last_contact_timestamp_seconds") == 1000.0
    bench.clock.now += 5
    bench.metrics.request("get", 0.01, "ConnectionLoss")
    bench.metrics.session_event("suspended")
    assert bench.value("hasync_zookeeper_connected") == 0
    assert bench.value("hasync_zookeeper_last_contact_timestamp_seconds") == 1000.0
    assert bench.value("hasync_zookeeper_errors_total", error="ConnectionLoss") == 1
    assert bench.value("hasync_zookeeper_request_duration_seconds_count", operation="get") == 1


def test_retries_and_stages_and_config_are_counted(bench: Bench, stream: StreamMetrics) -> None:
    """The rest of what an operator asks for is counted where it says."""
    bench.metrics.retried("apply")
    bench.metrics.gave_up("apply")
    stream.stage_s[Stage.WRITE].observe(0.2)
    stream.sink_failed("sink_refused")
    stream.config_applied(3)
    stream.config_refused()
    assert bench.value("hasync_retries_total", operation="apply") == 1
    assert bench.value("hasync_retries_exhausted_total", operation="apply") == 1
    assert bench.value("hasync_stage_duration_seconds_count", stream="orders", stage="write") == 1
    assert bench.value("hasync_sink_errors_total", stream="orders", sink="redis", error="sink_refused") == 1
    assert bench.value("hasync_config_version", stream="orders") == 3
    assert bench.value("hasync_config_last_reload_successful", stream="orders") == 0
    assert bench.value("hasync_config_last_reload_success_timestamp_seconds", stream="orders") == 1000.0


def test_ends_halts_and_drills_are_told(bench: Bench, stream: StreamMetrics) -> None:
    """Why terms end and streams halt, and that a drill is the reason of what is seen."""
    stream.term_ended(EndReason.SESSION_LOST)
    stream.halt("sink_refused")
    bench.metrics.drilled(Deed.FREEZE, running=True)
    assert bench.value("hasync_terms_ended_total", stream="orders", reason="session_lost") == 1
    assert bench.value("hasync_halts_total", stream="orders", code="sink_refused") == 1
    assert bench.value("hasync_drill_running", deed="freeze") == 1
    bench.metrics.drained(drained=True)
    assert bench.value("hasync_drained") == 1
    bench.metrics.drilled(Deed.FREEZE, running=False)
    assert bench.value("hasync_drill_running", deed="freeze") == 0


def test_every_error_that_halts_has_its_counter() -> None:
    """A new kind of Fatal appears among the codes, else its first halt is invisible to increase()."""
    own_command = {"revision_conflict"}  # met by whoever applies a config, never by an instance
    assert set(HALTS) == {kind.code for kind in Fatal.__subclasses__()} - own_command


def test_stream_without_config_has_refused_none(bench: Bench, stream: StreamMetrics) -> None:
    """An instance that waits for its first config raises no alert about a refused one."""
    assert stream
    assert bench.value("hasync_config_last_reload_successful", stream="orders") == 1


def test_two_instances_in_one_process_do_not_mix() -> None:
    """Nothing hangs on the library's default registry."""
    first, second = Bench(), Bench()
    first.metrics.stream("orders").lead(1)
    second.metrics.stream("orders")
    assert first.value("hasync_leader", stream="orders") == 1
    assert second.value("hasync_leader", stream="orders") == 0


def test_reference_says_which_roles_a_state_stands_for() -> None:
    """Who compares a dashboard with ``hasync status`` finds every role at its state, and every state."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", reference().split("|---|---|\n")[-1], re.MULTILINE))
    assert set(rows) == set(State)
    for role in ("starting", "waiting", "standby", "unfit", "disabled", "leader", "halted", "paused"):
        state = State.STARTING if role == "starting" else STATES.get(role, State.STANDBY)
        assert f"`{role}`" in rows[state]


def test_reference_page_equals_code() -> None:
    """docs/metrics.md is what ``python -m hasync.metrics`` prints (run it to bring the page up to date)."""
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == reference()
    assert all(f"## {title}" in reference() for title in SECTIONS)
