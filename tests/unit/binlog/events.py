"""Binlog packets made by hand, as a server would send them."""

import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from struct import pack, unpack_from

from hasync.binlog.archive import Archive
from hasync.binlog.frames import ARTIFICIAL, EventType
from hasync.binlog.layouts import Layouts
from hasync.binlog.place import Seek
from hasync.binlog.segments import Limits
from hasync.binlog.transactions import Transactions
from hasync.binlog.types import Code
from hasync.model.change import Interest, Segment, Selection, Table
from hasync.model.position import Flavor, Position

UUID = "00112233-4455-6677-8899-aabbccddeeff"
UTF8MB4 = 45
CHARSETS = {UTF8MB4: "utf8mb4", 8: "latin1", 63: "binary"}


class Columns:
    """Wants the first columns of each image."""

    def __init__(self, *columns: int) -> None:
        self.before = self.after = columns
        self.program = None


class All:
    """Wants all columns of all tables of schema ``d``."""

    def emptied(self, schema: str, table: str) -> None: ...

    def select(self, table: Table) -> Selection | None:
        """Select by schema."""
        return Columns(*range(len(table.columns))) if table.schema == "d" else None


class Shelf:
    """Keeps files as lists of packets; says what was asked of it."""

    def __init__(self, packets: Mapping[str, Sequence[bytes]]) -> None:
        self._packets = packets
        self.asked: list[tuple[str, int]] = []
        self.open = 0

    def files(self) -> Sequence[str]:
        return list(self._packets)

    def packets(self, file: str, pos: int) -> Generator[bytes, None, None]:
        self.asked.append((file, pos))
        self.open += 1
        try:
            for packet in self._packets.get(file, ()):
                low = int.from_bytes(packet[14:18], "little")
                size = len(packet) - 1
                if low - size >= pos or not low:
                    yield packet
        finally:
            self.open -= 1


class Wire:
    """Numbers events as a file does, and frames them as packets."""

    def __init__(self, pos: int = 4, *, checksum: bool = True, timestamp: int = 1_700_000_000) -> None:
        """Begin at ``pos``."""
        self.pos = pos
        self.checksum = checksum
        self.timestamp = timestamp

    def event(self, kind: int, body: bytes, *, flags: int = 0, placed: bool = True) -> bytes:
        """Return the packet of an event; one that is not placed does not move the file on."""
        size = 19 + len(body) + (4 if self.checksum else 0)
        low = 0
        if placed:
            self.pos += size
            low = self.pos & 0xFFFFFFFF
        event = pack("<IBIIIH", self.timestamp, kind, 1, size, low, flags) + body
        tail = pack("<I", zlib.crc32(event)) if self.checksum else b""
        return b"\0" + event + tail

    def heartbeat(self, file: str, pos: int) -> bytes:
        """Return a version 1 heartbeat."""
        body = file.encode()
        event = pack("<IBIIIH", 0, EventType.HEARTBEAT, 1, 19 + len(body) + 4, pos & 0xFFFFFFFF, 0) + body
        return b"\0" + event + pack("<I", zlib.crc32(event))

    def format(self) -> bytes:
        """Return a FORMAT_DESCRIPTION that the server makes up in the middle of a file."""
        was, self.checksum = self.checksum, True
        body = pack("<H", 4) + b"9.7.0".ljust(50, b"\0") + pack("<I", 0) + b"\x13" + bytes(40) + bytes((int(was),))
        packet = self.event(EventType.FORMAT_DESCRIPTION, body, placed=False)
        self.checksum = was
        return packet

    def rotate(self, file: str, pos: int = 4, *, real: bool = False) -> bytes:
        """Return a ROTATE; a real one ends the file."""
        body = pack("<Q", pos) + file.encode()
        packet = self.event(EventType.ROTATE, body, flags=0 if real else ARTIFICIAL, placed=real)
        if real:
            self.pos = pos
        return packet

    def gtid(self, number: int, *, micros: int = 0, uuid: str = UUID) -> bytes:
        """Return a GTID event of MySQL 8."""
        body = b"\0" + bytes.fromhex(uuid.replace("-", "")) + pack("<q", number) + b"\2" + bytes(16)
        return self.event(EventType.GTID, body + micros.to_bytes(7, "little"))

    def mariadb_gtid(self, number: int, *, flags: int = 0) -> bytes:
        """Return a GTID event of MariaDB, domain 0."""
        return self.event(EventType.MARIADB_GTID, pack("<QIB", number, 0, flags) + bytes(6))

    def query(self, sql: str, schema: str = "d") -> bytes:
        """Return a QUERY event without status variables."""
        head = pack("<IIBHH", 1, 0, len(schema), 0, 0)
        return self.event(EventType.QUERY, head + schema.encode() + b"\0" + sql.encode())

    def xid(self) -> bytes:
        """Return the event that commits."""
        return self.event(EventType.XID, pack("<Q", 1))

    def table_map(self, number: int, body: bytes) -> bytes:
        """Return a TABLE_MAP event."""
        return self.event(EventType.TABLE_MAP, number.to_bytes(6, "little") + b"\1\0" + body)

    def rows(self, number: int, kind: int, width: int, images: bytes, *, last: bool = True) -> bytes:
        """Return a rows event, version 2, with all columns present."""
        bitmap = ((1 << width) - 1).to_bytes((width + 7) // 8, "little")
        bitmaps = bitmap * (2 if kind == EventType.UPDATE_ROWS else 1)
        head = number.to_bytes(6, "little") + pack("<H", int(last)) + pack("<H", 2) + bytes((width,))
        return self.event(kind, head + bitmaps + images)

    def transaction(self, number: int, *ids: int, table: bytes | None = None, micros: int = 0) -> list[bytes]:
        """Return a transaction that inserts rows into ``d.t``, in one event."""
        images = b"".join(image(one) for one in ids)
        return [
            self.gtid(number, micros=micros),
            self.query("BEGIN"),
            self.table_map(7, table or TABLE),
            self.rows(7, EventType.WRITE_ROWS, 2, images),
            self.xid(),
        ]


def named(text: str) -> bytes:
    """Return a name as table maps have it."""
    return bytes((len(text),)) + text.encode() + b"\0"


def field(kind: int, value: bytes) -> bytes:
    """Return a field of a table map's optional metadata."""
    return bytes((kind, len(value))) + value


def table_body(
    schema: str, name: str, columns: Sequence[tuple[int, bytes]], names: Sequence[str] | None, more: bytes = b""
) -> bytes:
    """Return a table map's body: ``(type, metadata)`` per column."""
    types = bytes(code for code, _ in columns)
    block = b"".join(meta for _, meta in columns)
    nulls = bytes((len(columns) + 7) // 8)
    body = named(schema) + named(name) + bytes((len(columns),)) + types + bytes((len(block),)) + block + nulls
    if names is not None:
        body += field(4, b"".join(bytes((len(one),)) + one.encode() for one in names))
    return body + more


ID_AND_TEXT = [(Code.LONG, b""), (Code.VARCHAR, pack("<H", 200))]
TABLE = table_body("d", "t", ID_AND_TEXT, ["id", "v"], field(1, b"\0") + field(2, bytes((UTF8MB4,))))
OTHER = table_body("other", "t", ID_AND_TEXT, ["id", "v"], field(1, b"\0") + field(2, bytes((UTF8MB4,))))


def image(number: int, text: bytes = b"x") -> bytes:
    """Return a row image of ``(id INT, v VARCHAR(50))``."""
    return b"\0" + pack("<i", number) + bytes((len(text),)) + text


def machine(
    *,
    max_rows: int = 1000,
    max_bytes: int = 1 << 22,
    start: Position | None = None,
    seek: Seek | None = None,
    interest: Interest | None = None,
    flavor: Flavor = Flavor.MYSQL,
    archive: Archive | None = None,
) -> Transactions:
    """Return a state machine at the head of ``bin.000001``."""
    position = start or Position(flavor=flavor, server_uuid="server", file="bin.000001", pos=4)
    return Transactions(
        start=position,
        seek=seek or Seek(),
        layouts=Layouts(interest=interest or All(), charsets=CHARSETS, flavor=flavor, catalog=lambda *_: {}),
        limits=Limits(max_rows=max_rows, max_bytes=max_bytes),
        archive=archive or Shelf({}),
        checksum=True,
    )


def feed(subject: Transactions, *packets: bytes) -> list[Segment]:
    """Feed all, take what is due and what is left."""
    found = []
    for packet in packets:
        subject.feed(packet)
        while subject.due or subject.unfinished:
            subject.go_on()
            if subject.due:
                found.append(subject.take())
    if subject.ready:
        found.append(subject.take())
    return found


def feed_closed(subject: Transactions, *packets: bytes) -> list[Segment]:
    """Feed packets, some of which were left out or put together anew, as one server would have written them."""
    return feed(subject, *closed(packets))


def closed(packets: Iterable[bytes]) -> Iterator[bytes]:
    """Let each event begin where the one before ended."""
    stop = 0
    for packet in packets:
        size, low = unpack_from("<II", packet, 10)
        if not low:
            yield packet
            continue
        stop = (stop or low - size) + size
        event = packet[:14] + pack("<I", stop) + packet[18:]
        checked = zlib.crc32(packet[1:-4]) == int.from_bytes(packet[-4:], "little")
        yield event[:-4] + pack("<I", zlib.crc32(event[1:-4])) if checked else event


def ids(segments: Sequence[Segment]) -> list[int]:
    """Return the first column of each row."""
    return [
        int(row[0] or 0)
        for segment in segments
        for change in segment.changes
        for row in (change.after or change.before)
    ]
