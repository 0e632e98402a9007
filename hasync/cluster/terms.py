"""Epoch, leader and term records of one stream."""

from typing import Final

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError

from hasync.cluster.failures import MultiFailed
from hasync.cluster.guarded import commit, ensure, remove
from hasync.cluster.payloads import decode, encode
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, read, stat_of
from hasync.cluster.znodes import StreamZnodes
from hasync.coordination import Terms
from hasync.errors import CoordinationUnavailable
from hasync.model.cluster import EpochRecord, Leader, Leadership, TermRecord

KEPT: Final = 100
"""Terms kept in the history."""

TRIES: Final = 5
"""How often a compare-and-set that somebody else beat is repeated before the caller has to wait."""


class TermBook:
    """Keeps the epoch counter, the leader's name and the history of terms."""

    def __init__(self, *, session: ZooKeeperSession, znodes: StreamZnodes) -> None:
        """Serve one stream."""
        self._session = session
        self._znodes = znodes

    # ----------------------------------------------------------------- epoch

    def raise_epoch(self, leadership: Leadership, seen_epoch: int) -> int:
        """Raise the counter above itself and above ``seen_epoch``; return the new epoch (I4)."""
        for _ in range(TRIES):
            stored = self._stored_epoch()
            record, version = stored or (None, None)
            if record is None:  # a fresh stream; else its parents are there, and a takeover need not ask
                ensure(self._session, *self._znodes.parents())
            # Our own earlier try may have succeeded without its answer (K19): the lock's
            # name in the record proves it, and one term needs one epoch only.
            if record is not None and record.lock == leadership.lock and record.epoch > seen_epoch:
                return record.epoch
            epoch = max(record.epoch if record else 0, seen_epoch) + 1
            if self._set_epoch(leadership, epoch, version):
                return epoch
        raise CoordinationUnavailable(f"the epoch of {self._znodes.name} changed {TRIES} times under our hands")

    def _stored_epoch(self) -> tuple[EpochRecord, int] | None:
        found = read(self._session, "epoch.read", self._znodes.epoch)
        return (decode(found[0], self._znodes.epoch, EpochRecord.from_json), found[1].version) if found else None

    def _set_epoch(self, leadership: Leadership, epoch: int, version: int | None) -> bool:
        """Write the epoch if the counter has not changed; False when it has."""
        path = self._znodes.epoch
        record = EpochRecord(epoch=epoch, member=leadership.member, lock=leadership.lock)
        data = encode(record.to_json(), "epoch")
        try:
            if version is None:
                commit(self._session, leadership, "epoch.raise", lambda multi: multi.create(path, data))
            else:
                commit(self._session, leadership, "epoch.raise", lambda multi: multi.set_data(path, data, version))
        except MultiFailed:
            return False  # changed, created or deleted in between: read it again
        return True

    # ---------------------------------------------------------------- leader

    def publish(self, leadership: Leadership, leader: Leader) -> None:
        """Name the leader; a name left by a session that has lost its lock is replaced."""
        path = self._znodes.leader
        data = encode(leader.to_json(), "leader")
        for _ in range(TRIES):
            stat = stat_of(self._session, "leader.read", path)

            def replace(multi: object, stat: object = stat) -> None:
                if stat is not None:
                    multi.delete(path, stat.version)  # type: ignore[attr-defined]  # kazoo has no types
                multi.create(path, data, ephemeral=True)  # type: ignore[attr-defined]

            try:
                commit(self._session, leadership, "leader.publish", replace)
            except MultiFailed:
                continue
            return
        raise CoordinationUnavailable(f"the leader node of {self._znodes.name} changed {TRIES} times under our hands")

    def unpublish(self, leadership: Leadership) -> None:
        """Remove the name, if this session owns it."""
        path = self._znodes.leader
        stat = stat_of(self._session, "leader.read", path)
        if stat is None or stat.ephemeralOwner != leadership.session_id:
            return
        try:
            self._session.call("leader.unpublish", lambda client: client.delete_async(path, stat.version))
        except (NoNodeError, BadVersionError):
            return  # gone, or replaced by a newer leader: not ours any more

    def leader(self) -> Leader | None:
        """Name the leader that published itself."""
        found = read(self._session, "leader.read", self._znodes.leader)
        return decode(found[0], self._znodes.leader, Leader.from_json) if found else None

    # --------------------------------------------------------------- history

    def record(self, leadership: Leadership, term: TermRecord) -> None:
        """Write the term's record, and drop the oldest ones when it is new."""
        path = self._znodes.term(term.epoch)
        data = encode(term.to_json(), "term")
        stat = stat_of(self._session, "term.read", path)
        if stat is not None:
            # Not guarded by the lock: an ended term may still say how it ended. The path is its own.
            self._complete(path, data, stat.version)
            return
        try:
            commit(self._session, leadership, "term.open", lambda multi: multi.create(path, data))
        except MultiFailed as failed:
            if not isinstance(failed.error, NodeExistsError):
                raise CoordinationUnavailable(f"{self._znodes.terms} is missing") from failed
            # An own earlier try whose answer was lost; the epoch in its name is ours alone.
        self._prune()

    def _complete(self, path: str, data: bytes, version: int) -> None:
        try:
            self._session.call("term.close", lambda client: client.set_async(path, data, version))
        except (BadVersionError, NoNodeError):
            return  # an own earlier try went through, or the record was pruned

    def _prune(self) -> None:
        """Delete the oldest records."""
        names = children(self._session, "term.list", self._znodes.terms)
        for name in names[:-KEPT]:
            remove(self._session, "term.prune", f"{self._znodes.terms}/{name}")

    def history(self, limit: int = KEPT) -> tuple[TermRecord, ...]:
        """Return the last terms, newest first."""
        names = children(self._session, "term.list", self._znodes.terms)
        paths = [f"{self._znodes.terms}/{name}" for name in reversed(names[-limit:])]
        found = ((path, read(self._session, "term.read", path)) for path in paths)
        return tuple(decode(node[0], path, TermRecord.from_json) for path, node in found if node)


def _conforms(terms: TermBook) -> Terms:
    """Have mypy hold the class to its port."""
    return terms
