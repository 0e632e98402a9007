"""Contends for one stream as long as the instance runs, and leads it whenever it is elected.

One thread per stream (the *stream's thread*). A standby is warm: its config is compiled
and its servers were tried, so that winning the election is all that is left to do.
"""

import threading
from dataclasses import replace
from typing import Protocol

from hasync.coordination import Session, StreamCoordination
from hasync.errors import CoordinationUnavailable, EndReason, Fatal, HasyncError, TermEnded
from hasync.model.cluster import Halt, Intent, IntentKind, Leadership
from hasync.model.member import Eligibility
from hasync.ports import Clock
from hasync.term.handover import HandOver, HandOverObserver
from hasync.term.leading import Adapters, Leading, Outcome, TermObserver
from hasync.term.role import STANDING_BACK, Identity, Role, queueing, role_of
from hasync.term.standback import Faults
from hasync.term.takeover import Takeover
from hasync.term.watcher import StreamView, Watcher, WatchObserver

SLICE_S = 1.0
"""How long one look at the election lasts; winning it or a change of the view ends the slice at once."""

RELEASE_S = 2.0
"""How long giving the lock back may take before the session itself is given up."""

SHORT_TERM_S = 1.0
"""A term this short under a kept lock is followed by a pause as long, lest a flapping Redis makes terms in a rush."""


GIVE_WAY_AGAIN_S = 5.0
"""An instance that gave the lock away and has it back so soon keeps it: the other one did not take it."""


class CandidateObserver(TermObserver, WatchObserver, HandOverObserver, Protocol):
    """Told of the candidate's life. Called from: the stream's thread, unless said otherwise; must not block."""

    def standing(self, role: Role) -> None:
        """What this instance does for the stream now."""

    def elected(self) -> None:
        """The lock is ours; a takeover is timed from here."""

    def halted(self, halt: Halt) -> None:
        """This instance has halted the stream for all."""

    def failed(self, error: Exception) -> None:
        """Something nobody understood; the thread goes on after a pause."""


class Candidate:
    """Runs the life of one stream on this instance."""

    def __init__(
        self,
        *,
        coordination: StreamCoordination,
        session: Session,
        adapters: Adapters,
        address: str,
        identity: Identity,
        clock: Clock,
        acknowledge_every_s: float,
        observer: CandidateObserver,
    ) -> None:
        self._identity = identity
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
        self._hand_over: HandOver | None = None
        self._released = threading.Event()
        self._first_epoch = 0
        self._gave_way_at_s: float | None = None
        self._faults = Faults()
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

    def ask_hand_over(self, target: str, reason: str, *, by: str = "") -> bool:
        """Ask, as an operator would, that another instance lead; False when this one does not, or a wish stands.

        ``by``: who wants it; this instance itself, to spread streams, when empty. Called from: the instance's
        main thread, and the drills' thread. Raises CoordinationUnavailable, CoordinationRefused.
        """
        leading = self._leading
        if leading is None or not leading.epoch:
            return False
        intent = Intent(
            kind=IntentKind.SWITCHOVER,
            by=by or f"{self._identity.member} to spread streams",
            at=self._clock.wall(),
            reason=reason,
            to=target,
            epoch=leading.epoch,
        )
        return self._coordination.intents.ask(intent)

    def _view_changed(self, view: StreamView) -> None:
        """Act on what operators changed. Called from: the watcher's thread."""
        self._changed.set()
        leading, role = self._leading, role_of(view, self._identity)
        if leading is None or view.compiled is None:
            return
        if not role.contends:
            leading.drain(EndReason.PAUSED if role.state == "paused" else EndReason.HANDOVER, role.detail)
            return
        leading.follow(view.compiled)  # nothing happens when it is the one in force
        if view.intent is not None and view.intent.kind is IntentKind.SWITCHOVER:
            self._switch_over(leading, view.intent)

    def _switch_over(self, leading: Leading, intent: Intent) -> None:
        """Begin to carry out a switchover, once for each term that meets it."""
        begun = self._hand_over
        if begun is not None and (begun.intent, begun.leading) == (intent, leading):
            return
        self._hand_over = HandOver(
            intent=intent,
            leading=leading,
            first_epoch=self._first_epoch,
            released=self._released,
            wanted=lambda: self.watcher.view.intent == intent,
            coordination=self._coordination,
            member=self._identity.member,
            clock=self._clock,
            observer=self._observer,
        )
        self._hand_over.start()

    def weigh(self, weight: int) -> None:
        """Take another share of the streams from now on; 0: lead only what nobody else can. Called from: any thread."""
        self._identity = replace(self._identity, weight=weight)
        self._changed.set()

    @property
    def eligibility(self) -> Eligibility:
        """Whether this instance is meant to lead the stream. Called from: any thread."""
        return self._identity.eligibility(self.watcher.view)

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
            self._stand_back(EndReason.LOCAL_FAULT, "internal error", 0.0)

    def _turn(self) -> None:
        self._observer.turning()
        self._changed.clear()
        role = queueing(self.watcher.view, self._identity, self._clock.monotonic())
        self._observer.standing(role)
        if not role.contends:
            self._leave_queue()
            self._clock.wait(self._changed, SLICE_S)
            return
        leadership = self._coordination.election.acquire(self._changed, SLICE_S)
        if leadership is not None and not self._gives_way(leadership):
            self._lead(leadership)

    def _gives_way(self, leadership: Leadership) -> bool:
        """Give the lock to a contender that is meant to lead, or fit to, when this instance is not; go to the end."""
        now_s = self._clock.monotonic()
        if self._gave_way_at_s is not None and now_s - self._gave_way_at_s < GIVE_WAY_AGAIN_S:
            return False
        better = self._adapters.better(self._coordination.election.contenders)
        if not better:
            return False
        self._gave_way_at_s = now_s
        self._observer.standing(Role("standby", f"gives way to {better}"))
        self._coordination.election.release(leadership, RELEASE_S)
        return True

    def _leave_queue(self) -> None:
        try:
            self._coordination.election.withdraw()
        except HasyncError as error:
            self._observer.standing(Role("waiting", error.message))

    def _lead(self, leadership: Leadership) -> None:
        began = self._clock.monotonic()
        self._observer.elected()
        self._released, self._first_epoch = threading.Event(), 0
        try:
            outcome = self._terms_under(leadership)
            if outcome is not None and outcome.error is not None:
                self._halt(leadership, outcome, outcome.error)
        finally:
            self._coordination.election.release(leadership, RELEASE_S)
            self._released.set()
        if outcome is not None:
            self._stand_back(outcome.reason, outcome.message, self._clock.monotonic() - began)

    def _terms_under(self, leadership: Leadership) -> Outcome | None:
        """Lead one term after the other while the lock is kept: after a regress, or for a config that needs it."""
        outcome = None
        takeover = Takeover(clock=self._clock, waited_s=leadership.waited_s, on_step=self._observer.step_taken)
        while not self._stopping.is_set():
            compiled = self.watcher.view.compiled
            role = self._role_with_the_lock(first=outcome is None)
            if compiled is None or not role.contends:
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
                takeover=None if outcome is not None else takeover,
            )
            # What was asked between the look above and now saw no term to ask.
            self._view_changed(self.watcher.view)
            if self._stopping.is_set():
                leading.drain(EndReason.SHUTDOWN)
            began = self._clock.monotonic()
            outcome = self._run_term(leading)
            self._last_epoch = max(self._last_epoch, outcome.epoch)
            self._first_epoch = self._first_epoch or outcome.epoch
            if not outcome.keeps_leadership:
                return outcome
            if outcome.reason is EndReason.REGRESSED and self._clock.monotonic() - began < SHORT_TERM_S:
                self._clock.wait(self._stopping, SHORT_TERM_S)
        return outcome

    def _role_with_the_lock(self, *, first: bool) -> Role:
        """Decide whether to begin a term: the first one not while somebody else is meant to lead."""
        view = self.watcher.view
        return queueing(view, self._identity, self._clock.monotonic()) if first else role_of(view, self._identity)

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

    def _stand_back(self, reason: EndReason, message: str, led_s: float) -> None:
        """Let others try first after a fault that may be this instance's own (:mod:`hasync.term.standback`)."""
        began_s = self._clock.monotonic()
        self._faults = self._faults.after(reason, led_s=led_s, now_s=began_s)
        delay = self._faults.delay(reason)
        if delay.while_others_can_s <= 0:
            return
        self._observer.standing(Role("waiting", f"{STANDING_BACK} {reason.value}: {message}"))
        share = 0.5 + self._clock.random() / 2
        while not self._stopping.is_set():
            stood_s = self._clock.monotonic() - began_s
            ceiling_s = delay.while_others_can_s if self._adapters.others_able() else delay.always_s
            if stood_s >= ceiling_s * share:
                return
            self._observer.turning()  # standing back is no hanging
            self._clock.wait(self._stopping, min(SLICE_S, ceiling_s * share - stood_s))
