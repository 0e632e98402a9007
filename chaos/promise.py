"""What a fault may cost, and nothing beyond it: the invariants of a round depend on it."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """All that a fault explains.

    ``terms``: changes of term (I7).  ``budget_s``: from healing to full convergence.  ``loses_redis``: acknowledged
    writes may be gone, and have to be done again (I5).  ``empties_redis``: the state key may be gone.
    ``redis_kills``: so often the last writes of a Redis may die unheard with it.  ``loses_zookeeper``: its position
    may go back by itself.  ``moves``: an operator moved the stream, as the remedy says.
    """

    terms: int = 1
    budget_s: float = 30.0
    loses_redis: bool = False
    empties_redis: bool = False
    redis_kills: int = 0
    loses_zookeeper: bool = False
    moves: bool = False

    def with_(self, other: Self) -> "Promise":
        """Return what both faults together may cost."""
        return Promise(
            terms=self.terms + other.terms,
            budget_s=max(self.budget_s, other.budget_s) + 10,
            loses_redis=self.loses_redis or other.loses_redis,
            empties_redis=self.empties_redis or other.empties_redis,
            redis_kills=self.redis_kills + other.redis_kills,
            loses_zookeeper=self.loses_zookeeper or other.loses_zookeeper,
            moves=self.moves or other.moves,
        )
