"""One running instance, as the others see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from hasync.model.cluster import FORMAT, checked, lacking


class Eligibility(StrEnum):
    """Whether an instance is meant to lead a stream (``placement`` in the config, ``weight`` in the settings).

    ``preferred``: yes. ``reserve``: only while nobody preferred can. ``barred``: never.
    """

    PREFERRED = "preferred"
    RESERVE = "reserve"
    BARRED = "barred"


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
    eligibility: Eligibility = Eligibility.PREFERRED

    def to_json(self) -> dict[str, Any]:
        """Return the stored form, a part of ``zk/payloads/member.json``."""
        return {
            "role": self.role,
            "epoch": self.epoch,
            "detail": self.detail,
            "able": self.able,
            "eligibility": self.eligibility.value,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form; older releases leave out what came later. Raises KeyError, ValueError."""
        return cls(
            role=str(document["role"]),
            epoch=int(document["epoch"]),
            detail=str(document.get("detail", "")),
            able=bool(document.get("able", False)),
            eligibility=Eligibility(document.get("eligibility", Eligibility.PREFERRED)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One running instance.

    ``id``: its stable name; two live processes must not share one. ``instance``: random
    per process start, tells an own former session from somebody else's. ``address``:
    where its HTTP endpoint listens. ``started_at``: Unix seconds. ``weight``: its share of
    the streams; 0 leads only what nobody else can. ``restarts``: how often its supervisor has
    started it again; ``last_exit``: how it ended the last time. ``drained``: who wants it to be without
    streams, and why; empty while nobody does.
    """

    id: str
    instance: str
    address: str = ""
    host: str = ""
    pid: int = 0
    version: str = ""
    started_at: float = 0.0
    weight: int = 1
    restarts: int = 0
    last_exit: str = ""
    drained: str = ""
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
            "weight": self.weight,
            "restarts": self.restarts,
            "last_exit": self.last_exit,
            **({"drained": self.drained} if self.drained else {}),
            "streams": {name: status.to_json() for name, status in sorted(self.streams.items())},
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
                weight=int(data.get("weight", 1)),
                restarts=int(data.get("restarts", 0)),
                last_exit=str(data.get("last_exit", "")),
                drained=str(data.get("drained", "")),
                streams={name: StreamStatus.from_json(status) for name, status in data.get("streams", {}).items()},
            )
        except KeyError as missing:
            raise lacking("member", missing) from missing
