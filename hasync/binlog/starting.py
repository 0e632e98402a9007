"""How to begin on one server: which dump to ask for, and how the first transaction is recognised.

A position is exact on the server that wrote it: file and offset. On any other it is
followed by its GTID set, or not at all. Whatever cannot be proven is PositionLost.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hasync.binlog.dump import Request
from hasync.binlog.place import HEAD, Seek, file_number
from hasync.binlog.server import Server
from hasync.errors import PositionLost, SourceRefused
from hasync.model.position import Flavor, Position, Start, StartKind

_LAST_DUMPABLE = 0xFFFFFFFF
_CHOOSE = "choose another start; SHOW BINARY LOGS lists files and sizes"
_REBUILD = "rebuild Redis from the tables and choose a new place ('hasync position reset')"

Created = Callable[[str], float]
"""Tells when a binlog file was begun, Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The dump to ask for, the position it stands for, and how to find the first transaction in it."""

    request: Request
    position: Position
    seek: Seek


def plan(server: Server, start: Start | Position, created: Created) -> Plan:
    """Decide how to begin on this server.

    Raises PositionLost, SourceRefused, SourceUnavailable.
    """
    if isinstance(start, Position):
        return _resume(server, start)
    if start.kind is StartKind.GTID:
        return _behind(server, _position(server, gtid_set=_parsed(server, start.gtid_set)))
    if start.kind is StartKind.FILE:
        return _at_file(server, start.file, start.pos)
    if start.kind is StartKind.TIMESTAMP:
        return _since(server, start.timestamp, created)
    if start.kind is StartKind.EARLIEST:
        return _at_head(server, server.files()[0].name)
    return _latest(server)


def _latest(server: Server) -> Plan:
    """Begin behind all that is committed now.

    MySQL's status moves the end before it adds the GTIDs, so under load they do not
    fit each other: a set that lacks transactions in front of the position would bring
    them back, stale, at a failover. Asked by GTID, the dump begins where the set ends.
    """
    executed = server.executed() if server.flavor is Flavor.MYSQL else ""
    if executed and _gtid_mode(server) == "ON":
        return _behind(server, _position(server, gtid_set=executed))
    end = server.end()
    return _exact(_position(server, file=end.file, pos=end.pos, gtid_set=end.gtid_set))


def _position(server: Server, *, file: str = "", pos: int = HEAD, gtid_set: str = "") -> Position:
    return Position(flavor=server.flavor, server_uuid=server.identity, gtid_set=gtid_set, file=file, pos=pos)


def _parsed(server: Server, gtid_set: str) -> str:
    try:
        return str(server.flavor.gtid_set(gtid_set))
    except ValueError as malformed:
        raise SourceRefused(f"start GTID set is not {server.flavor.value}'s: {malformed}", hint=_CHOOSE) from malformed


def _exact(position: Position) -> Plan:
    request = Request(flavor=position.flavor, file=position.file, pos=position.pos)
    return Plan(request=request, position=position, seek=Seek())


def _at_head(server: Server, file: str, seek: Seek | None = None) -> Plan:
    position = _position(server, file=file, gtid_set=server.gtids_before(file))
    return replace(_exact(position), seek=seek or Seek())


def _at_file(server: Server, file: str, pos: int) -> Plan:
    """Begin at file and offset, read from the file's head: it tells the GTIDs and where transactions begin."""
    _require_place(server, file, pos)
    if pos <= HEAD:
        return _at_head(server, file)
    return _at_head(server, file, Seek(exact=False, from_pos=pos))


def _require_place(server: Server, file: str, pos: int) -> None:
    sizes = {known.name: known.size_bytes for known in server.files()}
    if file not in sizes:
        raise PositionLost(f"{server.host} has no binlog file {file}: purged, or never its own", hint=_CHOOSE)
    if pos > sizes[file]:
        raise PositionLost(f"position {file}:{pos} lies beyond the file's end ({sizes[file]})", hint=_CHOOSE)


def _since(server: Server, timestamp: float, created: Created) -> Plan:
    """Begin in the last file that was begun before ``timestamp``; its earlier transactions are read over."""
    files = server.files()
    low, high = 0, len(files)
    while high - low > 1:
        middle = (low + high) // 2
        # The event's clock is cut to seconds: the file may be up to one younger.
        if created(files[middle].name) + 1.0 <= timestamp:
            low = middle
        else:
            high = middle
    oldest = files[0]
    if low == 0 and file_number(oldest.name) > 1 and created(oldest.name) > timestamp:
        raise PositionLost(
            f"{server.host} has purged the binlog of that time; it now begins with {oldest.name}",
            hint="choose a later timestamp, or start: earliest",
        )
    return _at_head(server, files[low].name, Seek(exact=False, since=timestamp))


# ------------------------------------------------------------------------------ resuming


def _resume(server: Server, position: Position) -> Plan:
    if position.flavor is not server.flavor:
        raise PositionLost(
            f"the position is {position.flavor.value}'s, {server.host} is {server.flavor.value}", hint=_REBUILD
        )
    if position.gtid_set and not server.has_executed(position.gtid_set):
        raise PositionLost(
            f"{server.host} lacks transactions that were applied: it lags behind, was reset, or has another history",
            hint=f"let it catch up, take it out of the hosts, or {_REBUILD}",
        )
    if not _is_here(server, position):
        _require_gtids(server, position)
        _require_purged(server, position)
        return _behind(server, replace(position, server_uuid=server.identity, file="", pos=HEAD))
    if position.pos > _LAST_DUMPABLE and position.gtid_set:
        return _behind(server, replace(position, file="", pos=HEAD))
    if position.pos > _LAST_DUMPABLE or _lacks_gtids(server, position):
        return _read_over(server, position)
    return _exact(position)


def _lacks_gtids(server: Server, position: Position) -> bool:
    """Whether MySQL got GTIDs since: a set that begins here would miss those before it, and lead a failover astray."""
    return server.flavor is Flavor.MYSQL and not position.gtid_set and position.pos > HEAD and bool(server.executed())


def _read_over(server: Server, position: Position) -> Plan:
    """Read the file from its head up to the position; a dump can be asked for the first 4 GiB of a file only."""
    at_head = _at_head(server, position.file, Seek(exact=False, from_pos=position.pos))
    return replace(at_head, position=replace(at_head.position, rows_done=position.rows_done))


def _is_here(server: Server, position: Position) -> bool:
    """Whether file and offset mean the same transaction boundary on this server."""
    if position.server_uuid != server.identity:
        return False
    sizes = {known.name: known.size_bytes for known in server.files()}
    if position.file not in sizes:
        return False
    if server.flavor is Flavor.MARIADB:
        # Another server, or a restored one, may have the same id and a file of the same name.
        if position.pos > _LAST_DUMPABLE:
            return _is_in_file(server, position, list(sizes))
        found = server.gtids_at(position.file, position.pos)
        return found is not None and server.flavor.gtid_set(found) == server.flavor.gtid_set(position.gtid_set)
    _require_place(server, position.file, position.pos)
    return True


def _is_in_file(server: Server, position: Position, names: list[str]) -> bool:
    """Whether the position's transactions end in its file; MariaDB cannot be asked for a place past 4 GiB in it."""
    behind = names[names.index(position.file) + 1 :]
    ended = server.gtids_before(behind[0]) if behind else server.executed()
    return server.contains(position.gtid_set, server.gtids_before(position.file)) and server.contains(
        ended, position.gtid_set
    )


def _require_purged(server: Server, position: Position) -> None:
    """The very server that the position is of may have purged its file, but not have its transactions elsewhere.

    After RESET the numbers begin anew: going by GTID would skip as many rows as were applied before.
    """
    if position.server_uuid != server.identity:
        return
    oldest = server.files()[0].name
    if not server.contains(server.gtids_before(oldest), position.gtid_set):
        raise PositionLost(
            f"{server.host} has the transactions up to {position} at another place: its binlog was reset, "
            "or it is another server under the same identity",
            hint=_REBUILD,
        )


def _require_gtids(server: Server, position: Position) -> None:
    """An empty set may mean that nothing was executed, or that nobody knew: never take it for "from the first"."""
    if not position.gtid_set:
        raise PositionLost(
            f"{server.host} does not have {position} of {position.server_uuid}: purged, or another server, "
            "and the position has no GTIDs to find it by",
            hint=f"keep binlogs longer, SET GLOBAL gtid_mode = ON on all hosts; now {_REBUILD}",
        )


def _behind(server: Server, position: Position) -> Plan:
    """Begin with the first transaction that is not in the position's GTID set."""
    if server.flavor is Flavor.MYSQL:
        _require_mysql_gtids(server, position)
    if not position.gtid_set:
        return _from_the_first(server, position)
    request = Request(flavor=position.flavor, gtid_set=position.gtid_set, by_gtid=True)
    return Plan(request=request, position=position, seek=Seek(exact=False, end=server.end_place()))


def _gtid_mode(server: Server) -> str:
    return server.variables("gtid_mode").get("gtid_mode", "")


def _require_mysql_gtids(server: Server, position: Position) -> None:
    if _gtid_mode(server) != "ON":
        raise PositionLost(
            f"{server.host} is another server than the position's and has no GTIDs to find it by",
            hint=f"SET GLOBAL gtid_mode = ON on all hosts, or {_REBUILD}",
        )
    if not server.contains(position.gtid_set, server.purged()):
        raise PositionLost(f"{server.host} has purged transactions that were not applied", hint=_REBUILD)


def _from_the_first(server: Server, position: Position) -> Plan:
    """An empty set means everything; the library would take it for "from now on" (M5)."""
    oldest = server.files()[0].name
    if server.gtids_before(oldest):
        raise PositionLost(f"{server.host} has purged the first transactions", hint=_REBUILD)
    at_head = replace(position, file=oldest, pos=HEAD)
    return replace(_exact(at_head), position=at_head)
