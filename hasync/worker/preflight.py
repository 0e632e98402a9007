"""Keeps standbys warm: tries the servers with the real credentials, so that a takeover meets no surprise."""

import math
import threading
from collections.abc import Callable, Iterable

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
from hasync.stream.rules import Rules
from hasync.stream.samples import sample_commands
from hasync.worker.adapters import build_endpoint, build_logins
from hasync.worker.distance import Distances
from hasync.worker.seats import Seats, StreamSeat

LOOK_EVERY_S = 1.0
CHECK_EVERY_S = 10.0
"""How often a standby is checked, as long as there are few."""

SHARE_S = 1.0
"""Each standby adds so much to that: an instance with many streams checks one a second, no more."""


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
    """Checks this instance's standbys, one after the other, in a thread of its own.

    One that was never checked comes first: until then it does not count as able.
    """

    def __init__(self, *, seats: Seats, settings: Settings, secrets: Secrets, clock: Clock) -> None:
        self._seats = seats
        self._settings = settings
        self._secrets = secrets
        self._clock = clock
        self._checked_at_s: dict[str, float] = {}
        self._distances = Distances(seats=seats, secrets=secrets, clock=clock)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hasync-preflight", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()
        self._distances.start()

    def stop(self) -> None:
        """Look no more; a look under way ends by its own time limits."""
        self._stopping.set()
        self._distances.stop()

    def _run(self) -> None:
        while not self._clock.wait(self._stopping, LOOK_EVERY_S):
            while not self._stopping.is_set() and (due := self._due()):
                self._check(due)

    def _due(self) -> StreamSeat | None:
        """Return the standby whose last check is the oldest, None when all are young enough."""
        standbys = [seat for seat in self._seats if self._stands_by(seat)]
        if not standbys:
            return None
        oldest = min(standbys, key=lambda seat: self._checked_at_s.get(seat.stream, -math.inf))
        every_s = max(CHECK_EVERY_S, len(standbys) * SHARE_S)
        age_s = self._clock.monotonic() - self._checked_at_s.get(oldest.stream, -math.inf)
        return oldest if age_s >= every_s else None

    @staticmethod
    def _stands_by(seat: StreamSeat) -> bool:
        return seat.role.state != "leader" and seat.candidate.watcher.view.compiled is not None

    def _check(self, seat: StreamSeat) -> None:
        compiled = seat.candidate.watcher.view.compiled
        self._checked_at_s[seat.stream] = self._clock.monotonic()
        if compiled is None:
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
