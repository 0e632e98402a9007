"""A ZooKeeper in memory, as far as coordination needs one: versions, ephemeral nodes, multi, one-shot watches.

:mod:`tests.fakes.coordination` builds the ports on it, for several members at once.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from hasync.coordination import Session
from hasync.errors import CoordinationRefused, CoordinationUnavailable, EndReason, TermEnded
from hasync.model.cluster import Leadership

ANY = -1

Value = TypeVar("Value")


class ConflictError(Exception):
    """A multi was rolled back: operation number ``index`` did not meet the tree it expected."""

    def __init__(self, index: int) -> None:
        super().__init__(f"operation {index}")
        self.index = index


@dataclass(frozen=True, slots=True)
class Node:
    """What a path holds. ``owner``: the session of an ephemeral node, 0 for a persistent one."""

    value: object
    version: int = 0
    owner: int = 0
    czxid: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """Demand a version."""

    path: str
    version: int


@dataclass(frozen=True, slots=True)
class Create:
    """Demand that there is none yet; an ``ephemeral`` one goes with the session."""

    path: str
    value: object
    ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """Replace the value of this version."""

    path: str
    value: object
    version: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the node of this version."""

    path: str
    version: int = ANY


Operation = Check | Create | Put | Delete


class FakeEnsemble:
    """The tree, shared by all sessions. Safe from any thread."""

    def __init__(self) -> None:
        """Begin empty."""
        self.changed = threading.Condition()
        self._nodes: dict[str, Node] = {}
        self._watches: list[tuple[str, threading.Event]] = []
        self._zxid = 0
        self._sessions = 0

    def new_session_id(self) -> int:
        """Return a number no session had before."""
        with self.changed:
            self._sessions += 1
            return self._sessions

    def get(self, path: str, wake: threading.Event | None = None) -> Node | None:
        """Read a node and set ``wake`` at the next change of its path."""
        with self.changed:
            if wake is not None:
                self._watches.append((path, wake))
            return self._nodes.get(path)

    def children(self, parent: str, wake: threading.Event | None = None) -> tuple[str, ...]:
        """Name what is directly below ``parent``, in order."""
        with self.changed:
            if wake is not None:
                self._watches.append((parent + "/", wake))
            below = (path[len(parent) + 1 :] for path in self._nodes if path.startswith(parent + "/"))
            return tuple(sorted({name.partition("/")[0] for name in below}))

    def multi(self, owner: int, operations: Sequence[Operation]) -> None:
        """Apply all or none. Raises ConflictError."""
        with self.changed:
            nodes = dict(self._nodes)
            self._zxid += 1
            for index, operation in enumerate(operations):
                if not self._apply(nodes, owner, operation):
                    raise ConflictError(index)
            self._nodes = nodes
            self._tell([operation.path for operation in operations if not isinstance(operation, Check)])

    def _apply(self, nodes: dict[str, Node], owner: int, operation: Operation) -> bool:
        node = nodes.get(operation.path)
        if isinstance(operation, Create):
            nodes[operation.path] = Node(operation.value, 0, owner if operation.ephemeral else 0, self._zxid)
            return node is None
        if node is None or operation.version not in {ANY, node.version}:
            return False
        if isinstance(operation, Put):
            nodes[operation.path] = Node(operation.value, node.version + 1, node.owner, node.czxid)
        elif isinstance(operation, Delete):
            del nodes[operation.path]
        return True

    def end_session(self, owner: int) -> None:
        """Remove all that belonged to a session."""
        with self.changed:
            gone = [path for path, node in self._nodes.items() if node.owner == owner]
            for path in gone:
                del self._nodes[path]
            self._tell(gone)

    def _tell(self, paths: list[str]) -> None:
        """Fire the watches on these paths and on their parents' children."""
        touched = {*paths, *(path.rpartition("/")[0] + "/" for path in paths)}
        touched |= {path.rpartition("/")[0].rpartition("/")[0] + "/" for path in paths}
        for path, wake in self._watches:
            if path in touched:
                wake.set()
        self._watches = [(path, wake) for path, wake in self._watches if path not in touched]
        self.changed.notify_all()


class FakeSession:
    """One member's session, with a switch for every way it can go wrong."""

    def __init__(self, ensemble: FakeEnsemble) -> None:
        """Be connected at once."""
        self.ensemble = ensemble
        self.session_id = ensemble.new_session_id()
        self._connected = True
        self._confirmed = True
        self._generation = 0
        self._failure: CoordinationRefused | None = None
        self._subscribers: list[threading.Event] = []
        self.followers: list[Callable[[], None]] = []  # called on every change, in place of a thread that waits for it
        self._failures = 0
        self._lost_replies = 0

    # -------------------------------------------------------------- the port

    @property
    def connected(self) -> bool:
        """Whether requests are answered."""
        return self._connected

    @property
    def confirmed(self) -> bool:
        """Whether the own deadline has not passed."""
        return self._confirmed

    @property
    def generation(self) -> int:
        """How many sessions were lost."""
        return self._generation

    @property
    def failure(self) -> CoordinationRefused | None:
        """Why it never comes back."""
        return self._failure

    def subscribe(self, event: threading.Event) -> None:
        """Set ``event`` on every change."""
        self._subscribers.append(event)

    def unsubscribe(self, event: threading.Event) -> None:
        """Undo :meth:`subscribe`."""
        self._subscribers = [known for known in self._subscribers if known is not event]

    # -------------------------------------------------------------- switches

    def suspend(self, *, past_deadline: bool = False) -> None:
        """Cut the connection; the session lives on at the ensemble."""
        self._connected = False
        self._confirmed = not past_deadline
        self._changed()

    def resume(self) -> None:
        """Connect again, within the same session."""
        self._connected = self._confirmed = True
        self._changed()

    def expire(self, *, reconnect: bool = True) -> None:
        """Let the ensemble end the session; a new one follows at once unless told otherwise."""
        with self.ensemble.changed:
            self.ensemble.end_session(self.session_id)
            self._generation += 1
            self.session_id = self.ensemble.new_session_id()
            self._connected = self._confirmed = reconnect
            self._changed()

    def expire_unnoticed(self) -> None:
        """Let the ensemble end the session while this member is cut off and cannot know."""
        self.suspend(past_deadline=True)
        self.ensemble.end_session(self.session_id)

    def refuse(self, failure: CoordinationRefused) -> None:
        """Close the door for good."""
        self._failure = failure
        self._connected = False
        self._changed()

    def fail(self, times: int = 1) -> None:
        """Let the next requests not get through."""
        self._failures += times

    def lose_reply(self, times: int = 1) -> None:
        """Let the next writes go in without their answer coming back (K19)."""
        self._lost_replies += times

    def _changed(self) -> None:
        for event in self._subscribers:
            event.set()
        for follow in self.followers:
            follow()
        with self.ensemble.changed:
            self.ensemble.changed.notify_all()

    # -------------------------------------------------------------- requests

    @contextmanager
    def request(self) -> Iterator[FakeEnsemble]:
        """Give the tree to one request that gets through. Raises CoordinationUnavailable, CoordinationRefused."""
        if self._failure is not None:
            raise CoordinationRefused(self._failure.message, hint=self._failure.hint)
        if not self._connected:
            raise CoordinationUnavailable("suspended")
        if self._failures:
            self._failures -= 1
            raise CoordinationUnavailable("it did not get through")
        yield self.ensemble

    def multi(self, *operations: Operation) -> None:
        """Apply all or none. Raises ConflictError, and as :meth:`request`."""
        with self.request() as ensemble:
            ensemble.multi(self.session_id, operations)
        if self._lost_replies:
            self._lost_replies -= 1
            raise CoordinationUnavailable("its answer was lost")

    def get(self, path: str, wake: threading.Event | None = None) -> Node | None:
        """Read a node."""
        with self.request() as ensemble:
            return ensemble.get(path, wake)

    def children(self, parent: str, wake: threading.Event | None = None) -> tuple[str, ...]:
        """List children."""
        with self.request() as ensemble:
            return ensemble.children(parent, wake)

    def remove(self, path: str) -> bool:
        """Delete a node whatever it holds; False when there was none."""
        try:
            self.multi(Delete(path))
        except ConflictError:
            return False
        return True


def held(node: Node | None, kind: type[Value]) -> Value | None:
    """Return a node's value, which must be of this kind; None for no node."""
    if node is None:
        return None
    assert isinstance(node.value, kind), node
    return node.value


def commit(session: FakeSession, leadership: Leadership, *operations: Operation) -> None:
    """Write under the lock. Raises TermEnded, ConflictError counted from 1, CoordinationUnavailable."""
    if session.generation != leadership.generation:
        raise TermEnded(EndReason.SESSION_LOST)
    try:
        session.multi(Check(leadership.lock_path, leadership.lock_version), *operations)
    except ConflictError as conflict:
        if conflict.index == 0:
            raise TermEnded(EndReason.LOCK_LOST) from conflict
        raise


def upsert(path: str, value: object, node: Node | None) -> Operation:
    """Create or replace, whichever fits what was read."""
    return Create(path, value) if node is None else Put(path, value, node.version)


_PORT: Callable[[FakeEnsemble], Session] = FakeSession
