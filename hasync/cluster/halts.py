"""The halt of one stream: a leader that met a fatal error stops the stream for all instances."""

import threading

from hasync.cluster.failures import MultiFailed
from hasync.cluster.guarded import commit, remove
from hasync.cluster.payloads import decode, encode
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import read_rare, stat_of
from hasync.cluster.znodes import StreamZnodes
from hasync.coordination import Halts
from hasync.errors import CoordinationUnavailable
from hasync.model.cluster import Halt, Leadership


class HaltRecord:
    """Without it one instance after the other would win the election and die of the same error."""

    def __init__(self, *, session: ZooKeeperSession, znodes: StreamZnodes) -> None:
        """Serve one stream."""
        self._session = session
        self._znodes = znodes

    def get(self, wake: threading.Event | None = None) -> Halt | None:
        """Read the halt, in force or not."""
        found = read_rare(self._session, "halt.get", self._znodes.halt, wake)
        return decode(found[0], self._znodes.halt, Halt.from_json) if found else None

    def put(self, leadership: Leadership, halt: Halt) -> None:
        """Write or replace the halt; only the leader can."""
        path = self._znodes.halt
        data = encode(halt.to_json(), "halt")
        stat = stat_of(self._session, "halt.get", path)
        try:
            if stat is None:
                commit(self._session, leadership, "halt.put", lambda multi: multi.create(path, data))
            else:
                commit(self._session, leadership, "halt.put", lambda multi: multi.set_data(path, data, stat.version))
        except MultiFailed as failed:
            # An operator cleared it at this very moment, or an own write's answer was lost.
            raise CoordinationUnavailable("the halt changed under our hands") from failed

    def clear(self) -> bool:
        """Delete the halt, so that the stream goes on."""
        return remove(self._session, "halt.clear", self._znodes.halt)


def _conforms(halts: HaltRecord) -> Halts:
    """Have mypy hold the class to its port."""
    return halts
