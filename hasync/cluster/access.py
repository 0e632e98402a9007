"""How this instance proves who it is to ZooKeeper, and who may touch what it creates."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from kazoo.security import ACL, CREATOR_ALL_ACL, Id, Permissions, make_digest_acl_credential

from hasync.errors import ConfigInvalid
from hasync.model.secret import Password, revealed
from hasync.model.tls import Verify
from hasync.tls import client_context

_RIGHTS: Final = {
    "c": Permissions.CREATE,
    "r": Permissions.READ,
    "w": Permissions.WRITE,
    "d": Permissions.DELETE,
    "a": Permissions.ADMIN,
}
_SCHEMES: Final = ("digest", "x509", "ip", "sasl")

OWNER: Final = "cdrwa"
READER: Final = "r"


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """ZooKeeper identities: scheme ``digest`` with ``user:password``, one in a line.

    Several lines are several identities at once: what is created belongs to all of them,
    so that a password can be rotated. ``digest`` sends it as it is: use it inside TLS only.
    """

    scheme: str
    credential: str | Password = field(repr=False)

    @property
    def credentials(self) -> tuple[str, ...]:
        """The identities as they are now, ``user:password`` each.

        Raises ConfigInvalid when there is none or one is not of that form, and as :meth:`Password.reveal`.
        """
        found = tuple(line.strip() for line in revealed(self.credential).splitlines() if line.strip())
        formed = self.scheme != "digest" or all(":" in credential.strip(":") for credential in found)
        if not found or not formed:
            raise ConfigInvalid(
                "the ZooKeeper identity is not user:password",
                hint="write user:password to where HASYNC_ZOOKEEPER__AUTH points; several lines are several identities",
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS towards ZooKeeper; ``cert`` and ``key`` together are an x509 identity.

    Files in PEM form. Only authorities in ``ca`` are trusted, and the host name is verified
    unless told otherwise; kazoo's own defaults do neither (K21).
    """

    ca: str
    cert: str = ""
    key: str = ""
    key_password: str | Password = field(default="", repr=False)
    verify_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """Return what a connection is wrapped with, from the files as they are now. Raises ConfigInvalid."""
        if bool(self.cert) != bool(self.key):
            raise ConfigInvalid("ZooKeeper TLS needs certificate and key together, or neither")
        return client_context(
            ca_file=self.ca,
            cert_file=self.cert,
            key_file=self.key,
            key_password=revealed(self.key_password),
            verify=Verify.FULL if self.verify_hostname else Verify.CA,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One ACL entry: ``rights`` is made of c, r, w, d and a, as in zkCli."""

    scheme: str
    identity: str
    rights: str = OWNER

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``scheme:identity:rights``; the identity may hold colons itself. Raises ConfigInvalid."""
        scheme, _, rest = text.partition(":")
        identity, _, rights = rest.rpartition(":")
        if scheme not in _SCHEMES or not identity:
            raise ConfigInvalid(
                f"{scheme!r}... is no ACL entry",
                hint="write scheme:identity:rights, such as x509:CN=status:r or digest:status:HASH:r",
            )
        grant = cls(scheme=scheme, identity=identity, rights=rights)
        grant.to_acl()
        return grant

    def to_acl(self) -> ACL:
        """Return kazoo's form. Raises ConfigInvalid for an unknown right."""
        unknown = set(self.rights) - _RIGHTS.keys()
        if unknown or not self.rights:
            raise ConfigInvalid(f"ACL rights {self.rights!r} are not made of c, r, w, d, a")
        return ACL(sum(_RIGHTS[right] for right in set(self.rights)), Id(self.scheme, self.identity))

    @property
    def owns(self) -> bool:
        """Whether it gives all rights."""
        return set(self.rights) == set(OWNER)


def connection_options(auth: Auth | None, tls: Tls | None) -> dict[str, Any]:
    """Return kazoo's keyword arguments for the identity. Raises ConfigInvalid; TLS is the client's own business."""
    if tls is not None:
        tls.context()  # kazoo would try for ever with files that cannot be used
    return {} if auth is None else {"auth_data": [(auth.scheme, credential) for credential in auth.credentials]}


def has_identity(auth: Auth | None, tls: Tls | None) -> bool:
    """Whether ZooKeeper can tell this client from any other."""
    return auth is not None or (tls is not None and bool(tls.cert))


def default_acl(auth: Auth | None, tls: Tls | None, grants: Sequence[Grant]) -> list[ACL] | None:
    """Return the ACL of every node created; None leaves them open to the world.

    The own identities have all rights; ``grants`` are added (a status page that may read),
    or taken instead when one of them gives all rights itself. Raises ConfigInvalid, and as
    :attr:`Auth.credentials`.
    """
    added = [grant.to_acl() for grant in grants]
    if any(grant.owns for grant in grants):
        return added
    if not has_identity(auth, tls):
        return added or None
    return own_acl(auth, tls) + added


def own_acl(auth: Auth | None, tls: Tls | None) -> list[ACL]:
    """Return all rights for the own identities.

    Digests are named one by one: what a session creates after a rotation no longer
    belongs to the password that it began with. A certificate's subject is the server's to know.
    """
    if auth is None or auth.scheme != "digest" or (tls is not None and tls.cert):
        return list(CREATOR_ALL_ACL)
    return [ACL(Permissions.ALL, Id("digest", digest)) for digest in digests(auth)]


def digests(auth: Auth) -> list[str]:
    """Return the identities as ZooKeeper stores them, ``user:hash``."""
    pairs = (credential.partition(":") for credential in auth.credentials)
    return [str(make_digest_acl_credential(user, password)) for user, _, password in pairs]
