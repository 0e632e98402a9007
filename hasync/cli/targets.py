"""The place that ``position reset`` is asked for: how it was understood, and that the source has it."""

from datetime import datetime
from typing import Final

from hasync.cli.invocation import Servers
from hasync.cli.places import resolve
from hasync.cli.wording import moment
from hasync.errors import HasyncError
from hasync.model.gtid import GtidSet, MysqlGtidSet
from hasync.model.position import Flavor, Position, Start, StartKind

WRITE_GTID: Final = {
    Flavor.MYSQL: "write what SELECT @@gtid_executed shows, uuid:1-5",
    Flavor.MARIADB: "write what SELECT @@gtid_current_pos shows, 0-1-5",
}


def without_zone(text: str) -> str:
    """Say what a time without its zone could mean; empty for any other text."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return ""
    if when.tzinfo is not None:
        return ""
    return f"{text!r} has no zone: write {when.isoformat()}Z if it is UTC, or add your own, such as +02:00"


def understood(start: Start | Position, *, now_s: float) -> str:
    """Say which moment is meant, empty where none is. Raises HasyncError when it has not come yet."""
    if isinstance(start, Position) or start.kind is not StartKind.TIMESTAMP:
        return ""
    if start.timestamp > now_s:
        raise HasyncError(
            f"{moment(start.timestamp)} lies in the future, it is {moment(now_s)}",
            hint="--to-latest goes to the end of the binlog as it is now",
        )
    return f"the first transaction since {moment(start.timestamp)}"


def prove(servers: Servers, start: Start | Position) -> Position:
    """Return the place on the source. Raises HasyncError when the source has no such place, else as ``resolve``."""
    if isinstance(start, Start) and start.kind is StartKind.GTID:
        _require_executed(resolve(servers, Start(kind=StartKind.LATEST)), start.gtid_set)
    return resolve(servers, start)


def _require_executed(latest: Position, asked: str) -> None:
    """A set with transactions that nobody made would skip them, unseen, when they are made one day."""
    kind = Flavor.MYSQL if ":" in asked else Flavor.MARIADB
    if kind is not latest.flavor:
        raise HasyncError(
            f"{asked} is a GTID set of {kind.value}'s, the source is {latest.flavor.value}",
            hint=WRITE_GTID[latest.flavor],
        )
    if not latest.gtid_set:
        return  # it has none, and says itself what that means
    executed, wanted = kind.gtid_set(latest.gtid_set), kind.gtid_set(asked)
    if not executed.covers(wanted):  # type: ignore[arg-type]  # both are of one kind
        raise HasyncError(_lack(executed, wanted), hint=WRITE_GTID[kind])


def _lack(executed: GtidSet, wanted: GtidSet) -> str:
    if isinstance(executed, MysqlGtidSet) and isinstance(wanted, MysqlGtidSet):
        strange = [origin for origin in wanted.origins if origin not in executed.origins]
        if strange:
            return f"the source has no transaction of {', '.join(strange)}; it has only {executed}"
    return f"{wanted} is not in the source's transactions: the source has only {executed}"
