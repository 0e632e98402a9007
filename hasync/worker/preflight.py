"""Keeps standbys warm: tries the servers with the real credentials, so that a takeover meets no surprise."""

import threading
from collections.abc import Callable, Iterable

from hasync.binlog.connection import Login
from hasync.binlog.preflight import checks
from hasync.binlog.server import Head, Server
from hasync.errors import HasyncError, PositionLost
from hasync.model.check import Check
from hasync.model.config import StreamConfig
from hasync.model.secret import Secrets
from hasync.ports import Clock
from hasync.settings import Settings
from hasync.sinks.checks import redis_checks
from hasync.stream.rules import Rules
from hasync.stream.samples import sample_commands
from hasync.term.watcher import Compiled
from hasync.worker.adapters import build_endpoint, build_logins
from hasync.worker.seats import Seats, StreamSeat

LOOK_EVERY_S = 1.0
CHECK_EVERY_S = 10.0


def preflight(
    config: StreamConfig, *, stream: str, settings: Settings, secrets: Secrets, clock: Clock
) -> tuple[Check, ...]:
    """Look at source and sink as a leader would find them. Writes nothing; never raises for a server's fault."""
    try:
        logins = build_logins(config, secrets=secrets)
        endpoint = build_endpoint(config, settings=settings, secrets=secrets)
    except HasyncError as error:
        return (Check(name="config.secrets", ok=False, detail=error.message, remedy=error.hint),)
    return (
        *source_checks(logins, lambda: Rules(config)),
        *redis_checks(endpoint, stream=stream, clock=clock, samples=sample_commands(config)),
    )


def source_checks(logins: Iterable[Login], rules: Callable[[], Rules]) -> tuple[Check, ...]:
    """Look at the first of the hosts that answers; the others are named when none does.

    ``rules``: what is wanted of the tables; asked for only when that matters.
    """
    failures: list[Check] = []
    for login in logins:
        try:
            server = Server(login)
        except HasyncError as error:
            failures.append(Check(name="source.reachable", ok=False, detail=error.message, remedy=error.hint))
            continue
        try:
            return (Check(name="source.reachable", ok=True, detail=f"{login.host} answers"), *checks(server, rules))
        except HasyncError as error:
            failures.append(Check(name="source.readable", ok=False, detail=error.message, remedy=error.hint))
        finally:
            server.close()
    return tuple(failures)


class Preflight:
    """Checks this instance's standbys and measures its leaders' distance to the binlog's end; a thread of its own."""

    def __init__(self, *, seats: Seats, settings: Settings, secrets: Secrets, clock: Clock) -> None:
        self._seats = seats
        self._settings = settings
        self._secrets = secrets
        self._clock = clock
        self._heads: dict[str, Head] = {}
        self._checked_at: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hasync-preflight", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a look under way ends by its own time limits."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._clock.wait(self._stopping, LOOK_EVERY_S):
            for seat in self._seats:
                self._look(seat)

    def _look(self, seat: StreamSeat) -> None:
        compiled = seat.candidate.watcher.view.compiled
        role = seat.report.standing_now.role.state
        if role != "leader" and (head := self._heads.pop(seat.stream, None)):
            head.close()
        if compiled is not None and role == "leader":
            self._measure(seat, compiled)
        elif compiled is not None:
            self._check(seat, compiled)

    def _measure(self, seat: StreamSeat, compiled: Compiled) -> None:
        standing = seat.report.standing_now
        state = standing.state
        if state is None or state.position is None:
            return
        try:
            if seat.stream not in self._heads:
                self._heads[seat.stream] = Head(build_logins(compiled.config, secrets=self._secrets)[0])
            behind_bytes = self._heads[seat.stream].lag_bytes(state.position)
        except PositionLost as lost:
            if seat.report.standing_now.epoch == standing.epoch:  # else it is the position of an older term
                seat.candidate.fail(lost)
            return
        except HasyncError:
            return  # the reader meets the same trouble and tells of it; a lag in bytes that is not known is not shown
        if behind_bytes is not None:
            seat.report.behind(behind_bytes)

    def _check(self, seat: StreamSeat, compiled: Compiled) -> None:
        now, last = self._clock.monotonic(), self._checked_at.get(seat.stream)
        if last is not None and now - last < CHECK_EVERY_S:
            return
        self._checked_at[seat.stream] = now
        seat.report.checked(
            preflight(
                compiled.config,
                stream=seat.stream,
                settings=self._settings,
                secrets=self._secrets,
                clock=self._clock,
            )
        )
