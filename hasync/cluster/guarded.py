"""Writes that only the holder of the lock can make: ``multi[check(lock node), ...]``."""

import contextlib
from collections.abc import Callable
from typing import Any

from kazoo.exceptions import NodeExistsError, NoNodeError

from hasync.cluster.failures import MultiFailed
from hasync.cluster.session import ZooKeeperSession
from hasync.errors import EndReason, TermEnded
from hasync.model.cluster import Leadership


def commit(
    session: ZooKeeperSession, leadership: Leadership, operation: str, build: Callable[[Any], None]
) -> list[Any]:
    """Apply the operations of ``build`` if the lock is still ours.

    Raises TermEnded (SESSION_LOST, LOCK_LOST); MultiFailed with ``index`` counted from
    1 for the operations of ``build``; CoordinationUnavailable, CoordinationRefused.
    """
    if session.generation != leadership.generation:
        raise TermEnded(EndReason.SESSION_LOST)

    def guarded(transaction: Any) -> None:
        # The version is passed as it is: 0 is the version of every fresh node, not "any" (K18).
        transaction.check(leadership.lock_path, leadership.lock_version)
        build(transaction)

    try:
        return session.multi(operation, guarded)
    except MultiFailed as failed:
        if failed.index == 0:
            raise TermEnded(EndReason.LOCK_LOST, "the lock node is gone") from failed
        raise


def ensure(session: ZooKeeperSession, *paths: str) -> None:
    """Create persistent nodes and their parents where they are missing; safe from many members at once."""
    for path in paths:
        _ensure_one(session, path)


def _ensure_one(session: ZooKeeperSession, path: str) -> None:
    with contextlib.suppress(NodeExistsError):  # another member was faster at the same moment
        session.call("ensure_path", lambda client: client.ensure_path_async(path))


def remove(session: ZooKeeperSession, operation: str, path: str) -> bool:
    """Delete a node whatever it holds; False when there was none."""
    try:
        session.call(operation, lambda client: client.delete_async(path))
    except NoNodeError:
        return False
    return True
