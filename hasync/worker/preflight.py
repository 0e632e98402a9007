"""Keeps standbys warm: tries the servers with the real credentials, so that a takeover meets no surprise."""

import threading
from collections.abc import Iterable

from hasync.binlog.connection import Login
from hasync.binlog.preflight import checks
from hasync.binlog.server import Server
from hasync.errors import HasyncError
from hasync.model.check import Check
from hasync.model.config import StreamConfig
from hasync.model.secret import Secrets
from hasync.ports import Clock
from hasync.settings import Settings
from hasync.sinks.checks import redis_checks
from hasync.worker.adapters import build_endpoint, build_logins
from hasync.worker.seats import Seats, StreamSeat

EVERY_S = 10.0
FIRST_AFTER_S = 0.5


def preflight(
    config: StreamConfig, *, stream: str, settings: Settings, secrets: Secrets, clock: Clock
) -> tuple[Check, ...]:
    """Look at source and sink as a leader would find them. Writes nothing; never raises for a server's fault."""
    try:
        logins = build_logins(config, secrets=secrets)
        endpoint = build_endpoint(config, settings=settings, secrets=secrets)
    except HasyncError as error:
        return (Check(name="config.secrets", ok=False, detail=error.message, remedy=error.hint),)
    return (*source_checks(logins), *redis_checks(endpoint, stream=stream, clock=clock))


def source_checks(logins: Iterable[Login]) -> tuple[Check, ...]:
    """Look at the first of the hosts that answers; the others are named when none does."""
    failures: list[Check] = []
    for login in logins:
        try:
            server = Server(login)
        except HasyncError as error:
            failures.append(Check(name="source.reachable", ok=False, detail=error.message, remedy=error.hint))
            continue
        try:
            return (Check(name="source.reachable", ok=True, detail=f"{login.host} answers"), *checks(server))
        except HasyncError as error:
            failures.append(Check(name="source.readable", ok=False, detail=error.message, remedy=error.hint))
        finally:
            server.close()
    return tuple(failures)


class Preflight:
    """Checks all standbys of this instance now and then, in a thread of its own."""

    def __init__(self, *, seats: Seats, settings: Settings, secrets: Secrets, clock: Clock) -> None:
        self._seats = seats
        self._settings = settings
        self._secrets = secrets
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hasync-preflight", daemon=True)

    def start(self) -> None:
        """Begin to check."""
        self._thread.start()

    def stop(self) -> None:
        """Check no more; a check under way ends by its own time limits."""
        self._stopping.set()

    def _run(self) -> None:
        wait_s = FIRST_AFTER_S
        while not self._clock.wait(self._stopping, wait_s):
            for seat in self._seats:
                self._check(seat)
            wait_s = EVERY_S

    def _check(self, seat: StreamSeat) -> None:
        compiled = seat.candidate.watcher.view.compiled
        if compiled is None or seat.report.standing_now.role.state != "standby":
            seat.report.checked(())
            return
        seat.report.checked(
            preflight(
                compiled.config,
                stream=seat.stream,
                settings=self._settings,
                secrets=self._secrets,
                clock=self._clock,
            )
        )
