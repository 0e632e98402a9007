"""Carries out drills: sees an order in ZooKeeper, does it to this instance, undoes it, answers.

An order is answered *before* it begins, since it may take away the power to answer, and
is done at most once: it names one start of one process.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from hasync.cluster.closing import SessionCloser
from hasync.cluster.session import ZooKeeperSession
from hasync.coordination import Drills
from hasync.errors import CoordinationUnavailable, HasyncError
from hasync.logs import Event, Log
from hasync.model.drill import LONGEST_S, Answer, Deed, Order, Stage
from hasync.model.member import StreamStatus
from hasync.ports import Clock
from hasync.worker.gates import Gates, TimedGate

LOOK_EVERY_S: Final = 10.0
"""How often is looked although nothing woke: the longest a lost wake-up can matter."""

AGAIN_S: Final = 0.2
"""Pause before what ZooKeeper did not take is said again."""

BACK_WITHIN_S: Final = 60.0
"""How long a session may take to come back after a drill took it away."""

DIES_WITHIN_S: Final = 2.0

DISABLED: Final = "drills are not enabled on this instance"
ENABLE: Final = "set HASYNC_DRILLS__ENABLED=true on the instances and restart them"


class OnDeed(Protocol):
    """Told that a deed begins and that it is over (:meth:`hasync.metrics.Metrics.drilled`)."""

    def __call__(self, deed: Deed, *, running: bool) -> None:
        """Note it. Called from: the drills' thread; must not block."""


class Process(Protocol):
    """What is done to the process itself (:class:`hasync.worker.process.OwnProcess`)."""

    def kill(self) -> None:
        """End without a word."""

    def terminate(self) -> None:
        """Ask for an orderly end."""

    def freeze(self, for_s: float) -> None:
        """Stand still for so long. Raises HasyncError when nothing was done."""


class Streams(Protocol):
    """The streams of this instance."""

    def status_of(self, stream: str) -> StreamStatus | None:
        """Say what it does for a stream."""

    def ask_hand_over(self, stream: str, target: str, reason: str, *, by: str) -> bool:
        """Ask that another instance lead."""


class Hands:
    """Does the deeds. Each returns when it is undone, and raises HasyncError when it could not be done, or undone."""

    def __init__(
        self,
        *,
        process: Process,
        gates: Gates,
        session: ZooKeeperSession,
        closer: Callable[[], SessionCloser],
        streams: Streams,
        clock: Clock,
    ) -> None:
        """``closer``: what closes a session from outside, made when it is needed."""
        self._process = process
        self._gates = gates
        self._session = session
        self._closer = closer
        self._streams = streams
        self._clock = clock
        self.stop = threading.Event()
        self._deeds: Mapping[Deed, Callable[[str, Order], None]] = {
            Deed.CRASH: self._crash,
            Deed.FREEZE: lambda _, order: self._process.freeze(order.for_s),
            Deed.EXPIRE: self._expire,
            Deed.CUT_ZOOKEEPER: self._cut_zookeeper,
            Deed.CUT_REDIS: lambda stream, order: self._cut(self._gates.redis[stream], order),
            Deed.CUT_MYSQL: lambda stream, order: self._cut(self._gates.mysql[stream], order),
            Deed.HAND_OVER: self._hand_over,
            Deed.RESTART: self._restart,
        }

    def do(self, stream: str, order: Order) -> None:
        """Carry an order out, and undo it."""
        self._deeds[order.deed](stream, order)

    def _crash(self, _: str, order: Order) -> None:
        self._process.kill()
        self._clock.wait(self.stop, DIES_WITHIN_S)
        raise HasyncError(
            f"{order.member} still lives after SIGKILL: the kernel spares process 1 of a container",
            hint="run it under its supervisor ('hasync run' without --no-supervisor)",
        )

    def _restart(self, _: str, order: Order) -> None:
        self._process.terminate()
        if not self._clock.wait(self.stop, DIES_WITHIN_S):
            raise HasyncError(f"{order.member} does not heed SIGTERM")

    def _expire(self, *_: object) -> None:
        credential, generation = self._session.credential, self._session.generation
        if credential is None:
            raise HasyncError("there is no session to expire")
        self._closer().close(credential)
        self._await(lambda: self._session.generation != generation and self._session.confirmed)

    def _cut_zookeeper(self, _: str, order: Order) -> None:
        self._cut(self._gates.zookeeper, order)
        self._await(lambda: self._session.confirmed and self._session.connected)

    def _cut(self, gate: TimedGate, order: Order) -> None:
        gate.shut_for(order.for_s)
        while gate.shut and not gate.passes(order.for_s, self.stop) and not self.stop.is_set():
            pass  # the gate counts by itself; this thread only waits along

    def _hand_over(self, stream: str, order: Order) -> None:
        if not self._streams.ask_hand_over(stream, order.to, f"drill {order.id}", by=order.by):
            raise HasyncError("the hand-over could not be asked for: another wish stands", hint="see 'hasync status'")

    def _await(self, back: Callable[[], bool]) -> None:
        """Wait for the session to come back. Raises HasyncError when it does not."""
        deadline = self._clock.monotonic() + BACK_WITHIN_S
        while not back() and not self.stop.is_set():
            if self._clock.monotonic() >= deadline:
                raise HasyncError(f"no ZooKeeper session again after {BACK_WITHIN_S:g} s")
            self._clock.wait(self.stop, AGAIN_S)


class Drilling:
    """Watches for orders to this instance, in a thread of its own."""

    def __init__(
        self,
        *,
        drills: Mapping[str, Drills],
        enabled: bool,
        member: str,
        instance: str,
        streams: Streams,
        hands: Hands,
        clock: Clock,
        log: Log,
        on_deed: OnDeed,
    ) -> None:
        """``drills``: by stream; ``on_deed``: told that a deed begins and is over."""
        self._on_deed = on_deed
        self._drills = drills
        self._enabled = enabled
        self._me = (member, instance)
        self._streams = streams
        self._hands = hands
        self._clock = clock
        self._log = log
        self._stop = hands.stop
        self.wake = threading.Event()

    def start(self) -> None:
        """Begin to watch. ``wake`` should be subscribed to the session."""
        threading.Thread(target=self._run, name="hasync-drills", daemon=True).start()

    def stop(self) -> None:
        """End whatever is done and waited for: this instance ends. Called from: the main thread."""
        self._stop.set()
        self.wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.wake.clear()
            self.look()
            self._clock.wait(self.wake, LOOK_EVERY_S)

    def look(self) -> None:
        """Look once at all streams, and carry out what is asked of this instance."""
        for stream, drills in self._drills.items():
            try:
                order = drills.get(self.wake)
                if order is not None and order.answer is None and (order.member, order.instance) == self._me:
                    self._obey(stream, drills, order)
            except HasyncError as error:  # ZooKeeper away: woken when it is back; not understood: a newer release's
                self._log.debug(Event.DRILL, stream=stream, error=error)

    def _obey(self, stream: str, drills: Drills, order: Order) -> None:
        refusal = self._refusal(stream, order)
        if refusal is not None:
            self._log.warning(Event.DRILL, stream=stream, deed=order.deed.value, by=order.by, message=refusal.message)
            drills.answer(order, refusal)
            return
        if not drills.answer(order, self._answer(Stage.ACCEPTED)):
            return  # nobody waits for it any more
        self._log.warning(
            Event.DRILL, stream=stream, deed=order.deed.value, by=order.by, for_s=order.for_s or None, stage="accepted"
        )
        self._on_deed(order.deed, running=True)
        try:
            self._hands.do(stream, order)
        except HasyncError as error:
            self._log.error(Event.DRILL, stream=stream, deed=order.deed.value, stage="failed", error=error)
            self._tell(drills, order, self._answer(Stage.FAILED, error.message, error.hint))
        else:
            self._log.warning(Event.DRILL, stream=stream, deed=order.deed.value, stage="undone")
            self._tell(drills, order, self._answer(Stage.UNDONE))
        finally:
            self._on_deed(order.deed, running=False)

    def _refusal(self, stream: str, order: Order) -> Answer | None:
        """Say why this is not done, None when it is."""
        if not self._enabled:
            return self._answer(Stage.REFUSED, DISABLED, ENABLE)
        if order.deed.lasts and not 0 < order.for_s <= LONGEST_S:
            return self._answer(Stage.REFUSED, f"{order.for_s:g} s is not between 0 and {LONGEST_S:g} s")
        status = self._streams.status_of(stream)
        if order.epoch and (status is None or status.role != "leader" or status.epoch != order.epoch):
            return self._answer(Stage.REFUSED, f"it does not lead in epoch {order.epoch} any more", "try again")
        return None

    def _answer(self, stage: Stage, message: str = "", hint: str = "") -> Answer:
        return Answer(stage=stage, at=self._clock.wall(), message=message, hint=hint)

    def _tell(self, drills: Drills, order: Order, answer: Answer) -> None:
        """Answer as soon as ZooKeeper takes it; nobody has to wait for it any more when the order is gone."""
        deadline = self._clock.monotonic() + BACK_WITHIN_S
        while not self._stop.is_set() and self._clock.monotonic() < deadline:
            try:
                drills.answer(order, answer)
            except CoordinationUnavailable:
                self._clock.wait(self._stop, AGAIN_S)
            else:
                return
