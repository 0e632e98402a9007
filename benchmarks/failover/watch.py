"""Looks at the state key all the time: when was something written last, and under which epoch."""

import threading
import time
from dataclasses import dataclass
from typing import Final, Self

import orjson

from hasync.model.state import SinkState, state_key
from testbed import Redis

STREAM: Final = "failover"
GLANCE_S: Final = 0.002
KEPT: Final = 50_000


@dataclass(frozen=True, slots=True)
class Write:
    """A batch seen in the state key. ``at``: monotonic seconds, late by a glance at most."""

    at: float
    epoch: int
    seq: int


class Watch:
    """Samples the state key in a thread of its own, for the length of a ``with``."""

    def __init__(self, redis: Redis) -> None:
        """Look at this server."""
        self._client = redis.client()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.writes: list[Write] = []

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        key = state_key(STREAM)
        while not self._stop.wait(GLANCE_S):
            raw = self._client.get(key)
            if raw:
                self._note(SinkState.from_json(orjson.loads(raw)))

    def _note(self, state: SinkState) -> None:
        last = self.writes[-1] if self.writes else None
        if last is None or state.seq > last.seq:  # a claim alone moves the epoch and writes nothing
            self.writes.append(Write(time.monotonic(), state.epoch, state.seq))
            del self.writes[:-KEPT]

    @property
    def last(self) -> Write:
        """The newest write seen."""
        return self.writes[-1]

    def gap_after(self, epoch: int) -> float | None:
        """Return the seconds between the last write up to ``epoch`` and the first above it; None: there is none yet."""
        newer = next((index for index, write in enumerate(self.writes) if write.epoch > epoch), None)
        if not newer:
            return None
        return self.writes[newer].at - self.writes[newer - 1].at
