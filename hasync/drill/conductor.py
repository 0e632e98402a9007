"""Asks instances for a fault, one after the other, and waits until each is undone and the stream is led again."""

import contextlib
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from hasync.coordination import Drills, Members, Terms
from hasync.drill.kinds import DrillKind, Request
from hasync.drill.recording import Mark, Marked, Recording
from hasync.drill.verdict import Undoing
from hasync.errors import CoordinationRefused, CoordinationUnavailable, HasyncError
from hasync.model.cluster import Leader
from hasync.model.drill import Deed, Order, Stage
from hasync.model.member import Member
from hasync.ports import Clock

ANSWER_WITHIN_S: Final = 15.0
"""How long an instance may take to see an order: a little more than it looks by itself."""

LOOK_S: Final = 0.005
UNDONE_LOOK_S: Final = 0.05
QUIET_S: Final = 2.0
"""How long is watched before the fault, and after all is well again."""

ABLE: Final = frozenset({"leader", "draining", "standby"})
ONE_CANDIDATE: Final = 1

Seen = TypeVar("Seen")


class Conductor:
    """Runs one drill. Called from: the command's thread."""

    def __init__(
        self,
        *,
        drills: Drills,
        terms: Terms,
        members: Members,
        recording: Recording,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        """``say``: tells the person who waits."""
        self._drills = drills
        self._terms = terms
        self._members = members
        self._recording = recording
        self._clock = clock
        self._say = say
        self._never = threading.Event()

    def conduct(self, request: Request) -> Undoing:
        """Run it; return whether it is undone.

        Raises HasyncError when nobody leads, when an instance refuses or does not answer,
        and when another drill of the stream runs. Nothing is done then.
        """
        leader, targets = self._targets(request)
        self._clock.wait(self._never, QUIET_S)
        undoing = Undoing(done=True)
        self._mark(Mark.ASKED)
        for number, target in enumerate(targets):
            undoing = self._one(request, number, leader, target)
            if not undoing.done:  # the next one might be the last that could lead
                break
        self._until(self._terms.leader, request.within_s)
        self._clock.wait(self._never, QUIET_S)
        self._mark(Mark.ENDED)
        return undoing

    def _targets(self, request: Request) -> tuple[Leader, list[Member]]:
        """Name who is meant: the leader, or all of the stream with the leader last."""
        leader = require_leader(self._terms, request.stream)
        members = [member for member in self._members.list() if request.stream in member.streams]
        able = [member for member in members if member.streams[request.stream].role in ABLE]
        leading = [member for member in members if member.id == leader.member]
        if not leading:
            raise HasyncError(f"the leader {leader.member} does not show itself among the members", hint="try again")
        if len(able) <= ONE_CANDIDATE:
            self._say("no other instance could lead now, so the stream waits until this one is back")
        if request.kind is DrillKind.ROLLING_RESTART:
            return leader, [*(member for member in members if member.id != leader.member), *leading]
        return leader, leading

    def _one(self, request: Request, number: int, leader: Leader, target: Member) -> Undoing:
        """Have one instance do it, and wait until it is undone."""
        order = Order(
            id=f"{request.id}-{number}",
            deed=request.kind.deed,
            member=target.id,
            instance=target.instance,
            by=request.by,
            at=self._clock.wall(),
            epoch=0 if request.kind is DrillKind.ROLLING_RESTART else leader.epoch,
            for_s=request.for_s,
            to=self._heir(request, target) if request.kind is DrillKind.SWITCHOVER else "",
        )
        if not self._drills.ask(order):
            raise HasyncError(
                f"another drill of {request.stream} runs", hint="wait for it; its order goes with the command's session"
            )
        try:
            self._await_answer(order)
            self._mark(Mark.RESTARTED if number else Mark.INJECTED, target.id)
            self._say(f"{target.id}: {order.deed.value}" + (f" for {order.for_s:g} s" if order.for_s else ""))
            undoing = self._undone(request, order, target)
        finally:
            with contextlib.suppress(CoordinationUnavailable):  # it goes with this session all the same
                self._drills.withdraw(order)
        if undoing.done:
            self._mark(Mark.UNDONE, target.id)
        return undoing

    def _heir(self, request: Request, leader: Member) -> str:
        """Name a standby that could lead. Raises HasyncError when there is none."""
        for member in self._members.list():
            status = member.streams.get(request.stream)
            if member.id != leader.id and status is not None and status.role == "standby" and status.able:
                return member.id
        raise HasyncError("no standby could lead, so nothing can be handed over", hint="'hasync status' says why")

    def _await_answer(self, order: Order) -> None:
        """Wait until the instance says that it begins. Raises HasyncError when it does not."""

        def answered() -> Order | None:
            standing = self._drills.get()
            if standing is None or standing.id != order.id:
                raise HasyncError("the order is gone from ZooKeeper", hint="somebody deleted it, or the session ended")
            return standing if standing.answer else None

        standing = self._until(answered, ANSWER_WITHIN_S, LOOK_S)
        if standing is None or standing.answer is None:
            raise HasyncError(
                f"{order.member} did not see the order within {ANSWER_WITHIN_S:g} s, and nothing was done",
                hint="an older release knows no drills; 'hasync status' says whether it is reachable",
            )
        if standing.answer.stage is Stage.REFUSED:
            raise HasyncError(f"{order.member} refuses: {standing.answer.message}", hint=standing.answer.hint)

    def _undone(self, request: Request, order: Order, target: Member) -> Undoing:
        """Wait until the instance is as it was before, or another start of it took its place."""
        limit_s = order.for_s + request.within_s

        def seen() -> Undoing | None:
            standing = self._drills.get()
            answer = standing.answer if standing is not None and standing.id == order.id else None
            if answer is not None and answer.stage is Stage.FAILED:
                return Undoing(done=False, message=answer.message, hint=answer.hint)
            said = answer is not None and answer.stage is Stage.UNDONE and not order.deed.ends_process
            return Undoing(done=True) if self._back(request, order, target, said=said) else None

        return self._until(seen, limit_s, UNDONE_LOOK_S) or _left(order, target, limit_s)

    def _back(self, request: Request, order: Order, target: Member, *, said: bool) -> bool:
        """Whether the instance stands ready for the stream again; ``said``: it says so itself."""
        now = next((member for member in self._members.list() if member.id == target.id), None)
        status = now.streams.get(request.stream) if now is not None else None
        if now is None or status is None or status.role not in ABLE:
            return False
        if order.deed is Deed.HAND_OVER:
            leader = self._terms.leader()
            return leader is not None and leader.member == order.to and status.role == "standby"
        return said or now.instance != target.instance

    def _until(self, look: Callable[[], Seen | None], within_s: float, every_s: float = UNDONE_LOOK_S) -> Seen | None:
        """Look until something is seen; None when the time is up. ZooKeeper's silence is no answer."""
        deadline = self._clock.monotonic() + within_s
        while self._clock.monotonic() < deadline:
            try:
                if (seen := look()) is not None:
                    return seen
            except (CoordinationUnavailable, CoordinationRefused):
                pass  # a member's node may be half a restart old
            self._clock.wait(self._never, every_s)
        return None

    def _mark(self, mark: Mark, text: str = "") -> None:
        self._recording.add(Marked(at_s=self._clock.monotonic(), mark=mark, text=text))


def _left(order: Order, target: Member, limit_s: float) -> Undoing:
    """Say what a drill left behind, and how to mend it."""
    where = f"{target.id} (process {target.pid} on {target.host or 'its host'})"
    messages = {
        Deed.CRASH: (f"{where} was killed and did not come back", "see its supervisor's log; start it: 'hasync run'"),
        Deed.RESTART: (f"{where} ended and did not come back", "see its supervisor's log; start it: 'hasync run'"),
        Deed.FREEZE: (f"{where} may stand still", f"kill -CONT {target.pid} there, or kill it: it is started again"),
        Deed.EXPIRE: (f"{where} has no session that lasts", "see its log; restart it"),
        Deed.HAND_OVER: (f"{order.to} does not lead", "'hasync status' and 'hasync history' say why"),
    }
    cut = (f"{where} does not say that it is connected again", "restart it: the cut lives in that process only")
    message, hint = messages.get(order.deed, cut)
    return Undoing(done=False, message=f"after {limit_s:g} s {message}", hint=hint)


def require_leader(terms: Terms, stream: str) -> Leader:
    """Return who leads. Raises HasyncError when nobody does: then there is nothing to break."""
    leader = terms.leader()
    if leader is None:
        raise HasyncError(f"nobody leads {stream}", hint="a drill begins with a healthy stream")
    return leader
