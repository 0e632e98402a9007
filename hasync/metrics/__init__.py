"""Metrics of one process, on a registry of its own; what each means is in :mod:`hasync.metrics.families`.

``python -m hasync.metrics`` prints ``docs/metrics.md``.
"""

import platform

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, disable_created_metrics

from hasync import __version__
from hasync.metrics.collectors import Collectors
from hasync.metrics.families import Change, Result, Skip, Stage, State
from hasync.metrics.stream import StreamMetrics, TableOperation
from hasync.model.drill import Deed
from hasync.model.vitals import Past
from hasync.ports import Clock

SESSION_STATES = ("connected", "suspended", "lost", "refused", "restarted")
ZOOKEEPER_OK = "ok"
ZOOKEEPER_ERRORS = ("conflict", "ConnectionLoss", "OperationTimeoutError", "SessionExpiredError")
"""The common ones; others appear when they happen."""

__all__ = [
    "Change",
    "Metrics",
    "Result",
    "Skip",
    "Stage",
    "State",
    "StreamMetrics",
    "TableOperation",
]


class Metrics:
    """All metrics of a process, made once by ``worker`` and handed down. Safe from any thread."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        """Register every metric on ``registry``; a registry takes one Metrics only."""
        # A third of all series would be "_created" moments that no alert and no panel uses.
        # The library knows this switch for the whole process only.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry
        self._clock = clock
        self._collectors = Collectors(registry)
        self._streams: dict[str, StreamMetrics] = {}
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._collectors.gauge("build_info").labels(__version__, platform.python_version()).set(1)
        self._codec = self._collectors.gauge("codec_compiled")
        self._maintenance = self._collectors.gauge("maintenance")
        self._drained = self._collectors.gauge("drained")
        self._rebalances = self._collectors.counter("rebalances")
        self._connected = self._collectors.gauge("zookeeper_connected")
        self._last_contact = self._collectors.gauge("zookeeper_last_contact_timestamp_seconds")
        self._supervised = self._collectors.gauge("supervised")
        self._restarts = self._collectors.gauge("worker_restarts")
        self._last_exit = self._collectors.gauge("worker_last_exit_timestamp_seconds")
        self._sessions_closed = self._collectors.gauge("worker_sessions_closed")
        for state in SESSION_STATES:
            self._collectors.counter("zookeeper_session_events").labels(state)
        for error in ZOOKEEPER_ERRORS:
            self._collectors.counter("zookeeper_errors").labels(error)
        for deed in Deed:
            self.drilled(deed, running=False)

    def stream(self, name: str) -> StreamMetrics:
        """Return the metrics of a stream, the same object each time; its counters begin at 0 at once."""
        if name not in self._streams:
            self._streams[name] = StreamMetrics(name, self._collectors, self._clock)
        return self._streams[name]

    def codec(self, *, compiled: bool) -> None:
        """Say whether the codec of this installation is compiled."""
        self._codec.set(compiled)

    def maintenance(self, paused: bool) -> None:
        """Say whether operators have paused all streams."""
        self._maintenance.set(paused)

    def drained(self, *, drained: bool) -> None:
        """Say whether operators want this instance to lead nothing."""
        self._drained.set(drained)

    def rebalanced(self) -> None:
        """Note a hand-over that was asked for, to spread leaders evenly."""
        self._rebalances.inc()

    def supervisor(self, past: Past) -> None:
        """Show what the supervisor has seen; it outlives workers, so these are its numbers and not increments."""
        self._supervised.set(1)
        self._restarts.set(past.restarts)
        self._last_exit.set(past.last_exit_at)
        self._sessions_closed.set(past.sessions_closed)

    def drilled(self, deed: Deed, *, running: bool) -> None:
        """Say whether a drill's deed is being done to this instance."""
        self._collectors.gauge("drill_running").labels(deed.value).set(running)

    def session_event(self, event: str) -> None:
        """Note a change of the ZooKeeper session (a :class:`hasync.coordination.ClusterObserver`)."""
        self._collectors.counter("zookeeper_session_events").labels(event).inc()
        self._connected.set(event == "connected")

    def request(self, operation: str, seconds: float, outcome: str) -> None:
        """Note one request to ZooKeeper (a :class:`hasync.coordination.ClusterObserver`)."""
        if outcome == ZOOKEEPER_OK:
            # Only of what was answered: a request that a lost connection refuses takes no time at all.
            self._collectors.histogram("zookeeper_request_duration_seconds").labels(operation).observe(seconds)
            self._last_contact.set(self._clock.wall())
        else:
            self._collectors.counter("zookeeper_errors").labels(outcome).inc()

    def watch_retries(self, *operations: str) -> None:
        """Begin the counters of these operations at 0, so that an alert sees the first retry."""
        for operation in operations:
            self._collectors.counter("retries").labels(operation)
            self._collectors.counter("retries_exhausted").labels(operation)

    def retried(self, operation: str) -> None:
        """Note an attempt that failed and will be repeated. ``operation``: a constant."""
        self._collectors.counter("retries").labels(operation).inc()

    def gave_up(self, operation: str) -> None:
        """Note that an operation was not tried again."""
        self._collectors.counter("retries_exhausted").labels(operation).inc()
