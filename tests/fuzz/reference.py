"""What packets say, by a strict parser of our own: rows that committed and the place behind, or a contradiction.

It knows nothing of values but ids. Whatever it cannot judge (statements that a mutation
invented) it says so, and the oracle then asks only that hasync does not crash.
"""

import re
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import zstandard

from hasync.model.position import Flavor
from tests.fuzz.corpus import SCHEMA, Scene
from tests.fuzz.tables import Damaged, Id, Reader, Shape, rows, shape, unpacked
from tests.fuzz.wire import ARTIFICIAL, algorithm

_HARMLESS = frozenset({3, 5, 13, 14, 28, 29, 35, 36, 37, 160, 161, 163, 164})
_MUST_STAND = frozenset({2, 16, 19, 23, 24, 25, 30, 31, 32, 33, 34, 162})
_NOT_JUDGED = frozenset({38})
_FOREIGN = {Flavor.MYSQL: frozenset({162, *range(165, 172)}), Flavor.MARIADB: frozenset({33, 34, *range(38, 43)})}
"""Events of one server that mean nothing from the other, and move rows or the place. The harmless ones may pass."""
_NEW = frozenset({39, 40, 42, *range(165, 172)})
"""A server that marks one of these as one to be skipped by who does not know it would mean it."""
_ROWS = dict.fromkeys((23, 24, 25, 30, 31, 32, 39), False) | dict.fromkeys(range(166, 172), True)
_UPDATES = frozenset({24, 31, 39, 167, 170})
_VERSION_2 = frozenset({30, 31, 32, 39, 169, 170, 171})
_MUST_BE_INSIDE_PAYLOAD = _ROWS.keys() | {2, 16, 19, 29}
_IGNORABLE = 0x80
_NO_TABLE = 0xFFFFFF
_OUTSIDE, _BEGUN, _INSIDE = "outside", "begun", "inside"
_DEFINITIONS = re.compile(rb"(CREATE|ALTER|DROP|RENAME|TRUNCATE|FLUSH|GRANT)\s", re.IGNORECASE)
_SAVEPOINT = re.compile(rb"SAVEPOINT `?(\w+)`?$", re.IGNORECASE)
_BACK = re.compile(rb"ROLLBACK TO(?: SAVEPOINT)? `?(\w+)`?$", re.IGNORECASE)


class Unjudged(Exception):  # noqa: N818 - a verdict
    """This parser does not know either."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first contradiction: its ``kind``, and at which packet it lies."""

    kind: str
    packet: int
    detail: str


@dataclass(slots=True)
class Verdict:
    """What hasync must deliver: ``ids`` of committed rows, ``pending`` of the open transaction, and the place.

    ``places``: for each packet the file and offset where it begins, None when it has none.
    """

    file: str
    pos: int
    gtids: list[tuple[str, int]] = field(default_factory=list)
    judged_gtids: bool = True
    ids: list[Id] = field(default_factory=list)
    pending: list[Id] = field(default_factory=list)
    fault: Fault | None = None
    unjudged: str = ""
    places: list[tuple[str, int] | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Event:
    kind: int
    flags: int
    start: int
    stop: int
    placed: bool
    body: bytes
    server: int
    timestamp: int


def verdict(scene: Scene, packets: Sequence[bytes]) -> Verdict:
    """Read packets as a server that starts at the scene's start sends them."""
    return _Parser(scene).read(packets)


class _Refused(Exception):  # noqa: N818 - a verdict
    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class _Parser:
    def __init__(self, scene: Scene) -> None:
        self._flavor = scene.flavor
        self._checksum = scene.checksum
        self._found = Verdict(scene.start.file, scene.start.pos)
        self._end = scene.start.pos
        self._executed = scene.flavor.gtid_set(scene.start.gtid_set)
        self._state = _OUTSIDE
        self._gtid: tuple[str, int] | None = None
        self._tables: dict[int, Shape] = {}
        self._savepoints: dict[bytes, int] = {}
        self._mapped = False
        self._handlers: dict[int, Callable[[_Event], None]] = {
            2: lambda event: self._query(event.body, compressed=False),
            40: self._payload,
            165: lambda event: self._query(event.body, compressed=True),
            15: self._format,
            16: self._xid,
            19: self._table_map,
            27: self._heartbeat,
            33: self._mysql_gtid,
            34: self._mysql_gtid,
            41: self._heartbeat,
            162: self._mariadb_gtid,
            **dict.fromkeys(_ROWS, self._rows),
            **dict.fromkeys(_HARMLESS, self._advance),
        }

    def read(self, packets: Sequence[bytes]) -> Verdict:
        for number, packet in enumerate(packets):
            try:
                self._packet(packet)
            except Damaged as damaged:
                self._found.fault = Fault("damaged body", number, str(damaged))
            except _Refused as refused:
                self._found.fault = Fault(refused.kind, number, str(refused))
            except Unjudged as unknown:
                self._found.unjudged = f"packet {number}: {unknown}"
            if self._found.fault or self._found.unjudged:
                break
        return self._found

    # ------------------------------------------------------------------------------- frame

    def _packet(self, packet: bytes) -> None:
        event, is_rotate = self._framed(packet)
        if is_rotate:
            self._found.places.append(self._place(event))
            self._rotate(event)
            return
        self._found.places.append(self._place(event))
        if event.kind not in (27, 41):
            self._stand(event, len(packet) - 1)
        if event.kind in _FOREIGN[self._flavor] and not event.flags & _IGNORABLE:
            raise _Refused("other server's event", f"type {event.kind}")
        handler = self._handlers.get(event.kind)
        if event.kind in _NOT_JUDGED or (event.kind in _NEW and event.flags & _IGNORABLE):
            raise Unjudged(f"type {event.kind}")
        if handler is not None:
            handler(event)
        elif event.kind == 42:
            self._begin(None)
            self._found.judged_gtids = False
        elif event.flags & _IGNORABLE:
            self._advance(event)
        else:
            raise _Refused("unknown type", f"type {event.kind}")

    def _place(self, event: _Event) -> tuple[str, int] | None:
        return (self._found.file, event.start) if event.placed and event.kind not in (27, 41) else None

    def _framed(self, packet: bytes) -> tuple[_Event, bool]:
        reader = Reader(packet)
        if len(packet) <= 19 or reader.number(1) != 0:
            raise _Refused("frame", f"{len(packet)} bytes")
        timestamp, kind, server = reader.number(4), reader.number(1), reader.number(4)
        size, low, flags = reader.number(4), reader.number(4), reader.number(2)
        if size != len(packet) - 1:
            raise _Refused("frame", f"says {size} bytes, has {len(packet) - 1}")
        matches = zlib.crc32(packet[1:-4]) == int.from_bytes(packet[-4:], "little")
        checksum = {4: matches, 15: False}.get(kind, self._checksum)
        if checksum and not matches:
            raise _Refused("checksum", f"type {kind}")
        body = packet[reader.at : len(packet) - 4] if checksum else packet[reader.at :]
        is_placed = low != 0 and not flags & ARTIFICIAL
        start = low - size if is_placed else self._end
        if kind == 15:
            body = bytes((algorithm(packet),))
        stop = low if is_placed else self._end
        return _Event(kind, flags, start, stop, is_placed, body, server, timestamp), kind == 4

    def _stand(self, event: _Event, size: int) -> None:
        """Require that events follow one another. Files stay below 4 GiB here."""
        if not event.placed:
            if event.kind in _MUST_STAND:
                raise _Refused("no place", f"type {event.kind}")
            return
        if event.start < self._end:
            raise _Refused("place went back", f"type {event.kind} begins at {event.start}, behind was {self._end}")
        if event.start > self._end:
            self._gap(event)
        self._end = event.start + size

    def _gap(self, event: _Event) -> None:
        where = "inside a transaction" if self._state != _OUTSIDE else "between transactions"
        if self._flavor is Flavor.MARIADB and self._state != _OUTSIDE and event.kind == 19 and not self._mapped:
            return  # each statement's text (ANNOTATE_ROWS) stands there, and is sent only to those who ask
        raise _Refused(f"gap {where}", f"type {event.kind} begins at {event.start}, behind was {self._end}")

    def _format(self, event: _Event) -> None:
        if event.body[0] not in (0, 1):
            raise _Refused("unknown type", "checksum algorithm")
        self._checksum = event.body[0] == 1
        self._crash(event)
        self._advance(event)

    def _rotate(self, event: _Event) -> None:
        reader = Reader(event.body)
        pos = reader.number(8)
        try:
            name = reader.rest().decode()
        except UnicodeDecodeError:
            raise Damaged("file name") from None
        self._crash(event)
        if event.placed and name == self._found.file:
            raise Unjudged("rotates to itself")
        if name.rpartition(".")[2] < self._found.file.rpartition(".")[2]:
            raise Unjudged("rotates back")
        if event.placed:
            self._stand(event, len(event.body) + 19 + 4 * self._checksum)
        if name != self._found.file:
            self._found.file = name
            self._found.pos = self._end = pos

    def _crash(self, event: _Event) -> None:
        """A new file inside a transaction: the server ended while it wrote it, and it never committed."""
        if self._state != _OUTSIDE:
            raise Unjudged(f"type {event.kind} inside a transaction")

    def _heartbeat(self, event: _Event) -> None:
        if self._state != _OUTSIDE:
            return
        name, pos = (event.body, event.stop) if event.kind == 27 else _heartbeat_v2(Reader(event.body))
        if name.decode("utf-8", "replace") != self._found.file:
            return
        if pos < self._found.pos:
            raise _Refused("place went back", f"heartbeat at {pos}")
        self._found.pos = self._end = pos

    def _advance(self, event: _Event) -> None:
        if self._state == _OUTSIDE and event.placed:
            self._found.pos = self._end

    # ------------------------------------------------------------------------ transactions

    def _mysql_gtid(self, event: _Event) -> None:
        reader = Reader(event.body)
        reader.take(1)
        origin = str(uuid.UUID(bytes=reader.take(16)))
        number = reader.number(8)
        if event.kind == 33 and not 0 < number < 1 << 63:
            raise Damaged("transaction number")
        gtid = (origin, number) if event.kind == 33 else None
        self._begin(gtid, f"{origin}:{number}" if gtid else "")

    def _mariadb_gtid(self, event: _Event) -> None:
        reader = Reader(event.body)
        number, domain, flags = reader.number(8), reader.number(4), reader.number(1)
        if flags & 0xC0:
            raise Unjudged("XA")
        self._begin((f"{domain}-{event.server}", number), "")
        if not flags & 1:
            self._state = _INSIDE

    def _begin(self, gtid: tuple[str, int] | None, once: str = "") -> None:
        if self._state != _OUTSIDE:
            raise _Refused("transaction in a transaction", str(gtid))
        if once and (gtid in self._found.gtids or self._executed.covers(self._flavor.gtid_set(once))):  # type: ignore[arg-type]
            raise _Refused("transaction again", once)
        self._state = _BEGUN
        self._gtid = gtid
        self._mapped = False
        self._savepoints.clear()

    def _close(self) -> None:
        if self._gtid is not None:
            self._found.gtids.append(self._gtid)
        self._found.ids += self._found.pending
        self._found.pending.clear()
        self._found.pos = self._end
        self._state = _OUTSIDE
        self._tables.clear()

    def _xid(self, event: _Event) -> None:
        self._require_inside(event)
        self._close()

    def _require_inside(self, event: _Event) -> None:
        if self._state != _INSIDE:
            raise _Refused("outside a transaction", f"type {event.kind}")

    def _query(self, body: bytes, *, compressed: bool) -> None:  # noqa: C901 - one line per statement
        reader = Reader(body)
        reader.take(8)
        schema = reader.number(1)
        reader.take(2)
        reader.take(reader.number(2) + schema + 1)
        sql = unpacked(reader.rest()) if compressed else reader.rest()
        if self._state == _OUTSIDE:
            raise _Refused("outside a transaction", "statement")
        if sql == b"BEGIN":
            self._state = _INSIDE
        elif sql == b"COMMIT":
            self._close()
        elif sql == b"ROLLBACK":
            self._found.pending.clear()
            self._close()
        elif saved := _SAVEPOINT.match(sql):
            self._savepoints[saved[1].lower()] = len(self._found.pending)
        elif back := _BACK.match(sql):
            self._roll_back_to(back[1].lower())
        elif _DEFINITIONS.match(sql) and not sql.endswith(b"START TRANSACTION"):
            if self._state == _BEGUN:
                self._close()
        else:
            raise Unjudged("statement")

    def _roll_back_to(self, name: bytes) -> None:
        if name not in self._savepoints:
            raise _Refused("no such savepoint", "statement")
        del self._found.pending[self._savepoints[name] :]

    def _payload(self, event: _Event) -> None:
        """Read a compressed transaction: its events are inside, without checksums, and none may be missing."""
        if self._state != _BEGUN:
            raise _Refused("outside a transaction", "type 40")
        checksum, self._checksum = self._checksum, False
        for packet in _contents(Reader(event.body)):
            inner, _ = self._framed(packet)
            if inner.kind not in _MUST_BE_INSIDE_PAYLOAD:
                raise Unjudged(f"type {inner.kind} in a payload")
            if self._state == _OUTSIDE:
                raise _Refused("outside a transaction", f"type {inner.kind} in a payload")
            self._handlers[inner.kind](inner)
        self._checksum = checksum
        if self._state != _OUTSIDE:
            raise _Refused("payload without COMMIT", "type 40")

    # -------------------------------------------------------------------------------- rows

    def _table_map(self, event: _Event) -> None:
        self._require_inside(event)
        self._mapped = True
        reader = Reader(event.body)
        number = reader.number(6)
        reader.take(2)
        self._tables[number] = shape(reader.rest())

    def _rows(self, event: _Event) -> None:
        self._require_inside(event)
        reader = Reader(event.body)
        number, flags = reader.number(6), reader.number(2)
        if number != _NO_TABLE:
            table = self._tables.get(number)
            if table is None:
                raise _Refused("rows without table map", f"table {number}")
            found = rows(
                reader.rest(),
                table,
                version_2=event.kind in _VERSION_2,
                update=event.kind in _UPDATES,
                compressed=_ROWS[event.kind],
                partial=event.kind == 39,
            )
            if table.schema == SCHEMA.encode():
                self._found.pending += found
        if flags & 1:
            self._tables.clear()
            self._mapped = False


def _contents(reader: Reader) -> Iterator[bytes]:
    """Yield the events of a payload as packets."""
    how, size, data = 255, -1, b""
    while reader.left:
        kind = reader.packed()
        if kind == 0:
            data = reader.rest()
            break
        value = Reader(reader.take(reader.packed()))
        if kind == 2:
            how = value.packed()
        elif kind == 3:
            size = value.packed()
    inside = Reader(_inflated(how, data))
    if how == 0 and size not in (-1, len(inside.data)):
        raise Damaged("payload is not as long as it says")
    while inside.left:
        length = int.from_bytes(inside.data[inside.at + 9 : inside.at + 13], "little")
        yield b"\0" + inside.take(max(length, 19))


def _inflated(how: int, data: bytes) -> bytes:
    if how == 255:
        return data
    if how:
        raise _Refused("unknown type", f"compression {how}")
    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    except zstandard.ZstdError as broken:
        raise Damaged(str(broken)) from None


def _heartbeat_v2(reader: Reader) -> tuple[bytes, int]:
    name, pos = b"", 0
    while reader.left and (kind := reader.packed()):
        value = reader.take(reader.packed())
        if kind == 1:
            name = value
        elif kind == 2:
            pos = Reader(value).packed()
    return name, pos
