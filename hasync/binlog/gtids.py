"""The growing set of transactions that lie before the reader's place.

The values of :mod:`hasync.model.gtid` are frozen; per transaction that would copy the
whole set, so this one grows in place and is printed only when a segment is handed over.
"""

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import Protocol

from hasync.binlog.frames import Event
from hasync.model.gtid import MysqlGtidSet
from hasync.model.position import Flavor

_UUID_BYTES = 16
_TAGGED_UUID, _TAGGED_NUMBER, _TAGGED_TAG, _TAGGED_STAMP, _TAGGED_LAST = 1, 2, 3, 6, 11
"""Field ids of a GTID_TAGGED event; those up to 11 are known, between tag and stamp lie the logical clock's."""

_MYSQL_STAMP = 42
"""Offset of the commit time in a GTID event: flags 1, uuid 16, number 8, logical clock 1 + 8 + 8."""
_STANDALONE = 1
_GROUP_COMMIT = 2
_PREPARED_XA = 64
_COMPLETED_XA = 128


class Executed(Protocol):
    """A set that transactions are added to as they end."""

    def add(self, origin: str, number: int) -> None:
        """Take one transaction in."""

    def has(self, origin: str, number: int) -> bool:
        """Whether the transaction is known to be before the reader's place, so that it must not come twice."""

    @property
    def last(self) -> tuple[bytes, int, int]:
        """The transaction added last, and the next higher number of its origin in the set (0: none); ``(b"", 0, 0)``.

        The origin as a GTID event has it: the UUID, or server id and domain in four bytes each.
        """

    def extend(self, number: int) -> None:
        """Take in all that follow :attr:`last` up to ``number``."""


class MysqlExecuted:
    """Intervals per origin, the last one open for growth."""

    def __init__(self, text: str) -> None:
        """Start from MySQL's notation. Raises ValueError."""
        self._spans = {
            origin: [list(span) for span in spans] for origin, spans in MysqlGtidSet.parse(text).origins.items()
        }
        self._newest = ("", 0)

    def add(self, origin: str, number: int) -> None:
        """Take one transaction in; the span that it belongs to grows, and joins the next one where they meet."""
        spans = self._spans.setdefault(origin, [])
        at = bisect_left(spans, number, key=itemgetter(0))  # the first span that begins at it, or behind
        self._newest = (origin, number)
        if at and number <= spans[at - 1][1]:
            return
        if at and spans[at - 1][1] == number - 1:
            at -= 1
            spans[at][1] = number
        elif at == len(spans) or spans[at][0] != number:
            spans.insert(at, [number, number])
        if at + 1 < len(spans) and spans[at + 1][0] == spans[at][1] + 1:
            spans[at][1] = spans.pop(at + 1)[1]

    @property
    def last(self) -> tuple[bytes, int, int]:
        """See :class:`Executed`; a tagged one is none, its event is of another kind."""
        origin, number = self._newest
        if not origin or ":" in origin:
            return b"", 0, 0
        spans = self._spans[origin]
        at = bisect_right(spans, number, key=itemgetter(0)) - 1
        if spans[at][1] != number:
            return b"", 0, 0
        taken = spans[at + 1][0] if at + 1 < len(spans) else 0
        return bytes.fromhex(origin.replace("-", "")), number, taken

    def extend(self, number: int) -> None:
        """See :class:`Executed`."""
        origin, first = self._newest
        spans = self._spans[origin]
        spans[bisect_right(spans, first, key=itemgetter(0)) - 1][1] = number - 1
        self.add(origin, number)

    def has(self, origin: str, number: int) -> bool:
        """Whether the transaction is in the set."""
        return any(first <= number <= last for first, last in self._spans.get(origin, ()))

    def __str__(self) -> str:
        """MySQL's notation."""
        spans = {origin: tuple((a, b) for a, b in spans) for origin, spans in self._spans.items() if spans}
        return str(MysqlGtidSet(spans))


class MariadbExecuted:
    """The last transaction of each domain; ``origin`` is ``domain-server``."""

    def __init__(self, text: str) -> None:
        """Start from MariaDB's notation. Raises ValueError."""
        self._last: dict[int, str] = {}
        self._newest = ("", 0)
        for gtid in str(Flavor.MARIADB.gtid_set(text)).split(","):
            if gtid:
                domain, server, number = gtid.split("-")
                self._last[int(domain)] = f"{domain}-{server}-{number}"

    def add(self, origin: str, number: int) -> None:
        """Take one transaction in; it becomes its domain's last."""
        self._last[int(origin.partition("-")[0])] = f"{origin}-{number}"
        self._newest = (origin, number)

    @property
    def last(self) -> tuple[bytes, int, int]:
        """See :class:`Executed`."""
        origin, number = self._newest
        if not origin:
            return b"", 0, 0
        domain, _, server = origin.partition("-")
        return int(server).to_bytes(4, "little") + int(domain).to_bytes(4, "little"), number, 0

    def extend(self, number: int) -> None:
        """See :class:`Executed`; numbers may leave gaps."""
        self.add(self._newest[0], number)

    def has(self, origin: str, number: int) -> bool:  # noqa: ARG002 - MySQL's needs them
        """Return False: the server starts exactly behind the set, and numbers of a domain need not rise."""
        return False

    def __str__(self) -> str:
        """MariaDB's notation."""
        return ",".join(gtid for _, gtid in sorted(self._last.items()))


def executed(flavor: Flavor, text: str) -> MysqlExecuted | MariadbExecuted:
    """Return the growing set of that flavor. Raises ValueError when ``text`` is malformed."""
    return MysqlExecuted(text) if flavor is Flavor.MYSQL else MariadbExecuted(text)


def read_mysql(event: Event) -> tuple[str, int, float]:
    """Read a GTID or ANONYMOUS_GTID event: origin, number, commit time (Unix seconds, 0.0 when it has none).

    Raises ValueError when it is cut short.
    """
    data, at = event.data, event.at
    if at + 25 > event.end:
        raise ValueError("GTID event is cut short")
    origin = _dashed(bytes(data[at + 1 : at + 17]))
    number = int.from_bytes(data[at + 17 : at + 25], "little")
    stamp = at + _MYSQL_STAMP
    if stamp + 7 > event.end:
        return origin, number, 0.0
    # The top bit says that the original commit time follows.
    micros = int.from_bytes(data[stamp : stamp + 7], "little") & ~(1 << 55)
    return origin, number, micros / 1e6


def _dashed(uuid: bytes) -> str:
    raw = uuid.hex()
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def varlen(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read an integer of MySQL's serialization library; return it and the offset behind it.

    As many bytes follow as the first one has set bits at its low end; what is left of it is the value's low part.
    Raises ValueError when it is cut short.
    """
    first = data[at] if at < end else 0
    more = (~first & first + 1).bit_length() - 1  # trailing ones
    if at >= end or at + 1 + more > end:
        raise ValueError(f"integer at offset {at} is cut short")
    whole = int.from_bytes(data[at : at + 1 + more], "little")
    return whole >> min(more + 1, 8), at + 1 + more


def packed(number: int) -> bytes:
    """Return an integer below 2**56 in the form that :func:`varlen` reads."""
    size = next(size for size in range(1, 9) if number < 1 << 7 * size)
    return (number << size | (1 << size - 1) - 1).to_bytes(size, "little")


def read_tagged(event: Event) -> tuple[str, int, float]:
    """Read a GTID_TAGGED event: origin with its tag, number, commit time (Unix seconds).

    A message of MySQL's serialization library: version, size, last field that may not be
    ignored, then fields in order, each behind its id. Raises ValueError when it is damaged or newer.
    """
    data, at, end = event.data, event.at, event.end
    version, at = varlen(data, at, end)
    _, at = varlen(data, at, end)
    needed, at = varlen(data, at, end)
    if version != 1 or needed > _TAGGED_LAST:
        raise ValueError(f"GTID_TAGGED event of version {version} with field {needed} is not known")
    found: dict[int, int | bytes] = {}
    while at < end and _TAGGED_STAMP not in found:
        kind, at = varlen(data, at, end)
        found[kind], at = _tagged_field(data, at, end, kind)
    uuid, tag, zigzag = (found.get(kind) for kind in (_TAGGED_UUID, _TAGGED_TAG, _TAGGED_NUMBER))
    if not isinstance(uuid, bytes) or not isinstance(tag, bytes) or not isinstance(zigzag, int):
        raise ValueError("GTID_TAGGED event lacks a field")  # noqa: TRY004 - damage, not a wrong call
    micros = found.get(_TAGGED_STAMP, 0)
    origin = _dashed(uuid) + (f":{tag.decode('ascii').lower()}" if tag else "")
    return origin, zigzag >> 1, micros / 1e6 if isinstance(micros, int) else 0.0


def _tagged_field(data: bytes, at: int, end: int, kind: int) -> tuple[int | bytes, int]:
    """Return a field's value: each byte of the uuid is an integer, a tag has its length in front."""
    if kind == _TAGGED_UUID:
        uuid = bytearray()
        for _ in range(_UUID_BYTES):
            byte, at = varlen(data, at, end)
            uuid.append(byte)
        return bytes(uuid), at
    value, at = varlen(data, at, end)
    if kind != _TAGGED_TAG:
        return value, at
    if at + value > end:
        raise ValueError("GTID_TAGGED event's tag is cut short")
    return bytes(data[at : at + value]), at + value


_START_ALTER = 2
_ROLLBACK_ALTER = 8
"""Of the flags behind the fixed part."""


class MariadbGtid:
    """A MariaDB GTID event: ``standalone`` when one statement without COMMIT follows.

    ``prepares``: a branch of an XA transaction follows, to be committed later; ``xid`` is its name
    (global id, branch qualifier, format id), None outside XA. ``pending``: the ALTER TABLE that follows
    is only begun, or taken back (``binlog_alter_two_phase``); its text comes again when it is done.
    """

    __slots__ = ("number", "origin", "pending", "prepares", "standalone", "xid")

    def __init__(self, event: Event) -> None:
        """Read the event. Raises ValueError when it is cut short."""
        data, at = event.data, event.at
        if at + 13 > event.end:
            raise ValueError("GTID event is cut short")
        server = int.from_bytes(data[8 - 2 : 12 - 2], "little")
        domain = int.from_bytes(data[at + 8 : at + 12], "little")
        flags = data[at + 12]
        self.origin = f"{domain}-{server}"
        self.number = int.from_bytes(data[at : at + 8], "little")
        self.standalone = bool(flags & _STANDALONE)
        self.prepares = bool(flags & _PREPARED_XA)
        more = at + 13 + (8 if flags & _GROUP_COMMIT else 0)
        self.xid = _mariadb_xid(event, more) if flags & (_PREPARED_XA | _COMPLETED_XA) else None
        self.pending = self.xid is None and more < event.end and bool(data[more] & (_START_ALTER | _ROLLBACK_ALTER))


def _mariadb_xid(event: Event, at: int) -> tuple[bytes, bytes, int]:
    """Read format id (4 bytes), both lengths (1 byte each), and both parts of a name."""
    data = event.data
    if at + 6 > event.end or at + 6 + data[at + 4] + data[at + 5] > event.end:
        raise ValueError("XA name in a GTID event is cut short")
    gtrid = at + 6 + data[at + 4]
    return (
        bytes(data[at + 6 : gtrid]),
        bytes(data[gtrid : gtrid + data[at + 5]]),
        int.from_bytes(data[at : at + 4], "little"),
    )
