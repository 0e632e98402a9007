"""What a contender is asked to do, and what it answers; both cross a process boundary as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

SCHEMA = "order_db"
BINLOG_BEGIN = 4
"""The position of a binlog file's first event."""


class Void(Exception):  # noqa: N818 - a verdict on the benchmark
    """The benchmark proves nothing: a contender failed, or its rows are not in Redis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Apply the first ``rows`` rows of the binlog ``file``, from ``start_pos``; at ``end_pos`` it ends.

    ``end_pos`` 0: follow the binlog, one command per row and at once, until killed. ``workload`` names
    the rule, see :mod:`benchmarks.workload`. ``stream``: a file with the workload as Redis commands;
    ``scratch``: a directory to write to; both are for the limits only.
    """

    host: str
    source_port: int
    source_user: str
    source_password: str
    redis_port: int
    file: str
    start_pos: int
    end_pos: int
    workload: str
    table: str
    rows: int
    stream: str = ""
    scratch: str = ""

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
    peak_rss_mb: float

    @property
    def rows_per_s(self) -> float:
        """The figure that is compared."""
        return self.rows / self.seconds

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the form of :meth:`to_json`."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Return the form that comes from the contender's process."""
        return json.dumps(asdict(self))


def peak_rss_mb() -> float:
    """Return the most memory this process ever had resident: VmHWM, which begins anew at exec, unlike ru_maxrss."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    [peak] = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1024
