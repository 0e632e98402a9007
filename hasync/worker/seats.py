"""The streams of one instance, and what probes and status see of them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hasync.coordination import Session
from hasync.http import Readiness
from hasync.model.cluster import Member, StreamStatus
from hasync.ports import Clock
from hasync.term.candidate import Candidate
from hasync.term.report import StreamReport

LAST_STEPS_S = 2.0
"""How long a stream may take to end once it was told to drop what it is doing."""

READY_STATES = frozenset({"leader", "standby", "paused", "disabled"})
"""Roles in which an instance can lead as soon as it is asked: a standby is ready, so that a rollout can finish."""


@dataclass(slots=True)
class StreamSeat:
    """One stream on this instance: its candidate, its report, and the stream's thread."""

    stream: str
    candidate: Candidate
    report: StreamReport
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        """Make the thread; :meth:`Seats.start` starts it."""
        self.thread = threading.Thread(target=self.candidate.run, name=f"hasync-{self.stream}", daemon=True)

    def unready(self) -> str:
        """Say why this instance could not lead the stream, empty when it could."""
        standing = self.report.standing_now
        if standing.role.state not in READY_STATES:
            return f"{self.stream}: {standing.role.state}: {standing.role.detail}"
        failed = [check for check in standing.checks if not check.ok and not check.warning]
        if failed and standing.role.state == "standby":
            return f"{self.stream}: {failed[0].name}: {failed[0].detail}"
        return ""


class Seats:
    """All streams of this instance; :class:`hasync.http.Health` of the admin port."""

    def __init__(self, *, session: Session) -> None:
        """Begin without streams: until :meth:`take` the instance is not ready."""
        self._session = session
        self._seats: tuple[StreamSeat, ...] = ()
        self.member: Member | None = None

    def take(self, seats: tuple[StreamSeat, ...]) -> None:
        """Take the streams, once, before :meth:`start`."""
        self._seats = seats

    def __iter__(self) -> Any:
        """Go through the seats."""
        return iter(self._seats)

    def start(self) -> None:
        """Start all streams' threads."""
        for seat in self._seats:
            seat.thread.start()

    def hand_over(self, clock: Clock, within_s: float) -> None:
        """End all streams in order, together; drop what is left after ``within_s``."""
        for seat in self._seats:
            seat.candidate.shut_down()
        deadline = clock.monotonic() + within_s
        for seat in self._seats:
            seat.thread.join(max(0.0, deadline - clock.monotonic()))
        for seat in self._seats:
            if seat.thread.is_alive():
                seat.candidate.abandon()
                seat.thread.join(LAST_STEPS_S)

    def statuses(self) -> dict[str, StreamStatus]:
        """Return what the other instances may see of each stream."""
        return {
            seat.stream: StreamStatus(
                role=seat.report.standing_now.role.state,
                epoch=seat.report.standing_now.epoch,
                detail=seat.report.standing_now.role.detail[:200],
            )
            for seat in self._seats
        }

    # --------------------------------------------------- asked by the admin port

    def ages_s(self) -> Mapping[str, float]:
        """Return for each stream's loop the seconds since it last turned."""
        return {seat.stream: seat.report.turned_ago_s for seat in self._seats if seat.thread.ident}

    def readiness(self) -> Readiness:
        """Return whether this instance leads or could lead each of its streams."""
        reasons = [reason for seat in self._seats if (reason := seat.unready())]
        if not self._seats:
            reasons.append("starting")
        if not self._session.connected:
            reasons.append("the ZooKeeper session is not connected")
        return Readiness(ready=not reasons, reasons=tuple(reasons))

    def status(self) -> Mapping[str, Any]:
        """Return what is known of this instance, as JSON values."""
        member = self.member
        return {
            "member": member.id if member else "",
            "version": member.version if member else "",
            "started_at": member.started_at if member else None,
            "zookeeper": {"connected": self._session.connected, "confirmed": self._session.confirmed},
            "streams": {
                seat.stream: {**seat.report.standing_now.to_json(), "lag_seconds": seat.report.lag_s()}
                for seat in self._seats
            },
        }
