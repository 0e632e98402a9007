# cython: language_level=3, wraparound=False, cdivision=True, initializedcheck=False
"""The fast lane: plain transactions, taken from a buffer of packets as long as all is as it was before.

Plain is: a GTID that follows the last one, BEGIN, table maps that were met before, rows
events whose columns were met before, COMMIT; complete in the buffer, each event where the
last one ended, its checksum right. At the first thing that is otherwise the lane stops
in front of that transaction, with nothing of it taken, and :mod:`hasync.binlog.transactions`
reads it: errors, first times, and everything rare are known there and nowhere else.
"""

from __future__ import annotations

from array import array
from typing import Any, Protocol

import cython

from hasync.binlog.refusals import DAMAGE
from hasync.model.change import Operation

if cython.compiled:
    from cython.cimports.hasync.binlog.codec.checksum import crc32
    from cython.cimports.hasync.binlog.codec.output import Output
    from cython.cimports.libc.string import memcmp
else:
    from hasync.binlog.codec.checksum import crc32
    from hasync.binlog.codec.output import Output

from hasync.binlog.codec.output import Mark

_DONE = cython.declare(cython.int, 0)
_OTHERWISE = cython.declare(cython.int, 1)

_QUERY = cython.declare(cython.int, 2)
_XID = cython.declare(cython.int, 16)
_TABLE_MAP = cython.declare(cython.int, 19)
_WRITE_V1 = cython.declare(cython.int, 23)
_DELETE_V1 = cython.declare(cython.int, 25)
_ROWS_QUERY = cython.declare(cython.int, 29)
_WRITE = cython.declare(cython.int, 30)
_DELETE = cython.declare(cython.int, 32)
_GTID = cython.declare(cython.int, 33)
_ANONYMOUS = cython.declare(cython.int, 34)
_ANNOTATE = cython.declare(cython.int, 160)
_MARIADB_GTID = cython.declare(cython.int, 162)

_LOW = cython.declare(cython.ulonglong, 0xFFFFFFFF)
_LONGEST = cython.declare(cython.ulonglong, 1 << 31)
_HEADER = cython.declare(cython.Py_ssize_t, 19)
_ARTIFICIAL = cython.declare(cython.int, 0x20)
_STANDALONE_OR_XA = cython.declare(cython.int, 1 | 64 | 128)
_STAMP = cython.declare(cython.Py_ssize_t, 42)
_STAMP_BITS = cython.declare(cython.ulonglong, (1 << 55) - 1)
_STATEMENT_END = cython.declare(cython.ulonglong, 1)
_RECENT = cython.declare(cython.Py_ssize_t, 8)
_TABLES_MOST = cython.declare(cython.Py_ssize_t, 16)
_OPERATIONS = (Operation.INSERT, Operation.UPDATE, Operation.DELETE)


class Known(Protocol):
    """What the lane asks of :class:`hasync.binlog.layouts.Layouts`."""

    generation: int
    """Another number whenever an answer of :meth:`known` may have changed."""

    def known(self, body: bytes) -> Any:
        """Return the layout of a TABLE_MAP body that was met before, None otherwise."""


@cython.cclass
class LanePlan:
    """How rows events with these bitmaps are read; see :class:`hasync.binlog.rowplan.RowPlan`."""

    def __init__(self, bitmaps: bytes, plan: Any, output: Output) -> None:
        self.bitmaps = bitmaps
        self.first = plan.first
        self.second = plan.second
        self.rows = plan.rows
        self.effects = plan.effects(output)
        self.objects = plan if plan.objects else None


@cython.cclass
class LaneTable:
    """A table map that was met before."""

    def __init__(self, body: bytes, layout: Any) -> None:
        self.body = body
        self.layout = layout
        self.width = layout.map.width
        self.plans: list[LanePlan | None] = [None, None, None]

    def plan(
        self, lane: Lane, kind: cython.int, at: cython.Py_ssize_t, size_bytes: cython.Py_ssize_t
    ) -> LanePlan | None:
        """Return how to read events with the bitmaps at ``at``; None when such ones were not met before."""
        found: LanePlan | None = self.plans[kind]
        if found is not None and same(lane.data, at, found.bitmaps, size_bytes):
            return found
        bitmaps = lane.data[at : at + size_bytes]
        known = self.layout.plans.get((_OPERATIONS[kind], bitmaps))
        if known is None:
            return None
        found = LanePlan(bitmaps, known, lane.output)
        self.plans[kind] = found
        return found


@cython.cfunc
def same(data: bytes, at: cython.Py_ssize_t, text: bytes, size_bytes: cython.Py_ssize_t) -> cython.bint:
    """Whether ``data[at:at + size_bytes]`` is ``text``."""
    if len(text) != size_bytes or at < 0 or at + size_bytes > len(data):
        return False
    if cython.compiled:
        raw: cython.p_const_uchar = data
        other: cython.p_const_uchar = text
        return memcmp(raw + at, other, size_bytes) == 0
    else:  # noqa: RET505 - only one of the two is compiled
        return data[at : at + size_bytes] == text


@cython.cclass
class Lane:
    """Called from: the reader thread. After :meth:`run` the counts say what was taken.

    ``transactions``, ``rows``, ``bytes``; ``stop``: the offset in the file behind the last
    one; ``last``: its number in the GTID (0: anonymous); ``commit_time``: Unix seconds.
    ``starved``: the buffer ended inside a transaction; ``full``: the next one does not fit in.
    """

    def __init__(self, *, layouts: Known, output: Output, mariadb: bool) -> None:
        self.layouts = layouts
        self.output = output
        self.mariadb = mariadb
        self.checksum = True
        self.generation = -1
        self.recent: list[LaneTable | None] = [None] * _RECENT
        self.next_recent = 0
        self.data = b""
        self.limit = self.at = self.body = self.end = 0
        self.kind = 0
        self.size = self.header_time = self.pos = 0
        self.origin = b""
        self.number = 0
        self.numbered = False
        self.taken = 0
        self.micros = self.began = 0
        self.tables: list[LaneTable] = []
        self.numbers = array("Q", bytes(8 * _TABLES_MOST))
        self.open_rows = 0
        self.open_bytes = 0
        self.transactions = self.rows = 0
        self.bytes = self.stop = self.last = 0
        self.commit_time = 0.0
        self.starved = self.full = False

    def follow(self, origin: bytes, number: int, taken: int) -> None:
        """Say which GTID the last transaction had, and the next higher number that was executed before (0: none).

        ``origin``: what of the event must be the same again (MySQL: the UUID; MariaDB: server id and domain,
        four bytes each); empty when it had none.
        """
        self.origin = origin
        self.number = number
        self.numbered = bool(origin)
        self.taken = taken

    def run(self, data: bytes, at: int, pos: int, room: tuple[int, int]) -> int:
        """Take transactions from ``data[at:]``, of which the first byte is at ``pos`` of the binlog file.

        ``room``: most rows and bytes. Returns the offset behind the last transaction taken.
        """
        start: cython.Py_ssize_t = at
        place: cython.ulonglong = pos
        outcome: cython.int
        rows_left: cython.Py_ssize_t = room[0]
        bytes_left: cython.ulonglong = max(0, room[1])
        number: cython.ulonglong
        out: Output = self.output
        runs: cython.Py_ssize_t
        filled: cython.Py_ssize_t
        tallies: cython.Py_ssize_t
        nulls: cython.Py_ssize_t
        reserved: cython.Py_ssize_t
        self.transactions = self.rows = 0
        self.bytes = 0
        self.starved = self.full = False
        if self.generation != self.layouts.generation:
            self.generation = self.layouts.generation
            self.recent = [None] * _RECENT
        self.data = data
        self.limit = len(data)
        while True:
            self.at, self.pos, number = start, place, self.number
            runs, filled, tallies = out.seal(), out.buffer.at, out.tallied
            nulls, reserved = out.null_keys, out.reserved_keys
            try:
                outcome = self.transaction(rows_left, bytes_left)
            except DAMAGE:
                outcome = _OTHERWISE  # the slow road says what is wrong, and where
            if outcome != _DONE:
                self.number = number
                out.forget(Mark(runs, filled, tallies, nulls, reserved))
                break
            start, place = self.at, self.pos
            rows_left -= self.open_rows
            bytes_left -= self.open_bytes
            self.rows += self.open_rows
            self.bytes += self.open_bytes
            self.transactions += 1
            self.stop, self.last = place, self.number
            self.commit_time = self.micros / 1e6 if self.micros else self.began
            # The end's own, where that is later: as the slow road takes it.
            self.commit_time = max(self.commit_time, self.header_time)
        self.data = b""
        return start

    def transaction(self, room_rows: cython.Py_ssize_t, room_bytes: cython.ulonglong) -> cython.int:
        """Take one transaction from ``at`` on; only when it returns _DONE was it a plain one."""
        self.open_rows = 0
        self.open_bytes = 0
        self.tables.clear()
        if self.event() != _DONE or self.gtid() != _DONE:
            return _OTHERWISE
        if not self.mariadb and (self.event() != _DONE or self.kind != _QUERY or self.query_is(b"BEGIN") != _DONE):
            return _OTHERWISE
        while True:
            if self.event() != _DONE:
                return _OTHERWISE
            if self.kind == _XID:
                break
            if self.kind == _TABLE_MAP:
                if self.table_map() != _DONE:
                    return _OTHERWISE
            elif _WRITE <= self.kind <= _DELETE or _WRITE_V1 <= self.kind <= _DELETE_V1:
                if self.row_images() != _DONE:
                    return _OTHERWISE
                if self.open_rows > room_rows:
                    self.full = True
                    return _OTHERWISE
            elif self.kind == _QUERY:
                if self.query_is(b"COMMIT") != _DONE:
                    return _OTHERWISE
                break
            elif self.kind != _ROWS_QUERY and self.kind != _ANNOTATE:
                return _OTHERWISE
        if self.open_bytes > room_bytes:
            self.full = True
            return _OTHERWISE
        return _DONE

    def event(self) -> cython.int:
        """Frame the packet at ``at`` and step behind it; its body is then ``data[body:end]``."""
        data: bytes = self.data
        at: cython.Py_ssize_t = self.at
        size: cython.Py_ssize_t
        first: cython.Py_ssize_t
        low: cython.ulonglong
        hole: cython.ulonglong
        if at + 4 > self.limit:
            self.starved = True
            return _OTHERWISE
        size = data[at] | data[at + 1] << 8 | data[at + 2] << 16
        if size == 0xFFFFFF:
            return _OTHERWISE
        if at + 4 + size > self.limit:
            self.starved = True
            return _OTHERWISE
        if size <= _HEADER + 5 or data[at + 4] != 0:
            return _OTHERWISE
        first = at + 5
        self.header_time = self.little(first, 4)
        self.kind = data[first + 4]
        self.size = self.little(first + 9, 4)
        low = self.little(first + 13, 4)
        if self.size != cython.cast(cython.ulonglong, size - 1) or data[first + 17] & _ARTIFICIAL:
            return _OTHERWISE
        hole = (low - self.pos - self.size) & _LOW
        if low == 0 or (hole and not self.left_out(hole)):
            return _OTHERWISE
        self.body = first + _HEADER
        self.end = at + 4 + size
        if self.checksum:
            self.end -= 4
            if crc32(data, first, self.end) != self.little(self.end, 4):
                return _OTHERWISE
        self.pos += hole + self.size
        self.open_bytes += self.size
        self.at = at + 4 + size
        return _DONE

    def left_out(self, hole: cython.ulonglong) -> cython.bint:
        """Whether the server left out the statement's text, as MariaDB does (ANNOTATE_ROWS) in front of a table map."""
        return self.mariadb and self.kind == _TABLE_MAP and hole < _LONGEST

    def little(self, at: cython.Py_ssize_t, size_bytes: cython.int) -> cython.ulonglong:
        """Read a little-endian number."""
        data: bytes = self.data
        value: cython.ulonglong = 0
        i: cython.int = size_bytes - 1
        while i >= 0:
            value = (value << 8) | data[at + i]
            i -= 1
        return value

    def gtid(self) -> cython.int:
        """Check that the event is a GTID, and the one that follows the last."""
        data: bytes = self.data
        body: cython.Py_ssize_t = self.body
        self.began = self.header_time
        self.micros = 0
        if self.mariadb:
            if self.kind != _MARIADB_GTID or self.end - body < 13 or data[body + 12] & _STANDALONE_OR_XA:
                return _OTHERWISE
            if not same(data, body - 14, self.origin[:4], 4) or not same(data, body + 8, self.origin[4:], 4):
                return _OTHERWISE
            self.number = self.little(body, 8)
            return _DONE
        if self.kind == _GTID:
            if not self.numbered or self.end - body < 25 or not same(data, body + 1, self.origin, 16):
                return _OTHERWISE
            if self.little(body + 17, 8) != self.number + 1 or self.number + 1 == self.taken:
                return _OTHERWISE
            self.number += 1
        elif self.kind != _ANONYMOUS or self.numbered:
            return _OTHERWISE
        if self.end - body >= _STAMP + 7:
            self.micros = self.little(body + _STAMP, 7) & _STAMP_BITS
        return _DONE

    def query_is(self, text: bytes) -> cython.int:
        """Check that the QUERY event holds this statement and nothing else."""
        start: cython.Py_ssize_t = self.body + 13
        if start > self.end:
            return _OTHERWISE
        start += cython.cast(cython.Py_ssize_t, self.little(self.body + 11, 2)) + self.data[self.body + 8] + 1
        return _DONE if same(self.data, start, text, self.end - start) else _OTHERWISE

    def table_map(self) -> cython.int:
        """Find the table of a map that was met before."""
        start: cython.Py_ssize_t = self.body + 8
        size: cython.Py_ssize_t = self.end - start
        i: cython.Py_ssize_t
        table: LaneTable | None
        if size <= 0 or len(self.tables) >= _TABLES_MOST:
            return _OTHERWISE
        for i in range(_RECENT):
            table = self.recent[i]
            if table is not None and same(self.data, start, table.body, size):
                break
        else:
            body = self.data[start : self.end]
            layout = self.layouts.known(body)
            if layout is None:
                return _OTHERWISE
            table = LaneTable(body, layout)
            self.recent[self.next_recent] = table
            self.next_recent = (self.next_recent + 1) % _RECENT
        self.numbers[len(self.tables)] = self.little(self.body, 6)
        self.tables.append(table)
        return _DONE

    def row_images(self) -> cython.int:
        """Take the rows of a table of this statement."""
        number: cython.ulonglong = self.little(self.body, 6)
        flags: cython.ulonglong = self.little(self.body + 6, 2)
        at: cython.Py_ssize_t = self.body + 8
        kind: cython.int = self.kind - (_WRITE if self.kind >= _WRITE else _WRITE_V1)
        size: cython.Py_ssize_t
        i: cython.Py_ssize_t = len(self.tables) - 1
        plan: LanePlan | None
        if self.end < at + 3:
            return _OTHERWISE
        while i >= 0 and self.numbers[i] != number:
            i -= 1
        if i < 0:
            return _OTHERWISE
        table: LaneTable = self.tables[i]
        if self.kind >= _WRITE:
            at += self.little(at, 2)
        if at >= self.end or table.width > 250 or self.data[at] != table.width:
            return _OTHERWISE
        at += 1
        size = (table.width + 7) // 8 * (2 if kind == 1 else 1)
        if at + size > self.end:
            return _OTHERWISE
        plan = table.plan(self, kind, at, size)
        if plan is None:
            return _OTHERWISE
        self.open_rows += plan.rows.scan(self.data, at + size, self.end, plan.first, plan.second)
        if plan.effects is not None:
            plan.effects.run(self.output, plan.rows, 0, plan.rows.count)
        elif plan.objects is not None:
            plan.objects.put(self.output, 0, plan.rows.count)
        plan.rows.data = b""
        if flags & _STATEMENT_END:
            self.tables.clear()
            self.output.fresh.clear()
        return _DONE
