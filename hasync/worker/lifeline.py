"""The worker's end of the pipe to its supervisor: session, heartbeats, last word; and what to do when it is gone."""

import contextlib
import ctypes
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Final

from hasync.cluster.session import ZooKeeperSession
from hasync.model.cluster import SessionCredential
from hasync.model.vitals import Goodbye, Message, Past, Pulse, SessionHeld, packed, unpacked
from hasync.ports import Clock

PACKET_BYTES: Final = 1 << 16
PR_SET_PDEATHSIG: Final = 1

ORPHAN_S: Final = 5.0
"""How long a worker whose supervisor died may take to hand over; then the kernel ends it."""


def end_after(seconds: float) -> None:
    """Have the kernel end this process by SIGALRM; that holds even if no thread of it runs any more."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


class Lifeline:
    """Keeps the supervisor informed, in two threads of its own. It never blocks anything else.

    The supervisor may be stopped or busy: a heartbeat that does not fit into the pipe is
    dropped, news of the session is kept until it fits.
    """

    def __init__(
        self,
        pipe: socket.socket,
        *,
        clock: Clock,
        every_s: float,
        stop: threading.Event,
        end_after: Callable[[float], None] = end_after,
    ) -> None:
        """``every_s``: seconds between heartbeats; ``stop``: set when the supervisor is gone."""
        self._end_after = end_after
        self._pipe = pipe
        self._clock = clock
        self._every_s = every_s
        self._stop = stop
        self._session: Callable[[], SessionCredential | None] = lambda: None
        self._ages: Callable[[], Mapping[str, float]] = dict
        self._paused: Callable[[], bool] = lambda: False
        self._told: SessionCredential | None = None
        self._changed = threading.Event()
        self._ended = threading.Event()
        self.past = Past()
        self._on_past: Callable[[Past], None] = lambda _: None

    @classmethod
    def inherited(cls, descriptor: int, *, clock: Clock, every_s: float, stop: threading.Event) -> "Lifeline":
        """Take the pipe over from the supervisor, and have the kernel ask this process to end when that dies."""
        pipe = socket.socket(fileno=descriptor)
        pipe.set_inheritable(False)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        return cls(pipe, clock=clock, every_s=every_s, stop=stop)

    def start(self) -> None:
        """Give the first sign of life, and begin to listen."""
        self._send(Pulse())
        threading.Thread(target=self._beat, name="hasync-lifeline", daemon=True).start()
        threading.Thread(target=self._listen, name="hasync-supervisor", daemon=True).start()

    def follow(
        self, session: ZooKeeperSession, *, ages_s: Callable[[], Mapping[str, float]], paused: Callable[[], bool]
    ) -> None:
        """Tell of this session and these loops from now on. Called from: the main thread, once."""
        self._session, self._ages, self._paused = lambda: session.credential, ages_s, paused
        session.subscribe(self._changed)
        self._changed.set()

    def watch_past(self, on_past: Callable[[Past], None]) -> None:
        """Call ``on_past`` with what the supervisor has seen, now and whenever it says more."""
        self._on_past = on_past
        on_past(self.past)

    def goodbye(self, code: int, reason: str) -> None:
        """Say that the exit to come is meant. Called from: the main thread."""
        self._tell_session()
        self._send(Goodbye(code=code, reason=reason))

    def end(self) -> None:
        """Say that no session needs closing, since it is closed; nothing is told after that."""
        self._ended.set()
        self._changed.set()
        self._send(SessionHeld(credential=None))

    # ------------------------------------------------------------------- its threads

    def _beat(self) -> None:
        while not self._ended.is_set():
            self._changed.clear()
            self._tell_session()
            # Asked to stop, loops end one by one; the supervisor then only looks at how long it all takes.
            ages_s = {} if self._stop.is_set() else self._ages()
            self._send(Pulse(ages_s=ages_s, maintenance=self._paused()))
            self._clock.wait(self._changed, self._every_s)

    def _tell_session(self) -> None:
        """Pass id and password on when they changed; a session that is lost need not be closed."""
        credential = self._session()
        if credential != self._told and not self._ended.is_set() and self._send(SessionHeld(credential=credential)):
            self._told = credential

    def _send(self, message: Message) -> bool:
        try:
            self._pipe.send(packed(message), socket.MSG_DONTWAIT)
        except OSError:  # full: the supervisor stands still; gone: the listening thread sees it
            return False
        return True

    def _listen(self) -> None:
        while packet := self._received():
            with contextlib.suppress(ValueError):  # another release's, see unpacked()
                self._heard(unpacked(packet))
        if not self._ended.is_set():
            self._orphaned()

    def _heard(self, message: Message) -> None:
        if isinstance(message, Past):
            self.past = message
            self._on_past(message)

    def _received(self) -> bytes:
        try:
            return self._pipe.recv(PACKET_BYTES)
        except OSError:
            return b""

    def _orphaned(self) -> None:
        """Hand over and end: nobody would close this worker's session if it died now."""
        self._end_after(ORPHAN_S)
        self._stop.set()
