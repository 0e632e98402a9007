"""What ``hasync init-zk`` found of the tree in ZooKeeper, and what it did about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ZnodeState(StrEnum):
    """What became of one znode.

    ``created``, ``fixed``: done now. ``missing``: would be created. ``differs``: another ACL
    than new znodes get. ``present``: as it should be.
    """

    CREATED = "created"
    PRESENT = "present"
    MISSING = "missing"
    DIFFERS = "differs"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """One znode. ``detail``: in what its ACL differs, or differed; never a secret."""

    path: str
    state: ZnodeState
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return its part of ``-o json``."""
        return {"path": self.path, "state": self.state.value, "detail": self.detail}
