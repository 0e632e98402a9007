"""Which instances operators want to be without streams: a znode each, kept until it is taken away."""

from kazoo.exceptions import NodeExistsError, NoNodeError

from hasync.cluster.guarded import ensure, remove
from hasync.cluster.payloads import decode, encode
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, read, read_rare
from hasync.cluster.znodes import Znodes
from hasync.errors import CoordinationUnavailable
from hasync.model.drain import Drain


class DrainList:
    """All drains of a deployment."""

    def __init__(self, *, session: ZooKeeperSession, znodes: Znodes) -> None:
        """Serve one deployment."""
        self._session = session
        self._znodes = znodes

    def get(self, member: str) -> Drain | None:
        """Read a member's drain. Raises CoordinationUnavailable, CoordinationRefused."""
        path = self._znodes.drain(member)
        found = read_rare(self._session, "drain.get", path)
        return decode(found[0], path, Drain.from_json) if found else None

    def put(self, drain: Drain) -> None:
        """Write or replace a member's drain. Raises CoordinationUnavailable, CoordinationRefused."""
        path, data = self._znodes.drain(drain.member), encode(drain.to_json(), "drain")
        ensure(self._session, self._znodes.drains)
        try:
            self._session.call("drain.put", lambda client: client.create_async(path, data))
        except NodeExistsError:
            self._replace(path, data)

    def _replace(self, path: str, data: bytes) -> None:
        try:
            self._session.call("drain.put", lambda client: client.set_async(path, data))
        except NoNodeError as raced:
            raise CoordinationUnavailable("another operator withdrew the drain at the same moment") from raced

    def clear(self, member: str) -> bool:
        """Take a member's drain away; False when there was none. Raises as :meth:`get`."""
        return remove(self._session, "drain.clear", self._znodes.drain(member))

    def list(self) -> tuple[Drain, ...]:
        """Return all, ordered by member. Raises CoordinationUnavailable, CoordinationRefused."""
        paths = [self._znodes.drain(name) for name in children(self._session, "drain.list", self._znodes.drains)]
        found = ((path, read(self._session, "drain.get", path)) for path in paths)
        return tuple(decode(node[0], path, Drain.from_json) for path, node in found if node)
