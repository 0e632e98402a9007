"""What ``hasync doctor`` looks at in ZooKeeper. Nothing is written."""

import statistics
from collections.abc import Sequence
from typing import Any, Final

from kazoo.exceptions import NoNodeError

from hasync.cluster.access import has_identity
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, stat_of
from hasync.cluster.znodes import Znodes
from hasync.errors import HasyncError
from hasync.model.check import Check
from hasync.ports import Clock

PROBES: Final = 5
SLOW_S: Final = 0.1
"""A sync that takes longer makes every takeover and every acknowledgement feel it."""

NEAR: Final = 0.1
"""Part by which the granted session timeout may differ from the one asked for."""

NO_ANSWER_REMEDY: Final = "see that a majority of the ensemble runs ('srvr' tells of each server), and look at its logs"

CLOSE_REMEDY: Final = "'hasync init-zk --fix-acl' gives the tree to this identity"

MOST_NAMED: Final = 3
"""So many open znodes are named; a tree without ACLs has hundreds."""

OF_STREAM: Final = ("stream", "config", "config_history", "position", "epoch", "election", "terms", "intent", "halt")
"""The lasting znodes of a stream that somebody's decision hangs on; contenders and records have their parents' fate."""

READ: Final = 1
"""The ACL right that may be the world's without anybody being able to do harm."""


def zookeeper_checks(session: ZooKeeperSession, znodes: Znodes, *, asked_s: float, clock: Clock) -> tuple[Check, ...]:
    """Look at the ensemble through a connected session and return what was found.

    ``asked_s``: the session timeout of the settings. Never raises for what ZooKeeper
    does; called from: any thread.
    """
    found = [
        Check(name="zookeeper.reachable", ok=True, detail=f"connected to one of {', '.join(session.hosts)}"),
        _hosts(session),
        _timeout(session, asked_s),
    ]
    try:
        found += [_latency(session, clock), *_tree(session, znodes)]
    except HasyncError as error:
        remedy = error.hint or NO_ANSWER_REMEDY
        found.append(Check(name="zookeeper.answers", ok=False, detail=error.message, remedy=remedy))
    return tuple(found)


def _hosts(session: ZooKeeperSession) -> Check:
    count = len(session.hosts)
    if count > 2:
        return Check(name="zookeeper.hosts", ok=True, detail=f"{count} servers")
    detail = f"{count} server{'s' if count > 1 else ''}: the loss of one stops elections"
    remedy = "name all servers of an ensemble of three or five in HASYNC_ZOOKEEPER__HOSTS"
    return Check(name="zookeeper.hosts", ok=False, warning=True, detail=detail, remedy=remedy)


def _timeout(session: ZooKeeperSession, asked_s: float) -> Check:
    granted_s = session.timeout_s
    if abs(granted_s - asked_s) <= asked_s * NEAR:
        return Check(name="zookeeper.session_timeout", ok=True, detail=f"{granted_s:g} s granted")
    return Check(
        name="zookeeper.session_timeout",
        ok=False,
        warning=True,
        detail=f"asked for {asked_s:g} s, granted {granted_s:g} s; the granted one counts",
        remedy="set minSessionTimeout and maxSessionTimeout of the servers, or HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S",
    )


def _latency(session: ZooKeeperSession, clock: Clock) -> Check:
    took_s = []
    for _ in range(PROBES):
        started = clock.monotonic()
        session.call("doctor.sync", lambda client: client.sync_async("/"))
        took_s.append(clock.monotonic() - started)
    middle_s = statistics.median(took_s)
    detail = f"{middle_s * 1000:.1f} ms for a sync, median of {PROBES}, {max(took_s) * 1000:.1f} ms at most"
    remedy = "give ZooKeeper a disk of its own, and place it near the instances"
    if middle_s > SLOW_S:
        return Check(name="zookeeper.latency", ok=False, warning=True, detail=detail, remedy=remedy)
    return Check(name="zookeeper.latency", ok=True, detail=detail)


def _tree(session: ZooKeeperSession, znodes: Znodes) -> list[Check]:
    """Look at the root; ZooKeeper hides nothing but data from those without rights."""
    if stat_of(session, "doctor.tree", znodes.root) is None:
        remedy = "'hasync config apply' makes it; or correct HASYNC_ZOOKEEPER__ROOT"
        detail = f"{znodes.root} does not exist yet"
        return [Check(name="zookeeper.tree", ok=False, warning=True, detail=detail, remedy=remedy)]
    names = children(session, "doctor.streams", znodes.streams)
    return [
        Check(name="zookeeper.tree", ok=True, detail=f"{znodes.root} exists"),
        tree_check(session, znodes, names),
        _encryption(session),
    ]


def tree_check(session: ZooKeeperSession, znodes: Znodes, streams: Sequence[str]) -> Check:
    """Look whether strangers may change what is kept: a warning without an identity, a fault with one.

    Raises CoordinationUnavailable, CoordinationRefused. Called from: any thread.
    """
    found = open_znodes(session, znodes, streams)
    if not found:
        return Check(name="zookeeper.acl", ok=True, detail=f"{znodes.root} can be changed by named identities only")
    named = has_identity(session.auth, session.tls)
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return Check(
        name="zookeeper.acl",
        ok=False,
        warning=not named,
        detail=f"anybody who reaches ZooKeeper can change {', '.join(found[:MOST_NAMED])}{more}",
        remedy=CLOSE_REMEDY if named else f"set HASYNC_ZOOKEEPER__AUTH (over TLS), then {CLOSE_REMEDY}",
    )


def open_znodes(session: ZooKeeperSession, znodes: Znodes, streams: Sequence[str]) -> list[str]:
    """Return the nodes of the tree that the world may change: the parents, and those of each stream.

    Raises CoordinationUnavailable, CoordinationRefused.
    """
    tops = [znodes.root, znodes.members, znodes.streams]
    of_stream = [path for stream in streams for kind in OF_STREAM if (path := znodes.path(kind, stream=stream))]
    return [path for path in (*tops, *of_stream) if _is_open(session, path)]


def _is_open(session: ZooKeeperSession, path: str) -> bool:
    try:
        entries, _ = session.call("acl.look", lambda client: client.get_acls_async(path))
    except NoNodeError:
        return False
    return any(_anybody_may_write(entry) for entry in entries)


def _encryption(session: ZooKeeperSession) -> Check:
    """Look whether a password goes over the wire as it is."""
    bare = session.auth is not None and session.tls is None
    return Check(
        name="zookeeper.encryption",
        ok=not bare,
        warning=bare,
        detail="the identity's password is sent unencrypted" if bare else "no password is sent unencrypted",
        remedy="set HASYNC_ZOOKEEPER__TLS__CA and name the servers' secureClientPort" if bare else "",
    )


def _anybody_may_write(entry: Any) -> bool:
    return entry.id.scheme == "world" and bool(entry.perms & ~READ)
