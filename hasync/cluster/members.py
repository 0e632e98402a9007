"""The instances of the cluster: each one's status as an ephemeral node, kept up by a thread of its own."""

import contextlib
import threading
from typing import Final

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError
from kazoo.protocol.states import ZnodeStat

from hasync.cluster.guarded import ensure
from hasync.cluster.payloads import decode, encode
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, read
from hasync.cluster.znodes import Znodes
from hasync.coordination import Members
from hasync.errors import CoordinationRefused, CoordinationUnavailable
from hasync.model.member import Member
from hasync.ports import Clock

GRACE: Final = 1.5
"""Session timeouts that a node of the same id is taken for the remains of a dead process."""

RETRY_S: Final = 0.5
"""Pause after a request that failed."""


class MemberList:
    """Shows this instance and lists all; not kazoo's Party, which joins only once (K15)."""

    def __init__(self, *, session: ZooKeeperSession, znodes: Znodes, clock: Clock) -> None:
        """Serve one instance."""
        self._session = session
        self._znodes = znodes
        self._clock = clock
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._member: Member | None = None
        self._shown: Member | None = None
        self._refused: CoordinationRefused | None = None
        self._stranger: tuple[int, float] | None = None

    def join(self, member: Member) -> None:
        """Show this instance from now on."""
        self._znodes.member(member.id)  # refuses a bad id here, not in the thread
        self._member = member
        self._session.subscribe(self._wake)
        self._thread = threading.Thread(target=self._keep_shown, name="hasync-member", daemon=True)
        self._thread.start()

    def update(self, member: Member) -> None:
        """Replace the status shown."""
        self._member = member
        self._wake.set()

    def check(self) -> None:
        """Raise CoordinationRefused when the id is taken by another live process, or ZooKeeper refuses."""
        if self._refused is not None:
            raise CoordinationRefused(self._refused.message, hint=self._refused.hint)

    def leave(self) -> None:
        """Remove the status."""
        self._stop.set()
        self._wake.set()
        self._session.unsubscribe(self._wake)
        if self._thread is not None:
            self._thread.join(self._session.timeout_s / 3)

    def list(self) -> tuple[Member, ...]:
        """Return all instances, ordered by id."""
        names = children(self._session, "members.list", self._znodes.members)
        paths = [f"{self._znodes.members}/{name}" for name in names]
        found = ((path, read(self._session, "members.read", path)) for path in paths)
        return tuple(decode(node[0], path, Member.from_json) for path, node in found if node)

    # --------------------------------------------------- the members' own thread

    def _keep_shown(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            if self._stop.is_set():
                break
            pause_s = self._tended()
            self._clock.wait(self._wake, pause_s)
        self._remove()

    def _tended(self) -> float:
        """Bring the node up to date; return how long it can be left alone."""
        if not self._session.connected:
            self._shown, self._stranger = None, None
            return self._session.timeout_s
        try:
            self._tend()
        except CoordinationUnavailable:
            return RETRY_S
        except CoordinationRefused as refused:
            self._refused = refused
        if self._stranger is not None:
            return RETRY_S
        return self._session.timeout_s

    def _tend(self) -> None:
        member = self._member
        if member is None:
            return
        path = self._znodes.member(member.id)
        found = read(self._session, "members.read", path, self._wake)
        if found is None:
            self._create(path, member)
        elif found[1].ephemeralOwner == self._session.session_id:
            self._refresh(path, member, found[0], found[1])
        else:
            self._face_stranger(path, member, found[0], found[1])

    def _create(self, path: str, member: Member) -> None:
        ensure(self._session, self._znodes.members)
        data = encode(member.to_json(), "member")
        try:
            self._session.call("members.show", lambda client: client.create_async(path, data, ephemeral=True))
        except NodeExistsError:
            self._wake.set()  # look again at once: it is ours by a lost answer, or somebody else's
            return
        self._shown, self._stranger, self._refused = member, None, None

    def _refresh(self, path: str, member: Member, data: bytes, stat: ZnodeStat) -> None:
        self._stranger, self._refused = None, None
        new = encode(member.to_json(), "member")
        if new == data:
            return
        try:
            self._session.call("members.update", lambda client: client.set_async(path, new, stat.version))
        except (BadVersionError, NoNodeError):
            self._wake.set()

    def _face_stranger(self, path: str, member: Member, data: bytes, stat: ZnodeStat) -> None:
        """Tell remains of a dead process from a live one with the same id.

        The remains of our own former session are deleted. Another process's node is given
        time to expire; if it outlives that, its owner is alive and the ids clash. Raises
        CoordinationRefused then.
        """
        other = decode(data, path, Member.from_json)
        if other.instance == member.instance:
            self._delete(path, stat.version)
            return
        now = self._clock.monotonic()
        if self._stranger is None or self._stranger[0] != stat.ephemeralOwner:
            self._stranger = (stat.ephemeralOwner, now)
        if now - self._stranger[1] > self._session.timeout_s * GRACE:
            raise CoordinationRefused(
                f"member id {member.id!r} is in use by a live process (pid {other.pid} on {other.host or 'unknown'})",
                hint="give every instance its own member id",
            )

    def _delete(self, path: str, version: int) -> None:
        with contextlib.suppress(NoNodeError, BadVersionError):  # gone, or another process's by now
            self._session.call("members.clean", lambda client: client.delete_async(path, version))
        self._wake.set()

    def _remove(self) -> None:
        """Take the node away, if it is this session's."""
        member = self._member
        if member is None or not self._session.connected:
            return
        path = self._znodes.member(member.id)
        try:
            found = read(self._session, "members.read", path)
            if found is not None and found[1].ephemeralOwner == self._session.session_id:
                self._delete(path, found[1].version)
        except (CoordinationUnavailable, CoordinationRefused):
            return  # the end of the session takes it away


def _conforms(members: MemberList) -> Members:
    """Have mypy hold the class to its port."""
    return members
