"""A terminal in front of a cluster in memory: commands run as a person would type them."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from typer.testing import CliRunner, Result

from hasync.cli.app import app
from hasync.cli.invocation import Cluster, Invocation, Outside, ProbeAccount, Servers
from hasync.errors import CoordinationRefused, CoordinationUnavailable, HasyncError
from hasync.model.change import Interest
from hasync.model.check import Check
from hasync.model.cluster import Halt, Leader, Leadership
from hasync.model.config import StreamConfig
from hasync.model.drain import Drain
from hasync.model.member import Member, StreamStatus
from hasync.model.position import Flavor, Position, Start
from hasync.model.provision import Provisioned
from hasync.model.state import Acknowledged, SinkState
from hasync.ports import ChangeSource, Sink
from tests.fakes.coordination import FakeCluster, FakeMember
from tests.fakes.drills import FakeDrills
from tests.fakes.sink import FakeSink, FakeStore

STREAM = "orders"
NOW = 1_800_000_000.0

DOCUMENT = """\
version: 1
source: {hosts: ["mysql-0:3306"], user: hasync}
redis: {url: "redis://redis:6379/0"}
tables:
  shop.orders:
    - {set: {key: "order:{id}", value: "{total}"}}
"""
OTHER = DOCUMENT.replace("{total}", "{state}")


def place(pos: int, *, file: int = 1, server: str = "server-1") -> Position:
    """Return a place in the source's binlog."""
    return Position(flavor=Flavor.MYSQL, server_uuid=server, file=f"binlog.{file:06d}", pos=pos)


def acknowledged(seq: int, pos: int, epoch: int = 1) -> Acknowledged:
    """Return what ZooKeeper keeps."""
    return Acknowledged(epoch=epoch, seq=seq, position=place(pos), acknowledged_at=NOW - 1)


def halt(revision: int) -> Halt:
    """Return a halt under a config revision."""
    return Halt(
        code="sink_refused",
        reason="WRONGTYPE",
        hint="remove the key",
        member="a",
        epoch=2,
        position=None,
        config_revision=revision,
        at=NOW,
    )


@dataclass(slots=True)
class Clock:
    """A clock that a wait moves; ``during_wait`` is what happens meanwhile."""

    now_s: float = 0.0
    during_wait: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return NOW + self.now_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.during_wait()
        if not event.is_set():
            self.now_s += timeout_s
        return event.is_set()

    def random(self) -> float:
        return 0.5


@dataclass(slots=True)
class Source:
    """A source that knows places and gives no rows."""

    answer: Position | HasyncError
    opened: list[Start | Position] = field(default_factory=list)

    def open(self, start: Start | Position, interest: Interest) -> Position:
        self.opened.append(start)
        if isinstance(self.answer, HasyncError):
            raise self.answer
        return self.answer

    def read(self) -> Any:
        raise AssertionError("a command reads no rows")

    def follow(self, interest: Interest) -> None: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...


class Stage:
    """The cluster, the servers of one stream, and the terminal."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.operator = self.cluster.member("cli-here-7")
        self.instances = {name: self.cluster.member(name) for name in ("a", "b")}
        self.store = FakeStore()
        self.source = Source(place(900))
        self.drills = FakeDrills()
        self.clock = Clock()
        self.environ = {"HASYNC_STREAMS": STREAM}
        self.hostname = "here"
        self.interactive = False
        self.cluster_checks: tuple[Check, ...] = (Check(name="zookeeper.reachable", ok=True, detail="connected"),)
        self.server_checks: tuple[Check, ...] = (Check(name="source.version", ok=True, detail="9.7"),)
        self.installation_checks: tuple[Check, ...] = ()
        self.unreachable: CoordinationUnavailable | None = None
        self.connections = 0
        self.work: Callable[[Invocation, threading.Event], int] = lambda call, stop: 0
        self.supervise: Callable[[Invocation], int] = lambda call: self.work(call, threading.Event())
        self.sinks: list[FakeSink] = []
        self.tree: tuple[Provisioned, ...] = ()
        self.drains = Drains()
        self.deposed: list[str] = []
        self.lock: Leadership | None = None
        self.provisions: list[tuple[tuple[str, ...], bool, bool]] = []

    # ------------------------------------------------------------ what is in the cluster

    @property
    def ports(self) -> Any:
        """The stream as the operator sees it."""
        return self.operator.stream(STREAM)

    def apply(self, document: str = DOCUMENT) -> None:
        """Have a config in force."""
        current = self.ports.configs.get()
        self.ports.configs.put(document, based_on=current.revision if current else 0, applied_by="ann@desk")

    def elect(self, name: str = "a", *, address: str = "", epoch: int = 1) -> tuple[FakeMember, Leadership]:
        """Have an instance lead."""
        instance = self.instances[name]
        ports = instance.stream(STREAM)
        leadership = ports.election.acquire(threading.Event(), 1.0)
        assert leadership is not None
        while ports.terms.raise_epoch(leadership, epoch - 1) < epoch:
            pass
        self.lock = leadership
        ports.terms.publish(leadership, Leader(member=name, epoch=epoch, since=NOW - 60, address=address))
        self.show(name, "leader", epoch)
        return instance, leadership

    def garble(self, *ports: str) -> None:
        """Have what these ports of the stream read be understood by nobody."""
        original = self.operator.stream

        def stream(name: str) -> Any:
            made = original(name)
            broken = {port: _Garbled(getattr(made, port), port) for port in ports} if name == STREAM else {}
            return replace(made, **broken)

        self.operator.stream = stream  # type: ignore[method-assign]

    def show(self, name: str, role: str, epoch: int = 0, detail: str = "", *, drained: str = "", **more: Any) -> None:
        """Have an instance show itself among the members; ``drained``: by whom; ``more``: of its status."""
        status = StreamStatus(role=role, epoch=epoch, detail=detail, **more)
        member = Member(
            id=name, instance=f"token-{name}", address=f"{name}:9187", streams={STREAM: status}, drained=drained
        )
        self.instances[name].members.update(member)

    def acknowledge(self, value: Acknowledged) -> None:
        """Have a position in ZooKeeper, saved by a leader that is gone."""
        ports = self.cluster.member("former").stream(STREAM)
        leadership = ports.election.acquire(threading.Event(), 1.0)
        assert leadership is not None
        ports.terms.raise_epoch(leadership, value.epoch - 1)
        ports.positions.save(leadership, ports.positions.load(), value, rewind=True)
        ports.election.release(leadership, 1.0)

    def write(self, seq: int, pos: int, epoch: int = 1) -> SinkState:
        """Have a state in Redis."""
        state = SinkState(epoch=epoch, seq=seq, position=place(pos), source="server-1", applied_at=NOW - 1)
        self.store.set_state(state)
        return state

    # ---------------------------------------------------------------------- the terminal

    def run(self, *words: str, typed: str | None = None, environ: Mapping[str, str] | None = None) -> Result:
        """Type a command; what is not understood fails the test at once."""
        outside = replace(self.outside(), environ={**self.environ, **(environ or {})})
        return CliRunner().invoke(app, list(words), input=typed, obj=outside, catch_exceptions=False)

    def provision(self, streams: Sequence[str], *, execute: bool, fix_acl: bool) -> tuple[Provisioned, ...]:
        """Note what was asked for, and answer what the test laid there."""
        self.provisions.append((tuple(streams), execute, fix_acl))
        return self.tree

    def depose(self, stream: str, holder: str) -> bool:
        """Take the lock from whoever was elected last, if it is this one."""
        self.deposed.append(holder)
        queue = self.operator.stream(stream).election.contenders()
        if not queue or queue[0] != holder or self.lock is None:
            return False
        self.cluster.delete(self.lock.lock_path)
        return True

    def json(self, *words: str) -> Any:
        """Type a command with ``-o json`` and read what it prints."""
        return json.loads(self.run(*words, "-o", "json").stdout)

    def outside(self) -> Outside:
        """Return the world that commands see."""
        return Outside(
            environ=self.environ,
            clock=self.clock,
            hostname=self.hostname,
            user="ann",
            pid=7,
            interactive=self.interactive,
            connect=self._connect,
            servers=lambda call, stream, config: _Servers(self, config),
            work=lambda call, stop, lifeline: self.work(call, stop),
            supervise=self.supervise,
            installation=lambda: self.installation_checks,
        )

    @contextmanager
    def _connect(self, call: Invocation) -> Iterator[Cluster]:
        if self.unreachable is not None:
            raise self.unreachable
        assert call.settings.zookeeper.hosts
        self.connections += 1
        yield Cluster(
            members=self.operator.members,
            catalog=self.operator.streams,
            stream=self.operator.stream,
            checks=lambda: self.cluster_checks,
            drills=lambda name: self.drills,
            provision=self.provision,
            drains=self.drains,
            depose=self.depose,
        )
        self.connections -= 1


class Drains:
    """The drains in ZooKeeper."""

    def __init__(self) -> None:
        self.kept: dict[str, Drain] = {}

    def put(self, drain: Drain) -> None:
        self.kept[drain.member] = drain

    def clear(self, member: str) -> bool:
        return self.kept.pop(member, None) is not None

    def list(self) -> tuple[Drain, ...]:
        return tuple(self.kept.values())


class _Garbled:
    """A port whose znode holds garbage; all but reading it works."""

    def __init__(self, port: Any, name: str) -> None:
        self._port = port
        self._name = name

    def get(self, wake: threading.Event | None = None) -> Any:
        raise CoordinationRefused(f"/hasync/streams/{STREAM}/{self._name} holds garbage", hint="repair it")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


@dataclass(frozen=True, slots=True)
class _Servers:
    stage: Stage
    config: StreamConfig

    def sink(self) -> Sink:
        sink = FakeSink(self.stage.store)
        self.stage.sinks.append(sink)
        return sink

    def source(self) -> ChangeSource:
        return self.stage.source

    def probe(self, account: ProbeAccount) -> Any:
        raise AssertionError("no probe was asked for")

    def checks(self) -> tuple[Check, ...]:
        return self.stage.server_checks


_PORTS: Callable[[Stage, StreamConfig], Servers] = _Servers
