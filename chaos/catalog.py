"""All faults by name, the pairs, and the short set of the tests."""

from typing import Final

from chaos.faults.database import SourceLost
from chaos.faults.fault import Fault
from chaos.faults.links import BadNetwork, DatabaseCut, Expiry, HeldRequest, LostReply, Orphan, RedisCut, ZooKeeperCut
from chaos.faults.machine import ClockJump, Names, Starved
from chaos.faults.processes import Freeze, Terminations, WorkerKill
from chaos.faults.redis import FailedOver, Killed, LostFence, OldPrimary
from chaos.faults.zookeeper import BadConfig, FrozenEnsemble, LostData, MembersLost

KINDS: Final[tuple[type[Fault], ...]] = (
    WorkerKill,
    Freeze,
    HeldRequest,
    Expiry,
    ZooKeeperCut,
    RedisCut,
    DatabaseCut,
    MembersLost,
    FrozenEnsemble,
    LostData,
    Orphan,
    SourceLost,
    Killed,
    FailedOver,
    OldPrimary,
    LostFence,
    LostReply,
    BadNetwork,
    ClockJump,
    Starved,
    BadConfig,
    Terminations,
    Names,
)
FAULTS: Final[dict[str, type[Fault]]] = {kind.name: kind for kind in KINDS}

PAIRS: Final = ("F2xF20", "F5xF12", "F8xF19", "F25xF2")
SHORT: Final = ("F1", "F4", "F7", "F20", "F25xF2")
"""The cheapest and most telling ones: a dead leader, a lost session, a lost link, lost writes, and a pair."""

ALL: Final = (*(name for name in FAULTS if name != "F25"), *PAIRS)
"""What a random schedule draws from: every fault, and the pairs; F25 comes in its pair, and alone by name."""


def faults(name: str) -> list[Fault]:
    """Return the faults of a name such as "F2" or "F2xF20". Raises ValueError."""
    parts = name.replace("\u00d7", "x").replace("X", "x").split("x")
    unknown = [part for part in parts if part not in FAULTS]
    if unknown:
        raise ValueError(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}, and pairs such as F2xF20")
    return [FAULTS[part]() for part in parts]
