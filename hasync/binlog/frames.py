"""Binlog events as bytes: header, checksum, type, and the place each one has in its file.

Pure: no socket, no clock. The event's own fields are read by
:mod:`hasync.binlog.transactions` and :mod:`hasync.binlog.rowevents`.
"""

from enum import IntEnum
from struct import Struct
from zlib import crc32

from hasync.binlog.remedies import RESET
from hasync.errors import SourceRefused

HEADER = Struct("<IBIIIH")
"""timestamp, type, server id, size, end position (its low 32 bits), flags."""
HEADER_BYTES = 19
CHECKSUM_BYTES = 4
ARTIFICIAL = 0x20
"""Made up by the server for this dump; it has no place in the file."""
IGNORABLE = 0x80
"""A replica that does not know the type may skip it."""


class EventType(IntEnum):
    """The event types of MySQL 9.7 and MariaDB 11 (from 160 on)."""

    UNKNOWN = 0
    START_V3 = 1
    QUERY = 2
    STOP = 3
    ROTATE = 4
    INTVAR = 5
    LOAD = 6
    SLAVE = 7
    CREATE_FILE = 8
    APPEND_BLOCK = 9
    EXEC_LOAD = 10
    DELETE_FILE = 11
    NEW_LOAD = 12
    RAND = 13
    USER_VAR = 14
    FORMAT_DESCRIPTION = 15
    XID = 16
    BEGIN_LOAD_QUERY = 17
    EXECUTE_LOAD_QUERY = 18
    TABLE_MAP = 19
    PRE_GA_WRITE_ROWS = 20
    PRE_GA_UPDATE_ROWS = 21
    PRE_GA_DELETE_ROWS = 22
    WRITE_ROWS_V1 = 23
    UPDATE_ROWS_V1 = 24
    DELETE_ROWS_V1 = 25
    INCIDENT = 26
    HEARTBEAT = 27
    IGNORABLE = 28
    ROWS_QUERY = 29
    WRITE_ROWS = 30
    UPDATE_ROWS = 31
    DELETE_ROWS = 32
    GTID = 33
    ANONYMOUS_GTID = 34
    PREVIOUS_GTIDS = 35
    TRANSACTION_CONTEXT = 36
    VIEW_CHANGE = 37
    XA_PREPARE = 38
    PARTIAL_UPDATE_ROWS = 39
    TRANSACTION_PAYLOAD = 40
    HEARTBEAT_V2 = 41
    GTID_TAGGED = 42
    MARIADB_ANNOTATE_ROWS = 160
    MARIADB_BINLOG_CHECKPOINT = 161
    MARIADB_GTID = 162
    MARIADB_GTID_LIST = 163
    MARIADB_START_ENCRYPTION = 164
    MARIADB_QUERY_COMPRESSED = 165
    MARIADB_WRITE_ROWS_COMPRESSED_V1 = 166
    MARIADB_UPDATE_ROWS_COMPRESSED_V1 = 167
    MARIADB_DELETE_ROWS_COMPRESSED_V1 = 168
    MARIADB_WRITE_ROWS_COMPRESSED = 169
    MARIADB_UPDATE_ROWS_COMPRESSED = 170
    MARIADB_DELETE_ROWS_COMPRESSED = 171


HARMLESS = frozenset(
    {
        EventType.STOP,
        EventType.INTVAR,  # these three prepare a statement, and statements that change rows are refused
        EventType.RAND,
        EventType.USER_VAR,
        EventType.IGNORABLE,
        EventType.ROWS_QUERY,
        EventType.PREVIOUS_GTIDS,
        EventType.TRANSACTION_CONTEXT,
        EventType.VIEW_CHANGE,
        EventType.MARIADB_ANNOTATE_ROWS,
        EventType.MARIADB_BINLOG_CHECKPOINT,
        EventType.MARIADB_GTID_LIST,
        EventType.MARIADB_START_ENCRYPTION,  # the server decrypts what it sends
    }
)
"""Events that never hold rows nor end a transaction."""

HEARTBEATS = frozenset({EventType.HEARTBEAT, EventType.HEARTBEAT_V2})
"""They name a place, but have none."""

GTIDS = frozenset({EventType.GTID, EventType.ANONYMOUS_GTID, EventType.GTID_TAGGED, EventType.MARIADB_GTID})
"""Each begins a transaction."""

_STATEMENT = (
    "SET GLOBAL binlog_format = 'ROW', also in the session that wrote it; "
    f"then move the stream behind this transaction: {RESET}"
)
REMEDIES: dict[int, str] = {
    EventType.INCIDENT: "the server lost events here: compare the tables with Redis, "
    f"then move the stream behind this event: {RESET}",
    EventType.BEGIN_LOAD_QUERY: _STATEMENT,
    EventType.EXECUTE_LOAD_QUERY: _STATEMENT,
    EventType.APPEND_BLOCK: _STATEMENT,
    EventType.DELETE_FILE: _STATEMENT,
}
"""What the operator can do about an event that hasync refuses."""

STATEMENT_REMEDY = _STATEMENT


class Event:
    """One event. ``data[at:end]`` is its body, without header and checksum.

    ``start``/``stop`` are 64-bit offsets in the binlog file; both equal the reader's place
    when the event has none of its own (``placed`` is False).
    """

    __slots__ = ("at", "data", "end", "flags", "placed", "size", "start", "stop", "timestamp", "type")

    def __init__(self, data: bytes, start: int, *, checksum: bool, file: str = "") -> None:
        """Frame a packet that begins with the OK byte; ``start`` is where the reader stands in ``file``.

        Raises SourceRefused when header, size or checksum are not right.
        """
        if len(data) <= HEADER_BYTES:
            raise SourceRefused(
                f"packet of {len(data)} bytes at {file}:{start} is too short for an event", hint=DAMAGED
            )
        self.timestamp, self.type, _, self.size, low, self.flags = HEADER.unpack_from(data, 1)
        self.data = data
        self.at = HEADER_BYTES + 1
        self.end = len(data) - CHECKSUM_BYTES if checksum else len(data)
        if self.size != len(data) - 1:
            said = f"says {self.size} bytes, has {len(data) - 1}"
            raise SourceRefused(f"{self.name} at {file}:{start} {said}", hint=DAMAGED)
        self.placed = low != 0 and not self.flags & ARTIFICIAL
        self.stop = _widen(start, low) if self.placed else start
        self.start = self.stop - self.size if self.placed else start
        if checksum and not checksum_matches(data):
            raise SourceRefused(f"checksum of the {self.name} at {file}:{start} is wrong", hint=DAMAGED)

    def within(self, outer: "Event") -> "Event":
        """Take the place of the event that this one came in, or that it takes effect with; return it."""
        self.start, self.stop, self.placed = outer.start, outer.stop, outer.placed
        return self

    def replaced(self, kind: int, body: bytes) -> "Event":
        """Return an event of this place and time, of another type and body."""
        size = HEADER_BYTES + len(body)
        header = HEADER.pack(self.timestamp, kind, 0, size, 0, self.flags)
        return Event(b"\0" + header + body, self.start, checksum=False).within(self)

    @property
    def name(self) -> str:
        """The type's name, for messages."""
        return type_name(self.type)


DAMAGED = "the connection or the binlog file is damaged: check the file with mysqlbinlog --verify-binlog-checksum"


def checksum_matches(data: bytes) -> bool:
    """Whether the packet's last four bytes are the CRC32 of the event in front of them."""
    view = memoryview(data)
    return crc32(view[1:-CHECKSUM_BYTES]) == int.from_bytes(view[-CHECKSUM_BYTES:], "little")


def type_name(number: int) -> str:
    """Return ``TRANSACTION_PAYLOAD_EVENT (40)``, as manuals name it."""
    try:
        return f"{EventType(number).name}_EVENT ({number})"
    except ValueError:
        return f"unknown event type {number}"


def _widen(start: int, low: int) -> int:
    """Return the first 64-bit offset after ``start`` that ends in ``low``: headers hold 32 bits, files pass 4 GiB."""
    stop = (start & ~0xFFFFFFFF) | low
    return stop if stop >= start else stop + (1 << 32)


def checksummed(data: bytes) -> bool:
    """Return whether a FORMAT_DESCRIPTION packet announces CRC32 for its file.

    Raises SourceRefused for an algorithm that is not known.
    """
    # The algorithm byte stands in front of the event's own checksum, which is there in either case.
    algorithm = data[-CHECKSUM_BYTES - 1]
    if algorithm not in (0, 1):
        raise SourceRefused(
            f"binlog checksum algorithm {algorithm} is not known", hint="SET GLOBAL binlog_checksum = CRC32"
        )
    return algorithm == 1


def lenenc(data: bytes, at: int) -> tuple[int, int]:
    """Read a length-encoded integer; return it and the offset behind it. Raises ValueError when cut short."""
    first = data[at] if at < len(data) else 0xFF
    if first < 0xFB:
        return first, at + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    if not width or at + 1 + width > len(data):
        raise ValueError(f"length-encoded integer at offset {at} is cut short or invalid")
    return int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width


def rotation(packet: bytes, start: int) -> tuple[Event, str, int]:
    """Read a ROTATE packet: the event, and name and offset of the file that follows.

    The one that a server makes up at the start may or may not have a checksum.
    Raises SourceRefused, ValueError.
    """
    event = Event(packet, start, checksum=False)
    stop = event.end - CHECKSUM_BYTES if checksum_matches(packet) else event.end
    name = packet[event.at + 8 : stop].decode()
    return event, name, int.from_bytes(packet[event.at : event.at + 8], "little")


def heartbeat_v2(event: Event) -> tuple[str, int]:
    """Read a version 2 heartbeat's file name and 64-bit position: (type, length, value) until type 0."""
    data, at = event.data, event.at
    name, pos = "", 0
    while at < event.end:
        kind, at = lenenc(data, at)
        if kind == 0:
            break
        length, at = lenenc(data, at)
        if kind == 1:
            name = data[at : at + length].decode()
        elif kind == 2:
            pos, _ = lenenc(data, at)
        at += length
    return name, pos
