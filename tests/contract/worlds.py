"""The two worlds the coordination contract is held in: a real ZooKeeper behind proxies, and the fake."""

from collections.abc import Callable
from typing import Any, Protocol

from kazoo.client import KazooClient
from kazoo.exceptions import OperationTimeoutError

from hasync.clock import SystemClock
from hasync.cluster.assembly import stream_coordination
from hasync.cluster.configs import StreamList
from hasync.cluster.members import MemberList
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.coordination import Members, Session, StreamCatalog, StreamCoordination
from testbed import Proxy, ZooKeeper, wait_until
from tests.fakes.coordination import FakeCluster, FakeMember

SESSION_S = 2.0
STOP_S = 5.0


class Party(Protocol):
    """One instance of a test, with switches for its faults."""

    id: str
    members: Members
    streams: StreamCatalog

    @property
    def session(self) -> Session:
        """Its session."""

    def stream(self, name: str) -> StreamCoordination:
        """The ports of one stream, the same ones each time."""

    def suspend(self) -> None:
        """Cut its connection."""

    def resume(self) -> None:
        """Let it connect again."""

    def expire(self) -> None:
        """Have ZooKeeper end its session."""

    def lose_reply(self) -> None:
        """Let its next guarded write go in without an answer."""


class World(Protocol):
    """All parties of a test, and the tree they share."""

    root: str

    def party(self, member_id: str) -> Party:
        """Connect one more instance."""

    def delete(self, path: str) -> None:
        """Delete a node from outside."""

    def close(self) -> None:
        """Disconnect all."""


class ForgetfulSession(ZooKeeperSession):
    """A session that loses the answers to writes on demand, as a network may."""

    answers_to_lose = 0

    def submit(self, operation: str, request: Callable[[KazooClient], Any], timeout_s: float | None = None) -> Any:
        """Send the request; then forget the answer, if it is a guarded write's turn."""
        answer = super().submit(operation, request, timeout_s)
        if self.answers_to_lose and operation.endswith((".raise", ".save", ".put")):
            self.answers_to_lose -= 1
            raise OperationTimeoutError
        return answer


class RealParty:
    """An instance with a session of its own, connected through a proxy of its own."""

    def __init__(self, server: ZooKeeper, znodes: Znodes, member_id: str, session_s: float = SESSION_S) -> None:
        self.id = member_id
        self.proxy = Proxy(server).start()
        self._server = server
        self._znodes = znodes
        self._clock = SystemClock()
        self._streams: dict[str, StreamCoordination] = {}
        self.session = ForgetfulSession(hosts=[self.proxy.address], clock=self._clock, session_timeout_s=session_s)
        self.session.start()
        self.session.await_connected(10)
        self.members: Members = MemberList(session=self.session, znodes=znodes, clock=self._clock)
        self.streams: StreamCatalog = StreamList(session=self.session, znodes=znodes)

    def stream(self, name: str) -> StreamCoordination:
        """The ports of one stream."""
        if name not in self._streams:
            self._streams[name] = stream_coordination(
                session=self.session, znodes=self._znodes, stream=name, member=self.id, clock=self._clock
            )
        return self._streams[name]

    def suspend(self) -> None:
        """Cut the connection and refuse new ones."""
        self.proxy.cut()

    def resume(self) -> None:
        """Let it connect again."""
        self.proxy.restore()

    def expire(self) -> None:
        """Re-attach to the session from elsewhere and close it: the server ends it at once."""
        credential = self.session.credential
        assert credential is not None
        expire_session(self._server.hosts, credential.session_id, credential.password)

    def lose_reply(self) -> None:
        """Forget the answer to the next guarded write."""
        self.session.answers_to_lose += 1

    def close(self) -> None:
        """Leave."""
        self.members.leave()
        self.session.stop(STOP_S)
        self.proxy.close()


def expire_session(hosts: str, session_id: int, password: bytes) -> None:
    """Have the server end a session that another client uses."""
    thief = KazooClient(hosts, client_id=(session_id, password))
    thief.start()
    thief.stop()
    thief.close()


class RealWorld:
    """Instances on one ZooKeeper, below a root of their own."""

    def __init__(self, server: ZooKeeper, root: str) -> None:
        self.root = root
        self._server = server
        self._znodes = Znodes(root)
        self._parties: list[RealParty] = []

    def party(self, member_id: str) -> RealParty:
        """Connect one more instance."""
        party = RealParty(self._server, self._znodes, member_id)
        self._parties.append(party)
        return party

    def delete(self, path: str) -> None:
        """Delete a node as an operator with zkCli would."""
        with_client(self._server.hosts, lambda client: client.delete(path))

    def close(self) -> None:
        """Disconnect all."""
        for party in self._parties:
            party.close()


def with_client(hosts: str, act: Callable[[KazooClient], Any]) -> Any:
    """Run one action with a plain client."""
    client = KazooClient(hosts)
    client.start()
    try:
        return act(client)
    finally:
        client.stop()
        client.close()


class FakeParty:
    """An instance in memory."""

    def __init__(self, member: FakeMember) -> None:
        self._member = member
        self.id = member.id
        self.session = member.session
        self.members = member.members
        self.streams = member.streams
        self._streams: dict[str, StreamCoordination] = {}

    def stream(self, name: str) -> StreamCoordination:
        """The ports of one stream."""
        if name not in self._streams:
            self._streams[name] = self._member.stream(name)
        return self._streams[name]

    def suspend(self) -> None:
        """Cut its connection."""
        self.session.suspend()

    def resume(self) -> None:
        """Let it connect again."""
        self.session.resume()

    def expire(self) -> None:
        """End its session."""
        self.session.expire()

    def lose_reply(self) -> None:
        """Lose the answer to the next write."""
        self.session.lose_reply()


class FakeWorld:
    """Instances in memory."""

    def __init__(self) -> None:
        self._cluster = FakeCluster()
        self.root = self._cluster.znodes.root

    def party(self, member_id: str) -> FakeParty:
        """Connect one more instance."""
        return FakeParty(self._cluster.member(member_id))

    def delete(self, path: str) -> None:
        """Delete a node from outside."""
        self._cluster.delete(path)

    def close(self) -> None:
        """Nothing to disconnect."""


_WORLDS: tuple[type[World], ...] = (RealWorld, FakeWorld)
_PARTIES: tuple[type[Party], ...] = (RealParty, FakeParty)

__all__ = ["FakeWorld", "Party", "RealParty", "RealWorld", "World", "expire_session", "wait_until", "with_client"]
