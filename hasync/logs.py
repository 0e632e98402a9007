"""Log lines: one JSON object each for machines, one readable line each for people.

A line has ``time`` (UTC, milliseconds), ``level``, ``event`` (a constant of
:class:`Event`), ``message`` (what it means), the bound context (``member``, ``stream``,
``epoch``) and the fields of the moment. Nothing here is module state: :func:`open_log`
builds a :class:`Log` that is handed down; only :func:`route_drivers` touches the
process-wide ``logging`` of the drivers, and ``__main__`` calls it once.

No secret and no row value is ever in a line (invariant I12): fields with a secret's
name are masked, passwords inside URLs too, and the drivers are never heard below
WARNING, since kazoo's debug lines hold the packets of its authentication.
"""

import json
import logging
import re
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, BinaryIO, Protocol, Self, TextIO, cast

import orjson
import structlog

from hasync.errors import HasyncError
from hasync.ports import Clock

DRIVERS = ("kazoo", "redis", "pymysql", "pymysqlreplication")
MASK = "***"

_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|authori[sz]ation|private_?key|api_?key|(^|_)(auth|pw|pwd)$",
    re.IGNORECASE,
)
_ROW_NAME = re.compile(r"^(row|image|row_image|value|values)$")
_URL_PASSWORD = re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*(?=@)")
_ASSIGNED_PASSWORD = re.compile(
    r"((?:passw(?:or)?d|secret|token)\w*['\"]?\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,;)}]+)", re.IGNORECASE
)

Fields = MutableMapping[str, Any]


class Event(StrEnum):
    """What a line is about: a stable name for machines, with its meaning for people."""

    text: str

    def __new__(cls, name: str, text: str) -> Self:
        """Make the member: its value is the name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.text = text
        return member

    STARTED = "started", "instance started"
    SHUTDOWN = "shutdown", "asked to stop, handing over"
    UNCOMPILED = "uncompiled", "the binlog codec runs uncompiled, many times slower"
    STOPPED = "stopped", "instance stopped"
    FAILED = "failed", "instance gives up"

    SESSION_CONNECTED = "session_connected", "ZooKeeper session is usable"
    SESSION_SUSPENDED = "session_suspended", "ZooKeeper does not answer; the session may still live"
    SESSION_AWAY = "session_away", "ZooKeeper cannot be reached; a leader goes on, nobody can be elected"
    SESSION_CLOSED = "session_closed", "ZooKeeper session is given back"
    SESSION_LOST = "session_lost", "ZooKeeper session is over"
    SESSION_REFUSED = "session_refused", "ZooKeeper refuses this instance"
    TREE_OPEN = "tree_open", "anybody who reaches ZooKeeper can change what hasync keeps there"
    SESSION_RESTARTED = "session_restarted", "a new ZooKeeper session is being opened"

    STANDING = "standing", "what this instance does for the stream"
    TERM_BEGAN = "term_began", "this instance leads the stream"
    TERM_ENDED = "term_ended", "this instance leads the stream no longer"
    HANDING_OVER = "handing_over", "the successor is next in the queue, the term is drained"
    HAND_OVER_FAILED = "hand_over_failed", "the hand-over is given up, this instance goes on leading"
    REBALANCING = "rebalancing", "another instance is asked to lead the stream, to spread leaders evenly"
    DRAINING = "draining", "this instance gives its streams away, as an operator wants"
    UNDRAINED = "undrained", "this instance leads streams again"
    TAKEOVER = "takeover", "first batch of the term is applied"
    FENCED = "fenced", "a newer leader has claimed the stream, nothing was written"

    RESUMED = "resumed", "position to resume at is decided"
    ACKNOWLEDGE_FAILED = "acknowledge_failed", "position could not be saved in ZooKeeper; Redis has it"

    CONFIG_APPLIED = "config_applied", "config is in force"
    CONFIG_REFUSED = "config_refused", "config is refused, the last good one stays in force"

    SOURCE_OPENED = "source_opened", "reading the binlog"
    SOURCE_LOST = "source_lost", "connection to the source is lost"
    PREFLIGHT_FAILED = "preflight_failed", "a server is not fit for its part"

    RETRYING = "retrying", "failed, will try again"
    DEGRADED = "degraded", "the stream has not worked for long"
    RECOVERED = "recovered", "works again"
    GAVE_UP = "gave_up", "failed for too long, another instance may try"
    HALTED = "halted", "the stream stands still until somebody acts"

    DRILL = "drill", "a failover drill, asked for by an operator"

    HTTP_LISTENING = "http_listening", "probes, metrics and status are served"
    HTTP_FAILED = "http_failed", "a request to the admin port failed"
    ADMIN_ACTION = "admin_action", "an operator asked for something over the admin port"
    DRIVER = "driver", "a library reports"


_TEXTS: Mapping[str, str] = {str(event): event.text for event in Event}


class Log(Protocol):
    """Where lines go. Safe from any thread; never raises, neither for what is logged nor when it cannot be written."""

    def bind(self, **fields: object) -> "Log":
        """Return a log whose lines also carry these fields (``stream``, ``epoch``)."""

    def debug(self, event: str, **fields: object) -> None:
        """Write what only a developer asks for."""

    def info(self, event: str, **fields: object) -> None:
        """Write what an operator reads afterwards."""

    def warning(self, event: str, **fields: object) -> None:
        """Write what heals by itself, or may not."""

    def error(self, event: str, **fields: object) -> None:
        """Write what somebody must act on. An exception is passed as ``error=``."""


def open_log(*, level: str, as_json: bool, out: BinaryIO, clock: Clock, **context: object) -> Log:
    """Return a log on ``out`` whose lines carry ``context`` (``member``).

    ``as_json``: one JSON object per line; else for people, coloured when ``out`` is a
    terminal. ``level``: ``debug``, ``info``, ``warning`` or ``error``.
    """
    coloured = out.isatty()
    logger = structlog.wrap_logger(
        structlog.BytesLogger(cast("BinaryIO", _Patient(out))),
        processors=[
            structlog.processors.add_log_level,
            _explain_error,
            _mask,
            _Stamp(clock),
            _to_json if as_json else _ToConsole(coloured=coloured),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return cast("Log", logger.bind(**context))


def wants_json(log_format: str, out: TextIO | BinaryIO) -> bool:
    """Whether the setting ``log.format`` means JSON on this stream: ``auto`` does, unless it is a terminal."""
    return log_format == "json" or (log_format == "auto" and not out.isatty())


def route_drivers(log: Log) -> logging.Handler:
    """Send what the drivers and Python's warnings say through ``log``, WARNING and worse; return the handler.

    Changes the process's ``logging``. Called from: ``__main__``, once.
    """
    handler = _Bridge(log)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in DRIVERS:
        # A level of their own, so that nobody's root logger at DEBUG prints auth packets.
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler


def scrub(text: str) -> str:
    """Return ``text`` without passwords in URLs and in ``password=...`` pieces, as drivers' messages hold them."""
    return _ASSIGNED_PASSWORD.sub(rf"\1{MASK}", _URL_PASSWORD.sub(MASK, text))


def masked(value: Any) -> Any:
    """Return ``value`` with the values of secret-looking names masked and its texts scrubbed, however deep."""
    if isinstance(value, Mapping):
        return {key: MASK if _is_secret(key, item) else masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked(item) for item in value]
    return scrub(value) if type(value) is str else value


def _is_secret(name: object, value: object) -> bool:
    return value is not None and not isinstance(value, bool) and _SECRET_NAME.search(str(name)) is not None


class _Patient:
    """Drops a line that cannot be written (disk full, reader gone): a stream must not end for its log."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, line: bytes) -> int:
        try:
            return self._out.write(line)
        except (OSError, ValueError):  # ValueError: closed
            return 0

    def flush(self) -> None:
        try:
            self._out.flush()
        except (OSError, ValueError):
            return


class _Stamp:
    """Adds the time, and the event's meaning, and brings the fixed fields to the front."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, _logger: object, _method: str, fields: Fields) -> Fields:
        moment = datetime.fromtimestamp(self._clock.wall(), UTC).isoformat(timespec="milliseconds")
        event = fields.pop("event", "")
        text = fields.pop("message", None) or _TEXTS.get(event, event)
        head = {"time": moment.replace("+00:00", "Z"), "level": fields.pop("level", "")}
        return head | {"event": str(event), "message": text} | dict(fields)


def _explain_error(_logger: object, _method: str, fields: Fields) -> Fields:
    error = fields.get("error")
    if isinstance(error, BaseException):
        fields["error"] = getattr(error, "message", None) or str(error)
        fields["error_code"] = error.code if isinstance(error, HasyncError) else type(error).__name__
        if getattr(error, "hint", ""):
            fields["hint"] = getattr(error, "hint", "")
        if not isinstance(error, HasyncError):  # not understood: whoever reads this needs the way there
            fields["trace"] = "".join(traceback.format_exception(error)).rstrip()
    return fields


def _mask(_logger: object, _method: str, fields: Fields) -> Fields:
    for name, value in fields.items():
        fields[name] = MASK if _ROW_NAME.match(name) or _is_secret(name, value) else masked(value)
    return fields


def _to_json(_logger: object, _method: str, fields: Fields) -> bytes:
    try:
        return orjson.dumps(fields, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # half a surrogate pair, or an integer beyond 64 bits: slower, but it never fails
        return json.dumps(fields, default=_plain, skipkeys=True).encode()


def _plain(value: object) -> object:
    to_json = getattr(value, "to_json", None)
    return masked(to_json()) if callable(to_json) else scrub(str(value))


class _ToConsole:
    """Renders a line for people: time of day, level, meaning, fields."""

    def __init__(self, *, coloured: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=coloured, event_key="message", timestamp_key="time", sort_keys=False, pad_event_to=44
        )

    def __call__(self, logger: object, method: str, fields: Fields) -> bytes:
        trace = fields.pop("trace", None)
        fields["time"] = fields["time"][11:]
        fields.pop("event")
        line = self._render(logger, method, fields)
        return (f"{line}\n{trace}" if trace else line).encode("utf-8", "backslashreplace")


class _Bridge(logging.Handler):
    """Hands the drivers' records to a log, which scrubs them."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as an event; its text is the driver's own."""
        write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        error = record.exc_info[1] if record.exc_info else None
        more = {"error": error} if error else {}
        write(Event.DRIVER, message=record.getMessage(), driver=record.name, **more)
