"""The acknowledged position of one stream: a lagging copy that survives Redis."""

from kazoo.exceptions import NodeExistsError

from hasync.cluster.failures import MultiFailed
from hasync.cluster.guarded import commit
from hasync.cluster.payloads import decode, encode
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import read
from hasync.cluster.znodes import StreamZnodes
from hasync.coordination import PositionStore, StoredPosition
from hasync.errors import CoordinationRefused, EndReason, TermEnded
from hasync.model.cluster import Leadership
from hasync.model.state import Acknowledged


class PositionRecord:
    """Saves by ``multi[check(lock node), set(position, version)]``: no lock or another version, no write."""

    def __init__(self, *, session: ZooKeeperSession, znodes: StreamZnodes) -> None:
        """Serve one stream."""
        self._session = session
        self._znodes = znodes

    def load(self) -> StoredPosition:
        """Read the position and its version."""
        found = read(self._session, "position.load", self._znodes.position)
        if found is None:
            return StoredPosition(value=None, version=None)
        value = decode(found[0], self._znodes.position, lambda document: Acknowledged.from_json(dict(document)))
        return StoredPosition(value=value, version=found[1].version)

    def save(
        self, leadership: Leadership, previous: StoredPosition, acknowledged: Acknowledged, *, rewind: bool = False
    ) -> StoredPosition:
        """Replace ``previous``; an own write whose answer was lost counts as what is replaced (K19)."""
        if not rewind:
            refuse_regress(previous.value, acknowledged)
        stored = self._write(leadership, previous.version, acknowledged)
        if stored is not None:
            return stored
        current = self.load()
        if current.value == acknowledged:
            return current
        if current.value is None or current.value.epoch != acknowledged.epoch:
            raise TermEnded(EndReason.LOCK_LOST, "somebody else saved a position")
        # An older write of this very term that seemed to have failed: go on from it.
        stored = self._write(leadership, current.version, acknowledged)
        if stored is None:
            raise TermEnded(EndReason.LOCK_LOST, "somebody else saves positions")
        return stored

    def _write(self, leadership: Leadership, version: int | None, value: Acknowledged) -> StoredPosition | None:
        """Write if the version is still this one; None when it is not."""
        path = self._znodes.position
        data = encode(value.to_json(), "position")
        try:
            if version is None:
                commit(self._session, leadership, "position.save", lambda multi: multi.create(path, data))
                return StoredPosition(value=value, version=0)
            results = commit(
                self._session, leadership, "position.save", lambda multi: multi.set_data(path, data, version)
            )
        except MultiFailed as failed:
            if isinstance(failed.error, NodeExistsError) or version is not None:
                return None
            raise TermEnded(EndReason.LOCK_LOST, "the stream was deleted from ZooKeeper") from failed
        return StoredPosition(value=value, version=results[1].version)


def refuse_regress(previous: Acknowledged | None, new: Acknowledged) -> None:
    """Hold I5: forward only, unless a loss was detected. Raises CoordinationRefused."""
    if previous is None:
        return
    same_server = previous.position.server_uuid == new.position.server_uuid
    behind = same_server and new.position.order() < previous.position.order()
    if new.epoch < previous.epoch or new.seq < previous.seq or behind:
        raise CoordinationRefused(
            f"the position would go back from epoch {previous.epoch}, seq {previous.seq}, {previous.position}"
            f" to epoch {new.epoch}, seq {new.seq}, {new.position}",
            hint="this is a bug unless Redis lost data; the stream stops rather than skip or repeat rows",
        )


def _conforms(positions: PositionRecord) -> PositionStore:
    """Have mypy hold the class to its port."""
    return positions
