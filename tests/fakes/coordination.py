"""The control road in memory: the same promises as :mod:`hasync.cluster`, and faults on demand.

Several members share one :class:`FakeCluster`, as several instances share a ZooKeeper::

    cluster = FakeCluster()
    a, b = cluster.member("a"), cluster.member("b")
    leadership = a.stream("orders").election.acquire(stop, 1.0)
    a.session.suspend(); a.session.resume()     # the connection drops and comes back
    a.session.expire()                          # the session is lost, its nodes are gone, b leads
    a.session.expire_unnoticed()                # the same behind a partition: a does not know
    a.session.lose_reply(); a.session.fail()    # a write whose answer is lost, a request that is
    cluster.delete(leadership.lock_path)        # an operator deletes the lock node
"""

import itertools
import threading
import time

from hasync.cluster.configs import KEPT, MAX_DOCUMENT_BYTES
from hasync.cluster.positions import refuse_regress
from hasync.cluster.znodes import StreamZnodes, Znodes
from hasync.coordination import Members, RevisionConflict, StoredPosition, StreamCatalog, StreamCoordination
from hasync.errors import ConfigInvalid, CoordinationRefused, CoordinationUnavailable, EndReason, TermEnded
from hasync.model.cluster import ConfigRevision, EpochRecord, Halt, Intent, Leader, Leadership, TermRecord
from hasync.model.member import Member
from hasync.model.state import Acknowledged
from tests.fakes.ensemble import ConflictError, Create, Delete, FakeEnsemble, FakeSession, Put, commit, held, upsert


class FakeCluster:
    """One ZooKeeper for all members of a test."""

    def __init__(self) -> None:
        """Begin empty."""
        self.ensemble = FakeEnsemble()
        self.znodes = Znodes("/hasync")

    def member(self, member_id: str) -> "FakeMember":
        """Connect one more instance."""
        return FakeMember(self, member_id)

    def delete(self, path: str) -> None:
        """Delete a node as an operator with zkCli would."""
        self.ensemble.multi(0, [Delete(path)])


class FakeMember:
    """One instance: its session and its ports."""

    def __init__(self, cluster: FakeCluster, member_id: str) -> None:
        """Open a session."""
        self.id = member_id
        self.session = FakeSession(cluster.ensemble)
        self._znodes = cluster.znodes
        self.members: Members = FakeMembers(self.session, cluster.znodes)
        self.streams: StreamCatalog = FakeCatalog(self.session, cluster.znodes)

    def stream(self, name: str) -> StreamCoordination:
        """Return all ports of one stream."""
        paths, session = self._znodes.stream(name), self.session
        return StreamCoordination(
            stream=name,
            election=FakeElection(session, paths, self.id),
            terms=FakeTerms(session, paths),
            positions=FakePositions(session, paths),
            configs=FakeConfigs(session, paths),
            halts=FakeHalts(session, paths),
            intents=FakeIntents(session, paths),
        )


class FakeElection:
    """A queue of ephemeral nodes; waiting wakes on every change of the tree."""

    _numbers = itertools.count()  # names are unique across all elections of a test run

    def __init__(self, session: FakeSession, paths: StreamZnodes, member: str) -> None:
        self._session = session
        self._paths = paths
        self._member = member
        self._node = ""
        self._entered = -1

    def acquire(self, stop: threading.Event, timeout_s: float) -> Leadership | None:
        """Wait in the queue."""
        deadline = time.monotonic() + timeout_s
        changed = self._session.ensemble.changed
        with changed:
            while not stop.is_set():
                leadership = self._look()
                left_s = deadline - time.monotonic()
                if leadership is not None or left_s <= 0:
                    return leadership
                changed.wait(min(left_s, 0.01))
        return None

    def _look(self) -> Leadership | None:
        """Enter the queue if not in it, and see whether ours is the first place."""
        path = self._path()
        if self._node and self._entered != self._session.generation:
            self._node = ""
            raise CoordinationUnavailable("the place in the election's queue was lost")
        if not self._node:
            if not self._session.connected:
                raise CoordinationUnavailable("not connected")
            self._node, self._entered = f"{next(self._numbers):010d}", self._session.generation
            path = self._path()
            self._session.ensemble.multi(self._session.session_id, [Create(path, self._member, ephemeral=True)])
        queue = self._session.ensemble.children(self._paths.election)
        if not self._session.connected or queue[:1] != (self._node,):
            return None
        return self._leadership(path)

    def _path(self) -> str:
        return self._paths.contender(self._node)

    def _leadership(self, path: str) -> Leadership | None:
        node = self._session.ensemble.get(path)
        if node is None:
            return None
        return Leadership(
            stream=self._paths.name,
            member=self._member,
            lock_path=path,
            lock_version=node.version,
            czxid=node.czxid,
            session_id=self._session.session_id,
            generation=self._entered,
        )

    def check(self, leadership: Leadership) -> None:
        """Raise TermEnded when it is over. A member that is cut off does not see its lock go."""
        if self._session.generation != leadership.generation:
            raise TermEnded(EndReason.SESSION_LOST)
        gone = self._session.connected and self._session.ensemble.get(leadership.lock_path) is None
        if gone or self._node != leadership.lock:
            raise TermEnded(EndReason.LOCK_LOST)

    def confirm(self, leadership: Leadership) -> None:
        """Ask the tree; a member that is cut off cannot."""
        self.check(leadership)
        if not self._session.connected:
            raise CoordinationUnavailable("not connected")

    def release(self, leadership: Leadership, timeout_s: float) -> None:
        """Give the lock up."""
        if self._node == leadership.lock:
            self.withdraw()

    def withdraw(self) -> None:
        """Leave the queue, also when cut off: the real one pursues it until it is done."""
        node, self._node = self._node, ""
        if node and self._entered == self._session.generation:
            ensemble, path = self._session.ensemble, self._paths.contender(node)
            if ensemble.get(path) is not None:
                ensemble.multi(0, [Delete(path)])

    def contenders(self) -> tuple[str, ...]:
        """Name the queue."""
        nodes = (
            self._session.get(self._paths.contender(node)) for node in self._session.children(self._paths.election)
        )
        return tuple(held(node, str) or "" for node in nodes if node is not None)


class FakeTerms:
    """Epoch, leader, history."""

    def __init__(self, session: FakeSession, paths: StreamZnodes) -> None:
        self._session = session
        self._paths = paths

    def raise_epoch(self, leadership: Leadership, seen_epoch: int) -> int:
        """Raise the counter."""
        node = self._session.get(self._paths.epoch)
        record = held(node, EpochRecord)
        if record is not None and record.lock == leadership.lock and record.epoch > seen_epoch:
            return record.epoch
        epoch = max(record.epoch if record else 0, seen_epoch) + 1
        new = EpochRecord(epoch=epoch, member=leadership.member, lock=leadership.lock)
        commit(self._session, leadership, upsert(self._paths.epoch, new, node))
        return epoch

    def publish(self, leadership: Leadership, leader: Leader) -> None:
        """Name the leader."""
        path = self._paths.leader
        node = self._session.get(path)
        replaced = [] if node is None else [Delete(path, node.version)]
        commit(self._session, leadership, *replaced, Create(path, leader, ephemeral=True))

    def unpublish(self, leadership: Leadership) -> None:
        """Remove the name."""
        node = self._session.get(self._paths.leader)
        if node is not None and node.owner == leadership.session_id:
            self._session.remove(self._paths.leader)

    def leader(self) -> Leader | None:
        """Read the name."""
        return held(self._session.get(self._paths.leader), Leader)

    def record(self, leadership: Leadership, term: TermRecord) -> None:
        """Write or complete the record."""
        path = self._paths.term(term.epoch)
        node = self._session.get(path)
        if node is None:
            commit(self._session, leadership, Create(path, term))
        else:
            self._session.multi(Put(path, term, node.version))
        for name in self._session.children(self._paths.terms)[:-KEPT]:
            self._session.remove(f"{self._paths.terms}/{name}")

    def history(self, limit: int = KEPT) -> tuple[TermRecord, ...]:
        """Read the records."""
        names = reversed(self._session.children(self._paths.terms)[-limit:])
        records = (held(self._session.get(f"{self._paths.terms}/{name}"), TermRecord) for name in names)
        return tuple(record for record in records if record is not None)


class FakePositions:
    """The acknowledged position."""

    def __init__(self, session: FakeSession, paths: StreamZnodes) -> None:
        self._session = session
        self._paths = paths

    def load(self) -> StoredPosition:
        """Read it."""
        node = self._session.get(self._paths.position)
        return StoredPosition(value=held(node, Acknowledged), version=node.version if node else None)

    def save(
        self, leadership: Leadership, previous: StoredPosition, acknowledged: Acknowledged, *, rewind: bool = False
    ) -> StoredPosition:
        """Replace it."""
        if not rewind:
            refuse_regress(previous.value, acknowledged)
        try:
            return self._write(leadership, previous.version, acknowledged)
        except ConflictError:
            current = self.load()
        if current.value == acknowledged:
            return current
        if current.value is None or current.value.epoch != acknowledged.epoch:
            raise TermEnded(EndReason.LOCK_LOST)
        return self._write(leadership, current.version, acknowledged)

    def _write(self, leadership: Leadership, version: int | None, value: Acknowledged) -> StoredPosition:
        path = self._paths.position
        commit(self._session, leadership, Create(path, value) if version is None else Put(path, value, version))
        return StoredPosition(value=value, version=0 if version is None else version + 1)


class FakeConfigs:
    """The config and its revisions; applied at a wall time that counts revisions."""

    def __init__(self, session: FakeSession, paths: StreamZnodes) -> None:
        self._session = session
        self._paths = paths

    def get(self, wake: threading.Event | None = None) -> ConfigRevision | None:
        """Read the revision in force."""
        return held(self._session.get(self._paths.config, wake), ConfigRevision)

    def put(self, document: str, *, based_on: int, applied_by: str, comment: str = "") -> ConfigRevision:
        """Store the next revision."""
        if len(document.encode()) > MAX_DOCUMENT_BYTES:
            raise ConfigInvalid("the config document is too large")
        node = self._session.get(self._paths.config)
        current = held(node, ConfigRevision)
        if (current.revision if current else 0) != based_on:
            return self._already_mine(current, based_on, (document, applied_by, comment))
        number = max([0, *(int(name) for name in self._session.children(self._paths.config_history))]) + 1
        new = ConfigRevision(
            revision=number, document=document, applied_at=float(number), applied_by=applied_by, comment=comment
        )
        self._session.multi(upsert(self._paths.config, new, node), Create(self._paths.config_revision(number), new))
        for name in self._session.children(self._paths.config_history)[:-KEPT]:
            self._session.remove(self._paths.config_revision(int(name)))
        return new

    def _already_mine(
        self, current: ConfigRevision | None, based_on: int, mine: tuple[str, str, str]
    ) -> ConfigRevision:
        stored = (current.revision, current.document, current.applied_by, current.comment) if current else None
        if current is not None and stored == (based_on + 1, *mine):
            return current
        raise RevisionConflict("another revision is in force", current=current.revision if current else 0)

    def revision(self, number: int) -> ConfigRevision | None:
        """Read an older one."""
        return held(self._session.get(self._paths.config_revision(number)), ConfigRevision)

    def history(self, limit: int = KEPT) -> tuple[ConfigRevision, ...]:
        """Read the last ones."""
        names = reversed(self._session.children(self._paths.config_history)[-limit:])
        found = (self.revision(int(name)) for name in names)
        return tuple(revision for revision in found if revision is not None)


class FakeHalts:
    """The halt."""

    def __init__(self, session: FakeSession, paths: StreamZnodes) -> None:
        self._session = session
        self._path = paths.halt

    def get(self, wake: threading.Event | None = None) -> Halt | None:
        """Read it."""
        return held(self._session.get(self._path, wake), Halt)

    def put(self, leadership: Leadership, halt: Halt) -> None:
        """Write it."""
        commit(self._session, leadership, upsert(self._path, halt, self._session.get(self._path)))

    def clear(self) -> bool:
        """Remove it."""
        return self._session.remove(self._path)


class FakeIntents:
    """The operator's wish."""

    def __init__(self, session: FakeSession, paths: StreamZnodes) -> None:
        self._session = session
        self._path = paths.intent

    def get(self, wake: threading.Event | None = None) -> Intent | None:
        """Read it."""
        return held(self._session.get(self._path, wake), Intent)

    def put(self, intent: Intent) -> None:
        """Write it."""
        self._session.multi(upsert(self._path, intent, self._session.get(self._path)))

    def ask(self, intent: Intent) -> bool:
        """Write it if there is none."""
        try:
            self._session.multi(Create(self._path, intent))
        except ConflictError:
            return self.get() == intent
        return True

    def settle(self, intent: Intent) -> bool:
        """Remove it if it is this one."""
        node = self._session.get(self._path)
        if node is None or node.value != intent:
            return False
        try:
            self._session.multi(Delete(self._path, node.version))
        except ConflictError:
            return False
        return True

    def clear(self) -> bool:
        """Remove it."""
        return self._session.remove(self._path)


class FakeMembers:
    """The instances; shown again as soon as a lost session is followed by a new one."""

    def __init__(self, session: FakeSession, znodes: Znodes) -> None:
        self._session = session
        self._znodes = znodes
        self._member: Member | None = None
        session.followers.append(self._show)

    def join(self, member: Member) -> None:
        """Show this instance."""
        self.update(member)

    def update(self, member: Member) -> None:
        """Replace its status."""
        self._member = member
        self._show()

    def _show(self) -> None:
        member = self._member
        if member is None or not self._session.connected:
            return
        path = self._znodes.member(member.id)
        node = self._session.ensemble.get(path)
        if node is None:
            self._session.ensemble.multi(self._session.session_id, [Create(path, member, ephemeral=True)])
        elif node.owner == self._session.session_id:
            self._session.ensemble.multi(self._session.session_id, [Put(path, member, node.version)])

    def check(self) -> None:
        """Raise CoordinationRefused when the id is taken."""
        if self._member is None:
            return
        node = self._session.ensemble.get(self._znodes.member(self._member.id))
        if node is not None and node.owner != self._session.session_id:
            raise CoordinationRefused(f"member id {self._member.id!r} is in use by a live process")

    def leave(self) -> None:
        """Remove the status."""
        member, self._member = self._member, None
        if member is not None and self._session.connected:
            self._session.remove(self._znodes.member(member.id))

    def list(self) -> tuple[Member, ...]:
        """Read all."""
        names = self._session.children(self._znodes.members)
        found = (held(self._session.get(f"{self._znodes.members}/{name}"), Member) for name in names)
        return tuple(member for member in found if member is not None)


class FakeCatalog:
    """Which streams there are."""

    def __init__(self, session: FakeSession, znodes: Znodes) -> None:
        self._session = session
        self._znodes = znodes

    def names(self, wake: threading.Event | None = None) -> tuple[str, ...]:
        """List them."""
        return self._session.children(self._znodes.streams, wake)
