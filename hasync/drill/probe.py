"""A heartbeat of the drill's own: rows in MySQL, and how often each was applied in Redis.

Each row is inserted once and counted by a handler with ``HINCRBY`` (:mod:`hasync.drill.handlers`):
what is lost has no count, what was applied twice has 2.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

from hasync.drill.findings import Tally
from hasync.drill.recording import Committed, Recording, Visible
from hasync.errors import Fatal, HasyncError
from hasync.ports import Clock

BEAT_EVERY_S: Final = 0.02
LOOK_EVERY_S: Final = 0.005
FIRST_WITHIN_S: Final = 10.0
SETTLED_WITHIN_S: Final = 30.0
AGAIN_S: Final = 0.1
LAST_BEAT_S: Final = 10.0

RULE: Final = '{table}:\n    - {{handler: "hasync.drill.handlers:beat"}}'
SQL: Final = "CREATE TABLE {table} (drill VARCHAR(32) NOT NULL, beat INT NOT NULL, PRIMARY KEY (drill, beat))"


class BeatTable(Protocol):
    """The table in MySQL or MariaDB. Called from: one thread at a time."""

    @property
    def name(self) -> str:
        """The table with its schema."""

    def insert(self, drill: str, beat: int) -> None:
        """Commit one row. Raises SourceUnavailable (outcome unknown; the next call connects anew), SourceRefused."""

    def clear(self, drill: str) -> None:
        """Delete the drill's rows. Raises as :meth:`insert`."""

    def close(self) -> None:
        """Drop the connection."""


class BeatCounts(Protocol):
    """The counters in Redis. Raises SinkUnavailable, SinkRefused. Called from: one thread at a time."""

    def visible(self, drill: str) -> int:
        """How many rows were applied, each counted once."""

    def counts(self, drill: str) -> Mapping[int, int]:
        """How often each row was applied."""

    def forget(self, drill: str) -> None:
        """Remove the counters."""

    def close(self) -> None:
        """Drop the connection."""


class Probe:
    """Beats, and watches its beats arrive."""

    def __init__(self, *, drill: str, table: BeatTable, counts: BeatCounts, recording: Recording, clock: Clock) -> None:
        """``drill``: an id of its own, so that drills do not count each other's rows."""
        self._drill = drill
        self._table = table
        self._counts = counts
        self._recording = recording
        self._clock = clock
        self._stop = threading.Event()
        self._beating = threading.Event()
        self._certain: list[int] = []
        self._uncertain: list[int] = []
        self._visible = -1
        self.trouble: HasyncError | None = None

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Beat for the time of a ``with``.

        Raises HasyncError when the first beat does not arrive, with what the table and
        the stream's config need.
        """
        self._prove()
        threads = [
            threading.Thread(target=self._repeat, args=look, daemon=True)
            for look in ((self.beat, BEAT_EVERY_S, self._beating), (self.look, LOOK_EVERY_S, self._stop))
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._beating.set()
            threads[0].join(LAST_BEAT_S)
            self._stop.set()
            threads[1].join(LAST_BEAT_S)

    def tally(self) -> Tally:
        """Count what arrived, once everything has or no more does. Call it after :meth:`beating`.

        Raises HasyncError when Redis or the probe's table failed for good meanwhile.
        """
        if self.trouble is not None:
            raise self.trouble
        deadline = self._clock.monotonic() + SETTLED_WITHIN_S
        tally = self._counted()
        while tally.lost and self._clock.monotonic() < deadline:
            self._clock.wait(threading.Event(), AGAIN_S)
            tally = self._counted()
        return tally

    def clean(self) -> None:
        """Take away what the probe left in both servers."""
        self._table.clear(self._drill)
        self._counts.forget(self._drill)
        self._table.close()
        self._counts.close()

    def beat(self) -> None:
        """Commit one row. One whose commit was not confirmed may be there or not; it counts as neither."""
        beat = len(self._certain) + len(self._uncertain) + 1
        try:
            self._table.insert(self._drill, beat)
        except HasyncError:
            self._uncertain.append(beat)
            raise
        self._certain.append(beat)
        self._recording.add(Committed(at_s=self._clock.monotonic(), beat=beat))

    def look(self) -> None:
        """Record how many rows are in Redis, if more are."""
        visible = self._counts.visible(self._drill)
        if visible != self._visible:
            self._visible = visible
            self._recording.add(Visible(at_s=self._clock.monotonic(), beats=visible))

    def _counted(self) -> Tally:
        return Tally.of(self._certain, self._uncertain, self._counts.counts(self._drill))

    def _prove(self) -> None:
        self.beat()
        deadline = self._clock.monotonic() + FIRST_WITHIN_S
        while not self._counts.visible(self._drill):
            if self._clock.monotonic() >= deadline:
                raise HasyncError(
                    f"the probe's first row did not reach Redis within {FIRST_WITHIN_S:g} s",
                    hint=f"the stream's config needs a rule for the probe's table, under tables:\n"
                    f"  {RULE.format(table=self._table.name)}",
                )
            self._clock.wait(self._stop, AGAIN_S)
        self.look()

    def _repeat(self, look: Callable[[], None], every_s: float, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                look()
            except Fatal as error:
                self.trouble = error
                return
            except HasyncError:  # away for now; what is seen once it is back counts
                self._clock.wait(stop, AGAIN_S)
            self._clock.wait(stop, every_s)
