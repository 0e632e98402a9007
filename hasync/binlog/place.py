"""Where the reader stands: file, 64-bit offset, transactions before it; and how the start is recognised."""

from dataclasses import dataclass

from hasync.binlog import gtids
from hasync.binlog.frames import Event, EventType, heartbeat_v2
from hasync.errors import PositionLost, SourceRefused
from hasync.model.position import Flavor, Position

HEAD = 4
"""Offset of the first event in a file."""

Spot = tuple[str, int]
"""File and offset."""

_LONGEST_LEAP = 1 << 31
"""A 32-bit position that seems further ahead is in fact behind: no event is that large."""

_CHOOSE = "choose another start; SHOW BINARY LOGS lists files and sizes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seek:
    """How the first transaction is recognised.

    ``exact``: the start is known and right. Else the events say where it begins:
    ``from_pos``: read from the file's head, the first transaction at this offset;
    ``since``: the first one committed at or after this Unix time; neither: the first that comes.
    ``end``: file and offset of the binlog's end when it was asked for. A heartbeat in
    front of it only says how far the server has skipped, so it settles nothing.
    """

    exact: bool = True
    from_pos: int = 0
    since: float = 0.0
    end: Spot = ("", 0)


class Place:
    """The boundary that is reached, moved only where a resume may begin (M2).

    ``end`` is the offset behind the last event seen, also inside a transaction; ``settled``
    says whether the boundary is where the first transaction begins.
    """

    def __init__(self, start: Position, seek: Seek) -> None:
        self.file = start.file
        self.pos = start.pos
        self.end = start.pos
        self.settled = seek.exact
        self._start = start
        self._seek = seek
        self._timestamp = start.timestamp
        self._executed = gtids.executed(start.flavor, start.gtid_set)

    def __str__(self) -> str:
        """``file:pos`` of the boundary."""
        return f"{self.file}:{self.pos}"

    @property
    def spot(self) -> Spot:
        """File and offset of the boundary: inside a transaction, where it begins."""
        return self.file, self.pos

    def position(self) -> Position:
        """Return the boundary as a value."""
        return Position(
            flavor=self._start.flavor,
            server_uuid=self._start.server_uuid,
            gtid_set=str(self._executed),
            file=self.file,
            pos=self.pos,
            timestamp=self._timestamp,
        )

    def require_new(self, gtid: tuple[str, int] | None) -> None:
        """Raise PositionLost for a transaction that is before this place already and comes now.

        Skipping it would be silent loss: after RESET the numbers begin anew.
        """
        if gtid is not None and self._executed.has(*gtid):
            raise self.reset(f"transaction {gtid[0]}:{gtid[1]} comes again, or out of order")

    def reset(self, what: str) -> PositionLost:
        """Return the error for a binlog that is not the one that was read so far."""
        return PositionLost(
            f"the binlog went back behind {self.file}:{self.end}: {what}",
            hint="it was reset, or is another server's: compare the tables with Redis, then choose a new start "
            "('hasync position reset')",
        )

    def begin(self, pos: int, commit_time: float) -> None:
        """A transaction begins here. Raises PositionLost when the start turns out to be inside the one before."""
        self._require_boundary(pos)
        self.pos = pos
        if not self.settled:
            self.settled = pos >= self._seek.from_pos and commit_time >= self._seek.since

    def finish(self, pos: int, timestamp: float, gtid: tuple[str, int] | None) -> None:
        """A transaction ends here; without ``gtid`` it does not count as executed."""
        self._timestamp = timestamp
        if gtid is not None:
            self._executed.add(*gtid)
        self.advance(pos)

    def pass_over(self, pos: int, timestamp: float, last: int) -> None:
        """Transactions end here whose GTIDs follow the last one without a gap, up to number ``last`` (0: anonymous)."""
        self._timestamp = timestamp
        self.pos = self.end = pos
        if last:
            self._executed.extend(last)

    @property
    def last_gtid(self) -> tuple[bytes, int, int]:
        """See :attr:`hasync.binlog.gtids.Executed.last`."""
        return self._executed.last

    def advance(self, pos: int) -> None:
        """Another boundary is reached. Raises PositionLost when the start turns out to lie in front of it."""
        self._require_boundary(pos)
        self.pos = pos
        if pos == self._seek.from_pos:
            self.settled = True

    def pass_event(self, event: Event, *, inside: bool) -> None:
        """Stand behind an event, be it a boundary or not; ``inside``: of a transaction, where none may be missing.

        Raises PositionLost when it lies behind us, SourceRefused when something is missing in front of it.
        """
        if event.placed and event.stop - self.end >= _LONGEST_LEAP:
            raise self.reset(f"an event ends at {event.stop & 0xFFFFFFFF}")
        if inside and event.placed and event.start != self.end and not self._left_out(event):
            raise SourceRefused(
                f"{event.name} at {self.file}:{event.start} does not follow the event that ended at {self.end}",
                hint="events are missing in the dump: look at the server, and at proxies in front of it",
            )
        self.end = event.stop

    def _left_out(self, event: Event) -> bool:
        """Whether the server left out a statement's text, as MariaDB does (ANNOTATE_ROWS) in front of a table map."""
        return self._start.flavor is Flavor.MARIADB and event.type == EventType.TABLE_MAP and event.start > self.end

    def hear(self, event: Event) -> None:
        """Take a heartbeat, as :meth:`beat`."""
        if event.type == EventType.HEARTBEAT_V2:
            self.beat(*heartbeat_v2(event))
            return
        behind = event.stop - self.end >= _LONGEST_LEAP
        name = event.data[event.at : event.end].decode()
        self.beat(name, event.stop & 0xFFFFFFFF if behind else event.stop)

    def enter_file(self, name: str, pos: int) -> None:
        """Go on at the head of another file. Raises PositionLost when the start should have been in the last one."""
        if not self.settled and self.file:
            self._require_reached()
        self.file = name
        self.pos = self.end = pos

    def beat(self, name: str, pos: int) -> None:
        """The server has nothing more behind ``pos``.

        Raises PositionLost when the start lies further on, or when the file ends in front of what was read of it.
        """
        if name == self.file and self.settled and pos < self.pos:
            raise self.reset(f"it ends at {pos} now")
        if name == self.file and pos >= self.pos:
            self._require_boundary(pos)
            self.pos = self.end = pos
        if not self.settled and self._at_the_end():
            self._require_reached()
            self.settled = True

    def _at_the_end(self) -> bool:
        file, pos = self._seek.end
        return (file_number(self.file), self.pos) >= (file_number(file), pos)

    def _require_boundary(self, pos: int) -> None:
        """The boundary behind the last one is ``pos``: a start that lies between them is none."""
        if not self.settled and self.pos < self._seek.from_pos < pos:
            raise PositionLost(
                f"position {self.file}:{self._seek.from_pos} lies inside a transaction, the next begins at {pos}",
                hint="start at the beginning of a transaction; mysqlbinlog shows where they are",
            )

    def _require_reached(self) -> None:
        if self.pos < self._seek.from_pos:
            raise PositionLost(
                f"position {self.file}:{self._seek.from_pos} lies beyond the end of the binlog ({self.pos})",
                hint=_CHOOSE,
            )


def file_number(name: str) -> int:
    """Return the number at the end of a binlog file's name, by which files are in order; 0 for no name."""
    number = name.rpartition(".")[2]
    return int(number) if number.isdigit() else 0
