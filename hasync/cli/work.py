"""The instance itself, as ``hasync run`` starts it in its process."""

import sys
import threading

from hasync.cli.invocation import Invocation
from hasync.logs import open_log, route_drivers, wants_json
from hasync.worker.instance import run_worker
from hasync.worker.lifeline import Lifeline


def work(call: Invocation, stop: threading.Event, descriptor: int | None) -> int:
    """Run an instance until ``stop`` is set; ``descriptor``: the pipe to its supervisor, if it has one."""
    settings, clock = call.settings, call.clock
    out = sys.stderr.buffer
    log = open_log(
        level=settings.log.level,
        as_json=wants_json(settings.log.format, out),
        out=out,
        clock=clock,
        member=settings.member_id,
    )
    route_drivers(log)
    lifeline = None
    if descriptor is not None:
        every_s = min(1.0, settings.supervisor.heartbeat_s / 5)
        lifeline = Lifeline.inherited(descriptor, clock=clock, every_s=every_s, stop=stop)
        lifeline.start()
    return run_worker(settings, call.outside.environ, stop, log=log, clock=clock, lifeline=lifeline)
