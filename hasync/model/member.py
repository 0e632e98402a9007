"""One running instance, as the others see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from hasync.model.cluster import FORMAT, checked, lacking


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """What one instance says about one stream.

    ``role``: a short word such as leader, standby, halted. ``able``: its last preflight
    found nothing that would keep it from leading.
    """

    role: str
    epoch: int = 0
    detail: str = ""
    able: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One running instance.

    ``id``: its stable name; two live processes must not share one. ``instance``: random
    per process start, tells an own former session from somebody else's. ``address``:
    where its HTTP endpoint listens. ``started_at``: Unix seconds.
    """

    id: str
    instance: str
    address: str = ""
    host: str = ""
    pid: int = 0
    version: str = ""
    started_at: float = 0.0
    streams: Mapping[str, StreamStatus] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/member.json``)."""
        return {
            "v": FORMAT,
            "id": self.id,
            "instance": self.instance,
            "address": self.address,
            "host": self.host,
            "pid": self.pid,
            "version": self.version,
            "started_at": self.started_at,
            "streams": {
                name: {"role": status.role, "epoch": status.epoch, "detail": status.detail, "able": status.able}
                for name, status in sorted(self.streams.items())
            },
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        data = checked(document, "member")
        try:
            return cls(
                id=str(data["id"]),
                instance=str(data["instance"]),
                address=str(data.get("address", "")),
                host=str(data.get("host", "")),
                pid=int(data.get("pid", 0)),
                version=str(data.get("version", "")),
                started_at=float(data.get("started_at", 0.0)),
                streams={
                    name: StreamStatus(
                        role=str(status["role"]),
                        epoch=int(status["epoch"]),
                        detail=str(status.get("detail", "")),
                        able=bool(status.get("able", False)),
                    )
                    for name, status in data.get("streams", {}).items()
                },
            )
        except KeyError as missing:
            raise lacking("member", missing) from missing
