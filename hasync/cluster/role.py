"""What an instance should do for a stream, decided from what it knows; pure, so that a table can test it."""

from dataclasses import dataclass
from enum import StrEnum

from hasync.model.cluster import Halt, Intent


class Role(StrEnum):
    """What to do for a stream now.

    Every value but CONTEND and LEAD means: leave the election's queue, and if leading,
    end the term and give the lock back.
    """

    LEAD = "lead"
    CONTEND = "contend"
    REST = "rest"
    PAUSED = "paused"
    HALTED = "halted"
    AWAIT_CONFIG = "await_config"
    AWAIT_SESSION = "await_session"
    LEAVE = "leave"
    QUIT = "quit"


class ConfigStanding(StrEnum):
    """What is known of the stream's config: READY means a good one is loaded, be it the last good one."""

    ABSENT = "absent"
    INVALID = "invalid"
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleView:
    """All that the decision depends on.

    ``refused``: why the session will never come back, empty when it may. ``connected``:
    a ZooKeeper server answers now. ``leading``: a leadership that is not over.
    ``config_revision``: of the config in force, 0 for none. ``local_fault``: why this
    instance gave the stream up lately and lets others try first, empty when it does not.
    """

    stopping: bool = False
    refused: str = ""
    connected: bool = True
    confirmed: bool = True
    leading: bool = False
    config: ConfigStanding = ConfigStanding.READY
    config_revision: int = 0
    halt: Halt | None = None
    intent: Intent | None = None
    local_fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do and why, in words for the log and for ``status``."""

    role: Role
    reason: str


def decide(view: RoleView) -> Decision:
    """Return what this instance does for the stream.

    The order is the meaning: first what ends everything, then what humans ordered, then
    what a term needs. A leader without ZooKeeper goes on: nobody can be elected without
    it either, and the sink fences (design: "SUSPENDED is not LOST").
    """
    ordered = _ordered(view)
    if ordered is not None:
        return ordered
    if view.leading:
        return Decision(role=Role.LEAD, reason="leading" if view.confirmed else "leading; ZooKeeper does not answer")
    return _standby(view)


def _ordered(view: RoleView) -> Decision | None:
    """Return what is not for this instance to choose, None when it is free."""
    if view.stopping:
        return Decision(role=Role.LEAVE, reason="shutting down")
    if view.refused:
        return Decision(role=Role.QUIT, reason=view.refused)
    if view.halt is not None and view.halt.in_force(view.config_revision):
        return Decision(role=Role.HALTED, reason=f"{view.halt.code}: {view.halt.reason}")
    if view.intent is not None:
        return Decision(role=Role.PAUSED, reason=f"paused by {view.intent.by}")
    return None


def _standby(view: RoleView) -> Decision:
    """Return whether to contend."""
    if not view.connected:
        return Decision(role=Role.AWAIT_SESSION, reason="not connected to ZooKeeper")
    if view.config is ConfigStanding.ABSENT:
        return Decision(role=Role.AWAIT_CONFIG, reason="the stream has no config")
    if view.config is ConfigStanding.INVALID:
        return Decision(role=Role.AWAIT_CONFIG, reason="the config is invalid and none was good before")
    if view.local_fault:
        return Decision(role=Role.REST, reason=view.local_fault)
    return Decision(role=Role.CONTEND, reason="ready to take over")
