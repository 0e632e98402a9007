"""What the cluster knows: members, leadership, terms, config revisions, halts and intents, as values.

Every stored value has ``to_json``/``from_json``; the JSON schemas are in
``zk/payloads``. A reader refuses a format newer than its own (ValueError), because
what it cannot understand it must not act on. No value holds a secret or a row (I12).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from hasync.errors import EndReason
from hasync.model.position import Position

FORMAT = 1
"""Version of every JSON form below; a reader accepts this and the one before."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""What a stream or a member may be called: it becomes the name of a znode and of a Redis key."""

MESSAGE_LETTERS = 200
"""The most that a term's record keeps of how it ended; the log has the whole."""


def checked(document: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """Return the document if this release reads its format. Raises ValueError."""
    version = document.get("v")
    if version != FORMAT:
        raise ValueError(f"{what} has format v={version!r}, this release reads v={FORMAT}")
    return document


def lacking(what: str, error: KeyError) -> ValueError:
    """Return the error for a field that a stored form must have."""
    return ValueError(f"{what} lacks the field {error.args[0]!r}")


def _position(document: Any) -> Position | None:
    return Position.from_json(document) if document else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCredential:
    """Session id and password: whoever has both can re-attach to the session and close it.

    ``password`` is kept out of ``repr``; it must not be logged or stored in ZooKeeper.
    """

    session_id: int
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leadership:
    """Proof of having won the election of one stream, good for one session only.

    ``lock_path`` and ``lock_version`` go into every guarded write, so that it fails once
    the lock node is gone. ``czxid`` rises with each election of one ensemble.
    ``generation`` is the session's; when the session is lost, its number rises and the
    leadership is void for good, even if a new session comes up at once (K4). ``waited_s``:
    seconds from the predecessor's end being seen to the lock being known as ours; 0 without one.
    """

    stream: str
    member: str
    lock_path: str
    lock_version: int
    czxid: int
    session_id: int
    generation: int
    waited_s: float = field(default=0.0, compare=False)

    @property
    def lock(self) -> str:
        """The lock node's own name: unique for ever, it marks what this leader wrote (K19)."""
        return self.lock_path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """The epoch counter of a stream and who raised it last.

    ``lock`` names the lock node of the election that raised it: after an unknown outcome
    it tells an own success from somebody else's.
    """

    epoch: int
    member: str
    lock: str

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/epoch.json``)."""
        return {"v": FORMAT, "epoch": self.epoch, "member": self.member, "lock": self.lock}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        data = checked(document, "epoch")
        try:
            return cls(epoch=int(data["epoch"]), member=str(data["member"]), lock=str(data["lock"]))
        except KeyError as missing:
            raise lacking("epoch", missing) from missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """Who leads a stream, for those who look; nobody decides by it.

    ``since``: Unix seconds. ``address``: where its HTTP endpoint listens, may be empty.
    """

    member: str
    epoch: int
    since: float
    address: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/leader.json``)."""
        return {
            "v": FORMAT,
            "member": self.member,
            "epoch": self.epoch,
            "since": self.since,
            "address": self.address,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        data = checked(document, "leader")
        try:
            return cls(
                member=str(data["member"]),
                epoch=int(data["epoch"]),
                since=float(data["since"]),
                address=str(data.get("address", "")),
            )
        except KeyError as missing:
            raise lacking("leader", missing) from missing


@dataclass(frozen=True, slots=True, kw_only=True)
class TermRecord:
    """One term in the history of a stream.

    ``since``/``until``: Unix seconds; ``until`` and ``end_reason`` are None while the
    term runs, and stay so when its leader died without a word. ``begin``/``end``: where
    it started and what it had acknowledged last. ``note``: how the start was decided.
    ``message``: what its leader said of the end, cut to :data:`MESSAGE_LETTERS`; empty
    where the reason says all, and in records of older releases. ``takeover_ms``: how long each
    step of the takeover took, in their order; empty where the lock was kept.
    """

    epoch: int
    member: str
    since: float
    until: float | None = None
    end_reason: EndReason | None = None
    begin: Position | None = None
    end: Position | None = None
    note: str = ""
    message: str = ""
    takeover_ms: Mapping[str, float] = field(default_factory=dict)

    def ended(self, reason: EndReason, message: str, *, until: float, end: Position | None) -> Self:
        """Return the record of the term once it is over; ``until``: Unix seconds."""
        return replace(self, until=until, end_reason=reason, end=end, message=message[:MESSAGE_LETTERS])

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/term.json``)."""
        return {
            "v": FORMAT,
            "epoch": self.epoch,
            "member": self.member,
            "since": self.since,
            "until": self.until,
            "end_reason": self.end_reason.value if self.end_reason else None,
            "begin": self.begin.to_json() if self.begin else None,
            "end": self.end.to_json() if self.end else None,
            "note": self.note,
            "message": self.message,
            "takeover_ms": dict(self.takeover_ms),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        data = checked(document, "term")
        until, reason = data.get("until"), data.get("end_reason")
        try:
            return cls(
                epoch=int(data["epoch"]),
                member=str(data["member"]),
                since=float(data["since"]),
                until=None if until is None else float(until),
                end_reason=None if reason is None else EndReason(reason),
                begin=_position(data.get("begin")),
                end=_position(data.get("end")),
                note=str(data.get("note", "")),
                message=str(data.get("message", "")),
                takeover_ms={str(step): float(took) for step, took in data.get("takeover_ms", {}).items()},
            )
        except KeyError as missing:
            raise lacking("term", missing) from missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRevision:
    """A stream's config document as it was applied.

    ``document``: the YAML text, unchanged. ``revision`` counts from 1 and never repeats
    for a stream. ``applied_at``: Unix seconds.
    """

    revision: int
    document: str
    applied_at: float
    applied_by: str
    comment: str = ""

    @property
    def sha256(self) -> str:
        """Fingerprint of the document, to compare revisions and to detect a hand-edited znode."""
        return hashlib.sha256(self.document.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/config.json``)."""
        return {
            "v": FORMAT,
            "revision": self.revision,
            "document": self.document,
            "applied_at": self.applied_at,
            "applied_by": self.applied_by,
            "comment": self.comment,
            "sha256": self.sha256,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one, or the fingerprint differs."""
        data = checked(document, "config")
        try:
            revision = cls(
                revision=int(data["revision"]),
                document=str(data["document"]),
                applied_at=float(data["applied_at"]),
                applied_by=str(data["applied_by"]),
                comment=str(data.get("comment", "")),
            )
            if revision.sha256 != data["sha256"]:
                raise ValueError("config was edited by hand: its sha256 does not match the document")
        except KeyError as missing:
            raise lacking("config", missing) from missing
        return revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A stream is stopped because no instance can help it; only a human can.

    In force until another config revision is applied or an operator deletes it
    (``hasync resume``). Standbys do not contend meanwhile, so one Fatal error is not
    met again by one instance after the other. ``code`` is the error's; ``at``: Unix
    seconds.
    """

    code: str
    reason: str
    hint: str
    member: str
    epoch: int
    position: Position | None
    config_revision: int
    at: float

    def in_force(self, config_revision: int) -> bool:
        """Whether the stream stays stopped under this config revision."""
        return self.config_revision == config_revision

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/halt.json``)."""
        return {
            "v": FORMAT,
            "code": self.code,
            "reason": self.reason,
            "hint": self.hint,
            "member": self.member,
            "epoch": self.epoch,
            "position": self.position.to_json() if self.position else None,
            "config_revision": self.config_revision,
            "at": self.at,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        data = checked(document, "halt")
        try:
            return cls(
                code=str(data["code"]),
                reason=str(data["reason"]),
                hint=str(data["hint"]),
                member=str(data["member"]),
                epoch=int(data["epoch"]),
                position=_position(data.get("position")),
                config_revision=int(data["config_revision"]),
                at=float(data["at"]),
            )
        except KeyError as missing:
            raise lacking("halt", missing) from missing


class IntentKind(StrEnum):
    """What is wanted of a stream: that nobody leads it, or that somebody else does."""

    PAUSE = "pause"
    SWITCHOVER = "switchover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A wish for a stream, an operator's or an over-loaded leader's, in force until it is deleted.

    ``at``: Unix seconds. ``to`` and ``epoch`` are a switchover's: who is to lead, and the
    term that is to end. A leader that was elected later finds the wish fulfilled, so it is
    safe to see it twice. ``until`` is a pause's: Unix seconds from which on any instance
    takes it away; None: an operator does.
    """

    kind: IntentKind
    by: str
    at: float
    reason: str = ""
    to: str = ""
    epoch: int = 0
    until: float | None = None

    def over(self, now_s: float) -> bool:
        """Whether its time is up; ``now_s``: Unix seconds."""
        return self.until is not None and now_s >= self.until

    @property
    def pauses(self) -> bool:
        """Whether nobody is to lead."""
        return self.kind is IntentKind.PAUSE

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/intent.json``)."""
        stored = {"v": FORMAT, "kind": self.kind.value, "by": self.by, "at": self.at, "reason": self.reason}
        if self.kind is IntentKind.SWITCHOVER:
            return {**stored, "to": self.to, "epoch": self.epoch}
        return stored if self.until is None else {**stored, "until": self.until}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        data = checked(document, "intent")
        try:
            return cls(
                kind=IntentKind(data["kind"]),
                by=str(data["by"]),
                at=float(data["at"]),
                reason=str(data.get("reason", "")),
                to=str(data.get("to", "")),
                epoch=int(data.get("epoch", 0)),
                until=None if data.get("until") is None else float(data["until"]),
            )
        except KeyError as missing:
            raise lacking("intent", missing) from missing
