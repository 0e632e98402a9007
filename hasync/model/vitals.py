"""What a worker and its supervisor tell each other: small values, one JSON object a packet.

The pipe between them keeps packets whole, so a message needs no length of its own. The
session's password goes over it and nowhere else (I12): never log a packet.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hasync.model.cluster import SessionCredential


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHeld:
    """The worker's ZooKeeper session is this one now; ``credential`` None: it holds none that needs closing."""

    credential: SessionCredential | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The worker lives. ``ages_s``: for each of its loops, the seconds since it last turned.

    ``maintenance``: an operator has paused all its streams, so nothing is urgent.
    """

    ages_s: Mapping[str, float] = field(default_factory=dict)
    maintenance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The worker is about to exit on purpose, with this code: starting it again would change nothing."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the supervisor has seen so far, told to each worker at its start.

    ``last_exit``: how the worker before this one ended, empty when there was none;
    ``last_exit_at``: Unix seconds, 0 for never.
    """

    pid: int = 0
    restarts: int = 0
    sessions_closed: int = 0
    last_exit: str = ""
    last_exit_at: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as ``/status`` shows it."""
        return {
            "pid": self.pid,
            "restarts": self.restarts,
            "sessions_closed": self.sessions_closed,
            "last_exit": self.last_exit or None,
            "last_exit_at": self.last_exit_at or None,
        }


Message = SessionHeld | Pulse | Goodbye | Past


def packed(message: Message) -> bytes:
    """Return a message as a packet."""
    return json.dumps(_document(message), separators=(",", ":")).encode()


def _document(message: Message) -> dict[str, Any]:
    if isinstance(message, SessionHeld):
        held = message.credential
        return {"kind": "session", "id": held.session_id, "password": held.password.hex()} if held else _NO_SESSION
    if isinstance(message, Pulse):
        return {"kind": "pulse", "ages_s": dict(message.ages_s), "maintenance": message.maintenance}
    if isinstance(message, Goodbye):
        return {"kind": "goodbye", "code": message.code, "reason": message.reason}
    return {"kind": "past", **message.to_json()}


_NO_SESSION = {"kind": "session", "id": 0, "password": ""}


def unpacked(packet: bytes) -> Message:
    """Read a packet. Raises ValueError for one that this release does not know.

    After an upgrade in place the supervisor is of the older release and its next worker
    of the newer one, so both pass over what they do not know.
    """
    document = json.loads(packet)
    try:
        return _READERS[document["kind"]](document)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a packet of the lifeline: {type(error).__name__}") from None


def _session(document: Mapping[str, Any]) -> SessionHeld:
    if not document["id"]:
        return SessionHeld(credential=None)
    password = bytes.fromhex(document["password"])
    return SessionHeld(credential=SessionCredential(session_id=int(document["id"]), password=password))


def _past(document: Mapping[str, Any]) -> Past:
    return Past(
        pid=int(document["pid"]),
        restarts=int(document["restarts"]),
        sessions_closed=int(document["sessions_closed"]),
        last_exit=document["last_exit"] or "",
        last_exit_at=float(document["last_exit_at"] or 0),
    )


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Message]] = {
    "session": _session,
    "pulse": lambda document: Pulse(ages_s=document["ages_s"], maintenance=bool(document["maintenance"])),
    "goodbye": lambda document: Goodbye(code=int(document["code"]), reason=str(document["reason"])),
    "past": _past,
}
