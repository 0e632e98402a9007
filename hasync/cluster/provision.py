"""Makes the persistent tree before anybody needs it, and holds every ACL in it against what new znodes get.

What is there is never changed but for an ACL, and that only when told to. Safe from many
processes at once, and as often as wanted: a Helm hook runs it at each installation.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kazoo.exceptions import NodeExistsError, NoNodeError
from kazoo.security import ACL, Permissions

from hasync.cluster.access import default_acl, digests
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, stat_of
from hasync.cluster.znodes import Znodes
from hasync.errors import CoordinationRefused
from hasync.model.provision import Provisioned, ZnodeState

TOP: Final = ("root", "members", "drains", "streams")
OF_STREAM: Final = ("stream", "config_history", "election", "terms")
"""The persistent nodes without content, parents first: all that can be made before there is something to keep."""

_LETTERS: Final = (
    (Permissions.CREATE, "c"),
    (Permissions.DELETE, "d"),
    (Permissions.READ, "r"),
    (Permissions.WRITE, "w"),
    (Permissions.ADMIN, "a"),
)


class Ownership:
    """What this session's identity gives the nodes it creates, and what another ACL lacks."""

    def __init__(self, session: ZooKeeperSession) -> None:
        """Take the identity that the session connects as."""
        self.wanted = default_acl(session.auth, session.tls, session.grants)
        self._exact = [entry for entry in self.wanted or () if entry.id.scheme != "auth"]
        self._by_certificate = len(self._exact) < len(self.wanted or ())
        self._digests = digests(session.auth) if session.auth is not None else []

    def fault(self, entries: Sequence[ACL]) -> str:
        """Say in what an ACL differs, empty when it is as it should be. Names identities, never their hashes."""
        if self.wanted is None:
            whole = any(_is_world(entry) and entry.perms == Permissions.ALL for entry in entries)
            return "" if whole else f"closed for us: it belongs to {_told(entries)}; set HASYNC_ZOOKEEPER__AUTH"
        missing = [entry for entry in self._exact if not _among(entry, entries)]
        strange = [entry for entry in entries if not self._is_own(entry) and not _only_reads(entry)]
        faults = [f"it lacks {_told(missing)}"] if missing else []
        if self._by_certificate and not any(entry.id.scheme == "x509" and _is_whole(entry) for entry in entries):
            faults.append("this certificate has not all rights")
        return "; ".join(faults + ([f"also {_told(strange)}"] if strange else []))

    def corrected(self, entries: Sequence[ACL]) -> list[ACL]:
        """Return what the ACL should be; named identities that may only read keep that."""
        kept = [entry for entry in entries if _only_reads(entry) and not _among(entry, self._exact)]
        return [*(self.wanted or ()), *kept]

    def _is_own(self, entry: ACL) -> bool:
        """Whether it is ours; which certificate's subject is ours only the server knows."""
        by_certificate = self._by_certificate and (entry.id.scheme == "x509" or entry.id.id in self._digests)
        return by_certificate or _among(entry, self._exact)


def _among(entry: ACL, others: Sequence[ACL]) -> bool:
    return any((entry.id, entry.perms) == (other.id, other.perms) for other in others)


def _is_whole(entry: ACL) -> bool:
    return bool(entry.perms == Permissions.ALL)


def _is_world(entry: ACL) -> bool:
    return bool(entry.id.scheme == "world")


def _only_reads(entry: ACL) -> bool:
    return not _is_world(entry) and entry.perms == Permissions.READ


def _told(entries: Sequence[ACL]) -> str:
    """Name identities and rights as zkCli does, without a digest's hash."""
    return ", ".join(f"{entry.id.scheme}:{_name(entry)} {_rights(entry.perms)}" for entry in entries)


def _name(entry: ACL) -> str:
    name = str(entry.id.id)
    return name.partition(":")[0] if entry.id.scheme == "digest" else name


def _rights(perms: int) -> str:
    return "".join(letter for bit, letter in _LETTERS if perms & bit)


class Provisioner:
    """Makes and compares. ``execute``: create what is missing; ``fix_acl``: correct ACLs, too."""

    def __init__(self, *, session: ZooKeeperSession, znodes: Znodes, execute: bool, fix_acl: bool) -> None:
        """Serve one deployment. Raises CoordinationRefused when ACLs are to be fixed without an identity."""
        self._session = session
        self._znodes = znodes
        self._execute = execute
        self._fix = fix_acl and execute
        self._ownership = Ownership(session)
        if fix_acl and self._ownership.wanted is None:
            raise CoordinationRefused(
                "there is no identity to give the tree to",
                hint="set HASYNC_ZOOKEEPER__AUTH, or a client certificate in HASYNC_ZOOKEEPER__TLS__CERT and __KEY",
            )

    def provision(self, streams: Sequence[str]) -> tuple[Provisioned, ...]:
        """Return all parents, and of what is below them each znode whose ACL differs or differed.

        Raises ConfigInvalid for a name that cannot be a stream's; CoordinationUnavailable, CoordinationRefused.
        """
        paths = [self._znodes.path(kind) for kind in TOP]
        for name in streams:
            self._znodes.stream(name)  # refuses a bad name
            paths += [self._znodes.path(kind, stream=name) for kind in OF_STREAM]
        made = [self._provided(path) for path in (*self._above_root(), *paths)]
        done = {one.path for one in made}
        rest = [self._compared(path) for path in self._below(self._znodes.root) if path not in done]
        return (*made, *(one for one in rest if one.state is not ZnodeState.PRESENT))

    def _above_root(self) -> Iterator[str]:
        """Name the missing parents of the root; those that are there belong to somebody else."""
        parts = self._znodes.root.split("/")[1:-1]
        for count in range(1, len(parts) + 1):
            path = "/" + "/".join(parts[:count])
            if stat_of(self._session, "init.look", path) is None:
                yield path

    def _provided(self, path: str) -> Provisioned:
        if stat_of(self._session, "init.look", path) is not None:
            return self._compared(path)
        if not self._execute:
            return Provisioned(path=path, state=ZnodeState.MISSING)
        try:
            self._session.call("init.create", lambda client: client.create_async(path))
        except NodeExistsError:  # another process was faster at the same moment
            return self._compared(path)
        return Provisioned(path=path, state=ZnodeState.CREATED)

    def _compared(self, path: str) -> Provisioned:
        """Look at the ACL of a node, and correct it if told to."""
        try:
            entries, _ = self._session.call("init.acl", lambda client: client.get_acls_async(path))
            fault = self._ownership.fault(entries)
            if fault and self._fix:
                self._correct(path, entries)
        except NoNodeError:  # an ephemeral one that has gone meanwhile
            return Provisioned(path=path, state=ZnodeState.PRESENT)
        except CoordinationRefused:
            return Provisioned(path=path, state=ZnodeState.DIFFERS, detail="closed: it belongs to another identity")
        if not fault:
            return Provisioned(path=path, state=ZnodeState.PRESENT)
        return Provisioned(path=path, state=ZnodeState.FIXED if self._fix else ZnodeState.DIFFERS, detail=fault)

    def _correct(self, path: str, entries: Sequence[ACL]) -> Any:
        wanted = self._ownership.corrected(entries)
        return self._session.call("init.fix", lambda client: client.set_acls_async(path, wanted))

    def _below(self, path: str) -> Iterator[str]:
        try:
            names = children(self._session, "init.list", path)
        except CoordinationRefused:
            return  # its own ACL has been told
        for name in names:
            yield f"{path}/{name}"
            yield from self._below(f"{path}/{name}")
