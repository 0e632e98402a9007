"""What the leader says of a stream, asked at its admin port."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from hasync.model.cluster import Leader
from hasync.model.names import Endpoint, Fault

TIMEOUT_S: Final = 1.0
MAX_BYTES: Final = 1024 * 1024
DEFAULT_PORT: Final = 9187


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderStatus:
    """A leader's own words on one stream.

    ``reached`` is False when it could not be asked, and ``why`` says why; then all else
    is unknown. ``troubles``: what it is trying again now, by operation; ``degraded``: it
    has been doing so for long. ``behind_bytes``: of binlog that are not applied, up to
    ``source_end`` (``file:pos``).
    """

    reached: bool
    why: str = ""
    lag_s: float | None = None
    config_revision: int = 0
    config_refusal: str = ""
    troubles: Mapping[str, str] = field(default_factory=dict)
    degraded: bool = False
    rows_applied: int = 0
    behind_bytes: int | None = None
    source_end: str = ""

    @classmethod
    def of(cls, document: Any, stream: str, leader: Leader) -> Self:
        """Read the stream's part of a status document; what a release of another age leaves out is unknown.

        Somebody else may answer at a leader's address: its successor after a restart on the
        same host, or another host where every instance listens on the same loopback port.
        """
        streams = document.get("streams") if isinstance(document, dict) else None
        part = streams.get(stream) if isinstance(streams, dict) else None
        if not isinstance(part, dict):
            return cls(reached=False, why="its status does not speak of the stream")
        if document.get("member") != leader.member or part.get("epoch") != leader.epoch:
            other = f"{document.get('member')!r} in epoch {part.get('epoch')}"
            return cls(reached=False, why=f"at {leader.address} not the leader answers but {other}")
        lag, behind = part.get("lag_seconds"), part.get("behind_bytes")
        return cls(
            reached=True,
            lag_s=float(lag) if isinstance(lag, int | float) else None,
            config_revision=int(part.get("config_revision") or 0),
            config_refusal=str(part.get("config_refusal") or ""),
            troubles={str(name): str(why) for name, why in (part.get("degraded") or {}).items()},
            degraded=bool(part.get("degraded_long")),
            rows_applied=int(part.get("rows_applied") or 0),
            behind_bytes=int(behind) if isinstance(behind, int) else None,
            source_end=str(part.get("source_end") or ""),
        )


def ask_leader(leader: Leader, stream: str) -> LeaderStatus:
    """Ask the leader's admin port for ``/status``. Never raises; takes a second or two at most."""
    said = ask_status(leader.address)
    return LeaderStatus.of(said.document, stream, leader) if said.reached else LeaderStatus(reached=False, why=said.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An instance's status document, or why there is none."""

    document: Any = None
    why: str = ""

    @property
    def reached(self) -> bool:
        """Whether there is one."""
        return not self.why


def ask_status(address: str) -> Said:
    """Ask an admin port for ``/status``. Never raises; takes a second or two at most."""
    try:
        return Said(document=_fetched(Endpoint.parse(address, default_port=DEFAULT_PORT)))
    except Fault:
        return Said(why="it has published no address")
    except (OSError, http.client.HTTPException) as error:
        return Said(why=f"{address} does not answer ({_why(error)})")
    except ValueError:
        return Said(why=f"{address} answers with something else than a status")


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


def _fetched(endpoint: Endpoint) -> Any:
    # Not urllib: it would follow redirects, and a proxy of the environment's.
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/status", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read(MAX_BYTES)
        if answer.status != http.client.OK:
            raise OSError(f"HTTP {answer.status}")
        return json.loads(body)
    finally:
        connection.close()
