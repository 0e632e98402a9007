"""An admin port over a cluster in memory, asked over a real socket on the loopback."""

import http.client
import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from hasync.clock import SystemClock
from hasync.coordination import StreamCoordination
from hasync.errors import HasyncError
from hasync.fleet.leaderstatus import Said
from hasync.fleet.survey import Eyes, Picture, Survey
from hasync.http import AdminServer, Cluster, Desk, Readiness
from hasync.logs import Log, open_log
from hasync.metrics import Metrics
from hasync.model.cluster import Leader, Leadership
from hasync.model.member import Member, StreamStatus
from hasync.model.position import Flavor, Position
from hasync.model.state import Acknowledged
from tests.fakes.coordination import FakeCluster

STREAM = "orders"
TOKEN = "correct-horse-battery-staple"

DOCUMENT = """\
version: 1
source: {hosts: ["mysql-0:3306"], user: hasync, password: "env:SOURCE_PASSWORD"}
redis: {url: "redis://redis:6379/0"}
tables:
  shop.orders:
    - {set: {key: "order:{id}", value: "{total}"}}
"""


class SetClock(SystemClock):
    """A clock that a test moves; waiting takes real time."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return the set moment."""
        return self.now

    def wall(self) -> float:
        """Return the same as Unix seconds."""
        return 1_800_000_000.0 + self.now


@dataclass
class SetHealth:
    """An instance as a test wants it to be."""

    ages: dict[str, float] = field(init=False)
    ready: Readiness = field(init=False)
    content: Any = field(init=False)
    hold: threading.Event | None = field(init=False)

    def __post_init__(self) -> None:
        """Begin with all well."""
        self.reset()

    def reset(self) -> None:
        """Say that all is well."""
        self.ages, self.ready, self.content, self.hold = {}, Readiness(ready=True), {"member": "a"}, None

    def ages_s(self) -> Mapping[str, float]:
        """Return the set ages."""
        return self.ages

    def readiness(self) -> Readiness:
        """Return the set readiness, once it is let go."""
        if self.hold:
            self.hold.wait(30)
        return self.ready

    def status(self) -> Mapping[str, Any]:
        """Return the set content, or fail with it."""
        if isinstance(self.content, Exception):
            raise self.content
        return self.content  # type: ignore[no-any-return]


class Scene:
    """A stream in a cluster in memory: ``a`` and ``b`` run it, ``a`` leads in epoch 2."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.server = self.cluster.member("server")
        self.instances = {name: self.cluster.member(name) for name in ("a", "b")}
        self.says: dict[str, Said] = {}
        self.ports.configs.put(DOCUMENT, based_on=0, applied_by="ann", comment="first")
        for name in ("a", "b"):
            self.shows(name, "leader" if name == "a" else "standby")
            self.tells(name, lag_seconds=0.25 if name == "a" else None)
        self.leadership = self._elect()
        self.instances["b"].stream(STREAM).election.acquire(threading.Event(), 0)

    @property
    def ports(self) -> StreamCoordination:
        """The stream, as an operator sees it."""
        return self.server.stream(STREAM)

    def shows(self, name: str, role: str, **more: Any) -> None:
        """Have an instance show itself in a role."""
        status = StreamStatus(role=role, able=more.pop("able", True), detail=more.pop("detail", ""))
        member = Member(
            id=name, instance=f"i-{name}", address=f"{name}:9187", version="1.0", streams={STREAM: status}, **more
        )
        self.instances[name].members.join(member)

    def tells(self, name: str, *, epoch: int = 2, ready: bool = True, **stream: Any) -> None:
        """Have an instance answer for its status with this, ``stream`` being what it says of the stream."""
        said = {"epoch": epoch, "config_revision": 1, **stream}
        self.says[f"{name}:9187"] = Said(document={"member": name, "ready": ready, "streams": {STREAM: said}})

    def _elect(self) -> Leadership:
        ports = self.instances["a"].stream(STREAM)
        leadership = ports.election.acquire(threading.Event(), 1)
        assert leadership is not None
        assert [ports.terms.raise_epoch(leadership, seen) for seen in (0, 1)] == [1, 2]
        ports.terms.publish(leadership, Leader(member="a", epoch=2, since=1_800_000_000.0, address="a:9187"))
        position = Position(flavor=Flavor.MYSQL, server_uuid="s-1", file="binlog.000001", pos=700, gtid_set="u:1-9")
        acknowledged = Acknowledged(epoch=2, seq=7, position=position, acknowledged_at=1_800_000_090.0)
        ports.positions.save(leadership, ports.positions.load(), acknowledged)
        return leadership

    def nobody_leads(self) -> None:
        """End the term of ``a``."""
        ports = self.instances["a"].stream(STREAM)
        ports.terms.unpublish(self.leadership)
        ports.election.withdraw()

    def survey(self, clock: SystemClock | None = None) -> Survey:
        """Return what looks at it, from an instance ``c`` that runs nothing."""
        return Survey(
            Eyes(
                members=self.server.members,
                catalog=self.server.streams,
                stream=self.server.stream,
                own=lambda: ("c", {"member": "c"}),
                ask=lambda address: self.says.get(address, Said(why="nobody there")),
                clock=clock or SetClock(),
            )
        )

    def picture(self) -> Picture:
        """Look once."""
        survey = self.survey()
        try:
            return survey.look()
        finally:
            survey.rest()

    def desk(self, clock: SystemClock) -> Desk:
        """Return where wishes are made."""
        server = self.server
        return Desk(members=server.members, catalog=server.streams, stream=server.stream, member="server", clock=clock)


@dataclass
class Surveyor:
    """Says what a test wants of the cluster, and counts how often it is asked."""

    picture: Picture | HasyncError
    looks: int = 0
    rests: int = 0

    def look(self) -> Picture:
        """Return the set picture, or raise the set error."""
        self.looks += 1
        if isinstance(self.picture, HasyncError):
            raise self.picture
        return self.picture

    def rest(self) -> None:
        """Count it."""
        self.rests += 1


@dataclass
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Bench:
    """A server, what it is told, and what it logs."""

    health: SetHealth
    server: AdminServer
    lines: io.BytesIO
    metrics: Metrics
    scene: Scene

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
        finally:
            connection.close()

    def act(self, action: str, *, token: str = TOKEN, stream: str = STREAM, **fields: str) -> Answer:
        """Ask for an action as an operator does."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self.ask(f"/api/streams/{stream}/{action}", "POST", headers, orjson.dumps(fields))

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log's lines of one event."""
        lines = [orjson.loads(line) for line in self.lines.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]


def a_log(lines: io.BytesIO) -> Log:
    return open_log(level="debug", as_json=True, out=lines, clock=SystemClock())


def a_cluster(scene: Scene, *, token: str | None = None, clients_max: int = 3, **more: Any) -> Cluster:
    """Return what the admin port sees of a scene."""
    clock = SystemClock()
    given = {"surveyor": scene.survey(clock), "instance": "i-server", **more}
    return Cluster(
        desk=scene.desk(clock),
        root="/hasync",
        token=None if token is None else lambda: token,
        clock=clock,
        clients_max=clients_max,
        **given,
    )


@contextmanager
def served(
    *, scene: Scene | None = None, token: str | None = TOKEN, request_timeout_s: float = 10.0, **more: Any
) -> Iterator[Bench]:
    """Serve on any free port."""
    scene, health, lines = scene or Scene(), SetHealth(), io.BytesIO()
    metrics = Metrics(CollectorRegistry(), SystemClock())
    with AdminServer(
        "127.0.0.1",
        more.pop("port", 0),
        health=health,
        registry=metrics.registry,
        cluster=a_cluster(scene, token=token, **more),
        live_within_s=20.0,
        log=a_log(lines),
        request_timeout_s=request_timeout_s,
    ) as server:
        yield Bench(health, server, lines, metrics, scene)
