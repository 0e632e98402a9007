"""How this instance proves who it is to ZooKeeper, and who may touch what it creates."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kazoo.security import ACL, CREATOR_ALL_ACL, Id, Permissions

from hasync.errors import ConfigInvalid

_RIGHTS: Final = {
    "c": Permissions.CREATE,
    "r": Permissions.READ,
    "w": Permissions.WRITE,
    "d": Permissions.DELETE,
    "a": Permissions.ADMIN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """A ZooKeeper identity: scheme ``digest`` or ``sasl`` with ``user:password``.

    ``digest`` sends the password as it is, so use it inside TLS only.
    ``sasl`` is DIGEST-MD5 and needs the package ``pure-sasl``.
    """

    scheme: str
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS towards ZooKeeper; ``cert`` and ``key`` together are an x509 identity.

    Files in PEM form. ``verify_hostname`` is on here though kazoo's default is off (K21).
    """

    ca: str
    cert: str = ""
    key: str = ""
    verify_hostname: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One ACL entry: ``rights`` is made of c, r, w, d and a, as in zkCli."""

    scheme: str
    identity: str
    rights: str = "cdrwa"

    def to_acl(self) -> ACL:
        """Return kazoo's form. Raises ConfigInvalid for an unknown right."""
        unknown = set(self.rights) - _RIGHTS.keys()
        if unknown or not self.rights:
            raise ConfigInvalid(f"ACL rights {self.rights!r} are not made of c, r, w, d, a")
        return ACL(sum(_RIGHTS[right] for right in set(self.rights)), Id(self.scheme, self.identity))


def connection_options(auth: Auth | None, tls: Tls | None) -> dict[str, Any]:
    """Return kazoo's keyword arguments for identity and TLS. Raises ConfigInvalid."""
    return _auth_options(auth) | _tls_options(tls)


def _auth_options(auth: Auth | None) -> dict[str, Any]:
    if auth is None:
        return {}
    if auth.scheme == "sasl":
        # kazoo would die in its connection thread at the first connect, so look before it does.
        if importlib.util.find_spec("puresasl") is None:
            raise ConfigInvalid(
                "ZooKeeper authentication 'sasl' needs the package pure-sasl",
                hint="pip install 'kazoo[sasl]', or use TLS with a client certificate",
            )
        user, _, password = auth.credential.partition(":")
        return {"sasl_options": {"mechanism": "DIGEST-MD5", "username": user, "password": password}}
    return {"auth_data": [(auth.scheme, auth.credential)]}


def _tls_options(tls: Tls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    if bool(tls.cert) != bool(tls.key):
        # kazoo takes the certificate only when it has both, and says nothing otherwise.
        raise ConfigInvalid("ZooKeeper TLS needs certificate and key together, or neither")
    return {
        "use_ssl": True,
        "verify_certs": True,
        "check_hostname": tls.verify_hostname,
        "ca": tls.ca,
        "certfile": tls.cert or None,
        "keyfile": tls.key or None,
    }


def default_acl(auth: Auth | None, tls: Tls | None, grants: Sequence[Grant]) -> list[ACL] | None:
    """Return the ACL of every node created; None leaves them open to the world.

    With an identity and no ``grants``, only that identity has rights: all instances and
    operators then share it. Give ``grants`` when they have identities of their own.
    """
    if grants:
        return [grant.to_acl() for grant in grants]
    if auth is not None or (tls is not None and tls.cert):
        return list(CREATOR_ALL_ACL)
    return None
