"""From settings to a session with ZooKeeper; apart from the other adapters, so that a command imports no driver."""

import os
from collections.abc import Mapping
from pathlib import Path

from hasync.cluster.access import READER, Auth, Grant, Tls
from hasync.cluster.closing import SessionCloser
from hasync.cluster.session import ZooKeeperSession
from hasync.coordination import ClusterObserver
from hasync.errors import ConfigInvalid
from hasync.model.secret import Password, SecretReference, Secrets
from hasync.ports import Clock, Gate
from hasync.settings import Settings, Zookeeper, ZookeeperTls


def secrets_from(environ: Mapping[str, str]) -> Secrets:
    """Return a resolver of ``env:`` and ``file:`` references in this process."""
    return Secrets(environ, lambda path: Path(path).read_text(encoding="utf-8"))


def build_session(
    settings: Settings,
    secrets: Secrets,
    clock: Clock,
    observer: ClusterObserver | None = None,
    gate: Gate | None = None,
) -> ZooKeeperSession:
    """Return the session, not yet started. Raises ConfigInvalid for an identity or files that cannot work."""
    zookeeper = settings.zookeeper
    _check_files(zookeeper.tls)
    return ZooKeeperSession(
        hosts=zookeeper.hosts,
        clock=clock,
        session_timeout_s=zookeeper.session_timeout_s,
        auth=_auth(zookeeper, secrets),
        tls=_zookeeper_tls(zookeeper.tls, secrets),
        grants=tuple(Grant.parse(f"{reader}:{READER}") for reader in zookeeper.readers),
        observer=observer,
        gate=gate,
    )


def build_closer(settings: Settings, secrets: Secrets) -> SessionCloser:
    """Return what closes a session from outside. Raises ConfigInvalid when a secret cannot be read."""
    zookeeper = settings.zookeeper
    return SessionCloser(
        hosts=zookeeper.hosts,
        session_timeout_s=zookeeper.session_timeout_s,
        auth=_auth(zookeeper, secrets),
        tls=_zookeeper_tls(zookeeper.tls, secrets),
    )


def _auth(zookeeper: Zookeeper, secrets: Secrets) -> Auth | None:
    return Auth(scheme="digest", credential=secrets.password(zookeeper.auth)) if zookeeper.auth else None


def _zookeeper_tls(tls: ZookeeperTls | None, secrets: Secrets) -> Tls | None:
    if tls is None:
        return None
    password = optional(tls.key_password, secrets)
    return Tls(ca=str(tls.ca), cert=str(tls.cert or ""), key=str(tls.key or ""), key_password=password)


def _check_files(tls: ZookeeperTls | None) -> None:
    """Refuse files that are not there: kazoo would try to connect without a word, for ever."""
    given = {"ca": tls.ca, "cert": tls.cert, "key": tls.key} if tls else {}
    problems = tuple(
        f"HASYNC_ZOOKEEPER__TLS__{name.upper()} (zookeeper.tls.{name}): {str(path)!r} cannot be read; mount it there"
        for name, path in given.items()
        if path is not None and not os.access(path, os.R_OK)
    )
    if problems:
        raise ConfigInvalid(
            "a TLS file of ZooKeeper's cannot be read", problems=problems, hint="mount it, or correct the path"
        )


def optional(reference: SecretReference | None, secrets: Secrets) -> Password | str:
    """Return what reads a secret for each login. Raises ConfigInvalid when it cannot be read now."""
    return secrets.password(reference) if reference else ""
