"""What the tests of single kazoo traps (K1 to K21, docs/decisions/0001) share."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss

from hasync.clock import SystemClock
from hasync.cluster.assembly import stream_coordination
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.coordination import SessionEvent, StreamCoordination
from hasync.errors import TermEnded
from hasync.model.cluster import Leadership
from hasync.model.position import Flavor, Position
from hasync.model.state import Acknowledged

STREAM = "orders"
SESSION_S = 2.0
PATIENCE_S = 30.0


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[SessionEvent] = []
        self.requests: list[tuple[str, str]] = []

    def session_event(self, event: SessionEvent) -> None:
        """Keep it."""
        self.events.append(event)

    def request(self, operation: str, seconds: float, outcome: str) -> None:
        """Keep what and how."""
        self.requests.append((operation, outcome))


class BrittleSession(ZooKeeperSession):
    """A session some of whose requests do not get through."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.failing: dict[str, int] = {}

    def submit(self, operation: str, request: Callable[[KazooClient], Any], timeout_s: float | None = None) -> Any:
        """Send the request, unless it is one of those that fail."""
        if self.failing.get(operation, 0) > 0:
            self.failing[operation] -= 1
            raise ConnectionLoss
        return super().submit(operation, request, timeout_s)


@contextmanager
def connected(*hosts: str, **options: Any) -> Iterator[BrittleSession]:
    """Hold a session open."""
    session = BrittleSession(hosts=hosts, clock=SystemClock(), **{"session_timeout_s": SESSION_S, **options})
    session.start()
    try:
        session.await_connected(PATIENCE_S)
        yield session
    finally:
        session.stop(5.0)


def ports(session: ZooKeeperSession, root: str, member: str, stream: str = STREAM) -> StreamCoordination:
    """Return the ports of one stream."""
    return stream_coordination(session=session, znodes=Znodes(root), stream=stream, member=member, clock=SystemClock())


def elected(coordination: StreamCoordination) -> Leadership:
    """Win the election."""
    leadership = coordination.election.acquire(threading.Event(), PATIENCE_S)
    assert leadership is not None
    return leadership


def stands(coordination: StreamCoordination, leadership: Leadership) -> bool:
    """Whether the leadership is not over."""
    try:
        coordination.election.check(leadership)
    except TermEnded:
        return False
    return True


def acknowledged(seq: int, epoch: int = 1) -> Acknowledged:
    """Return the state after batch ``seq``."""
    place = Position(flavor=Flavor.MYSQL, server_uuid="server-1", file="mysql-bin.000001", pos=4 + seq)
    return Acknowledged(epoch=epoch, seq=seq, position=place)
