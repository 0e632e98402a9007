"""The drills there are."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hasync.model.drill import Deed


class DrillKind(StrEnum):
    """A drill, as the command and plans name it."""

    CRASH_LEADER = "crash-leader"
    FREEZE_LEADER = "freeze-leader"
    EXPIRE_SESSION = "expire-session"
    CUT_ZOOKEEPER = "cut-zookeeper"
    CUT_REDIS = "cut-redis"
    CUT_MYSQL = "cut-mysql"
    SWITCHOVER = "switchover"
    ROLLING_RESTART = "rolling-restart"

    @property
    def deed(self) -> Deed:
        """What instances are asked to do."""
        return DEEDS[self]

    @property
    def lasts(self) -> bool:
        """Whether it needs to be told for how long."""
        return self.deed.lasts

    @property
    def changes_leader(self) -> bool:
        """Whether it has proved nothing when the same term goes on: a short freeze or cut may well be outlived."""
        return not self.lasts


DEEDS: Final = {
    DrillKind.CRASH_LEADER: Deed.CRASH,
    DrillKind.FREEZE_LEADER: Deed.FREEZE,
    DrillKind.EXPIRE_SESSION: Deed.EXPIRE,
    DrillKind.CUT_ZOOKEEPER: Deed.CUT_ZOOKEEPER,
    DrillKind.CUT_REDIS: Deed.CUT_REDIS,
    DrillKind.CUT_MYSQL: Deed.CUT_MYSQL,
    DrillKind.SWITCHOVER: Deed.HAND_OVER,
    DrillKind.ROLLING_RESTART: Deed.RESTART,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One drill to run. ``for_s``: 0 where it does not last; ``within_s``: how long undoing may take."""

    id: str
    kind: DrillKind
    stream: str
    by: str
    for_s: float = 0.0
    within_s: float = 60.0
