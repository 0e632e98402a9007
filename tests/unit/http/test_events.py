"""Server-sent events: framing, resuming, limits, and their end."""

import contextlib
import http.client
import io
import threading
from collections.abc import Iterator

import orjson
import pytest

from hasync.errors import CoordinationUnavailable
from hasync.fleet.survey import Picture
from hasync.http.board import Board
from hasync.http.events import Feed, frame
from hasync.http.server import REQUESTS_MAX
from hasync.http.view import Teller
from tests.unit.http.stage import Bench, Scene, Surveyor, a_log, served
from tests.unit.http.test_board import QuickClock, eventually

TELLER = Teller(status={"member": "b"}, actions=False, root="/hasync")


class Line:
    """A client that follows."""

    def __init__(self, port: int, **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.connection.request("GET", "/events", headers=headers)
        self.response = self.connection.getresponse()

    def event(self) -> tuple[str, str, dict[str, object]]:
        """Return the next event: its name, its id, its data."""
        name = number = ""
        while line := self.response.readline().decode():
            field, _, value = line.rstrip("\n").partition(": ")
            name = value if field == "event" else name
            number = value if field == "id" else number
            if field == "data":
                return name, number, orjson.loads(value)
        raise AssertionError("the line has ended")

    def close(self) -> None:
        self.response.close()
        self.connection.close()


@pytest.fixture
def surveyor() -> Surveyor:
    """A cluster that a test describes."""
    return Surveyor(Picture(taken_at=1.0))


@pytest.fixture
def board(surveyor: Surveyor) -> Iterator[Board]:
    """A board in front of it."""
    board = Board(surveyor=surveyor, teller=lambda: TELLER, clock=QuickClock(), log=a_log(io.BytesIO()), every_s=0.01)
    yield board
    board.close()


def test_frame_is_one_event_on_one_data_line() -> None:
    """Line breaks inside a text are escaped by JSON, so no text can forge an event."""
    assert frame("changes", {"a": "x\n\ndata: y"}, "t-3") == (
        b'id: t-3\nevent: changes\ndata: {"a":"x\\n\\ndata: y"}\n\n'
    )
    assert frame("as_of", {"as_of": None}) == b'event: as_of\ndata: {"as_of":null}\n\n'


def test_snapshot_comes_first_then_changes(board: Board, surveyor: Surveyor) -> None:
    """A client needs nothing but the stream of events."""
    frames = Feed(board, "t").frames("")
    assert next(frames).startswith(b"retry: ")
    assert next(frames).startswith(b"id: t-1\nevent: snapshot\n")
    surveyor.picture = CoordinationUnavailable("away")
    assert next(frames) == b'id: t-2\nevent: changes\ndata: {"as_of":1.0,"stale":true,"trouble":"away"}\n\n'


def test_client_that_missed_nothing_is_not_sent_all_again(board: Board, surveyor: Surveyor) -> None:
    """The id it names is the current one: only changes follow; any other id, and it starts over."""
    board.read(10)
    surveyor_changed = Feed(board, "t").frames("t-1")
    next(surveyor_changed)
    surveyor.picture = CoordinationUnavailable("away")
    assert next(surveyor_changed).startswith(b"id: t-2\nevent: changes\n")
    for stale in ("t-1", "other-2", "rubbish"):
        frames = Feed(board, "t").frames(stale)
        next(frames)
        assert next(frames).startswith(b"id: t-2\nevent: snapshot\n")


def test_client_that_fell_behind_is_sent_the_whole_view(board: Board, surveyor: Surveyor) -> None:
    """Changes against an edition that it never saw would leave it with a picture that never was."""
    frames = Feed(board, "t").frames("")
    next(frames)
    next(frames)
    surveyor.picture = CoordinationUnavailable("away")
    assert board.after(1, 10)
    surveyor.picture = Picture(taken_at=3.0)
    assert board.after(2, 10)
    assert next(frames).startswith(b"id: t-3\nevent: snapshot\n")


def test_quiet_line_is_kept_alive_and_tells_the_age(board: Board) -> None:
    """Between changes a client learns that the line lives, and as of when its view is true."""
    frames = Feed(board, "t", poll_s=0.01).frames("")
    next(frames)
    next(frames)
    assert next(frames) == b': alive\n\nevent: as_of\ndata: {"as_of":1.0}\n\n'


def test_frames_end_when_the_board_is_closed(board: Board) -> None:
    """No line outlives its instance."""
    frames = Feed(board, "t").frames("")
    next(frames)
    next(frames)
    board.close()
    assert list(frames) == []


@pytest.fixture
def own() -> Iterator[Bench]:
    """A server of a test's own."""
    with served() as bench:
        yield bench


def test_follower_sees_a_change_of_the_cluster(own: Bench) -> None:
    """Over a real socket: the snapshot, then the stream that lost its leader."""
    line = Line(own.server.port)
    name, _, snapshot = line.event()
    assert (name, line.response.getheader("Content-Type")) == ("snapshot", "text/event-stream")
    assert snapshot["streams"][0]["state"] == "running"  # type: ignore[index]
    own.scene.nobody_leads()
    while True:
        name, number, changes = line.event()
        if name == "changes" and changes.get("streams"):
            break
    assert changes["streams"][0]["leader"] is None  # type: ignore[index]
    assert number.startswith("i-server-")
    line.close()


def test_too_many_followers_are_asked_to_come_again(own: Bench) -> None:
    """Beyond the limit 503 with Retry-After; a place that becomes free can be had."""
    lines = [Line(own.server.port) for _ in range(3)]
    refused = own.ask("/events")
    assert (refused.status, refused.headers["retry-after"]) == (503, "10")
    for line in lines:
        line.close()
    assert eventually(lambda: _follows(own))


def _follows(bench: Bench) -> bool:
    line = Line(bench.server.port)
    status = line.response.status
    line.close()
    return status == 200


def test_followers_take_no_place_of_probes() -> None:
    """With more followers than requests are allowed at a time, probes are answered still."""
    with served(clients_max=REQUESTS_MAX + 4) as bench, contextlib.ExitStack() as open_lines:
        for _ in range(REQUESTS_MAX + 4):
            open_lines.callback(Line(bench.server.port).close)
        assert bench.ask("/livez").status == 200
        assert bench.ask("/metrics").status == 200


def test_followers_live_longer_than_a_request_may() -> None:
    """The limit on a request's time does not cut a line that is followed."""
    with served(request_timeout_s=0.2) as bench:
        line = Line(bench.server.port)
        line.event()
        waited = threading.Event()
        waited.wait(0.4)
        bench.scene.nobody_leads()
        assert line.event()[0] in {"changes", "as_of"}
        line.close()


def test_closing_ends_followers_and_their_threads() -> None:
    """After close() no thread is left, whoever was following."""
    before = set(threading.enumerate())
    with served() as bench:
        lines = [Line(bench.server.port) for _ in range(3)]
        for line in lines:
            line.event()
        bench.server.close()
        assert eventually(lambda: set(threading.enumerate()) <= before)
        for line in lines:
            line.close()


def test_head_of_events_holds_no_line(bench: Bench) -> None:
    """A probe with HEAD gets headers, and the connection ends."""
    answer = bench.ask("/events", "HEAD")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")


def test_scene_is_described_once(scene: Scene) -> None:
    """The stage's stream runs; else these tests would show nothing."""
    assert scene.picture().streams[0].summary.state == "ok"
