"""What the supervisor is told at its start; it reads no settings itself, so that it stays small."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How patient the supervisor is; all in seconds but for ``give_up_after``.

    ``heartbeat_s``: silence of the whole worker; ``stall_s``: one loop that does not turn;
    ``start_s``: until the first sign of life; ``stop_s``: an orderly end. ``restart_min_s``
    doubles up to ``restart_max_s`` with each crash in a row; ``healthy_s`` of life ends the
    row, ``give_up_after`` crashes in it end the supervisor (0: never).
    """

    heartbeat_s: float
    stall_s: float
    stop_s: float
    restart_min_s: float
    restart_max_s: float
    healthy_s: float
    give_up_after: int
    start_s: float = 60.0

    @property
    def tick_s(self) -> float:
        """How often to look at the clock: often enough to notice silence within a tenth of its budget."""
        return min(0.5, max(0.05, self.heartbeat_s / 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """Where sessions are closed. ``auth`` and ``key_password``: references (``env:NAME``), never the secrets."""

    hosts: tuple[str, ...]
    session_timeout_s: float
    auth: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    key_password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that the supervisor needs. ``as_json``: the form of its log lines."""

    member: str
    as_json: bool
    limits: Limits
    ensemble: Ensemble

    def dump(self) -> bytes:
        """Return it as JSON; it holds no secret."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, raw: bytes) -> Self:
        """Read what :meth:`dump` wrote."""
        document: dict[str, Any] = json.loads(raw)
        ensemble = document["ensemble"] | {"hosts": tuple(document["ensemble"]["hosts"])}
        limits = {field.name: document["limits"][field.name] for field in fields(Limits)}
        return cls(
            member=document["member"],
            as_json=document["as_json"],
            limits=Limits(**limits),
            ensemble=Ensemble(**ensemble),
        )
