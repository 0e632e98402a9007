"""Gates on the ways to Redis, MySQL and ZooKeeper: what a drill's ``cut-*`` shuts.

They stand in front of the ports, so no driver knows of them, and only on instances with
``drills.enabled``. A gate opens by itself when its time is up, whatever becomes of the
drill or of the thread that shut it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hasync.errors import SinkUnavailable, SourceUnavailable
from hasync.model.change import Interest, Segment
from hasync.model.command import Command, Packed
from hasync.model.position import Position, Start
from hasync.model.state import SinkState
from hasync.ports import ChangeSource, Clock, Gate, Sink

CUT: Final = "cut off by a drill"
NEVER: Final = float("-inf")


class TimedGate:
    """A gate that is open but for the time it was shut for."""

    def __init__(self, clock: Clock) -> None:
        """Begin open."""
        self._clock = clock
        self._until = NEVER
        self._lock = threading.Lock()
        self._enders: tuple[Callable[[], None], ...] = ()

    def shut_for(self, for_s: float) -> None:
        """Let nothing through for so many seconds, beginning now; connections that are open are ended."""
        self._until = self._clock.monotonic() + for_s
        for end in self._enders:
            end()

    @property
    def shut(self) -> bool:
        """Whether nothing gets through now."""
        return self._clock.monotonic() < self._until

    def passes(self, within_s: float, stop: threading.Event | None = None) -> bool:
        """Wait until it is open, at most ``within_s`` and until ``stop`` is set; whether it is open."""
        waiting, deadline = stop or threading.Event(), self._clock.monotonic() + within_s
        while self.shut and not waiting.is_set():
            left_s = min(deadline, self._until) - self._clock.monotonic()
            if self._clock.monotonic() >= deadline:
                return False
            self._clock.wait(waiting, max(left_s, 0.001))
        return not self.shut

    def on_shut(self, end: Callable[[], None]) -> None:
        """Call ``end`` whenever it is shut from now on."""
        with self._lock:
            self._enders = (*self._enders, end)

    def forget(self, end: Callable[[], None]) -> None:
        """Undo :meth:`on_shut`."""
        with self._lock:
            self._enders = tuple(known for known in self._enders if known != end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """All gates of one instance: one to ZooKeeper, two for each stream."""

    zookeeper: TimedGate
    redis: Mapping[str, TimedGate] = field(default_factory=dict)
    mysql: Mapping[str, TimedGate] = field(default_factory=dict)

    @classmethod
    def of(cls, streams: Sequence[str], clock: Clock) -> "Gates":
        """Build gates for these streams, all open."""
        return cls(
            zookeeper=TimedGate(clock),
            redis={stream: TimedGate(clock) for stream in streams},
            mysql={stream: TimedGate(clock) for stream in streams},
        )


class GatedSink:
    """A sink behind a gate: shut, it is a server that does not answer."""

    def __init__(self, sink: Sink, gate: Gate, *, timeout_s: float) -> None:
        """``timeout_s``: how long an answer is waited for."""
        self._sink = sink
        self._gate = gate
        self._timeout_s = timeout_s

    def peek(self) -> SinkState | None:
        """Read the state."""
        self._pass()
        return self._sink.peek()

    def claim(self, epoch: int, adopt: SinkState | None) -> SinkState:
        """Write ``adopt`` under ``epoch``."""
        self._pass()
        return self._sink.claim(epoch, adopt)

    def apply(self, commands: Sequence[Command | Packed], position: Position) -> SinkState:
        """Apply all commands and move the state."""
        self._pass()
        return self._sink.apply(commands, position)

    def close(self) -> None:
        """Drop the connection."""
        self._sink.close()

    def _pass(self) -> None:
        """Wait as for an answer. A connection that gave none is dropped, so the state is read again after it."""
        if self._gate.shut and not self._gate.passes(self._timeout_s):
            self._sink.close()
            raise SinkUnavailable(f"Redis did not answer within {self._timeout_s:g} s", hint=CUT)


class GatedSource:
    """A source behind a gate: shut, its connection breaks and a new one is not answered."""

    def __init__(self, source: ChangeSource, gate: Gate, *, timeout_s: float) -> None:
        """``timeout_s``: how long a connection is waited for."""
        self._source = source
        self._gate = gate
        self._timeout_s = timeout_s
        self._interrupted = threading.Event()
        self._end = source.interrupt

    def open(self, start: Start | Position, interest: Interest) -> Position:
        """Connect and begin to stream."""
        if self._gate.shut and not self._gate.passes(self._timeout_s, self._interrupted):
            raise SourceUnavailable(f"the source did not answer within {self._timeout_s:g} s", hint=CUT)
        self._gate.on_shut(self._end)
        if self._gate.shut:  # just now, so it may have been missed
            self._source.interrupt()
        return self._source.open(start, interest)

    def read(self) -> Segment:
        """Wait for the next segment."""
        return self._source.read()

    def follow(self, interest: Interest) -> None:
        """Use another interest from the next transaction on."""
        self._source.follow(interest)

    def interrupt(self) -> None:
        """Make whatever waits return soon."""
        self._interrupted.set()
        self._source.interrupt()

    def close(self) -> None:
        """Drop the connection."""
        self._gate.forget(self._end)
        self._interrupted.clear()
        self._source.close()


def _conforms(gate: TimedGate, sink: GatedSink, source: GatedSource) -> tuple[Gate, Sink, ChangeSource]:
    """Have mypy hold the classes to their ports."""
    return gate, sink, source
