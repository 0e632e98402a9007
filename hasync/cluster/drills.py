"""The order of a drill: an ephemeral znode of the command's session, answered in place by the instance."""

import contextlib
import threading

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError

from hasync.cluster.guarded import ensure
from hasync.cluster.payloads import decode, encode
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import read, read_rare
from hasync.cluster.znodes import StreamZnodes
from hasync.coordination import Drills
from hasync.model.drill import Answer, Order


class DrillRecord:
    """One drill of a stream at a time; it is gone with the session of whoever asked for it."""

    def __init__(self, *, session: ZooKeeperSession, znodes: StreamZnodes) -> None:
        """Serve one stream."""
        self._session = session
        self._znodes = znodes

    def get(self, wake: threading.Event | None = None) -> Order | None:
        """Read the order, with its answer if it has one."""
        found = read_rare(self._session, "drill.get", self._znodes.drill, wake)
        return decode(found[0], self._znodes.drill, Order.from_json) if found else None

    def ask(self, order: Order) -> bool:
        """Create the order; one that an earlier try of this very call made counts as made."""
        path, data = self._znodes.drill, encode(order.to_json(), "drill")
        ensure(self._session, self._znodes.top)
        try:
            self._session.call("drill.ask", lambda client: client.create_async(path, data, ephemeral=True))
        except NodeExistsError:
            standing = self.get()
            return standing is not None and standing.id == order.id
        return True

    def answer(self, order: Order, answer: Answer) -> bool:
        """Write the answer into the order; False when that order is gone."""
        path = self._znodes.drill
        found = read(self._session, "drill.get", path)
        if found is None or decode(found[0], path, Order.from_json).id != order.id:
            return False
        data, version = encode(order.answered(answer).to_json(), "drill"), found[1].version
        try:
            self._session.call("drill.answer", lambda client: client.set_async(path, data, version))
        except (BadVersionError, NoNodeError):
            return False
        return True

    def withdraw(self, order: Order) -> None:
        """Delete the order, if it is there."""
        path = self._znodes.drill
        found = read(self._session, "drill.get", path)
        if found is None or decode(found[0], path, Order.from_json).id != order.id:
            return
        with contextlib.suppress(NoNodeError):
            self._session.call("drill.withdraw", lambda client: client.delete_async(path))


def _conforms(drills: DrillRecord) -> Drills:
    """Have mypy hold the class to its port."""
    return drills
