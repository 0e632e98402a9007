"""Log lines of the supervisor: the worker's form (:mod:`hasync.logs`), without the libraries behind it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import BinaryIO

from hasync.ports import Clock

TEXTS: Mapping[str, str] = {
    "worker_started": "worker started",
    "worker_killed": "worker does not answer, killing it",
    "worker_crashed": "worker died, starting it again",
    "worker_ended": "worker ended in order",
    "worker_gave_up": "worker ended for good, starting it again would change nothing",
    "worker_session_closed": "ZooKeeper session of the dead worker is closed, others can take over",
    "worker_session_unclosed": "ZooKeeper session of the dead worker could not be closed, it has to expire",
    "supervisor_stopping": "asked to stop, worker hands over",
    "supervisor_gave_up": "worker dies again and again, giving up",
}
"""Every event of the supervisor, with what it means."""


class PlainLog:
    """Writes one line an event; a line that cannot be written is dropped. Called from: the main thread."""

    def __init__(self, out: BinaryIO, clock: Clock, *, as_json: bool, member: str) -> None:
        """``out``: standard error, unbuffered."""
        self._out = out
        self._clock = clock
        self._as_json = as_json
        self._member = member

    def say(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        """Write a line."""
        time = datetime.fromtimestamp(self._clock.wall(), UTC).isoformat(timespec="milliseconds")
        head = {"time": time.replace("+00:00", "Z"), "level": level, "event": event, "message": TEXTS.get(event, event)}
        line = {**head, "member": self._member, "role": "supervisor", **fields}
        text = json.dumps(line, default=str) if self._as_json else _for_people(line)
        try:
            self._out.write(text.encode("utf-8", "backslashreplace") + b"\n")
            self._out.flush()
        except (OSError, ValueError):  # disk full, reader gone, closed
            return


def _for_people(line: Mapping[str, object]) -> str:
    rest = " ".join(
        f"{name}={value}" for name, value in line.items() if name not in {"time", "level", "event", "message"}
    )
    return f"{str(line['time'])[11:]} [{line['level']:<8}] {line['message']:<44} {rest}"
