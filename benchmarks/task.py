"""What a contender is asked to do, and what it answers; both cross a process boundary as JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Self

SCHEMA = "order_db"
TABLE = "user_balance"
KEY_PREFIX = "user:balance:"
"""Every contender sets ``user:balance:{uid}`` to the row's balance, as ``SELECT`` would print it."""


class Void(Exception):  # noqa: N818 - a verdict on the benchmark
    """The benchmark proves nothing: a contender failed, or its rows are not in Redis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Apply the binlog ``file`` from its begin to ``end_pos``, which is its end. Nobody writes meanwhile."""

    host: str
    source_port: int
    source_user: str
    source_password: str
    redis_port: int
    file: str
    end_pos: int

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the form of :meth:`to_json`."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Return the form that goes to the contender's process."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``seconds``: from the first connection opened to the last reply of Redis. ``rows``: as the contender counts."""

    rows: int
    seconds: float

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the form of :meth:`to_json`."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Return the form that comes from the contender's process."""
        return json.dumps(asdict(self))
