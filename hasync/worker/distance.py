"""How far this instance's leaders are from the end of their source's binlog, asked beside the data road."""

import threading
from typing import Final

from hasync.binlog.connection import Login
from hasync.binlog.server import Head
from hasync.errors import HasyncError, PositionLost
from hasync.model.secret import Secrets
from hasync.ports import Clock
from hasync.term.watcher import Compiled
from hasync.worker.adapters import build_logins
from hasync.worker.seats import Seats, StreamSeat

LOOK_EVERY_S: Final = 1.0
"""How often a leader's distance is measured, as long as there are few."""

SHARE_S: Final = 0.2
"""Each leader adds so much to that: an instance with many streams asks its sources five times a second, no more."""


class Distances:
    """Measures in a thread of its own, over one connection for each account on a source, however many streams read it.

    Apart from the preflight: a source that does not answer holds up the checks of standbys
    for long, and must not hold up noticing that a leader's position is lost.
    """

    def __init__(self, *, seats: Seats, secrets: Secrets, clock: Clock) -> None:
        self._seats = seats
        self._secrets = secrets
        self._clock = clock
        self._heads: dict[Login, Head] = {}
        self._used: set[Login] = set()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to measure."""
        threading.Thread(target=self._run, name="hasync-distance", daemon=True).start()

    def stop(self) -> None:
        """Measure no more."""
        self._stopping.set()

    def _run(self) -> None:
        leaders = 0
        while not self._clock.wait(self._stopping, max(LOOK_EVERY_S, leaders * SHARE_S)):
            self._used = set()
            leaders = sum(self._measure(seat) for seat in self._seats)
            for login in self._heads.keys() - self._used:
                self._heads.pop(login).close()

    def _measure(self, seat: StreamSeat) -> bool:
        """Measure one stream's distance; False when this instance does not lead it."""
        compiled = seat.candidate.watcher.view.compiled
        if compiled is None or seat.role.state != "leader":
            return False
        standing = seat.report.standing_now
        if standing.state is None or standing.state.position is None:
            return True
        try:
            distance = self._head(compiled).distance(standing.state.position)
        except PositionLost as lost:
            if seat.report.standing_now.epoch == standing.epoch:  # else it is the position of an older term
                seat.candidate.fail(lost)
            return True
        except HasyncError:
            return True  # the reader meets the same trouble and tells of it; a lag that is not known is not shown
        if distance is not None:
            seat.report.behind(distance.count_bytes, distance.end)
            seat.report.files(distance.count_files, spare=distance.spare_files)
        return True

    def _head(self, compiled: Compiled) -> Head:
        """Return the connection to the source of a config. Raises ConfigInvalid when a secret cannot be read."""
        login = build_logins(compiled.config, secrets=self._secrets)[0]
        self._used.add(login)
        if login not in self._heads:
            self._heads[login] = Head(login)
        return self._heads[login]
