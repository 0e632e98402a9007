"""What happens to a stream, as status and metrics tell it."""

import io
import threading

from prometheus_client import CollectorRegistry

from hasync.clock import SystemClock
from hasync.errors import SinkUnavailable
from hasync.logs import open_log
from hasync.metrics import Metrics
from hasync.model.check import Check
from hasync.model.cluster import Halt
from hasync.term.candidate import Role
from hasync.term.report import StreamReport, end_of
from hasync.term.role import STANDING_BACK


def report_of(degraded_after_s: float = 30.0, registry: CollectorRegistry | None = None) -> StreamReport:
    clock = SystemClock()
    return StreamReport(
        stream="orders",
        process=Metrics(registry or CollectorRegistry(), clock),
        log=open_log(level="error", as_json=True, out=io.BytesIO(), clock=clock),
        clock=clock,
        degraded_after_s=degraded_after_s,
    )


def test_threads_that_tell_at_once_do_not_undo_each_other() -> None:
    """I10: a preflight's result must not bring back the role from before a takeover."""
    report = report_of()
    stop = threading.Event()

    def check() -> None:
        while not stop.is_set():
            report.checked((Check(name="redis", ok=True, detail=""),))

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(3000):
        role = Role("leader" if number % 2 else "standby")
        report.standing(role)
        assert report.standing_now.role == role
    stop.set()
    for thread in threads:
        thread.join()


def test_trouble_is_told_with_its_newest_words_and_goes_when_healed() -> None:
    """An operator reads what is wrong now, not what was wrong first."""
    report = report_of()
    report.degraded("apply", SinkUnavailable("timed out"))
    report.retrying("apply", 1, SinkUnavailable("connection refused"), 0.1)
    assert report.standing_now.degraded == {"apply": "connection refused"}
    report.healed("apply", 1.0)
    assert report.standing_now.degraded == {}


def test_long_trouble_makes_the_stream_degraded_until_it_heals() -> None:
    """retry.degraded_after_s: said once, in status and readiness, and taken back."""
    report = report_of(degraded_after_s=0.0)
    report.degraded("apply", SinkUnavailable("timed out"))
    report.retrying("apply", 1, SinkUnavailable("timed out"), 0.1)
    assert report.standing_now.degraded_long
    report.healed("apply", 1.0)
    assert not report.standing_now.degraded_long


def test_commit_time_in_whole_seconds_stands_for_its_whole_second() -> None:
    """MariaDB stamps commits in seconds: a stream that is in step must not look a second late."""
    assert end_of(100.0) == 101.0
    assert end_of(100.25) == 100.25


def test_takeover_of_a_silent_source_ends_when_nothing_is_left_to_apply() -> None:
    """Else the first row, hours later, would look like a takeover of hours, and be alerted."""
    registry = CollectorRegistry()
    report = report_of(registry=registry)
    report.elected()
    for _ in range(3):
        report.caught_up()
    assert registry.get_sample_value("hasync_failover_duration_seconds_count", {"stream": "orders"}) == 1


def test_halt_is_counted_and_others_are_let_try_first() -> None:
    """Metrics say which error halted a stream, and that an instance stands back."""
    registry = CollectorRegistry()
    report = report_of(registry=registry)
    report.standing(Role("waiting", f"{STANDING_BACK} local_fault: no such file"))
    assert registry.get_sample_value("hasync_standing_back", {"stream": "orders"}) == 1
    halt = Halt(
        code="sink_refused", reason="WRONGTYPE", hint="", member="a", epoch=3, position=None, config_revision=1, at=0.0
    )
    report.halted(halt)
    assert registry.get_sample_value("hasync_standing_back", {"stream": "orders"}) == 0
    labels = {"stream": "orders", "code": "sink_refused"}
    assert registry.get_sample_value("hasync_halts_total", labels) == 1
