"""Which bounds are searched: the short ones in each test run, the deep ones by ``make model``."""

from hasync.model.resume import MissingStatePolicy
from tests.model.faults import KINDS
from tests.model.world import Bounds


def _some(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


HALT = MissingStatePolicy.HALT

SHORT = {
    "any one fault, two rows": Bounds(faults=1, kinds=KINDS),
    "any one fault, on_missing_state: halt": Bounds(faults=1, kinds=KINDS, policy=HALT),
    "any one fault, commands that may be refused": Bounds(faults=1, kinds=KINDS, rows="+h"),
    "any one fault, three members": Bounds(faults=1, kinds=KINDS, rows="+", members=3),
    "two faults: lost replies, lost sessions": Bounds(faults=2, kinds=_some("timeout", "expire")),
}

DEEP = {
    "any two faults, two rows": Bounds(faults=2, kinds=KINDS),
    "two faults, commands that may be refused": Bounds(
        faults=2, kinds=_some("refusal", "expire", "timeout", "flush"), rows="+h"
    ),
    "any fault, three rows of both kinds": Bounds(faults=1, kinds=KINDS, rows="+h+", lag=3),
    "three faults: lost replies, lost sessions": Bounds(faults=3, kinds=_some("timeout", "expire")),
    "two faults, three members": Bounds(faults=2, kinds=_some("timeout", "expire", "failover"), rows="+", members=3),
}
