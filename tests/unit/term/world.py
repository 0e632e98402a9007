"""Both roads in memory: a binlog, a Redis, a ZooKeeper, and leaders that may die between any two steps."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hasync.clock import SystemClock
from hasync.coordination import StreamCoordination
from hasync.model.change import Kind
from hasync.model.cluster import ConfigRevision
from hasync.model.position import Position, Start, StartKind
from hasync.model.state import SinkState
from hasync.ports import ChangeSource, Sink
from hasync.retry import Retrier
from hasync.stream.pipeline import Applied
from hasync.term.leading import Leading, Outcome
from hasync.term.watcher import Compiled
from tests.fakes.coordination import FakeCluster, FakeMember
from tests.fakes.sink import FakeSink, FakeStore
from tests.fakes.source import FakeServer, FakeSource, FakeTable

STREAM = "orders"
ACCOUNT = FakeTable("app.account", ("id", Kind.INTEGER), ("balance", Kind.INTEGER))
PRODUCT = FakeTable("app.product", ("id", Kind.INTEGER), ("name", Kind.TEXT))

CONFIG = """
version: 1
source: {hosts: ["db:3306"], user: hasync, start: earliest}
redis: {url: "redis://redis:6379/0"}
on_missing_state: MISSING
batch: {max_rows: 4}
tables:
  app.account:
    - {set: {key: "account:{id}", value: "{balance}"}}
    - {handler: "tests.failover.handlers:count_changes"}
  app.product:
    - {hash: {key: "product:{id}", fields: [name]}}
"""


def compiled(revision: int = 1, document: str = CONFIG, missing: str = "halt") -> Compiled:
    """Compile a document as the watcher does."""
    return Compiled.of(
        ConfigRevision(
            revision=revision, document=document.replace("MISSING", missing), applied_at=0.0, applied_by="test"
        )
    )


class Crash(Exception):  # noqa: N818 - the process is gone; nothing of hasync may catch it
    """The process died here."""


class Mortal:
    """Counts the steps that a leader takes in the outside world, and dies in front of one of them.

    Once dead, every further step of any of its threads dies too: a dead process does nothing.
    """

    def __init__(self, dies_at: int | None = None) -> None:
        self._lock = threading.Lock()
        self._dies_at = dies_at
        self.steps: list[str] = []
        self.dead = False

    def step(self, name: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        with self._lock:
            self.steps.append(name)
            if self.dead or len(self.steps) == self._dies_at:
                self.dead = True
                raise Crash(name)
        return function(*arguments, **named)

    def wrap(self, port: Any, name: str, *methods: str) -> Any:
        """Return ``port`` with these methods counted."""
        return _Wrapped(self, port, name, methods)


class _Wrapped:
    def __init__(self, mortal: Mortal, port: Any, name: str, methods: tuple[str, ...]) -> None:
        self._mortal = mortal
        self._port = port
        self._name = name
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name not in self._methods:
            return method
        return lambda *arguments, **named: self._mortal.step(f"{self._name}.{name}", method, *arguments, **named)


@dataclass
class Watching:
    """A TermObserver that remembers what it was told, and can be asked to wait for it."""

    applied_batches: list[Applied] = field(default_factory=list)
    states: list[SinkState] = field(default_factory=list)
    explanations: list[str] = field(default_factory=list)
    caught: threading.Event = field(default_factory=threading.Event)
    goal: Callable[[], bool] = lambda: False

    def turning(self) -> None: ...
    def opened(self, position: Position) -> None: ...
    def read(self, segment: Any) -> None: ...
    def held_back(self, seconds: float) -> None: ...
    def source_lost(self, error: Exception) -> None: ...
    def waiting(self, rows: int, capacity_rows: int) -> None: ...
    def acknowledged(self, acknowledged: Any, seconds: float) -> None: ...
    def acknowledge_failed(self, error: Exception) -> None: ...
    def step_taken(self, step: Any, seconds: float) -> None: ...
    def draining(self, reason: Any) -> None: ...
    def ended(self, epoch: int, outcome: Outcome) -> None: ...

    def caught_up(self) -> None:
        if self.goal():
            self.caught.set()

    def decided(self, epoch: int, resume: Any) -> None:
        self.explanations.append(resume.explanation)

    def began(self, epoch: int, claimed: SinkState) -> None:
        self.states.append(claimed)

    def applied(self, applied: Applied) -> None:
        self.states.append(applied.state)
        if applied.batch is not None:
            self.applied_batches.append(applied)


class World:
    """Servers that outlive leaders."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.store = FakeStore()
        self.cluster = FakeCluster()

    def fill(self) -> None:
        """Write a binlog of small, large, multi-row and foreign transactions."""
        server = self.server
        server.commit(ACCOUNT.insert((b"1", b"10"), (b"2", b"20")))
        server.commit(PRODUCT.insert((b"1", b"one")))
        server.commit(ACCOUNT.update(((b"1", b"10"), (b"1", b"11"))))
        server.commit()
        server.commit(*[ACCOUNT.insert((b"%d" % n, b"0")) for n in range(3, 12)])  # larger than a batch: cut
        server.commit(ACCOUNT.update(((b"2", b"20"), (b"2", b"22"))), PRODUCT.delete((b"1", b"one")))
        server.commit(PRODUCT.insert((b"2", b"two")))

    def leading(
        self,
        member: FakeMember,
        *,
        mortal: Mortal | None = None,
        observer: Watching | None = None,
        above_epoch: int = 0,
        missing: str = "halt",
        others_able: bool = False,
    ) -> Leading:
        """Win the election and return the term, not yet run."""
        mortal = mortal or Mortal()
        coordination = member.stream(STREAM)
        leadership = coordination.election.acquire(threading.Event(), 5)
        assert leadership is not None
        return Leading(
            leadership=leadership,
            compiled=compiled(missing=missing),
            above_epoch=above_epoch,
            coordination=self._mortal_coordination(mortal, coordination),
            session=member.session,
            adapters=Builders(self, mortal, others_able=others_able),
            address="",
            clock=SystemClock(),
            acknowledge_every_s=0.001,
            observer=observer or Watching(),
        )

    @staticmethod
    def _mortal_coordination(mortal: Mortal, real: StreamCoordination) -> StreamCoordination:
        return StreamCoordination(
            stream=real.stream,
            election=real.election,
            terms=mortal.wrap(real.terms, "terms", "raise_epoch", "publish", "record", "unpublish"),
            positions=mortal.wrap(real.positions, "positions", "load", "save"),
            configs=real.configs,
            halts=real.halts,
            intents=real.intents,
        )


class Builders:
    """:class:`hasync.term.leading.Adapters` of fakes."""

    def __init__(self, world: World, mortal: Mortal, *, others_able: bool = False) -> None:
        self._world = world
        self._mortal = mortal
        self._others_able = others_able

    def source(self, compiled: Compiled) -> ChangeSource:
        source = FakeSource(self._world.server, max_rows=compiled.config.batch.max_rows)
        return self._mortal.wrap(source, "source", "open", "read")  # type: ignore[no-any-return]

    def sink(self, compiled: Compiled) -> Sink:
        return self._mortal.wrap(FakeSink(self._world.store), "sink", "peek", "claim", "apply")  # type: ignore[no-any-return]

    def retry(self, stop: threading.Event) -> Retrier:
        return Retrier(stop=stop, clock=SystemClock(), multiplier_s=0.001, max_s=0.002, give_up_after_s=5)

    def others_able(self) -> bool:
        return self._others_able

    def better(self, contenders: Callable[[], tuple[str, ...]]) -> str:
        return ""


def at_end(world: World) -> Callable[[], bool]:
    """Whether the state has reached the binlog's end."""
    end = world.server.copy(world.server.uuid)
    target = FakeSource(end).open(Start(kind=StartKind.LATEST), _Nothing())

    def reached() -> bool:
        state = world.store.state
        return state is not None and state.position is not None and state.position.order() >= target.order()

    return reached


class _Nothing:
    def emptied(self, schema: str, table: str) -> None: ...

    def select(self, table: object) -> None:
        return None
