"""The state key: fence, sequence and position of a stream in one value of one Redis key."""

from dataclasses import dataclass
from typing import Any, Self

from hasync.model.position import Position

FORMAT = 1


def state_key(stream: str) -> str:
    """Return the Redis key that holds the stream's state; the hash tag keeps it and its kin in one slot."""
    return f"hasync:{{{stream}}}:state"


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """What the sink has applied, and under whose epoch.

    ``seq`` counts batches and rises by exactly one with each (I5). ``position`` is None
    only between the first claim of a new stream and its first batch or anchor.
    ``source`` names the server (``server_uuid``), ``applied_at`` is wall-clock Unix
    seconds, for display. ``redo_from``: set when the last batch held commands that
    Redis may have refused one by one (WRONGTYPE); until a later write clears it, a
    successor replays from there, which is harmless for such batches.
    """

    epoch: int
    seq: int
    position: Position | None
    source: str = ""
    applied_at: float = 0.0
    redo_from: Position | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/state.json``)."""
        return {
            "v": FORMAT,
            "epoch": self.epoch,
            "seq": self.seq,
            "position": self.position.to_json() if self.position else None,
            "source": self.source,
            "applied_at": self.applied_at,
            "redo_from": self.redo_from.to_json() if self.redo_from else None,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        if document.get("v") != FORMAT:
            raise ValueError(f"state has format v={document.get('v')!r}, this release reads v={FORMAT}")
        position, redo_from = document.get("position"), document.get("redo_from")
        try:
            return cls(
                epoch=int(document["epoch"]),
                seq=int(document["seq"]),
                position=Position.from_json(position) if position else None,
                source=str(document.get("source", "")),
                applied_at=float(document.get("applied_at", 0.0)),
                redo_from=Position.from_json(redo_from) if redo_from else None,
            )
        except KeyError as missing:
            raise ValueError(f"state lacks the field {missing.args[0]!r}") from missing

    def same_write(self, other: "SinkState") -> bool:
        """Whether both describe the same write: epoch, sequence and place."""
        if (self.epoch, self.seq) != (other.epoch, other.seq):
            return False
        if self.position is None or other.position is None:
            return self.position is other.position
        return self.position.same_place(other.position)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The position in ZooKeeper: a lagging copy of the sink's state that survives Redis."""

    epoch: int
    seq: int
    position: Position
    acknowledged_at: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/position.json``)."""
        return {
            "v": FORMAT,
            "epoch": self.epoch,
            "seq": self.seq,
            "position": self.position.to_json(),
            "acknowledged_at": self.acknowledged_at,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        if document.get("v") != FORMAT:
            raise ValueError(f"acknowledged position has format v={document.get('v')!r}, this release reads v={FORMAT}")
        try:
            return cls(
                epoch=int(document["epoch"]),
                seq=int(document["seq"]),
                position=Position.from_json(document["position"]),
                acknowledged_at=float(document.get("acknowledged_at", 0.0)),
            )
        except KeyError as missing:
            raise ValueError(f"acknowledged position lacks the field {missing.args[0]!r}") from missing
