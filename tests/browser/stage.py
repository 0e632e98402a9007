"""Two real instances on real servers, and what a test does to them."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from testbed import MySql, Redis, ZooKeeper, wait_until
from tests.failover.conftest import backends_of
from tests.failover.fleet import SCHEMA, STREAM, Fleet, Running, Workload, fleet_on

TOKEN = "browser-test-token-0815"
LONG = "a-stream-with-a-rather-long-name-as-people-give-them.v2"


class Stage:
    """Instances ``a`` and ``b`` run two streams; only ``a`` takes admin actions."""

    def __init__(self, fleet: Fleet, mysql: MySql, redis: Redis) -> None:
        self.fleet = fleet
        self.mysql = mysql
        self.redis = redis

    @property
    def a(self) -> Running:
        """The instance with admin actions."""
        return self.fleet.instances[0]

    @property
    def b(self) -> Running:
        """The read-only one."""
        return self.fleet.instances[1]

    def url(self, instance: Running, path: str = "/") -> str:
        """Return where a page of an instance is."""
        return f"http://127.0.0.1:{instance._lease.port}{path}"

    def view(self, instance: Running | None = None) -> dict[str, Any]:
        """Return the document behind the page; one without streams while it does not answer."""
        _, body = (instance or self.a).get("/api/cluster")
        view: dict[str, Any] = orjson.loads(body) if body else {"streams": [], "instances": []}
        return view

    def stream(self, name: str = STREAM, instance: Running | None = None) -> dict[str, Any]:
        """Return a stream's part of it."""
        found: dict[str, Any] = next(each for each in self.view(instance)["streams"] if each["name"] == name)
        return found

    def act(self, action: str, stream: str = STREAM, token: str = TOKEN, **fields: str) -> dict[str, Any]:
        """Do something over the API of ``a``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.a._lease.port, timeout=10)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"/api/streams/{stream}/{action}", orjson.dumps(fields), headers)
            outcome: dict[str, Any] = orjson.loads(connection.getresponse().read())
            return outcome
        finally:
            connection.close()

    def settled(self) -> None:
        """Wait until both streams are led and have somebody to take over."""

        def calm() -> bool:
            streams = self.view()["streams"]
            able = all(any(each["role"] == "standby" and each["able"] for each in s["members"]) for s in streams)
            return len(streams) == 2 and able and all(each["state"] == "running" for each in streams)

        wait_until("both streams run, with a standby each", calm, timeout_s=40)


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    """Start servers and instances, and a load on them."""
    with MySql(directory) as mysql, ZooKeeper(directory) as zookeeper, Redis(directory) as redis:
        mysql.script(SCHEMA)
        backends = backends_of(mysql, redis, zookeeper, directory)
        with fleet_on(backends) as fleet, Workload(mysql, pause_s=0.05):
            fleet.apply(backends.config())
            fleet.stream(LONG).configs.put(backends.config(), based_on=0, applied_by="ann@desk", comment="second")
            more = {"HASYNC_STREAMS": f"{STREAM},{LONG}", "HASYNC_REBALANCE__ENABLED": "false"}
            secret = {"HASYNC_SECRET_ADMIN": TOKEN, "HASYNC_HTTP__ADMIN_TOKEN": "env:HASYNC_SECRET_ADMIN"}
            fleet.start("a", **more, **secret)
            fleet.start("b", **more)
            stage = Stage(fleet, mysql, redis)
            stage.settled()
            yield stage
