"""What ``hasync doctor`` looks at in ZooKeeper. Nothing is written."""

import statistics
from typing import Any, Final

from kazoo.exceptions import NoNodeError

from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import stat_of
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
    return [Check(name="zookeeper.tree", ok=True, detail=f"{znodes.root} exists"), _acl(session, znodes.root)]


def _acl(session: ZooKeeperSession, path: str) -> Check:
    try:
        entries, _ = session.call("doctor.acl", lambda client: client.get_acls_async(path))
    except NoNodeError:
        return Check(name="zookeeper.acl", ok=True, detail=f"{path} was removed meanwhile")
    if not any(_anybody_may_write(entry) for entry in entries):
        return Check(name="zookeeper.acl", ok=True, detail=f"{path} can be changed by named identities only")
    return Check(
        name="zookeeper.acl",
        ok=False,
        warning=True,
        detail=f"anybody who reaches ZooKeeper can change {path}",
        remedy="set HASYNC_ZOOKEEPER__AUTH (over TLS) and the ACLs of zk/acl",
    )


def _anybody_may_write(entry: Any) -> bool:
    return entry.id.scheme == "world" and bool(entry.perms & ~READ)
