"""Where a stream without any position begins, as a config writes it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hasync.model.gtid import GtidSet, MariadbGtidSet, MysqlGtidSet
from hasync.model.names import Fault, nearest
from hasync.model.position import Start, StartKind

_START_FORMS = (
    "write latest, earliest, {file: binlog.000001, pos: 4}, {gtid: '...'} or {timestamp: '2026-01-31T12:00:00Z'}"
)


def read(raw: object) -> Start:
    """Read one of the five forms. Raises Fault."""
    if isinstance(raw, Start):
        return raw
    if isinstance(raw, str):
        if raw not in (StartKind.LATEST, StartKind.EARLIEST):
            raise Fault("no such place to start", f"{_START_FORMS}; {nearest(raw, ['latest', 'earliest'])}")
        return Start(kind=StartKind(raw))
    if not isinstance(raw, dict):
        raise Fault("not a place to start", _START_FORMS)
    for kind, (allowed, reader) in _STARTS.items():
        if kind in raw:
            _refuse_others(raw, allowed)
            return reader(raw)
    raise Fault("not a place to start", f"{_START_FORMS}; {nearest(str(next(iter(raw), '')), _STARTS)}")


def _refuse_others(raw: Mapping[str, object], allowed: set[str]) -> None:
    if others := [key for key in raw if key not in allowed]:
        raise Fault(f"{others[0]!r} does not go with it", f"keep only {' and '.join(sorted(allowed))}; {_START_FORMS}")


def _start_file(raw: Mapping[str, object]) -> Start:
    file, pos = raw["file"], raw.get("pos", 4)
    if not isinstance(file, str) or not file.rpartition(".")[2].isdigit():
        raise Fault("not the name of a binlog file", "write it as SHOW BINARY LOGS does, binlog.000001", at=("file",))
    if not isinstance(pos, int) or isinstance(pos, bool) or pos < 4:
        raise Fault("not an offset in a binlog", "write a number of bytes, 4 or more", at=("pos",))
    return Start(kind=StartKind.FILE, file=file, pos=pos)


def _start_gtid(raw: Mapping[str, object]) -> Start:
    text = raw["gtid"]
    if not isinstance(text, str) or not text.strip():
        raise Fault("not a GTID set", "write what SELECT @@gtid_executed shows", at=("gtid",))
    kind: type[GtidSet] = MysqlGtidSet if ":" in text else MariadbGtidSet
    try:
        return Start(kind=StartKind.GTID, gtid_set=str(kind.parse(text)))
    except ValueError as error:
        remedy = "write uuid:1-5 (MySQL, SELECT @@gtid_executed) or 0-1-5 (MariaDB, SELECT @@gtid_current_pos)"
        raise Fault(str(error), remedy, at=("gtid",)) from None


def _start_timestamp(raw: Mapping[str, object]) -> Start:
    when = raw["timestamp"]
    seconds = float(when) if isinstance(when, int | float) and not isinstance(when, bool) else _rfc3339(when)
    if not seconds or seconds <= 0 or seconds > 2**33:
        remedy = "write RFC 3339 with its zone, '2026-01-31T12:00:00Z', or Unix seconds"
        raise Fault("not a point in time", remedy, at=("timestamp",))
    return Start(kind=StartKind.TIMESTAMP, timestamp=seconds)


def _rfc3339(raw: object) -> float | None:
    try:
        moment = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        return None
    return moment.timestamp() if moment and moment.tzinfo else None


_STARTS = {
    "file": ({"file", "pos"}, _start_file),
    "gtid": ({"gtid"}, _start_gtid),
    "timestamp": ({"timestamp"}, _start_timestamp),
}


def written(start: Start) -> str | dict[str, Any]:
    """Return the form that :func:`read` reads."""
    forms: dict[StartKind, dict[str, Any]] = {
        StartKind.FILE: {"file": start.file, "pos": start.pos},
        StartKind.GTID: {"gtid": start.gtid_set},
        StartKind.TIMESTAMP: {"timestamp": start.timestamp},
    }
    return forms.get(start.kind, start.kind.value)


SCHEMA: dict[str, Any] = {
    "oneOf": [
        {"enum": ["latest", "earliest"]},
        {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string"}, "pos": {"type": "integer", "minimum": 4}},
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["gtid"],
            "properties": {"gtid": {"type": "string"}},
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["timestamp"],
            "properties": {"timestamp": {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}},
            "additionalProperties": False,
        },
    ]
}
