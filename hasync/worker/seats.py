"""The streams of one instance, and what probes and status see of them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hasync.cluster.session import ZooKeeperSession
from hasync.http import Readiness
from hasync.model.member import Member, StreamStatus
from hasync.model.vitals import Past
from hasync.ports import Clock
from hasync.term.candidate import Candidate
from hasync.term.report import StreamReport, StreamStanding
from hasync.term.role import Role

LAST_STEPS_S = 2.0
"""How long a stream may take to end once it was told to drop what it is doing."""

DETAIL_MAX = 200
"""Longest explanation in a member's znode, in characters."""

RESERVED_S = 5.0
"""Part of the time for a shutdown that is kept for dropping what does not end, and for leaving ZooKeeper."""

READY_STATES = frozenset({"leader", "draining", "standby", "paused", "disabled", "barred"})
"""Roles in which an instance does what it is asked to: a standby is ready, so that a rollout can finish."""


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

    @property
    def role(self) -> Role:
        """What this instance does for the stream now."""
        return self.report.standing_now.role

    def unready(self) -> str:
        """Say why this instance could not lead the stream well, empty when it could."""
        standing = self.report.standing_now
        if standing.role.state not in READY_STATES:
            return f"{self.stream}: {standing.role.state}: {standing.role.detail}"
        if standing.role.state == "standby" and standing.failed_checks:
            return f"{self.stream}: {standing.failed_checks[0].name}: {standing.failed_checks[0].detail}"
        if standing.degraded_long:
            return f"{self.stream}: degraded: {'; '.join(standing.degraded.values())}"
        return ""

    @staticmethod
    def _able(standing: StreamStanding) -> bool:
        """Whether it leads without trouble, or its last preflight found that it could."""
        if standing.role.state in {"leader", "draining"}:
            return not standing.degraded
        return standing.role.state == "standby" and bool(standing.checks) and not standing.failed_checks

    def status(self) -> StreamStatus:
        """Return what the other instances may see: a standby that could not lead calls itself unfit."""
        standing, unready = self.report.standing_now, self.unready()
        role = standing.role
        state = "unfit" if role.state == "standby" and unready else role.state
        return StreamStatus(
            role=state,
            epoch=standing.epoch,
            detail=(unready or role.detail)[:DETAIL_MAX],
            able=self._able(standing),
            eligibility=self.candidate.eligibility,
        )


class Seats:
    """All streams of this instance; :class:`hasync.http.Health` of the admin port."""

    def __init__(self, *, session: ZooKeeperSession) -> None:
        """Begin without streams: until :meth:`take` the instance is not ready."""
        self._session = session
        self._seats: tuple[StreamSeat, ...] = ()
        self.member: Member | None = None
        self._past: Past | None = None

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
        """End all streams in order, together; drop what is left in time for the session to be closed ``within_s``."""
        for seat in self._seats:
            seat.candidate.shut_down()
        deadline = clock.monotonic() + max(within_s / 2, within_s - RESERVED_S)
        for seat in self._seats:
            seat.thread.join(max(0.0, deadline - clock.monotonic()))
        for seat in self._seats:
            if seat.thread.is_alive():
                seat.candidate.abandon()
                seat.thread.join(LAST_STEPS_S)

    def statuses(self) -> dict[str, StreamStatus]:
        """Return what the other instances may see of each stream."""
        return {seat.stream: seat.status() for seat in self._seats}

    def know(self, members: tuple[Member, ...]) -> None:
        """Take note of who is there. Called from: the main thread."""
        for seat in self._seats:
            ready = sum(seat.stream in member.streams for member in members)
            seat.report.members(ready)

    def remember(self, past: Past) -> None:
        """Take note of what the supervisor has seen. Called from: the lifeline's thread."""
        self._past = past

    @property
    def past(self) -> Past | None:
        """What the supervisor has seen, None without one."""
        return self._past

    def all_paused(self) -> bool:
        """Whether operators have paused every stream, so that nothing here is urgent. Called from: any thread."""
        return bool(self._seats) and all(seat.report.standing_now.role.state == "paused" for seat in self._seats)

    def status_of(self, stream: str) -> StreamStatus | None:
        """Return what the other instances may see of one stream, None when it is not one of ours."""
        return next((seat.status() for seat in self._seats if seat.stream == stream), None)

    def led(self) -> tuple[str, ...]:
        """Name the streams that this instance leads. Called from: any thread."""
        return tuple(seat.stream for seat in self._seats if seat.role.state == "leader")

    def weigh(self, weight: int) -> None:
        """Take another share of all streams. Called from: any thread."""
        for seat in self._seats:
            seat.candidate.weigh(weight)

    def ask_hand_over(self, stream: str, target: str, reason: str, *, by: str = "") -> bool:
        """Ask that another instance lead a stream; False when it cannot be asked now. Called from: the main thread."""
        return any(seat.candidate.ask_hand_over(target, reason, by=by) for seat in self._seats if seat.stream == stream)

    # --------------------------------------------------- asked by the admin port

    def ages_s(self) -> Mapping[str, float]:
        """Return for each stream's loop the seconds since it last turned."""
        return {seat.stream: seat.report.turned_ago_s for seat in self._seats if seat.thread.ident}

    def readiness(self) -> Readiness:
        """Return whether this instance leads or could lead each of its streams."""
        reasons = [reason for seat in self._seats if (reason := seat.unready())]
        if not self._seats:
            reasons.append("starting")
        if not (self._session.connected and self._session.confirmed):
            # kazoo believes in a silent server for long; the session's own deadline does not (K2).
            reasons.append(self._session.trouble or "ZooKeeper has not answered for a session timeout")
        notes = [f"{seat.stream}: {role.detail}" for seat in self._seats if (role := seat.role).state == "paused"]
        return Readiness(ready=not reasons, reasons=tuple(reasons), notes=tuple(notes))

    def status(self) -> Mapping[str, Any]:
        """Return what is known of this instance, as JSON values."""
        member, readiness = self.member, self.readiness()
        return {
            "member": member.id if member else "",
            "version": member.version if member else "",
            "started_at": member.started_at if member else None,
            "pid": member.pid if member else None,
            "supervisor": self._past.to_json() if self._past else None,
            "zookeeper": {"connected": self._session.connected, "confirmed": self._session.confirmed},
            "ready": readiness.ready,
            "reasons": list(readiness.reasons),
            "streams": {
                seat.stream: {**seat.report.standing_now.to_json(), "lag_seconds": seat.report.lag_s()}
                for seat in self._seats
            },
        }
