"""XA transactions: prepared in one place of the binlog, decided upon in another, perhaps days later.

A branch's rows take effect at XA COMMIT and must not be kept in memory until then. So only
the place of a prepared branch is remembered, and its rows are read again from there, over a
second dump, when it commits. A place that is not remembered (the branch was prepared before
this reader began) is searched for, backwards through the files.
See docs/decisions/0013-xa-is-read-again.md.
"""

import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from struct import Struct

from hasync.binlog import payload
from hasync.binlog.archive import Archive, walk
from hasync.binlog.compressed import PLAIN, plain
from hasync.binlog.frames import GTIDS, Event, EventType
from hasync.binlog.gtids import MariadbGtid
from hasync.binlog.place import HEAD, Spot
from hasync.binlog.remedies import RESET
from hasync.binlog.statements import query_text, without_lead
from hasync.errors import PositionLost

_PREPARE = Struct("<BIII")
"""one phase, format id, lengths of global id and branch qualifier."""
_STATEMENT = re.compile(
    rb"XA\s+(START|BEGIN|END|PREPARE|COMMIT|ROLLBACK)\s+X'([0-9A-F]*)'(?:\s*,\s*X'([0-9A-F]*)'(?:\s*,\s*(\d+))?)?",
    re.IGNORECASE,
)
_MOST_KNOWN = 10_000
"""Branches whose place is remembered; past that all are forgotten, and searched for when they commit."""

_BREATH = 64
"""Events between two breaths of a search."""


@dataclass(frozen=True, slots=True)
class Xid:
    """Name of a branch: global id, branch qualifier, format id."""

    gtrid: bytes
    bqual: bytes
    format: int

    def __str__(self) -> str:
        """The form of XA RECOVER CONVERT XID and of the statements in the binlog."""
        return f"X'{self.gtrid.hex()}',X'{self.bqual.hex()}',{self.format}"


class Verb(Enum):
    """What an XA statement in the binlog does to a branch."""

    BEGIN = "begin"
    NOTHING = "nothing"
    COMMIT = "commit"
    ROLLBACK = "rollback"


_VERBS = {
    b"START": Verb.BEGIN,
    b"BEGIN": Verb.BEGIN,
    b"END": Verb.NOTHING,
    b"PREPARE": Verb.NOTHING,
    b"COMMIT": Verb.COMMIT,
    b"ROLLBACK": Verb.ROLLBACK,
}


def statement(sql: bytes) -> tuple[Verb, Xid]:
    """Read an XA statement as servers write it. Raises ValueError for any other form."""
    match = _STATEMENT.match(without_lead(sql))
    if match is None:
        raise ValueError("XA statement is not of the form XA verb X'...',X'...',n")
    gtrid, bqual = (bytes.fromhex((match[part] or b"").decode()) for part in (2, 3))
    return _VERBS[match[1].upper()], Xid(gtrid, bqual, int(match[4] or 1) & 0xFFFFFFFF)


def prepared(event: Event) -> tuple[Xid, bool]:
    """Read an XA_PREPARE event: the branch, and whether it commits at once. Raises ValueError when cut short."""
    one_phase, format_id, gtrid, bqual = _PREPARE.unpack_from(event.data, event.at)
    start = event.at + _PREPARE.size
    if start + gtrid + bqual > event.end:
        raise ValueError("XA_PREPARE event is cut short")
    name = bytes(event.data[start : start + gtrid + bqual])
    return Xid(name[:gtrid], name[gtrid:], format_id), bool(one_phase)


class Branches:
    """The places of prepared branches, and their rows. Called from: the reader thread."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[Xid, Spot] = {}

    def prepared(self, xid: Xid, spot: Spot) -> None:
        """Remember where the transaction begins that prepares a branch."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[xid] = spot

    def finished(self, xid: Xid) -> None:
        """Forget a branch; the same name may come again."""
        self._known.pop(xid, None)

    def forget(self) -> None:
        """Forget all places: something was passed over that may have changed them."""
        self._known.clear()

    def end_of_phase(self, event: Event, spot: Spot) -> Iterator[Event | None] | None:
        """Take XA_PREPARE of the transaction at ``spot`` in; return its rows when it is committed with it.

        Raises ValueError when the event is cut short.
        """
        xid, one_phase = prepared(event)
        if one_phase:
            return self.rows_at(xid, spot)
        self.prepared(xid, spot)
        return None

    def rows(self, xid: Xid, before: Spot) -> Iterator[Event | None]:
        """Yield the events of a prepared branch that commits at ``before``; None for each breath of the search.

        Table maps, rows and savepoint statements, each with its own place.
        Raises, when iterated, PositionLost (its PREPARE cannot be found), SourceUnavailable, SourceRefused, ValueError.
        """
        return self._found(self._known.get(xid), xid, before)

    def _found(self, spot: Spot | None, xid: Xid, before: Spot) -> Iterator[Event | None]:
        if spot is None:
            spot = yield from self._search(xid, before)
        yield from self.rows_at(xid, spot)

    def rows_at(self, xid: Xid, spot: Spot) -> Iterator[Event | None]:
        """Yield the events of the branch whose transaction begins at ``spot``, as :meth:`rows`."""
        proven = False
        with closing(walk(self._archive, *spot)) as events:
            for event in events:
                for part in _parts(event) if event else ():
                    proven = proven or _begins(part, xid)
                    if part.type not in GTIDS:
                        self._require(xid, spot, proven=proven)
                    if part.type == EventType.XA_PREPARE:
                        return
                    if part.type not in GTIDS and _spoken(part) is None:
                        yield part
                if event is None:
                    yield None
        self._require(xid, spot, proven=False)

    def _require(self, xid: Xid, spot: Spot, *, proven: bool) -> None:
        if not proven:
            raise PositionLost(
                f"the XA transaction {xid} is not at {spot[0]}:{spot[1]} any more",
                hint="the binlog was reset or is another server's: compare the tables with Redis, "
                f"then choose a new place: {RESET}",
            )

    def _search(self, xid: Xid, before: Spot) -> Generator[None, None, Spot]:
        """Look through the files backwards for the last PREPARE in front of ``before``."""
        names = self._archive.files()
        last = names.index(before[0]) if before[0] in names else len(names) - 1
        for file in reversed(names[: last + 1]):
            found = yield from self._last_in(file, xid, before)
            if found is _FINISHED:
                break
            if found is not None:
                return found
        raise PositionLost(
            f"XA COMMIT {xid} at {before[0]}:{before[1]}: its XA PREPARE is in none of the server's binlog files",
            hint="it was purged, so its rows cannot be read: correct in Redis what that transaction changed, "
            f"then move the stream behind it: {RESET}; keep binlogs longer than transactions stay prepared",
        )

    def _last_in(self, file: str, xid: Xid, before: Spot) -> Generator[None, None, Spot | None]:
        """Return where the branch is last prepared in a file, None when its name does not occur there."""
        found: Spot | None = None
        begun = HEAD
        with closing(walk(self._archive, file, HEAD)) as events:
            for number, event in enumerate(events):
                if event is None or (file, event.start) == before:
                    break
                if number % _BREATH == 0:
                    yield
                begun = event.start if event.type in GTIDS else begun
                said = _said_of(event, xid)
                if said is not None:
                    found = (file, begun) if said is Verb.BEGIN else _FINISHED
        return found


_FINISHED: Spot = ("", -1)
"""In place of a spot: the branch came to its end there."""


def _parts(event: Event) -> Iterator[Event]:
    """Yield the events that this one is made of, none of them compressed."""
    if event.type == EventType.TRANSACTION_PAYLOAD:
        yield from payload.events(event)
    elif event.type in PLAIN:
        yield plain(event)
    else:
        yield event


def _said_of(event: Event, xid: Xid) -> Verb | None:
    """Return BEGIN when a transaction prepares the branch, COMMIT or ROLLBACK when it ends it."""
    if event.type == EventType.TRANSACTION_PAYLOAD:
        return _said_inside(event, xid)
    if event.type == EventType.XA_PREPARE:
        named, one_phase = prepared(event)
        return Verb.BEGIN if named == xid and not one_phase else None
    said = _spoken(event)
    return said[0] if said and said[1] == xid and said[0] in (Verb.COMMIT, Verb.ROLLBACK) else None


def _said_inside(event: Event, xid: Xid) -> Verb | None:
    """Look into a compressed transaction only when its first event is about this branch."""
    parts = payload.events(event)
    first = _spoken(next(parts, event))
    if first is None or first[1] != xid:
        return None
    if first[0] is not Verb.BEGIN:
        return first[0] if first[0] is not Verb.NOTHING else None
    ends = (prepared(part) for part in parts if part.type == EventType.XA_PREPARE)
    return Verb.BEGIN if (xid, False) in ends else None


def _spoken(event: Event) -> tuple[Verb, Xid] | None:
    """Return what an XA statement says; None for anything else."""
    if event.type == EventType.MARIADB_QUERY_COMPRESSED:
        event = plain(event)
    if event.type != EventType.QUERY:
        return None
    sql = without_lead(query_text(event.data, event.at, event.end))
    return statement(sql) if sql[:2].upper() == b"XA" and sql[2:3].isspace() else None


def _begins(event: Event, xid: Xid) -> bool:
    """Whether the event begins this branch: MySQL's XA START, MariaDB's GTID event."""
    if event.type == EventType.MARIADB_GTID:
        name = MariadbGtid(event).xid
        return name is not None and Xid(*name) == xid
    return _spoken(event) == (Verb.BEGIN, xid)
