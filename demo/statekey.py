"""The stream's state key in Redis, as an onlooker sees it."""

import json
import threading
import time
from dataclasses import dataclass

import redis

from demo.ledger import BinlogEnd
from demo.verdict import Takeover

POLL_S = 0.002
"""How finely a takeover is timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Who writes, how many batches went in, and up to which place of the binlog (None: not yet known)."""

    epoch: int
    seq: int
    reached: BinlogEnd | None

    @classmethod
    def of(cls, document: bytes) -> "State":
        """Read the key's JSON. Raises KeyError or ValueError when it has another form."""
        fields = json.loads(document)
        position = fields.get("position")
        return cls(
            epoch=int(fields["epoch"]),
            seq=int(fields["seq"]),
            reached=BinlogEnd.of(position["file"], int(position["pos"])) if position else None,
        )


def read(client: "redis.Redis", key: str) -> State | None:
    """Read the state, None when there is none yet."""
    document = client.get(key)
    return State.of(document) if isinstance(document, bytes) else None


class TakeoverWatch:
    """Times the first write under a new epoch, in a thread that polls far oftener than the screen."""

    def __init__(self, *, client: "redis.Redis", key: str, epoch: int) -> None:
        self._client = client
        self._key = key
        self._epoch = epoch
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="takeover-watch", daemon=True)
        self._killed_at = 0.0
        self._seen: tuple[float, int] | None = None

    def start(self) -> None:
        """Begin to watch; to be called right after the kill."""
        self._killed_at = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; may be called twice."""
        self._stop.set()
        self._thread.join(timeout=5)

    @property
    def takeover(self) -> Takeover | None:
        """What was seen; None while nobody has taken over."""
        if self._seen is None:
            return None
        seen_at, epoch = self._seen
        duration_ms = round((seen_at - self._killed_at) * 1000)
        return Takeover(duration_ms=duration_ms, epoch_before=self._epoch, epoch_after=epoch)

    def _poll(self) -> None:
        while not self._stop.wait(POLL_S):
            state = read(self._client, self._key)
            if state and state.epoch > self._epoch:
                self._seen = (time.monotonic(), state.epoch)
                return
