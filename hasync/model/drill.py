"""What a drill asks one instance to do to itself, and what the instance answers.

Order and answer share one znode that lives as long as the session of the command that
made it (``zk/payloads/drill.json``), so that an order nobody waits for is gone. It is
addressed to one *process start*: a worker that comes back after the fault is another
one, and never carries the same order out again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from hasync.model.cluster import FORMAT, checked, lacking

LONGEST_S = 600.0
"""The longest fault that an instance inflicts on itself, in seconds."""


class Deed(StrEnum):
    """What an instance does to itself."""

    CRASH = "crash"
    """Its worker ends with SIGKILL."""
    FREEZE = "freeze"
    """Its worker stands still (SIGSTOP) for a while."""
    EXPIRE = "expire"
    """Its ZooKeeper session is closed behind its back."""
    CUT_ZOOKEEPER = "cut-zookeeper"
    CUT_REDIS = "cut-redis"
    CUT_MYSQL = "cut-mysql"
    HAND_OVER = "hand-over"
    """It asks that another instance lead, as a switchover does."""
    RESTART = "restart"
    """Its worker ends in order (SIGTERM) and is started again by its supervisor."""

    @property
    def lasts(self) -> bool:
        """Whether it is done for a while, and undone after that."""
        return self in {Deed.FREEZE, Deed.CUT_ZOOKEEPER, Deed.CUT_REDIS, Deed.CUT_MYSQL}

    @property
    def ends_process(self) -> bool:
        """Whether it is undone by a new process, which only its supervisor can start."""
        return self in {Deed.CRASH, Deed.RESTART}


class Stage(StrEnum):
    """How far an instance has come with an order."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    """Written before it begins: what comes next may take the power to write away."""
    UNDONE = "undone"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the instance says. ``at``: Unix seconds on its own clock; ``message`` and ``hint``: why not, what to do."""

    stage: Stage
    at: float
    message: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the stored form, a part of ``zk/payloads/drill.json``."""
        return {"stage": self.stage.value, "at": self.at, "message": self.message, "hint": self.hint}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises KeyError, ValueError."""
        return cls(
            stage=Stage(document["stage"]),
            at=float(document["at"]),
            message=str(document.get("message", "")),
            hint=str(document.get("hint", "")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One deed, asked of one process.

    ``member`` and ``instance``: who, and which start of it. ``epoch``: the term it must
    lead in to be meant, 0 for whatever it does. ``for_s``: how long, 0 where the deed does
    not last. ``to``: who is to lead after a hand-over. ``at``: Unix seconds.
    """

    id: str
    deed: Deed
    member: str
    instance: str
    by: str
    at: float
    epoch: int = 0
    for_s: float = 0.0
    to: str = ""
    answer: Answer | None = None

    def answered(self, answer: Answer) -> Self:
        """Return the order with its answer."""
        return replace(self, answer=answer)

    def to_json(self) -> dict[str, Any]:
        """Return the stored form (``zk/payloads/drill.json``)."""
        return {
            "v": FORMAT,
            "id": self.id,
            "deed": self.deed.value,
            "member": self.member,
            "instance": self.instance,
            "by": self.by,
            "at": self.at,
            "epoch": self.epoch,
            "for_s": self.for_s,
            "to": self.to,
            "answer": self.answer.to_json() if self.answer else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored form. Raises ValueError when it is not one."""
        data = checked(document, "drill")
        try:
            return cls(
                id=str(data["id"]),
                deed=Deed(data["deed"]),
                member=str(data["member"]),
                instance=str(data["instance"]),
                by=str(data["by"]),
                at=float(data["at"]),
                epoch=int(data["epoch"]),
                for_s=float(data["for_s"]),
                to=str(data["to"]),
                answer=Answer.from_json(data["answer"]) if data.get("answer") else None,
            )
        except KeyError as missing:
            raise lacking("drill", missing) from missing
