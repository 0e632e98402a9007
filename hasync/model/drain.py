"""An instance that operators want to be without streams, for as long as they want."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from hasync.model.cluster import FORMAT, checked, lacking


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """The wish that one member lead nothing that another one can; outlives its restarts. ``at``: Unix seconds."""

    member: str
    by: str
    at: float
    reason: str = ""

    @property
    def told(self) -> str:
        """Who wants it, and why, in words."""
        return f"drained by {self.by}" + (f": {self.reason}" if self.reason else "")

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/drain.json``)."""
        return {"v": FORMAT, "member": self.member, "by": self.by, "at": self.at, "reason": self.reason}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        data = checked(document, "drain")
        try:
            return cls(
                member=str(data["member"]),
                by=str(data["by"]),
                at=float(data["at"]),
                reason=str(data.get("reason", "")),
            )
        except KeyError as missing:
            raise lacking("drain", missing) from missing
