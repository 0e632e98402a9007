"""What is wanted of one stream: an operator's wish, or a hand-over that a leader has asked for."""

import threading

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError

from hasync.cluster.guarded import ensure, remove
from hasync.cluster.payloads import decode, encode
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import read, read_rare, stat_of
from hasync.cluster.znodes import StreamZnodes
from hasync.coordination import Intents
from hasync.errors import CoordinationUnavailable
from hasync.model.cluster import Intent


class IntentRecord:
    """One wish at a time; it outlives every term and every session."""

    def __init__(self, *, session: ZooKeeperSession, znodes: StreamZnodes) -> None:
        """Serve one stream."""
        self._session = session
        self._znodes = znodes

    def get(self, wake: threading.Event | None = None) -> Intent | None:
        """Read the wish in force."""
        found = read_rare(self._session, "intent.get", self._znodes.intent, wake)
        return decode(found[0], self._znodes.intent, Intent.from_json) if found else None

    def put(self, intent: Intent) -> None:
        """Write or replace the wish."""
        path = self._znodes.intent
        data = encode(intent.to_json(), "intent")
        ensure(self._session, self._znodes.top)
        stat = stat_of(self._session, "intent.get", path)
        try:
            if stat is None:
                self._session.call("intent.put", lambda client: client.create_async(path, data))
            else:
                self._session.call("intent.put", lambda client: client.set_async(path, data, stat.version))
        except (BadVersionError, NoNodeError, NodeExistsError) as raced:
            raise CoordinationUnavailable("another operator changed the intent at the same moment") from raced

    def ask(self, intent: Intent) -> bool:
        """Make the wish if there is none; one that was made by an earlier try of this very call counts as made."""
        path, data = self._znodes.intent, encode(intent.to_json(), "intent")
        ensure(self._session, self._znodes.top)
        try:
            self._session.call("intent.ask", lambda client: client.create_async(path, data))
        except NodeExistsError:
            return self.get() == intent
        return True

    def settle(self, intent: Intent) -> bool:
        """Delete the wish if it is this one, by the version that was read."""
        path = self._znodes.intent
        found = read(self._session, "intent.get", path)
        if found is None or decode(found[0], path, Intent.from_json) != intent:
            return False
        version = found[1].version
        try:
            self._session.call("intent.settle", lambda client: client.delete_async(path, version))
        except (BadVersionError, NoNodeError):
            return False  # replaced or withdrawn meanwhile
        return True

    def clear(self) -> bool:
        """Delete the wish."""
        return remove(self._session, "intent.clear", self._znodes.intent)


def _conforms(intents: IntentRecord) -> Intents:
    """Have mypy hold the class to its port."""
    return intents
