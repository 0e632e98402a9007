"""The supervisor's edge: starts the worker, listens to it, passes signals on, reaps, closes sessions.

One thread decides and acts; a session is closed in a thread of its own, because a server
that does not answer must not hold up anything else.
"""

import contextlib
import os
import queue
import select
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from hasync.cluster.closing import Closing, SessionCloser
from hasync.errors import CoordinationUnavailable
from hasync.model.cluster import SessionCredential
from hasync.model.vitals import Past, packed, unpacked
from hasync.ports import Clock
from hasync.supervisor import watch as do
from hasync.supervisor.log import PlainLog
from hasync.supervisor.plan import Limits

PACKET_BYTES: Final = 1 << 16
LAST_CLOSE_S: Final = 3.0
"""How long the supervisor's own end waits for a session that is being closed."""

CLOSE_AGAIN_S: Final = 0.1
OOM_HANDICAP: Final = 500
"""How much rather the kernel should take the worker than the supervisor when memory runs out (of 1000)."""


class Parent:
    """Runs one worker after the other until told to stop. Called from: the main thread."""

    def __init__(
        self,
        *,
        command: Sequence[str],
        environ: Mapping[str, str],
        limits: Limits,
        closer: SessionCloser,
        session_timeout_s: float,
        clock: Clock,
        log: PlainLog,
    ) -> None:
        """``command``: the worker's, to which ``--lifeline FD`` is added."""
        self._command = tuple(command)
        self._environ = dict(environ)
        self._limits = limits
        self._closer = closer
        self._session_timeout_s = session_timeout_s
        self._clock = clock
        self._log = log
        self._watch, self._actions = do.begin(os.getpid())
        self._told_past = self._watch.past
        self._lifeline: socket.socket | None = None
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._closed: queue.SimpleQueue[Closing | None] = queue.SimpleQueue()
        self._closings: list[threading.Thread] = []
        self._code: int | None = None
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)

    def run(self) -> int:
        """Supervise until told to stop or until there is no use; return the exit code."""
        with self._signals_heard():
            self._act(self._actions)
            while self._code is None:
                self._wait()
                self._look()
        for thread in self._closings:
            thread.join(LAST_CLOSE_S)
        self._note_closed()
        return self._code

    # -------------------------------------------------------------------- what happens

    @contextlib.contextmanager
    def _signals_heard(self) -> Iterator[None]:
        def heard(number: int, _: FrameType | None) -> None:
            if number in do.ENDING_SIGNALS:
                self._signals.put(number)  # SIGCHLD only has to wake the loop

        for number in (*do.ENDING_SIGNALS, signal.SIGCHLD):
            signal.signal(number, heard)
        before = signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)

    def _wait(self) -> None:
        """Sleep until something happens, a tick at most."""
        waiting = [self._wake_r]
        if self._lifeline is not None:
            waiting.append(self._lifeline.fileno())
        ready, _, _ = select.select(waiting, [], [], self._limits.tick_s)
        if self._wake_r in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_r, PACKET_BYTES)

    def _look(self) -> None:
        while not self._signals.empty():
            self._happened(do.Told(at=self._clock.monotonic(), number=self._signals.get()))
        # Before the dead are counted: the last word of a worker says why it went.
        self._listen()
        self._reap()
        self._note_closed()
        self._happened(do.Tick(at=self._clock.monotonic()))

    def _happened(self, event: do.Event) -> None:
        self._watch, actions = do.decide(self._watch, event, self._limits, self._clock.random())
        self._act(actions)

    def _listen(self) -> None:
        while self._lifeline is not None:
            try:
                packet = self._lifeline.recv(PACKET_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._hang_up()
                return
            with contextlib.suppress(ValueError):  # a newer worker's, see unpacked()
                self._happened(do.Heard(at=self._clock.monotonic(), message=unpacked(packet)))

    def _reap(self) -> None:
        """Bury all children that are gone: as process 1 of a container there may be others' as well."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._watch.worker is not None and pid == self._watch.worker.pid:
                self._listen()
                self._hang_up()
                self._happened(do.Ended(at=self._clock.monotonic(), status=status, wall=self._clock.wall()))

    def _note_closed(self) -> None:
        while not self._closed.empty():
            if self._closed.get() is Closing.CLOSED:
                self._watch = do.session_closed(self._watch)
        if self._watch.past != self._told_past:
            self._tell(self._watch.past)

    # ---------------------------------------------------------------------- what is done

    def _act(self, actions: Sequence[do.Action]) -> None:
        for action in actions:
            if isinstance(action, do.Spawn):
                self._spawn(action.past)
            elif isinstance(action, do.Send):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(action.pid, action.number)
            elif isinstance(action, do.CloseSession):
                self._close(action.credential)
            elif isinstance(action, do.Say):
                self._log.say(action.level, action.event, action.fields)
            else:
                self._code = action.code

    def _spawn(self, past: Past) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            theirs.set_inheritable(True)
            command = [*self._command, "--lifeline", str(theirs.fileno())]
            pid = os.posix_spawn(command[0], command, self._environ)
        except OSError as error:
            ours.close()
            why = error.strerror or type(error).__name__
            self._happened(do.Unstarted(at=self._clock.monotonic(), why=why, wall=self._clock.wall()))
            return
        finally:
            theirs.close()
        ours.settimeout(0)
        self._lifeline = ours
        _offer_to_oom_killer(pid)
        self._tell(past)
        self._happened(do.Started(at=self._clock.monotonic(), pid=pid))

    def _tell(self, past: Past) -> None:
        self._told_past = past
        if self._lifeline is not None:
            with contextlib.suppress(OSError):  # full or gone: it is news, not an order
                self._lifeline.send(packed(past))

    def _hang_up(self) -> None:
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None

    def _close(self, credential: SessionCredential) -> None:
        thread = threading.Thread(target=self._close_in_time, args=(credential,), name="hasync-closing", daemon=True)
        self._closings = [known for known in self._closings if known.is_alive()] + [thread]
        thread.start()

    def _close_in_time(self, credential: SessionCredential) -> None:
        """Try until the session must have expired by itself. Runs in: a thread of its own."""
        began, never = self._clock.monotonic(), threading.Event()
        closing, why = None, ""
        while closing is None and self._clock.monotonic() - began < self._session_timeout_s:
            try:
                closing = self._closer.close(credential)
            except CoordinationUnavailable as unavailable:
                why = unavailable.message
                self._clock.wait(never, CLOSE_AGAIN_S)
        took_ms = round((self._clock.monotonic() - began) * 1000, 1)
        if closing is None:
            self._log.say("warning", "worker_session_unclosed", {"error": why})
        else:
            self._log.say("info", "worker_session_closed", {"outcome": closing.value, "took_ms": took_ms})
        self._closed.put(closing)
        with contextlib.suppress(OSError):
            os.write(self._wake_w, b"\0")


def _offer_to_oom_killer(pid: int) -> None:
    """Have the kernel take the worker first: the supervisor then hands over for it in milliseconds."""
    own = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):  # no /proc, or a system that does not allow it
        score = min(1000, int(own.read_text(encoding="ascii")) + OOM_HANDICAP)
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(score), encoding="ascii")
