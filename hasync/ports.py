"""The seams of hasync: what the domain asks of the outside world.

Each Protocol is implemented by an adapter (``binlog``, ``sinks``, ``cluster``) and by a
fake in ``tests/fakes``; both pass the same contract tests.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from hasync.model.change import Interest, Segment
from hasync.model.command import Command, Packed
from hasync.model.position import Position, Start
from hasync.model.state import SinkState


class Clock(Protocol):
    """Time and chance, injected."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""

    def wall(self) -> float:
        """Unix seconds, for display and lag only."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait for the event; True when it was set, False when ``timeout_s`` passed."""

    def random(self) -> float:
        """Draw a number in [0, 1)."""


class ChangeSource(Protocol):
    """A stream of committed row changes that can be resumed. One object per stream, reused after :meth:`close`."""

    def open(self, start: Start | Position, interest: Interest) -> Position:
        """Connect, check the server (preflight), and begin to stream; return where it begins.

        A :class:`Position` resumes exactly there, skipping ``rows_done`` rows of the
        transaction at it. On another server than ``position.server_uuid`` it resumes
        by GTID or not at all.

        Raises SourceUnavailable (try again), SourceRefused (settings or grants that lose
        rows), PositionLost (purged, unknown, another server without GTID), TermEnded
        (another reader took our server id). Called from: the reader thread.
        """

    def read(self) -> Segment:
        """Wait for the next segment; at the latest after a heartbeat period an empty one is returned.

        Raises as :meth:`open`, and SourceUnavailable once :meth:`interrupt` was called.
        Called from: the reader thread.
        """

    def follow(self, interest: Interest) -> None:
        """Use another interest from the next transaction on. Called from: any thread."""

    def interrupt(self) -> None:
        """Make a blocked :meth:`read` or :meth:`open` return soon. Called from: any thread."""

    def close(self) -> None:
        """Drop the connection; may be called twice. Called from: the reader thread."""


class Sink(Protocol):
    """A fenced, exactly-once place for commands. Called from: the stream's thread only.

    Every method may raise SinkUnavailable (outcome unknown, try again), SinkRefused,
    and TermEnded(FENCED) when a newer epoch has claimed the state.
    """

    def peek(self) -> SinkState | None:
        """Read the state without claiming it; None when there is none."""

    def claim(self, epoch: int, adopt: SinkState | None) -> SinkState:
        """Write ``adopt`` (sequence and position; None: sequence 0, none) under ``epoch``.

        From here on no batch of an older epoch is applied, not even one already sent.
        ``adopt`` must be what :meth:`peek` returned, or the caller's decision to
        replace it; the claim is refused (TermEnded) if the state's epoch is ``epoch``
        or more, and when somebody else changed it since it was read.
        Safe to repeat after SinkUnavailable.
        """

    def apply(self, commands: Sequence[Command | Packed], position: Position) -> SinkState:
        """Apply all commands and move the state to ``position``, atomically, exactly once.

        Safe to repeat after SinkUnavailable with the same arguments: the state tells
        whether the batch went in. Raises Regressed when Redis lost acknowledged
        writes, StateMissing when the state is gone.
        """

    def close(self) -> None:
        """Drop the connection; may be called twice."""


class Gate(Protocol):
    """A way to a server that a drill can shut for a while. Safe from any thread.

    A partition without rights to the network: the instance's own adapters keep out.
    """

    @property
    def shut(self) -> bool:
        """Whether nothing gets through now."""

    def passes(self, within_s: float, stop: threading.Event | None = None) -> bool:
        """Wait until it is open, at most ``within_s`` and until ``stop`` is set; whether it is open."""

    def on_shut(self, end: Callable[[], None]) -> None:
        """Call ``end`` whenever it is shut from now on. It must not block."""

    def forget(self, end: Callable[[], None]) -> None:
        """Undo :meth:`on_shut`; unknown ones are ignored."""


class TermGuard(Protocol):
    """The term as the data road sees it. Safe from any thread, never blocks."""

    def check(self) -> None:
        """Raise TermEnded when this instance may write no more."""

    @property
    def confirmed(self) -> bool:
        """Whether the ZooKeeper session is known to be alive: its own deadline has not passed."""
