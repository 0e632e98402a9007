"""What an instance does for a stream, decided from what operators want of it. Pure."""

from dataclasses import dataclass
from typing import Final

from hasync.model.cluster import Intent, IntentKind
from hasync.model.member import Eligibility
from hasync.model.placement import eligibility
from hasync.term.watcher import StreamView

GIVE_WAY_S: Final = 10.0
"""How long others keep out of the queue for the one that is to lead; should it never come, they return."""

STANDING_BACK: Final = "standing back after"
"""How the detail of a role begins while others are let try first."""


@dataclass(frozen=True, slots=True)
class Role:
    """What an instance does for a stream, and why when that is not obvious.

    ``state``: starting, standby, leader, draining, paused, halted, disabled, barred, waiting.
    ``contends``: it may be elected.
    """

    state: str
    detail: str = ""
    contends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """This instance, as far as it matters for who leads: its id and its share of the streams."""

    member: str
    weight: int = 1

    def eligibility(self, view: StreamView) -> Eligibility:
        """Say whether it is meant to lead the stream under the config in force."""
        placement = view.compiled.config.placement if view.compiled else None
        pin, avoid = (placement.pin, placement.avoid) if placement else ((), ())
        return eligibility(self.member, weight=self.weight, pin=pin, avoid=avoid)


def role_of(view: StreamView, identity: Identity) -> Role:
    """Decide whether to contend, and whether a leader may go on."""
    return _unable(view) or _unwanted(view, identity) or Role("standby", view.refusal, contends=True)


def _unable(view: StreamView) -> Role | None:
    """Return the role while there is nothing to run, None when there is."""
    if not view.answered:
        return Role("waiting", view.refusal or "ZooKeeper has not answered yet")
    if view.compiled is None:
        return Role("waiting", view.refusal or "no config yet; apply one with 'hasync config apply'")
    if not view.compiled.config.enabled:
        return Role("disabled", "the config says enabled: false")
    return None


def _unwanted(view: StreamView, identity: Identity) -> Role | None:
    """Return the role while this instance must not run it, None when it may."""
    if view.halted is not None:
        return Role("halted", f"{view.halted.code}: {view.halted.reason}")
    if view.intent is not None and view.intent.pauses:
        return Role("paused", _why(view.intent))
    if view.compiled is not None and identity.eligibility(view) is Eligibility.BARRED:
        return Role("barred", f"the config pins the stream to {', '.join(view.compiled.config.placement.pin)}")
    return None


def _why(intent: Intent) -> str:
    return f"paused by {intent.by}" + (f": {intent.reason}" if intent.reason else "")


def queueing(view: StreamView, identity: Identity, now_s: float) -> Role:
    """Decide as :func:`role_of` for an instance that does not lead; it may have to give way for a while.

    ``now_s``: of the monotonic clock that the view was made by.
    """
    role, intent = role_of(view, identity), view.intent
    if not role.contends or intent is None or intent.kind is not IntentKind.SWITCHOVER:
        return role
    if intent.to == identity.member or now_s - view.intent_since_s >= GIVE_WAY_S:
        return role
    return Role("standby", f"gives way to {intent.to}, as {intent.by} wants")
