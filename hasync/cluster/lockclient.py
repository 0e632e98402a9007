"""What kazoo's Lock recipe gets instead of a client: the few calls it makes, each one bounded."""

import threading
from collections.abc import Callable
from typing import Any, Final

from kazoo.exceptions import CancelledError

from hasync.cluster.session import ZooKeeperSession
from hasync.ports import Clock

PAUSE_S: Final = 0.25
"""The longest sleep between two tries of the recipe, whose own back-off grows to a minute."""


class LockClient:
    """A client for one candidacy: bounded, bound to one session, and cancelled from outside.

    The recipe calls a client synchronously and retries for ever (K3, K5). Here every call
    fails at once while disconnected, and for good (CancelledError, which the recipe does
    not retry) once the candidacy is cancelled or its session is another one.
    It is its own ``handler``, as far as the recipe uses one.
    """

    def __init__(self, session: ZooKeeperSession, generation: int, clock: Clock) -> None:
        """Serve a candidacy under this generation of the session."""
        self._session = session
        self._generation = generation
        self._clock = clock
        self.cancelled = threading.Event()
        self.wake = threading.Event()
        self.noticed_at: float | None = None
        """When the predecessor's node was seen to change; None before."""

    @property
    def handler(self) -> "LockClient":
        """What the recipe takes its events, locks and sleeps from."""
        return self

    def event_object(self) -> threading.Event:
        """Return the recipe's wake event; the session sets it on every change, in place of a listener."""
        return self.wake

    def lock_object(self) -> Any:
        """Return a lock for the recipe."""
        return threading.Lock()

    def sleep_func(self, seconds: float) -> None:
        """Sleep between two tries, shortly, and not when cancelled."""
        self._clock.wait(self.cancelled, min(seconds, PAUSE_S))

    def add_listener(self, listener: Callable[[str], Any]) -> None:
        """Do nothing: the session wakes the recipe, see :meth:`event_object`."""

    def remove_listener(self, listener: Callable[[str], Any]) -> None:
        """Do nothing."""

    def ensure_path(self, path: str) -> Any:
        """Create the election's node."""
        return self._submit("election.ensure", lambda client: client.ensure_path_async(path))

    def create(self, path: str, value: bytes, *, ephemeral: bool, sequence: bool) -> Any:
        """Enter the queue."""
        return self._submit(
            "election.enter",
            lambda client: client.create_async(path, value, ephemeral=ephemeral, sequence=sequence),
        )

    def get_children(self, path: str) -> Any:
        """List the queue."""
        return self._submit("election.queue", lambda client: client.get_children_async(path))

    def get(self, path: str, watch: Callable[[Any], None]) -> Any:
        """Watch the predecessor."""

        def noticed(event: Any) -> None:
            self.noticed_at = self._clock.monotonic()
            watch(event)

        return self._submit("election.watch", lambda client: client.get_async(path, noticed))

    def delete(self, path: str) -> Any:
        """Leave the queue."""
        return self._session.submit("election.leave", lambda client: client.delete_async(path))

    def _submit(self, operation: str, request: Callable[[Any], Any]) -> Any:
        if self.cancelled.is_set() or self._session.generation != self._generation:
            raise CancelledError
        return self._session.submit(operation, request)
