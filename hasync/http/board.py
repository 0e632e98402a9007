"""The latest view of the cluster, renewed by one thread, and only while somebody looks."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from hasync.errors import HasyncError
from hasync.fleet.survey import Picture
from hasync.http.view import Document, Teller, changes, cluster
from hasync.logs import Event, Log
from hasync.ports import Clock

EVERY_S: Final = 1.0
"""How often ZooKeeper is read while somebody looks."""

SHARE: Final = 5.0
"""After a look that took long, so many times as long is waited: many streams do not keep ZooKeeper busy."""

LINGER_S: Final = 10.0
"""How long after the last sign of a reader the view is renewed still."""

FRESH_S: Final = 2.5
"""A view of this age is good enough for somebody who comes."""


NOBODY: Final = Teller(status={}, actions=False, root="")


class Surveyor(Protocol):
    """Takes pictures of the cluster: :class:`hasync.fleet.survey.Survey`."""

    def look(self) -> Picture:
        """Take one. Raises HasyncError."""

    def rest(self) -> None:
        """Let go of what is only needed while pictures are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A view under a number. ``changes``: against the edition with the number before."""

    number: int
    document: Document
    changes: Document
    made_at: float = 0.0


class Board:
    """Holds the latest edition. Called from: request threads; the thread that renews it is its own."""

    def __init__(
        self,
        *,
        surveyor: Surveyor,
        teller: Callable[[], Teller],
        clock: Clock,
        log: Log,
        every_s: float = EVERY_S,
    ) -> None:
        """Look at nothing before somebody asks. ``teller``: what this instance says of itself now."""
        self._every_s = every_s
        self._surveyor = surveyor
        self._teller = teller
        self._clock = clock
        self._log = log
        self._news = threading.Condition()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._wanted_until = 0.0
        self._closed = False
        self._picture: Picture | None = None
        self._edition: Edition | None = None

    @property
    def closed(self) -> bool:
        """Whether there will be no other edition."""
        return self._closed

    def read(self, within_s: float) -> Edition:
        """Return the latest edition, waiting for a fresh one up to ``within_s``; an empty one before the first."""
        with self._news:
            self._want()
            self._news.wait_for(self._is_fresh, within_s)
            return self._edition or Edition(number=0, document=cluster(None, self._teller(), "no view yet"), changes={})

    def after(self, number: int, within_s: float) -> Edition | None:
        """Return an edition behind this number as soon as there is one; None after ``within_s``, or when closed."""
        with self._news:
            self._want()
            self._news.wait_for(lambda: self._closed or self._number > number, within_s)
            return self._edition if self._number > number and not self._closed else None

    @property
    def as_of(self) -> float | None:
        """When the latest edition was true, Unix seconds."""
        return self._edition.document["as_of"] if self._edition else None

    def close(self) -> None:
        """Renew no more, and let everybody go who waits."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    # ------------------------------------------------------------------- its thread

    @property
    def _number(self) -> int:
        return self._edition.number if self._edition else 0

    def _is_fresh(self) -> bool:
        edition = self._edition
        return self._closed or (edition is not None and self._clock.monotonic() - edition.made_at <= FRESH_S)

    def _want(self) -> None:
        """Have the view renewed for a while."""
        self._wanted_until = self._clock.monotonic() + LINGER_S
        if self._closed:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="hasync-board", daemon=True)
            self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            if self._clock.monotonic() >= self._wanted_until:
                self._surveyor.rest()
                self._wake.clear()
                self._clock.wait(self._wake, LINGER_S)
                continue
            began = self._clock.monotonic()
            self._publish(self._viewed())
            took_s = self._clock.monotonic() - began
            self._pause(max(self._every_s - took_s, took_s * SHARE))
        self._surveyor.rest()

    def _pause(self, for_s: float) -> None:
        with self._news:
            self._news.wait_for(lambda: self._closed, for_s)

    def _viewed(self) -> Document:
        """Return the view as of now; the last picture, and why it is no newer, when none can be taken."""
        try:
            return cluster(*self._look())
        except Exception as error:  # noqa: BLE001 - a thread's top frame: the page says so, and looks again
            self._log.error(Event.HTTP_FAILED, path="/api/cluster", error=error)
            known = self._edition.document if self._edition else cluster(None, NOBODY)
            return {**known, "stale": True, "trouble": f"internal error: {type(error).__name__}"}

    def _look(self) -> tuple[Picture | None, Teller, str]:
        trouble = ""
        try:
            self._picture = self._surveyor.look()
        except HasyncError as error:
            trouble = error.message
        return self._picture, self._teller(), trouble

    def _publish(self, document: Document) -> None:
        now = self._clock.monotonic()
        with self._news:
            before = self._edition
            differences = changes(before.document, document) if before else document
            if before is not None and not differences:
                self._edition = replace(before, document=document, made_at=now)
            else:
                self._edition = Edition(number=self._number + 1, document=document, changes=differences, made_at=now)
            self._news.notify_all()
