"""hasync's own contender: the data road of one term, built of the very parts that the worker builds it of.

Left out is what costs no row: election, epoch counter and acknowledgements in ZooKeeper.
The fence is there (state key, WATCH, MULTI/EXEC), and so are metrics and status.
"""

import sys
import threading
import time
from collections.abc import Callable
from io import BytesIO

import orjson
from prometheus_client import CollectorRegistry

from benchmarks.task import SCHEMA, Answer, Task, peak_rss_mb
from benchmarks.workload import ALL
from hasync.clock import SystemClock
from hasync.logs import open_log
from hasync.metrics import Metrics
from hasync.model.config import parse
from hasync.model.position import Flavor, Position
from hasync.settings import Settings
from hasync.stream.batch import BatchLimit
from hasync.stream.pipeline import Applied, Pipeline
from hasync.stream.rules import Rules
from hasync.term.report import StreamReport
from hasync.term.watcher import Compiled
from hasync.worker.adapters import StreamAdapters
from hasync.worker.sessions import secrets_from

STREAM = "bench"
EPOCH = 1
NEVER = (sys.maxsize, 0, 0)
"""The place of no position."""


class Unchallenged:
    """A :class:`hasync.ports.TermGuard` whose term nobody ends."""

    confirmed = True

    def check(self) -> None:
        """Let everything pass."""


class Finish(StreamReport):
    """The worker's report, which also ends the run when the binlog's end is applied."""

    pipeline: Pipeline
    end: tuple[int, int, int]
    ended_at = 0.0

    def applied(self, applied: Applied) -> None:
        """Report as ever; at the end take the time and let the pipeline drain."""
        super().applied(applied)
        position = applied.state.position
        if position is not None and not self.ended_at and position.order() >= self.end:
            self.ended_at = time.monotonic()
            self.pipeline.drain()


def compiled(task: Task) -> Compiled:
    """Return the stream's config, all defaults but the places."""
    document = {
        "version": 1,
        "source": {
            "hosts": [f"{task.host}:{task.source_port}"],
            "user": task.source_user,
            "password": "env:SOURCE_PASSWORD",
            "start": {"file": task.file, "pos": task.start_pos},
        },
        "redis": {"url": f"redis://{task.host}:{task.redis_port}/0"},
        "tables": {f"{SCHEMA}.{task.table}": [ALL[task.workload].rule]},
    }
    config = parse(orjson.dumps(document))
    return Compiled(revision=1, config=config, rules=Rules(config))


def reporting(task: Task, clock: SystemClock) -> Finish:
    """Return a report as the worker makes one; its log goes nowhere."""
    log = open_log(level="info", as_json=True, out=BytesIO(), clock=clock, member="bench")
    finish = Finish(stream=STREAM, process=Metrics(CollectorRegistry(), clock), log=log, clock=clock)
    end = Position(flavor=Flavor.MYSQL, server_uuid="", file=task.file, pos=task.end_pos)
    finish.end = end.order() if task.end_pos else NEVER
    return finish


class Nobody:
    """No other instance."""

    def others_able(self, stream: str) -> bool:  # noqa: ARG002 - the port's
        """Nobody is."""
        return False

    def better(self, stream: str, contenders: Callable[[], tuple[str, ...]]) -> str:  # noqa: ARG002
        """Nobody is."""
        return ""


def adapters_of(task: Task, clock: SystemClock, report: StreamReport) -> StreamAdapters:
    """Return what builds source, sink and retries, with the settings' defaults."""
    return StreamAdapters(
        stream=STREAM,
        settings=Settings(member_id="bench"),
        secrets=secrets_from({"SOURCE_PASSWORD": task.source_password}),
        clock=clock,
        retries=report,
        on_fenced=report.fenced,
        company=Nobody(),
    )


def run(task: Task) -> Answer:
    """Claim the state, apply the whole file, and drain; without an end, apply until killed."""
    clock = SystemClock()
    finish, plan = reporting(task, clock), compiled(task)
    adapters = adapters_of(task, clock, finish)
    batch = plan.config.batch
    began = time.monotonic()
    sink = adapters.sink(plan)
    pipeline = finish.pipeline = Pipeline(
        source=adapters.source(plan),
        sink=sink,
        rules=plan.rules,
        limit=BatchLimit(max_rows=batch.max_rows, max_bytes=batch.max_bytes),
        guard=Unchallenged(),
        clock=clock,
        retry=adapters.retry(threading.Event()),
        reader_retry=adapters.retry,
        observer=finish,
        on_applied=lambda _state: None,
        on_caught_up=lambda: None,
    )
    claimed = sink.claim(EPOCH, sink.peek())
    pipeline.run(plan.config.source.start, claimed)
    sink.close()
    return Answer(rows=finish.standing_now.rows_applied, seconds=finish.ended_at - began, peak_rss_mb=peak_rss_mb())
