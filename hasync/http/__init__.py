"""The admin port: probes, metrics and status, over HTTP, in threads of its own.

What each answer means to an orchestrator is in ``docs/decisions/0007-observability.md``.
"""

from hasync.http.health import Health, Heartbeats, Readiness
from hasync.http.server import AdminServer

__all__ = ["AdminServer", "Health", "Heartbeats", "Readiness"]
