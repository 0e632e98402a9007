"""Looks once, at the start, whether strangers may change what hasync keeps in ZooKeeper."""

from hasync.cluster.checks import tree_check
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.errors import CoordinationRefused, CoordinationUnavailable
from hasync.logs import Event, Log
from hasync.model.check import Check
from hasync.settings import Settings


class Doorkeeper:
    """Warns of a tree that is open to the world, or refuses to work on it (``zookeeper.open_tree``).

    Whoever can write there can pause, halt or move a stream. Called from: the main thread.
    """

    def __init__(self, *, session: ZooKeeperSession, znodes: Znodes, settings: Settings, log: Log) -> None:
        self._session = session
        self._znodes = znodes
        self._settings = settings
        self._log = log
        self._looked = False

    def look(self) -> None:
        """Look once the session is there. Raises CoordinationRefused when this instance shall not work on it."""
        if self._looked or not (self._session.connected and self._session.confirmed):
            return
        try:
            check = tree_check(self._session, self._znodes, self._settings.streams)
        except CoordinationUnavailable:
            return  # at the next turn
        self._looked = True
        if not check.ok:
            self._judge(check)

    def _judge(self, check: Check) -> None:
        policy = self._settings.zookeeper.open_tree
        if policy == "refuse" or (policy == "auto" and not check.warning):
            hint = f"{check.remedy}; HASYNC_ZOOKEEPER__OPEN_TREE=warn goes on all the same"
            raise CoordinationRefused(f"refused to work: {check.detail}", hint=hint)
        self._log.warning(Event.TREE_OPEN, trouble=check.detail, hint=check.remedy)
