"""One term, from the election won to its end: read both positions, raise the epoch, claim, stream, acknowledge."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hasync.coordination import Session, StoredPosition, StreamCoordination
from hasync.errors import EndReason, Fatal, Regressed, Retryable, StateMissing, TermEnded
from hasync.model.cluster import Leader, Leadership, TermRecord
from hasync.model.position import Position, Start
from hasync.model.resume import MissingStatePolicy, Resume, reconcile
from hasync.model.state import SinkState
from hasync.ports import ChangeSource, Clock, Sink
from hasync.stream.batch import BatchLimit
from hasync.stream.pipeline import Pipeline, StreamObserver
from hasync.stream.reader import Retry
from hasync.term.acknowledger import AcknowledgeObserver, Acknowledger
from hasync.term.guard import TermGuard
from hasync.term.reopening import Reopening
from hasync.term.takeover import AheadSource, Step, Takeover
from hasync.term.watcher import Compiled

T = TypeVar("T")


class Adapters(Protocol):
    """Builds one stream's adapters for a config (:mod:`hasync.worker`)."""

    def source(self, compiled: Compiled) -> ChangeSource:
        """Build the source. Raises ConfigInvalid when a secret cannot be read."""

    def sink(self, compiled: Compiled) -> Sink:
        """Build the sink. Raises ConfigInvalid when a secret cannot be read."""

    def retry(self, stop: threading.Event) -> Retry:
        """Build a retry owner whose waits end when ``stop`` is set."""

    def others_able(self) -> bool:
        """Whether another instance says that it could lead the stream now. May be a moment old; never blocks."""

    def better(self, contenders: Callable[[], tuple[str, ...]]) -> str:
        """Name a contender that should lead rather than this instance, empty for none.

        ``contenders`` is asked only where this instance is a reserve, or fails its preflight;
        raises what that raises.
        """


class TermObserver(StreamObserver, AcknowledgeObserver, Protocol):
    """Told of the steps of a term. Called from: the stream's thread, unless said otherwise; must not block."""

    def decided(self, epoch: int, resume: Resume) -> None:
        """It is decided where to resume, and why."""

    def began(self, epoch: int, claimed: SinkState) -> None:
        """The state is claimed; this instance leads."""

    def draining(self, reason: EndReason) -> None:
        """The term ends in order: what was read is still applied. Called from: any thread."""

    def step_taken(self, step: Step, seconds: float) -> None:
        """A step of a takeover took so long. Called from: the stream's and the reader's thread."""

    def ended(self, epoch: int, outcome: "Outcome") -> None:
        """The term is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a term ended. ``epoch``: 0 when it got none. ``error``: what a human must read, if anything."""

    reason: EndReason
    epoch: int = 0
    config_revision: int = 0
    message: str = ""
    error: Fatal | None = None
    last: SinkState | None = None

    @property
    def keeps_leadership(self) -> bool:
        """Whether the next term begins at once under the same lock."""
        return self.reason in {EndReason.REGRESSED, EndReason.CONFIG}


class Leading:
    """Runs one term. Called from: the stream's thread, but for :meth:`drain`, :meth:`follow` and :meth:`abandon`.

    ``above_epoch``: the epoch of this instance's last term; the new one is higher (I4).
    ``takeover``: times the steps of the first term under a lock; None for a later one.
    """

    def __init__(
        self,
        *,
        leadership: Leadership,
        compiled: Compiled,
        above_epoch: int,
        coordination: StreamCoordination,
        session: Session,
        adapters: Adapters,
        address: str,
        clock: Clock,
        acknowledge_every_s: float,
        observer: TermObserver,
        takeover: Takeover | None = None,
    ) -> None:
        self._takeover = takeover
        self._above_epoch = above_epoch
        self._leadership = leadership
        self._compiled = compiled
        self._coordination = coordination
        self._adapters = adapters
        self._address = address
        self._clock = clock
        self._every_s = acknowledge_every_s
        self._observer = observer
        self._guard = TermGuard(leadership=leadership, election=coordination.election, session=session)
        self._retry = adapters.retry(self._guard.ended)
        self.begun = threading.Event()
        """Set once the state is claimed, or the term is over."""
        self._drain_reason: EndReason | None = None
        self._drain_message = ""
        self._pipeline: Pipeline | None = None
        self._acknowledger: Acknowledger | None = None
        self._epoch = 0
        self._last: SinkState | None = None

    @property
    def epoch(self) -> int:
        """The term's epoch, 0 before it has one. Called from: any thread."""
        return self._epoch

    def drain(self, reason: EndReason, message: str = "") -> None:
        """End the term in order: stop reading, apply what was read, acknowledge. Called from: any thread.

        ``message``: why, for the history; the first reason given and its message stay.
        """
        if self._drain_reason is None:
            self._drain_message = message  # first, since the stream's thread looks at the reason
            self._drain_reason = reason
            self._observer.draining(reason)
        if self._pipeline is not None:
            self._pipeline.drain()

    def abandon(self, reason: EndReason) -> None:
        """End the term now: what was read and not applied is left to the next one. Called from: any thread."""
        self._guard.end(reason)
        self.drain(reason)

    def fail(self, fatal: Fatal) -> None:
        """End the term with an error that the data road cannot see. Called from: any thread."""
        self._guard.fail(fatal)

    def follow(self, compiled: Compiled) -> None:
        """Use other rules from the next transaction on, or begin a new term if that is not enough. Any thread."""
        previous, self._compiled = self._compiled, compiled
        if previous is compiled:
            return
        if previous.needs_new_term(compiled):
            self.drain(EndReason.CONFIG)
        elif self._pipeline is not None:
            self._pipeline.follow(compiled.rules)

    def run(self) -> Outcome:
        """Lead until something ends the term. Raises nothing of hasync's own errors."""
        outcome = self._outcome()
        self.begun.set()
        if self._acknowledger is not None:
            self._acknowledger.finish(outcome.reason, outcome.message)
        self._observer.ended(self._epoch, outcome)
        return outcome

    def _outcome(self) -> Outcome:
        try:
            self._lead()
        except TermEnded as ended:
            return self._over(ended.reason, ended.message)
        except (Regressed, StateMissing) as lost:
            return self._lost(lost)
        except Retryable as exhausted:
            return self._exhausted(exhausted)
        except Fatal as fatal:
            return self._failed(fatal)
        return self._over(self._drain_reason or EndReason.HANDOVER, self._drain_message)

    def _over(self, reason: EndReason, message: str = "", error: Fatal | None = None) -> Outcome:
        return Outcome(
            reason=reason,
            epoch=self._epoch,
            config_revision=self._compiled.revision,
            message=message,
            error=error,
            last=self._last,
        )

    def _lost(self, lost: Regressed | StateMissing) -> Outcome:
        """Heal what Redis lost by a new term under the same lock; but only while nobody else can have been elected."""
        if not self._guard.confirmed:
            return self._over(EndReason.DEADLINE, f"{lost.message}; the session may be over, so another may lead")
        if isinstance(lost, StateMissing) and self._policy is MissingStatePolicy.HALT:
            return self._over(EndReason.HALTED, lost.message, lost)
        return self._over(EndReason.REGRESSED, lost.message)

    def _failed(self, fatal: Fatal) -> Outcome:
        """Halt the stream for all, unless the fault may be ours and another instance says that it could lead."""
        if fatal.local and self._adapters.others_able():
            return self._over(EndReason.LOCAL_FAULT, str(fatal))
        return self._over(EndReason.HALTED, fatal.message, fatal)

    def _exhausted(self, error: Retryable) -> Outcome:
        try:
            self._guard.check()
        except TermEnded as ended:  # the wait was cut short because the term is over
            return self._over(ended.reason, ended.message)
        return self._over(EndReason.LOCAL_FAULT, error.message)

    @property
    def _policy(self) -> MissingStatePolicy:
        return self._compiled.config.on_missing_state

    # ------------------------------------------------------------------ the steps

    def _lead(self) -> None:
        compiled = self._compiled
        sink = self._adapters.sink(compiled)
        source = AheadSource(self._adapters.source(compiled), on_open=lambda: self._done(Step.OPEN))
        try:
            stored, claimed, resume = self._begin(sink, source, compiled)
            self._acknowledger = self._acknowledge_from(stored, claimed, resume)
            self._stream(sink, source, compiled, claimed)
        finally:
            source.discard()
            sink.close()

    def _done(self, step: Step) -> None:
        if self._takeover is not None:
            self._takeover.done(step)

    def _begin(self, sink: Sink, source: AheadSource, compiled: Compiled) -> tuple[StoredPosition, SinkState, Resume]:
        """Read both positions, decide, raise the epoch, claim: four round trips, while the source is being opened."""
        stored = self._insist("read_position", self._coordination.positions.load)
        state = self._insist("read_state", sink.peek)
        resume = reconcile(stored.value, state, self._policy)
        self._done(Step.READ)
        source.begin(_start(compiled, resume.adopt), compiled.rules)
        seen = max(
            self._above_epoch,  # a claim of ours that Redis lost is in neither of the two
            state.epoch if state else 0,
            stored.value.epoch if stored.value else 0,
        )
        self._epoch = self._insist("raise_epoch", lambda: self._coordination.terms.raise_epoch(self._leadership, seen))
        self._done(Step.EPOCH)
        self._observer.decided(self._epoch, resume)
        adopt = self._anchored(resume.adopt, source, compiled)
        claimed = self._insist("claim", lambda: sink.claim(self._epoch, adopt))
        self._done(Step.CLAIM)
        self._last = claimed
        self._observer.began(self._epoch, claimed)
        self.begun.set()
        return stored, claimed, resume

    def _anchored(self, adopt: SinkState | None, source: AheadSource, compiled: Compiled) -> SinkState:
        """Return what to claim with; for a new stream it says where reading begins.

        Without that a Redis that lost the first batches, but not the claim, could not say from where to repeat them.
        """
        if adopt is not None and adopt.position is not None:
            return adopt
        start, seq = compiled.config.source.start, adopt.seq if adopt else 0
        begin = self._insist("open_source", lambda: source.locate(start, compiled.rules, check=self._may_go_on))
        return SinkState(epoch=self._epoch, seq=seq, position=begin, source=begin.server_uuid)

    def _insist(self, operation: str, step: Callable[[], T]) -> T:
        return self._retry.call(operation, step, check=self._may_go_on)

    def _may_go_on(self) -> None:
        self._observer.turning()
        self._guard.check()
        if self._drain_reason is not None and self._pipeline is None:
            raise TermEnded(self._drain_reason, self._drain_message)

    def _acknowledge_from(self, stored: StoredPosition, claimed: SinkState, resume: Resume) -> Acknowledger:
        member, since = self._leadership.member, self._clock.wall()
        acknowledger = Acknowledger(
            positions=self._coordination.positions,
            terms=self._coordination.terms,
            leadership=self._leadership,
            leader=Leader(member=member, epoch=self._epoch, since=since, address=self._address),
            record=TermRecord(
                epoch=self._epoch, member=member, since=since, begin=claimed.position, note=resume.explanation
            ),
            stored=stored,
            rewinds=resume.rewinds,
            guard=self._guard,
            clock=self._clock,
            every_s=self._every_s,
            observer=self._observer,
            takeover=self._takeover,
        )
        acknowledger.offer(claimed)
        acknowledger.start()
        return acknowledger

    def _stream(self, sink: Sink, source: AheadSource, compiled: Compiled, claimed: SinkState) -> None:
        limit = BatchLimit(max_rows=compiled.config.batch.max_rows, max_bytes=compiled.config.batch.max_bytes)
        pipeline = Pipeline(
            source=source,
            sink=sink,
            rules=compiled.rules,
            limit=limit,
            guard=self._guard,
            clock=self._clock,
            retry=self._retry,
            reader_retry=self._adapters.retry,
            observer=self._observer,
            on_applied=self._applied,
            on_caught_up=self._caught_up,
            reopening=self._reopening(compiled),
        )
        self._pipeline = pipeline
        if self._drain_reason is not None:  # asked to while we were claiming: drain() found no pipeline
            pipeline.drain()
        if self._compiled is not compiled:  # changed while we were claiming: follow() found no pipeline
            pipeline.follow(self._compiled.rules)
        self._last = pipeline.run(_start(compiled, claimed), claimed)

    def _reopening(self, compiled: Compiled) -> Reopening:
        return Reopening(
            leadership=self._leadership,
            epoch=self._epoch,
            election=self._coordination.election,
            guard=self._guard,
            look=lambda: self._look(compiled),
            clock=self._clock,
        )

    def _look(self, compiled: Compiled) -> int:
        """Read the epoch in the state key over a connection of its own. Called from: the reader thread."""
        sink = self._adapters.sink(compiled)
        try:
            state = sink.peek()
        finally:
            sink.close()
        return state.epoch if state else 0

    def _caught_up(self) -> None:
        if self._takeover is not None:
            self._takeover.caught_up()

    def _applied(self, state: SinkState) -> None:
        self._done(Step.FIRST_BATCH)
        self._last = state
        if self._acknowledger is not None:
            self._acknowledger.offer(state)


def _start(compiled: Compiled, state: SinkState | None) -> Start | Position:
    """Where to read from: what may have to be redone, else behind what is applied, else the config's start."""
    return (state and (state.redo_from or state.position)) or compiled.config.source.start
