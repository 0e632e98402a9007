"""Takes the lock from whoever holds it, for an operator who will not wait for its session to end."""

from hasync.cluster.guarded import remove
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, read
from hasync.cluster.znodes import StreamZnodes


def depose(session: ZooKeeperSession, znodes: StreamZnodes, holder: str) -> bool:
    """Delete the lock node of ``holder`` if it stands first in the queue; whether it did.

    Its term ends at its next guarded write or by its watch on that node, and the epoch of
    its successor fences what it may still send. A node's name is unique for ever, so a
    delete that comes late hits nobody else. Raises CoordinationUnavailable, CoordinationRefused.
    """
    nodes = children(session, "failover.queue", znodes.election)
    if not nodes:
        return False
    path = znodes.contender(min(nodes, key=lambda node: node[-10:]))
    found = read(session, "failover.queue", path)
    return found is not None and found[0].decode(errors="replace") == holder and remove(session, "failover", path)
