"""Makes the persistent tree before anybody needs it, and holds every ACL in it against what new znodes get.

What is there is never changed but for an ACL, and that only when told to. Safe from many
processes at once, and as often as wanted: a Helm hook runs it at each installation.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kazoo.exceptions import NodeExistsError, NoNodeError
from kazoo.security import ACL, Permissions, make_digest_acl_credential

from hasync.cluster.access import Auth, Tls, default_acl
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, stat_of
from hasync.cluster.znodes import Znodes
from hasync.errors import CoordinationRefused
from hasync.model.provision import Provisioned, ZnodeState

TOP: Final = ("root", "members", "streams")
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
        self._granted = bool(session.grants)
        self._own = _identities(session.auth, session.tls)

    def fault(self, entries: Sequence[ACL]) -> str:
        """Say in what an ACL differs, empty when it is as it should be. Names identities, never their hashes."""
        if self.wanted is None:
            whole = any(_is_world(entry) and entry.perms == Permissions.ALL for entry in entries)
            return "" if whole else f"closed: {_told(entries)}, and this process has no identity"
        if self._granted:
            return "" if _as_set(entries) == _as_set(self.wanted) else f"it has {_told(entries)}"
        strange = [entry for entry in entries if not self._is_own(entry) and not _only_reads(entry)]
        if strange:
            return f"{'open' if any(map(_is_world, strange)) else 'shared'}: {_told(strange)}"
        return "" if any(self._owns(entry) for entry in entries) else "this identity has not all rights"

    def corrected(self, entries: Sequence[ACL]) -> list[ACL]:
        """Return what the ACL should be; named identities that may only read keep that."""
        wanted = list(self.wanted or ())
        if self._granted:
            return wanted
        return wanted + [entry for entry in entries if not self._is_own(entry) and _only_reads(entry)]

    def _is_own(self, entry: ACL) -> bool:
        return any(entry.id.scheme == scheme and name in {"", entry.id.id} for scheme, name in self._own)

    def _owns(self, entry: ACL) -> bool:
        return self._is_own(entry) and entry.perms == Permissions.ALL


def _identities(auth: Auth | None, tls: Tls | None) -> tuple[tuple[str, str], ...]:
    """Return scheme and id as ZooKeeper stores them; a certificate's subject is not looked up, so it is empty."""
    found = [("x509", "")] if tls is not None and tls.cert else []
    if auth is not None:
        user, _, password = auth.credential.partition(":")
        found.append((auth.scheme, make_digest_acl_credential(user, password) if auth.scheme == "digest" else user))
    return tuple(found)


def _is_world(entry: ACL) -> bool:
    return bool(entry.id.scheme == "world")


def _only_reads(entry: ACL) -> bool:
    return not _is_world(entry) and entry.perms == Permissions.READ


def _as_set(entries: Sequence[ACL]) -> set[tuple[str, str, int]]:
    return {(entry.id.scheme, entry.id.id, entry.perms) for entry in entries}


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
