"""One instance: builds all adapters, runs one candidate per stream, answers probes, ends in order.

:mod:`~hasync.worker.adapters` is the only place where the roads' concrete classes are
known; :mod:`~hasync.worker.instance` is the life of the process.
"""

from hasync.worker.adapters import build_session, build_sink, build_source
from hasync.worker.instance import run_worker

__all__ = ["build_session", "build_sink", "build_source", "run_worker"]
