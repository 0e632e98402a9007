"""The admin port: probes, metrics, the status page and admin actions, over HTTP, in threads of its own.

What each answer means to an orchestrator is in ``docs/decisions/0007-observability.md``; the page
and its API are in ``docs/status-page.md``.
"""

from hasync.http.actions import Desk
from hasync.http.health import Health, Heartbeats, Readiness
from hasync.http.server import AdminServer, Cluster

__all__ = ["AdminServer", "Cluster", "Desk", "Health", "Heartbeats", "Readiness"]
