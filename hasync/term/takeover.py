"""How long each step of a takeover takes, from the predecessor's end to the first batch."""

import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from hasync.errors import SourceUnavailable
from hasync.model.change import Interest, Segment
from hasync.model.position import Position, Start
from hasync.ports import ChangeSource, Clock

LOOK_S: Final = 0.1
"""How soon a wait for the source notices that the term is over."""


class Step(StrEnum):
    """The steps in their order; each is counted from the end of the one before."""

    LOCK = "lock"
    READ = "read"
    EPOCH = "epoch"
    CLAIM = "claim"
    OPEN = "open"
    FIRST_BATCH = "first_batch"


class Takeover:
    """A stopwatch for one takeover. Safe from any thread.

    ``waited_s``: from the moment the predecessor's node was seen to be gone until the
    lock was known to be ours. ``on_step`` is told each step and its seconds.
    """

    def __init__(self, *, clock: Clock, waited_s: float, on_step: Callable[[Step, float], None]) -> None:
        """Begin to count now."""
        self._clock = clock
        self._on_step = on_step
        self._lock = threading.Lock()
        self._last = clock.monotonic()
        self._steps: dict[Step, float] = {Step.LOCK: waited_s}
        self._caught_up = False
        on_step(Step.LOCK, waited_s)

    def done(self, step: Step) -> None:
        """Note the end of a step; only its first end counts."""
        with self._lock:
            now = self._clock.monotonic()
            took_s, self._last = now - self._last, now
            if step in self._steps or (step is Step.FIRST_BATCH and self._caught_up):
                return
            self._steps[step] = took_s
        self._on_step(step, took_s)

    def caught_up(self) -> None:
        """Nothing is left to apply: a batch that comes later waited for a commit, and is no step of the takeover."""
        with self._lock:
            self._caught_up = True

    @property
    def steps_ms(self) -> Mapping[str, float]:
        """The steps so far, in milliseconds, as the term's record keeps them."""
        with self._lock:
            return {step.value: round(seconds * 1000, 2) for step, seconds in self._steps.items()}


class AheadSource:
    """A source that is being opened while its term still claims the state.

    :meth:`begin` opens it in a thread of its own at the place where the term will most
    likely begin; :meth:`open` for that very place then only waits for the rest. For any
    other place, say because a predecessor that was not quite dead moved the state on, it is
    opened anew. Nothing is read before :meth:`open`.
    """

    def __init__(self, source: ChangeSource, *, on_open: Callable[[], None]) -> None:
        """Wrap a source; ``on_open`` is told when it was opened for the reader."""
        self._source = source
        self._on_open = on_open
        self._place: tuple[Start | Position, Interest] | None = None
        self._opened: Position | None = None
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def begin(self, start: Start | Position, interest: Interest) -> None:
        """Begin to open. Called from: the stream's thread, before :meth:`open`."""
        self._place, self._opened, self._error = (start, interest), None, None
        self._thread = threading.Thread(target=self._run, args=(start, interest), name="hasync-opening", daemon=True)
        self._thread.start()

    def _run(self, start: Start | Position, interest: Interest) -> None:
        try:
            self._opened = self._source.open(start, interest)
        except Exception as error:  # noqa: BLE001 - a thread's top frame: the reader raises it again
            self._error = error

    def locate(self, start: Start | Position, interest: Interest, *, check: Callable[[], None]) -> Position:
        """Wait until it is known where reading will begin; :meth:`open` for that place then goes on from here.

        ``check`` is called meanwhile and ends the wait by raising. Raises what opening raises; it may be tried
        again. Called from: the stream's thread.
        """
        if self._thread is None:
            self.begin(start, interest)
        thread = self._thread
        while thread is not None and thread.is_alive():
            check()
            thread.join(LOOK_S)
        if self._opened is None:
            self._thread = None
            raise self._error or SourceUnavailable("the source was not opened")
        return self._opened

    def open(self, start: Start | Position, interest: Interest) -> Position:
        """See :meth:`hasync.ports.ChangeSource.open`."""
        opened = self._ahead(start, interest)
        if opened is None:
            self._source.close()
            opened = self._source.open(start, interest)
        self._on_open()
        return opened

    def _ahead(self, start: Start | Position, interest: Interest) -> Position | None:
        """Return where the source opened ahead begins, None when there is none for this place; raise what it met."""
        thread, self._thread = self._thread, None
        if thread is None:
            return None
        thread.join()
        place, error, opened = self._place, self._error, self._opened
        if place is None or start not in (place[0], opened) or place[1] is not interest:
            return None
        if error is not None:
            raise error
        return opened

    def read(self) -> Segment:
        """See :meth:`hasync.ports.ChangeSource.read`."""
        return self._source.read()

    def follow(self, interest: Interest) -> None:
        """See :meth:`hasync.ports.ChangeSource.follow`."""
        self._source.follow(interest)

    def interrupt(self) -> None:
        """See :meth:`hasync.ports.ChangeSource.interrupt`."""
        self._source.interrupt()

    def close(self) -> None:
        """See :meth:`hasync.ports.ChangeSource.close`; a source that is still being opened ahead stays."""
        if self._thread is None:
            self._source.close()

    def discard(self) -> None:
        """Drop what was opened ahead and never asked for. Called from: the stream's thread, when the term is over."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._source.interrupt()
            thread.join()
            self._source.close()


def _conforms(source: AheadSource) -> ChangeSource:
    """Have mypy hold the class to its port."""
    return source
