"""Log lines: their shape, and what never gets into them."""

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from threading import Event as Flag

import orjson
import pytest

from hasync.errors import SinkUnavailable
from hasync.logs import DRIVERS, MASK, Event, Log, masked, open_log, route_drivers, scrub, wants_json


class StoppedClock:
    """A clock that stands at one moment."""

    def monotonic(self) -> float:
        """Stand still."""
        return 0.0

    def wall(self) -> float:
        """Stand at 2026-11-20T10:11:12.345Z."""
        return 1795169472.3456

    def wait(self, event: Flag, timeout_s: float) -> bool:
        """Do not wait."""
        return event.is_set() and timeout_s >= 0

    def random(self) -> float:
        """Draw nothing."""
        return 0.0


class Terminal(io.BytesIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def a_log(out: io.BytesIO, *, level: str = "debug", as_json: bool = True) -> Log:
    return open_log(level=level, as_json=as_json, out=out, clock=StoppedClock(), member="m-1")


def refuse(password: str) -> None:
    raise OSError(f"password={password} refused")


@pytest.fixture
def out() -> io.BytesIO:
    """Return what the log writes to."""
    return io.BytesIO()


@pytest.fixture
def drivers_routed(out: io.BytesIO) -> Iterator[io.BytesIO]:
    """Route the drivers' loggers, and put the process's logging back afterwards."""
    root = logging.getLogger()
    before = (root.level, root.handlers[:], {name: logging.getLogger(name).level for name in DRIVERS})
    route_drivers(a_log(out))
    yield out
    logging.captureWarnings(capture=False)
    root.handlers[:] = before[1]
    root.setLevel(before[0])
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)


def test_line_has_time_event_meaning_and_context(out: io.BytesIO) -> None:
    """A line tells machines the event's name and people its meaning, in a fixed order."""
    a_log(out).bind(stream="orders", epoch=7).info(Event.TERM_BEGAN, after_s=0.25)
    assert list(orjson.loads(out.getvalue()).items()) == [
        ("time", "2026-11-20T10:11:12.345Z"),
        ("level", "info"),
        ("event", "term_began"),
        ("message", "this instance leads the stream"),
        ("member", "m-1"),
        ("stream", "orders"),
        ("epoch", 7),
        ("after_s", 0.25),
    ]
    assert out.getvalue().endswith(b"\n")
    assert out.getvalue().count(b"\n") == 1


def test_event_named_as_text_is_explained_too(out: io.BytesIO) -> None:
    """Whoever composes an event's name gets its meaning all the same; an unknown name stands for itself."""
    a_log(out).info("session_lost")
    a_log(out).info("unheard_of")
    lines = [orjson.loads(line) for line in out.getvalue().splitlines()]
    assert [line["message"] for line in lines] == [Event.SESSION_LOST.text, "unheard_of"]


def test_binding_leaves_the_other_log_alone(out: io.BytesIO) -> None:
    """Two streams of one instance do not mix their context."""
    log = a_log(out)
    log.bind(stream="a")
    log.info(Event.STARTED)
    assert "stream" not in orjson.loads(out.getvalue())


def test_level_filters(out: io.BytesIO) -> None:
    """What is below the level is not written."""
    log = a_log(out, level="warning")
    log.debug(Event.RESUMED)
    log.info(Event.RESUMED)
    assert out.getvalue() == b""
    log.warning(Event.RETRYING)
    log.error(Event.HALTED)
    assert out.getvalue().count(b"\n") == 2


def test_error_is_taken_apart(out: io.BytesIO) -> None:
    """An error of ours is logged with its code and hint; it needs no trace."""
    a_log(out).warning(Event.RETRYING, error=SinkUnavailable("redis is away", hint="start it"))
    line = orjson.loads(out.getvalue())
    assert (line["error"], line["error_code"], line["hint"]) == ("redis is away", "sink_unavailable", "start it")
    assert "trace" not in line


def test_foreign_error_comes_with_its_trace(out: io.BytesIO) -> None:
    """What hasync does not understand is logged with the way there, on one line."""
    try:
        int("x")
    except ValueError as error:
        a_log(out).error(Event.FAILED, error=error)
    line = orjson.loads(out.getvalue())
    assert line["error_code"] == "ValueError"
    assert "test_logs.py" in line["trace"]
    assert out.getvalue().count(b"\n") == 1


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "passwd",
        "PASSWORD",
        "mysql_password",
        "secret",
        "client_secret",
        "token",
        "auth",
        "zk_auth",
        "credentials",
        "private_key",
        "pw",
    ],
)
def test_field_with_secret_name_is_masked(out: io.BytesIO, name: str) -> None:
    """Whoever logs a secret by mistake logs three stars, at any depth."""
    a_log(out).bind(**{name: "hunter2"}).info(Event.STARTED, deep={"list": [{name: "hunter2"}]})
    assert b"hunter2" not in out.getvalue()
    assert out.getvalue().count(b'"***"') == 2


@pytest.mark.parametrize("name", ["row", "value", "values", "image", "row_image"])
def test_field_with_row_name_is_masked(out: io.BytesIO, name: str) -> None:
    """Row values have no business in a log, whoever puts them there."""
    a_log(out).info(Event.SOURCE_OPENED, **{name: ("alice@example.org",)})
    assert b"alice" not in out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "redis://:hunter2@redis:6379/0",
        "redis://user:hunter2@redis:6379/0",
        "connect(user='a', password='hunter2')",
        'password="hunter2"',
        "passwd=hunter2, db=x",
        "{'password': 'hunter2', 'db': 0}",
    ],
)
def test_password_in_text_is_scrubbed(text: str) -> None:
    """Drivers put connection strings into their messages; the password does not pass."""
    assert "hunter2" not in scrub(text)
    assert MASK in scrub(text)


def test_harmless_text_is_left_alone() -> None:
    """Scrubbing takes nothing from what an operator needs to read."""
    text = "redis://redis:6379/0 at 10.0.0.1:6379, position mysql-bin.000001:4, gtid 3e11fa47-71ca:1-5"
    assert scrub(text) == text
    assert masked({"secret_present": True, "passwords": None, "epoch": 3}) == {
        "secret_present": True,
        "passwords": None,
        "epoch": 3,
    }


@pytest.mark.parametrize("awkward", ["\ud800", 2**80, Decimal("1.5"), {1: 2}, b"\xff", object(), {"s"}, float("nan")])
def test_no_value_breaks_a_line(out: io.BytesIO, awkward: object) -> None:
    """Logging never raises, and never splits a line."""
    a_log(out).info(Event.STARTED, awkward=awkward)
    a_log(out, as_json=False).info(Event.STARTED, awkward=awkward)
    assert out.getvalue().count(b"\n") == 2


def test_newline_in_text_stays_inside_the_line(out: io.BytesIO) -> None:
    """Nobody forges a second JSON line by a line break in a name."""
    a_log(out).info(Event.STARTED, name='a\n{"event":"halted"}')
    assert out.getvalue().count(b"\n") == 1


def test_terminal_gets_readable_lines() -> None:
    """On a terminal a line begins with the time of day and is coloured; its meaning is spelled out."""
    out = Terminal()
    a_log(out, as_json=False).info(Event.TERM_BEGAN, epoch=7)
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue().decode())
    assert text.startswith("10:11:12.345Z [info     ] this instance leads the stream")
    assert "epoch=7" in text
    assert out.getvalue().startswith(b"\x1b[")


def test_console_format_in_a_file_has_no_colours(out: io.BytesIO) -> None:
    """``log.format = console`` into a file writes no escape codes."""
    a_log(out, as_json=False).info(Event.TERM_BEGAN)
    assert b"\x1b" not in out.getvalue()


@pytest.mark.parametrize(
    ("log_format", "make", "expected"),
    [
        ("auto", io.BytesIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("console", io.BytesIO, False),
    ],
)
def test_format_follows_setting_and_terminal(log_format: str, make: Callable[[], io.BytesIO], expected: bool) -> None:
    """``auto`` is JSON unless somebody looks on."""
    assert wants_json(log_format, make()) is expected


@pytest.mark.parametrize("driver", DRIVERS)
def test_driver_is_never_heard_below_warning(drivers_routed: io.BytesIO, driver: str) -> None:
    """Kazoo's debug lines hold the digest of its authentication; even with the root at DEBUG they stay out."""
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger(driver + ".client").debug("Sending request: Auth(auth='hasync:hunter2')")
    logging.getLogger(driver).info("connected with hunter2")
    assert not logging.getLogger(driver).isEnabledFor(logging.INFO)  # nor for a handler that somebody adds
    assert drivers_routed.getvalue() == b""


def test_unknown_library_is_not_heard_below_warning_either(drivers_routed: io.BytesIO) -> None:
    """What a library that nobody thought of logs at DEBUG may hold secrets, too."""
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("some.library").info("hunter2")
    assert drivers_routed.getvalue() == b""


def test_driver_warning_becomes_a_scrubbed_event(drivers_routed: io.BytesIO) -> None:
    """What a driver warns of is an event like any other, without the password in its URL."""
    logging.getLogger("redis.connection").warning("no answer from %s", "redis://:hunter2@redis:6379/0")
    line = orjson.loads(drivers_routed.getvalue())
    assert (line["event"], line["driver"], line["level"]) == ("driver", "redis.connection", "warning")
    assert line["message"] == "no answer from redis://***@redis:6379/0"
    assert line["member"] == "m-1"


def test_driver_exception_keeps_its_trace(drivers_routed: io.BytesIO) -> None:
    """An exception that a driver logs is not lost, and its password is."""
    password = "hunter2"
    try:
        refuse(password)
    except OSError:
        logging.getLogger("kazoo.client").exception("unhandled")
    line = orjson.loads(drivers_routed.getvalue())
    assert (line["level"], line["error_code"]) == ("error", "OSError")
    assert password not in str(line)


def test_python_warning_becomes_an_event(drivers_routed: io.BytesIO) -> None:
    """A deprecation warning does not break a log of JSON lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert orjson.loads(drivers_routed.getvalue())["driver"] == "py.warnings"


def test_events_are_distinct_and_explained() -> None:
    """Each event has one name and one meaning."""
    assert len({event.text for event in Event}) == len(list(Event)) == len(Event.__members__)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", event) for event in Event)


class Broken(io.BytesIO):
    """A disk that is full."""

    def write(self, _line: object) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise BrokenPipeError


def test_line_that_cannot_be_written_ends_nothing() -> None:
    """F29: a full disk or a reader that is gone costs lines, not the stream."""
    a_log(Broken()).error(Event.FAILED, error=ValueError("x"))
