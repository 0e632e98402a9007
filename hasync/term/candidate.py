"""Contends for one stream as long as the instance runs, and leads it whenever it is elected.

One thread per stream (the *stream's thread*). A standby is warm: its config is compiled
and its servers were tried, so that winning the election is all that is left to do.
"""

import threading
from dataclasses import dataclass
from typing import Protocol

from hasync.coordination import Session, StreamCoordination
from hasync.errors import CoordinationUnavailable, EndReason, Fatal, HasyncError, TermEnded
from hasync.model.cluster import Halt, Intent, Leadership
from hasync.ports import Clock
from hasync.term.leading import Adapters, Leading, Outcome, TermObserver
from hasync.term.watcher import StreamView, Watcher, WatchObserver

SLICE_S = 1.0
"""How long one look at the election lasts; winning it or a change of the view ends the slice at once."""

RELEASE_S = 2.0
"""How long giving the lock back may take before the session itself is given up."""

LONG_TERM_S = 60.0
"""A term this long clears the memory of faults."""

MAX_STAND_BACK_S = 60.0

STAND_BACK_AFTER = frozenset({EndReason.LOCAL_FAULT, EndReason.SOURCE_CLAIMED, EndReason.FENCED})

SHORT_TERM_S = 1.0
"""A term this short under a kept lock is followed by a pause as long, lest a flapping Redis makes terms in a rush."""


class CandidateObserver(TermObserver, WatchObserver, Protocol):
    """Told of the candidate's life. Called from: the stream's thread, unless said otherwise; must not block."""

    def standing(self, role: "Role") -> None:
        """What this instance does for the stream now."""

    def elected(self) -> None:
        """The lock is ours; a takeover is timed from here."""

    def halted(self, halt: Halt) -> None:
        """This instance has halted the stream for all."""

    def failed(self, error: Exception) -> None:
        """Something nobody understood; the thread goes on after a pause."""


@dataclass(frozen=True, slots=True)
class Role:
    """What an instance does for a stream, and why when that is not obvious.

    ``state``: starting, standby, leader, draining, paused, halted, disabled, waiting. ``contends``: it may be elected.
    """

    state: str
    detail: str = ""
    contends: bool = False


def role_of(view: StreamView) -> Role:
    """Decide from what operators want whether to contend. Pure."""
    if not view.answered:
        return Role("waiting", view.refusal or "ZooKeeper has not answered yet")
    if view.compiled is None:
        return Role("waiting", view.refusal or "no config yet; apply one with 'hasync config apply'")
    if not view.compiled.config.enabled:
        return Role("disabled", "the config says enabled: false")
    if view.halted is not None:
        return Role("halted", f"{view.halted.code}: {view.halted.reason}")
    if view.intent is not None:
        return Role("paused", _why(view.intent))
    return Role("standby", view.refusal, contends=True)


def _why(intent: Intent) -> str:
    return f"paused by {intent.by}" + (f": {intent.reason}" if intent.reason else "")


class Candidate:
    """Runs the life of one stream on this instance."""

    def __init__(
        self,
        *,
        coordination: StreamCoordination,
        session: Session,
        adapters: Adapters,
        address: str,
        clock: Clock,
        acknowledge_every_s: float,
        observer: CandidateObserver,
    ) -> None:
        self._coordination = coordination
        self._session = session
        self._adapters = adapters
        self._address = address
        self._clock = clock
        self._every_s = acknowledge_every_s
        self._observer = observer
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._leading: Leading | None = None
        self._faults = 0
        self._last_epoch = 0
        self.watcher = Watcher(
            configs=coordination.configs,
            halts=coordination.halts,
            intents=coordination.intents,
            session=session,
            clock=clock,
            observer=observer,
            on_change=self._view_changed,
        )

    # ------------------------------------------------------- called from any thread

    def shut_down(self) -> None:
        """Hand over and end :meth:`run`. Called from: any thread."""
        self._stopping.set()
        self._changed.set()
        if self._leading is not None:
            self._leading.drain(EndReason.SHUTDOWN)

    def abandon(self) -> None:
        """End :meth:`run` without draining: the time for an orderly hand-over is up. Called from: any thread."""
        self.shut_down()
        if self._leading is not None:
            self._leading.abandon(EndReason.SHUTDOWN)

    def fail(self, fatal: Fatal) -> None:
        """End the term that runs, if any, with an error found beside the data road. Called from: any thread."""
        if (leading := self._leading) is not None:
            leading.fail(fatal)

    def _view_changed(self, view: StreamView) -> None:
        """Act on what operators changed. Called from: the watcher's thread."""
        self._changed.set()
        leading, role = self._leading, role_of(view)
        if leading is None or view.compiled is None:
            return
        if not role.contends:
            leading.drain(EndReason.PAUSED if role.state == "paused" else EndReason.HANDOVER)
        else:
            leading.follow(view.compiled)  # nothing happens when it is the one in force

    # ------------------------------------------------------------ the stream's thread

    def run(self) -> None:
        """Stand, contend, lead, until shut down. The stream's thread's top frame."""
        watching = threading.Thread(target=self.watcher.run, name="hasync-watcher", daemon=True)
        watching.start()
        self._session.subscribe(self._changed)
        try:
            while not self._stopping.is_set():
                self._go_round()
        finally:
            self._session.unsubscribe(self._changed)
            self.watcher.stop()
            watching.join(RELEASE_S)
            self._leave_queue()

    def _go_round(self) -> None:
        try:
            self._turn()
        except CoordinationUnavailable as error:
            self._observer.standing(Role("waiting", error.message))
            self._clock.wait(self._changed, SLICE_S)
        except TermEnded as ended:  # the lock went while a halt was written: contend again
            self._observer.standing(Role("waiting", ended.message))
        except HasyncError as error:  # refused by ZooKeeper: shown, and tried again slowly
            self._observer.standing(Role("waiting", str(error)))
            self._clock.wait(self._stopping, SLICE_S)
        except Exception as error:  # noqa: BLE001 - the worker's top frame: one stream's bug must not end the others
            self._observer.failed(error)
            self._leave_queue()
            self._clock.wait(self._stopping, SLICE_S)

    def _turn(self) -> None:
        self._observer.turning()
        self._changed.clear()
        role = role_of(self.watcher.view)
        self._observer.standing(role)
        if not role.contends:
            self._leave_queue()
            self._clock.wait(self._changed, SLICE_S)
            return
        leadership = self._coordination.election.acquire(self._changed, SLICE_S)
        if leadership is not None:
            self._lead(leadership)

    def _leave_queue(self) -> None:
        try:
            self._coordination.election.withdraw()
        except HasyncError as error:
            self._observer.standing(Role("waiting", error.message))

    def _lead(self, leadership: Leadership) -> None:
        began = self._clock.monotonic()
        self._observer.elected()
        try:
            outcome = self._terms_under(leadership)
            if outcome is not None and outcome.error is not None:
                self._halt(leadership, outcome, outcome.error)
        finally:
            self._coordination.election.release(leadership, RELEASE_S)
        self._stand_back(outcome, self._clock.monotonic() - began)

    def _terms_under(self, leadership: Leadership) -> Outcome | None:
        """Lead one term after the other while the lock is kept: after a regress, or for a config that needs it."""
        outcome = None
        while not self._stopping.is_set():
            compiled = self.watcher.view.compiled
            if compiled is None or not role_of(self.watcher.view).contends:
                return outcome
            leading = self._leading = Leading(
                leadership=leadership,
                compiled=compiled,
                above_epoch=self._last_epoch,
                coordination=self._coordination,
                session=self._session,
                adapters=self._adapters,
                address=self._address,
                clock=self._clock,
                acknowledge_every_s=self._every_s,
                observer=self._observer,
            )
            # What was asked between the look above and now saw no term to ask.
            self._view_changed(self.watcher.view)
            if self._stopping.is_set():
                leading.drain(EndReason.SHUTDOWN)
            began = self._clock.monotonic()
            outcome = self._run_term(leading)
            self._last_epoch = max(self._last_epoch, outcome.epoch)
            if not outcome.keeps_leadership:
                return outcome
            if outcome.reason is EndReason.REGRESSED and self._clock.monotonic() - began < SHORT_TERM_S:
                self._clock.wait(self._stopping, SHORT_TERM_S)
        return outcome

    def _run_term(self, leading: Leading) -> Outcome:
        try:
            return leading.run()
        finally:
            self._leading = None

    def _halt(self, leadership: Leadership, outcome: Outcome, error: Fatal) -> None:
        """Stop the stream for everybody: no instance can help, and each would fail the same way."""
        last = outcome.last
        halt = Halt(
            code=error.code,
            reason=error.message,
            hint=error.hint,
            member=leadership.member,
            epoch=outcome.epoch,
            position=last.position if last else None,
            config_revision=outcome.config_revision,  # not today's: a newer config may be the remedy
            at=self._clock.wall(),
        )
        self._observer.halted(halt)
        self._coordination.halts.put(leadership, halt)
        self.watcher.look()

    def _stand_back(self, outcome: Outcome | None, lasted_s: float) -> None:
        """Let others try first after a fault that may be this instance's own; longer each time, with jitter.

        Also after somebody else took the source or the state: were that another deployment
        with this stream's name, the two would cut each other off without end.
        """
        if lasted_s >= LONG_TERM_S:
            self._faults = 0
        if outcome is None or outcome.reason not in STAND_BACK_AFTER:
            return
        self._faults += 1
        ceiling_s = min(MAX_STAND_BACK_S, 2.0**self._faults)
        self._observer.standing(Role("waiting", f"standing back after {outcome.reason.value}: {outcome.message}"))
        until = self._clock.monotonic() + ceiling_s * (0.5 + self._clock.random() / 2)
        while not self._stopping.is_set() and self._clock.monotonic() < until:
            self._observer.turning()  # standing back is no hanging
            self._clock.wait(self._stopping, min(SLICE_S, until - self._clock.monotonic()))
