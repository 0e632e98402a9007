"""What an operator may ask of a stream, at the command line or on the status page: pause, resume, switch over."""

from collections.abc import Callable
from dataclasses import dataclass

from hasync.coordination import StreamCoordination
from hasync.errors import HasyncError
from hasync.fleet.succession import Plan
from hasync.fleet.summary import Facts
from hasync.model.cluster import Halt, Intent, IntentKind
from hasync.model.member import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who asks, when (Unix seconds) and why; kept in the wish, the history and the log."""

    by: str
    at: float
    reason: str = ""


def pause(ports: StreamCoordination, operator: Operator, *, for_s: float | None = None) -> Intent:
    """Ask that nobody lead the stream; replaces any other wish. Returns the wish.

    It stands until somebody resumes, or for ``for_s`` seconds: then the instances take it
    away, within the ten seconds of their next look.
    """
    until = None if for_s is None else operator.at + for_s
    wish = Intent(kind=IntentKind.PAUSE, by=operator.by, at=operator.at, reason=operator.reason, until=until)
    ports.intents.put(wish)
    return wish


def hand_over(ports: StreamCoordination, plan: Plan, operator: Operator) -> Intent:
    """Ask what was planned, unless it stands already; a wish that is out of date gives way. Returns the wish.

    Raises HasyncError when another wish was made meanwhile.
    """
    if plan.standing is not None:
        return plan.standing
    wish = Intent(
        kind=IntentKind.SWITCHOVER,
        by=operator.by,
        at=operator.at,
        reason=operator.reason,
        to=plan.target,
        epoch=plan.leader.epoch,
    )
    if plan.outdated is not None:
        ports.intents.settle(plan.outdated)
    if not ports.intents.ask(wish):
        raise HasyncError(f"{plan.stream}: something else was asked for meanwhile", hint="'hasync status' says what")
    return wish


def resume(ports: StreamCoordination, members: tuple[Member, ...]) -> tuple[str, ...]:
    """Withdraw the pause, clear the halt, and say what was done; nothing when there was neither.

    A pause or a halt that this release cannot read is taken away all the same: that is its repair.
    """
    facts = Facts.read(ports, members)
    effective = facts.halt_in_force is not None
    steps: tuple[tuple[str, Callable[[], bool]], ...] = (
        (_withdrawn(facts.intent), ports.intents.clear),
        (_cleared(facts.halt, effective=effective), ports.halts.clear),
    )
    return tuple(line for line, clear in steps if clear())


def _withdrawn(intent: Intent | None) -> str:
    if intent is None:
        return "a pause that this release cannot read is withdrawn"
    what = "pause" if intent.pauses else f"{intent.kind.value} to {intent.to}"
    return f"{what} by {intent.by} is withdrawn" + (f" (its reason: {intent.reason})" if intent.reason else "")


def _cleared(halt: Halt | None, *, effective: bool) -> str:
    if halt is None:
        return "a halt that this release cannot read is cleared"
    if not effective:
        return f"no halt in force; the old one of config revision {halt.config_revision} is removed ({halt.code})"
    return f"halt is cleared ({halt.code}: {halt.reason})"
