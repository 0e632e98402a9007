"""The growing set of transactions that lie before the reader's place.

The values of :mod:`hasync.model.gtid` are frozen; per transaction that would copy the
whole set, so this one grows in place and is printed only when a segment is handed over.
"""

from typing import Protocol

from hasync.binlog.frames import Event
from hasync.model.gtid import MysqlGtidSet
from hasync.model.position import Flavor

_MYSQL_STAMP = 42
"""Offset of the commit time in a GTID event: flags 1, uuid 16, number 8, logical clock 1 + 8 + 8."""
_STANDALONE = 1
_PREPARED_XA = 64
_COMPLETED_XA = 128


class Executed(Protocol):
    """A set that transactions are added to as they end."""

    def add(self, origin: str, number: int) -> None:
        """Take one transaction in."""

    def has(self, origin: str, number: int) -> bool:
        """Whether the transaction is known to be before the reader's place, so that it must not come twice."""


class MysqlExecuted:
    """Intervals per origin, the last one open for growth."""

    def __init__(self, text: str) -> None:
        """Start from MySQL's notation. Raises ValueError."""
        self._spans = {
            origin: [list(span) for span in spans] for origin, spans in MysqlGtidSet.parse(text).origins.items()
        }

    def add(self, origin: str, number: int) -> None:
        """Take one transaction in; the next number in a row costs no search."""
        spans = self._spans.setdefault(origin, [])
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        elif not self.has(origin, number):
            grown = MysqlGtidSet.parse(str(self)).add(f"{origin}:{number}")
            self._spans[origin] = [list(span) for span in grown.origins[origin]]

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
        self._last = {}
        for gtid in str(Flavor.MARIADB.gtid_set(text)).split(","):
            if gtid:
                domain, server, number = gtid.split("-")
                self._last[int(domain)] = f"{domain}-{server}-{number}"

    def add(self, origin: str, number: int) -> None:
        """Take one transaction in; it becomes its domain's last."""
        self._last[int(origin.partition("-")[0])] = f"{origin}-{number}"

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
    raw = data[at + 1 : at + 17].hex()
    origin = f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
    number = int.from_bytes(data[at + 17 : at + 25], "little")
    stamp = at + _MYSQL_STAMP
    if stamp + 7 > event.end:
        return origin, number, 0.0
    # The top bit says that the original commit time follows.
    micros = int.from_bytes(data[stamp : stamp + 7], "little") & ~(1 << 55)
    return origin, number, micros / 1e6


class MariadbGtid:
    """A MariaDB GTID event: ``standalone`` when one statement without COMMIT follows, ``xa`` for XA parts."""

    __slots__ = ("number", "origin", "standalone", "xa")

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
        self.xa = bool(flags & (_PREPARED_XA | _COMPLETED_XA))
