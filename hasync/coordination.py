"""The seams of the control road: what hasync asks of ZooKeeper.

Implemented by ``hasync.cluster`` and by ``tests/fakes/coordination.py``; both pass
``tests/contract/test_coordination.py``. Unless a method says otherwise, every call is
bounded in time (a third of the session timeout), is refused at once while the session
is not connected, may be called from any thread, and may raise

* CoordinationUnavailable: no answer; the outcome of a write is unknown, and repeating
  the same call is safe because every write is conditional;
* CoordinationRefused: authentication, ACL, or a payload this release cannot read.

A ``wake`` event given to a reading method is set once when that node may have changed,
or when the connection that would have told so was lost. The reader re-arms it by reading
again from its own thread; nothing ever runs inside a ZooKeeper callback (K16). Subscribe
the same event to the session to be woken when that is back.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hasync.errors import CoordinationRefused, Fatal, TermEnded
from hasync.model.cluster import ConfigRevision, Halt, Intent, Leader, Leadership, TermRecord
from hasync.model.drill import Answer, Order
from hasync.model.member import Member
from hasync.model.state import Acknowledged


class RevisionConflict(Fatal):
    """Somebody else applied a config since the revision this one was based on.

    ``current`` is the revision in force now, 0 when there is none.
    """

    code = "revision_conflict"

    def __init__(self, message: str, *, current: int, hint: str = "") -> None:
        """Keep the revision in force."""
        super().__init__(message, hint=hint)
        self.current = current


class SessionEvent(StrEnum):
    """What happens to a session; a metric label."""

    CONNECTED = "connected"
    SUSPENDED = "suspended"
    LOST = "lost"
    CLOSED = "closed"
    REFUSED = "refused"
    RESTARTED = "restarted"


class ClusterObserver(Protocol):
    """Where the cluster adapter reports to; metrics and logs. Must not block and must not raise."""

    def session_event(self, event: SessionEvent) -> None:
        """Note a change of the session. Called from: the session's own thread, so a little later."""

    def request(self, operation: str, seconds: float, outcome: str) -> None:
        """Note one request; ``outcome``: ``ok``, ``conflict`` or a failure's name. The requesting thread calls it."""


class SilentObserver:
    """Observes nothing."""

    def session_event(self, event: SessionEvent) -> None:
        """Ignore it."""

    def request(self, operation: str, seconds: float, outcome: str) -> None:
        """Ignore it."""


class Session(Protocol):
    """The state of the session. Nothing here blocks."""

    @property
    def connected(self) -> bool:
        """Whether a server is connected now; requests are refused otherwise."""

    @property
    def confirmed(self) -> bool:
        """Whether the session is known to live on.

        That is: its own deadline, counted from the last answer that came from the
        ensemble's leader, has not passed.
        """

    @property
    def generation(self) -> int:
        """How many sessions were lost so far. A term born under another number is over for good."""

    @property
    def failure(self) -> CoordinationRefused | None:
        """Why this session will never connect again, or None."""

    def subscribe(self, event: threading.Event) -> None:
        """Set ``event`` on every change of the session from now on."""

    def unsubscribe(self, event: threading.Event) -> None:
        """Undo :meth:`subscribe`; unknown events are ignored."""


class Election(Protocol):
    """The election of one stream, for one member. Called from: the stream's thread, but for :meth:`check`."""

    def acquire(self, stop: threading.Event, timeout_s: float) -> Leadership | None:
        """Wait in the queue up to ``timeout_s``; return the leadership once the lock is ours.

        Returns None when the time is up or ``stop`` was set. The place in the queue is
        kept between calls, until :meth:`withdraw` or :meth:`release`.
        """

    def check(self, leadership: Leadership) -> None:
        """Raise TermEnded when this leadership is over (SESSION_LOST, LOCK_LOST). Never blocks, any thread."""

    def confirm(self, leadership: Leadership) -> None:
        """Ask ZooKeeper whether this leadership still stands: one round trip to the ensemble's leader. Any thread.

        Raises TermEnded (SESSION_LOST, LOCK_LOST); CoordinationUnavailable when it does not answer.
        """

    def release(self, leadership: Leadership, timeout_s: float) -> None:
        """Give the lock up, so that the next contender has it within milliseconds.

        Waits up to ``timeout_s`` and never raises for an unreachable ZooKeeper: the
        removal is pursued in the background until it is done or the session has ended.
        """

    def withdraw(self) -> None:
        """Leave the queue, if in it; no contender of ours is left behind (K7)."""

    def contenders(self) -> tuple[str, ...]:
        """Name the members in the queue; the first one holds the lock."""


class Terms(Protocol):
    """Epoch, the public name of the leader, and the history of terms of one stream."""

    def raise_epoch(self, leadership: Leadership, seen_epoch: int) -> int:
        """Set the epoch counter to ``max(counter, seen_epoch) + 1`` and return it (I4).

        ``seen_epoch``: the highest epoch found in the sinks. Repeating it after
        CoordinationUnavailable returns the epoch that already was raised under this
        leadership, if it suffices. Raises TermEnded(LOCK_LOST) when the lock is gone.
        """

    def publish(self, leadership: Leadership, leader: Leader) -> None:
        """Name the leader, until the session ends or :meth:`unpublish`. Raises TermEnded(LOCK_LOST)."""

    def unpublish(self, leadership: Leadership) -> None:
        """Remove the name, if it is ours."""

    def leader(self) -> Leader | None:
        """Name the leader that published itself, None when there is none."""

    def record(self, leadership: Leadership, term: TermRecord) -> None:
        """Write or complete the record of this leadership's own term; keeps the last 100.

        May still be called after the lock is gone, to write how the term ended.
        """

    def history(self, limit: int = 100) -> tuple[TermRecord, ...]:
        """Return the last terms, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPosition:
    """The acknowledged position and the znode version it has; ``version`` None: there is no znode."""

    value: Acknowledged | None
    version: int | None


class PositionStore(Protocol):
    """The acknowledged position of one stream: the copy that survives Redis."""

    def load(self) -> StoredPosition:
        """Read it."""

    def save(
        self, leadership: Leadership, previous: StoredPosition, acknowledged: Acknowledged, *, rewind: bool = False
    ) -> StoredPosition:
        """Replace ``previous`` and return what is stored now.

        Never goes back in sequence or epoch unless ``rewind`` says that a loss was
        detected (I5); raises CoordinationRefused if asked to. Raises
        TermEnded(LOCK_LOST) when the lock is gone or another writer was faster.
        """


class ConfigStore(Protocol):
    """The config document of one stream and its revisions."""

    def get(self, wake: threading.Event | None = None) -> ConfigRevision | None:
        """Read the revision in force, None when there is none.

        Raises ConfigInvalid when the znode does not hold what :meth:`put` writes.
        """

    def put(self, document: str, *, based_on: int, applied_by: str, comment: str = "") -> ConfigRevision:
        """Store a document as the next revision.

        ``based_on``: the revision the operator saw, 0 for none; raises RevisionConflict
        when another one is in force, so that two operators cannot overwrite each other.
        Raises ConfigInvalid when it is too large.
        """

    def revision(self, number: int) -> ConfigRevision | None:
        """Read an older revision; None when it is not kept (the last 100 are)."""

    def history(self, limit: int = 100) -> tuple[ConfigRevision, ...]:
        """Return the last revisions, newest first."""


class Members(Protocol):
    """The instances of the cluster and this one's own status among them."""

    def join(self, member: Member) -> None:
        """Show this instance from now on, also after a lost session (K15). Returns at once."""

    def update(self, member: Member) -> None:
        """Replace the status shown. Returns at once; written by the members' own thread."""

    def check(self) -> None:
        """Raise CoordinationRefused when another live process runs under this member's id. Never blocks."""

    def leave(self) -> None:
        """Remove the status, if ZooKeeper answers within a moment; the session's end removes it anyway."""

    def list(self) -> tuple[Member, ...]:
        """Return all instances, ordered by id."""


class Halts(Protocol):
    """The halt of one stream."""

    def get(self, wake: threading.Event | None = None) -> Halt | None:
        """Read it; whether it is in force depends on the config revision."""

    def put(self, leadership: Leadership, halt: Halt) -> None:
        """Halt the stream for all instances. Raises TermEnded(LOCK_LOST)."""

    def clear(self) -> bool:
        """Remove it (an operator's ``resume``); False when there was none."""


class Intents(Protocol):
    """What is wanted of one stream, one wish at a time."""

    def get(self, wake: threading.Event | None = None) -> Intent | None:
        """Read the wish in force."""

    def put(self, intent: Intent) -> None:
        """Replace the wish."""

    def ask(self, intent: Intent) -> bool:
        """Make the wish if there is none; False when there is another one, which stays."""

    def settle(self, intent: Intent) -> bool:
        """Remove this very wish; False when it is gone, or another one is in force, which stays."""

    def clear(self) -> bool:
        """Withdraw the wish; False when there was none."""


class Drills(Protocol):
    """The drill of one stream, one at a time: an order to one instance, and its answer."""

    def get(self, wake: threading.Event | None = None) -> Order | None:
        """Read the order, with its answer if it has one."""

    def ask(self, order: Order) -> bool:
        """Ask for it; it is gone with this session. False when another drill stands, which stays."""

    def answer(self, order: Order, answer: Answer) -> bool:
        """Write what became of it; False when this very order is gone, so that nobody waits for it."""

    def withdraw(self, order: Order) -> None:
        """Remove this very order, if it is there."""


class StreamCatalog(Protocol):
    """Which streams exist."""

    def names(self, wake: threading.Event | None = None) -> Sequence[str]:
        """Return their names in order; ``wake`` is set when one appears or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCoordination:
    """All ports of one stream, for one member."""

    stream: str
    election: Election
    terms: Terms
    positions: PositionStore
    configs: ConfigStore
    halts: Halts
    intents: Intents


def ended_generation(session: Session, leadership: Leadership) -> bool:
    """Whether the session under which this leadership was won is lost."""
    return session.generation != leadership.generation


__all__ = [
    "ClusterObserver",
    "ConfigStore",
    "Drills",
    "Election",
    "Halts",
    "Intents",
    "Members",
    "PositionStore",
    "RevisionConflict",
    "Session",
    "SessionEvent",
    "SilentObserver",
    "StoredPosition",
    "StreamCatalog",
    "StreamCoordination",
    "TermEnded",
    "Terms",
]
