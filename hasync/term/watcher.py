"""Keeps an eye on what operators decide for a stream: its config, a halt, an intent.

A thread of its own reads ZooKeeper whenever something may have changed and publishes an
immutable view. A bad document never takes the last good one out of force.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from hasync.coordination import ConfigStore, Halts, Intents, Session
from hasync.errors import ConfigInvalid, CoordinationUnavailable, Fatal, HasyncError
from hasync.model.cluster import ConfigRevision, Halt, Intent
from hasync.model.config import StreamConfig, parse
from hasync.ports import Clock
from hasync.stream.rules import Rules

LOOK_EVERY_S = 10.0
"""How often the watcher looks although nothing woke it: the longest a lost wake-up can matter."""

TRY_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A config revision ready to run: parsed, checked, its handlers loaded."""

    revision: int
    config: StreamConfig
    rules: Rules

    @classmethod
    def of(cls, revision: ConfigRevision) -> "Compiled":
        """Parse and compile a revision. Raises ConfigInvalid."""
        config = parse(revision.document)
        return cls(revision=revision.revision, config=config, rules=Rules(config))

    def needs_new_term(self, other: "Compiled") -> bool:
        """Whether going from this to ``other`` takes more than other rules: other servers, limits or policies."""
        mine, theirs = self.config, other.config
        return (mine.source, mine.redis, mine.batch, mine.on_missing_state, mine.enabled) != (
            theirs.source,
            theirs.redis,
            theirs.batch,
            theirs.on_missing_state,
            theirs.enabled,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """What is decided for the stream now.

    ``answered``: ZooKeeper has been read at least once. ``compiled``: the last good
    config, None when there never was one. ``newest``: the revision in ZooKeeper, 0 for
    none; ``refusal``: why it is not in force, empty when it is. ``intent_since_s``: since
    when this instance knows of the intent, on the monotonic clock.
    """

    answered: bool = False
    compiled: Compiled | None = None
    newest: int = 0
    refusal: str = ""
    halt: Halt | None = None
    intent: Intent | None = None
    intent_since_s: float = 0.0

    @property
    def halted(self) -> Halt | None:
        """The halt in force, if any."""
        if self.halt is None or not self.halt.in_force(self.compiled.revision if self.compiled else 0):
            return None
        return self.halt


class WatchObserver(Protocol):
    """Told of configs that came into force or were refused. Called from: the watcher's thread."""

    def config_applied(self, compiled: Compiled) -> None:
        """This revision is in force from now on."""

    def config_refused(self, revision: int, error: HasyncError) -> None:
        """This revision is not understood; the last good one stays."""


class Watcher:
    """Publishes the :class:`StreamView` of one stream."""

    def __init__(
        self,
        *,
        configs: ConfigStore,
        halts: Halts,
        intents: Intents,
        session: Session,
        clock: Clock,
        observer: WatchObserver,
        on_change: Callable[[StreamView], None],
    ) -> None:
        self._session = session
        self._configs = configs
        self._halts = halts
        self._intents = intents
        self._clock = clock
        self._observer = observer
        self._on_change = on_change
        self._view = StreamView()
        self._seen: ConfigRevision | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()

    @property
    def view(self) -> StreamView:
        """The latest view. Called from: any thread."""
        return self._view

    def stop(self) -> None:
        """End :meth:`run`. Called from: any thread."""
        self._stopping.set()
        self._wake.set()

    def look_again(self) -> None:
        """Read everything anew soon. Called from: any thread."""
        self._wake.set()

    def run(self) -> None:
        """Watch until stopped. The watcher thread's top frame."""
        self._session.subscribe(self._wake)
        while not self._stopping.is_set():
            self._wake.clear()
            answered = self._look_guarded()
            self._clock.wait(self._wake, LOOK_EVERY_S if answered else TRY_AGAIN_S)
        self._session.unsubscribe(self._wake)

    def _look_guarded(self) -> bool:
        try:
            return self.look()
        except Exception as error:  # noqa: BLE001 - a thread's top frame: a dead watcher would ignore every pause
            self._complain(Fatal(f"internal error while watching the config: {type(error).__name__}: {error}"))
            return False

    def look(self) -> bool:
        """Read once; False when ZooKeeper did not answer, or not with what this release reads: the view stays.

        Called from: the watcher's thread, and the stream's once it has written a halt.
        """
        with self._lock:
            try:
                view = self._read()
            except CoordinationUnavailable:
                return False
            except HasyncError as refused:  # an ACL, or a payload of a newer release: said, and looked at again
                self._complain(refused)
                return False
            changed = view != self._view
            self._view = view
        if changed:
            self._on_change(view)
        return True

    def _complain(self, error: HasyncError) -> None:
        self._seen = None  # so that the next good look says that all is well again
        if str(error) != self._view.refusal:
            self._observer.config_refused(self._view.newest, error)
        self._view = replace(self._view, refusal=str(error))

    def _read(self) -> StreamView:
        view = self._wishes(replace(self._view, answered=True, halt=self._halts.get(self._wake)))
        try:
            revision = self._configs.get(self._wake)
        except ConfigInvalid as unreadable:
            return self._refused(view, view.newest, unreadable)
        if revision is None or revision == self._seen:
            return view
        considered = self._considered(view, revision)
        self._seen = revision  # only now: an answer that was lost on the way must be asked for again
        return considered

    def _wishes(self, view: StreamView) -> StreamView:
        intent = self._intents.get(self._wake)
        if intent is not None and intent.over(self._clock.wall()):
            self._intents.settle(intent)  # whichever instance comes first; for the others it has gone
            intent = None
        if intent == view.intent:
            return view
        return replace(view, intent=intent, intent_since_s=self._clock.monotonic())

    def _considered(self, view: StreamView, revision: ConfigRevision) -> StreamView:
        try:
            compiled = Compiled.of(revision)
        except HasyncError as error:
            return self._refused(view, revision.revision, error)
        self._observer.config_applied(compiled)
        return replace(view, compiled=compiled, newest=revision.revision, refusal="")

    def _refused(self, view: StreamView, newest: int, error: HasyncError) -> StreamView:
        refusal = "; ".join(getattr(error, "problems", ())) or str(error)
        if refusal == view.refusal:
            return view
        self._observer.config_refused(newest, error)
        return replace(view, compiled=view.compiled or self._last_good(), newest=newest, refusal=refusal)

    def _last_good(self) -> Compiled | None:
        """Find the newest revision that compiles: an instance that starts now must not stand idle for a bad one."""
        compiled = next(iter(_compilable(self._configs.history())), None)
        if compiled is not None:
            self._observer.config_applied(compiled)
        return compiled


def _compilable(revisions: Iterable[ConfigRevision]) -> Iterable[Compiled]:
    for revision in revisions:
        try:
            yield Compiled.of(revision)
        except HasyncError:
            continue  # that is why an older one is looked for; the newest refusal is reported by the caller
