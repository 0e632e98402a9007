"""Reading a znode with a wake-up: the callback sets an event, the reader re-arms from its own thread."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kazoo.exceptions import NoNodeError
from kazoo.protocol.states import ZnodeStat

from hasync.cluster.session import ZooKeeperSession


@dataclass(frozen=True, eq=True)
class Wake:
    """A kazoo watch that only sets an event (K16: no DataWatch, no work inside a callback).

    Equal for equal events, so that re-arming a watch that has not fired does not add a
    second one to kazoo's sets.
    """

    event: threading.Event

    def __call__(self, _: object) -> None:
        """Set the event; also called when the connection drops and the watch is gone."""
        self.event.set()


def watcher(wake: threading.Event | None) -> Callable[[Any], None] | None:
    """Return the watch for an event, None for none."""
    return Wake(wake) if wake is not None else None


def read(
    session: ZooKeeperSession, operation: str, path: str, wake: threading.Event | None = None
) -> tuple[bytes, ZnodeStat] | None:
    """Read a node; None when it is not there, and then ``wake`` is set once it is created.

    Raises CoordinationUnavailable, CoordinationRefused.
    """
    watch = watcher(wake)
    try:
        data, stat = session.call(operation, lambda client: client.get_async(path, watch))
    except NoNodeError:
        if wake is None or stat_of(session, operation, path, wake) is None:
            return None
        # It was created between the two requests, so there is something to read now.
        wake.set()
        return None
    return data, stat


def read_rare(
    session: ZooKeeperSession, operation: str, path: str, wake: threading.Event | None = None
) -> tuple[bytes, ZnodeStat] | None:
    """Read a node that mostly is not there, as :func:`read`: one request when it is not, two when it is.

    The watch is that of the first request; it covers creation, change and deletion.
    """
    if stat_of(session, operation, path, wake) is None:
        return None
    return read(session, operation, path)


def stat_of(
    session: ZooKeeperSession, operation: str, path: str, wake: threading.Event | None = None
) -> ZnodeStat | None:
    """Look whether a node is there; ``wake`` is set once it changes, goes or comes."""
    watch = watcher(wake)
    answer: ZnodeStat | None = session.call(operation, lambda client: client.exists_async(path, watch))
    return answer


def children(
    session: ZooKeeperSession, operation: str, path: str, wake: threading.Event | None = None
) -> tuple[str, ...]:
    """Name a node's children in order; none when the node is not there."""
    watch = watcher(wake)
    try:
        return tuple(sorted(session.call(operation, lambda client: client.get_children_async(path, watch))))
    except NoNodeError:
        if wake is not None and stat_of(session, operation, path, wake) is not None:
            wake.set()
        return ()
