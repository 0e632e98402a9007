"""The view is renewed by one thread, and only while somebody looks."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from hasync.errors import ConfigInvalid, CoordinationUnavailable
from hasync.fleet.survey import Configs, Picture, Rate
from hasync.http.board import LINGER_S, Board
from hasync.http.view import Teller
from tests.unit.http.stage import DOCUMENT, Scene, SetClock, Surveyor, a_log

TELLER = Teller(status={"member": "b"}, actions=False, root="/hasync")
PATIENCE_S = 10.0


class QuickClock(SetClock):
    """A set clock on which waiting takes no longer than a moment."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait a moment."""
        return event.wait(min(timeout_s, 0.01))


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return found


@pytest.fixture
def surveyor() -> Surveyor:
    """A cluster that a test describes."""
    return Surveyor(Picture(taken_at=1.0))


@pytest.fixture
def clock() -> QuickClock:
    """A clock that a test moves."""
    return QuickClock()


@pytest.fixture
def board(surveyor: Surveyor, clock: QuickClock) -> Iterator[Board]:
    """A board in front of it."""
    board = Board(surveyor=surveyor, teller=lambda: TELLER, clock=clock, log=a_log(io.BytesIO()), every_s=0.01)
    yield board
    board.close()


def test_nobody_looking_means_no_look_and_no_thread(board: Board, surveyor: Surveyor) -> None:
    """A fleet that nobody watches costs ZooKeeper nothing."""
    assert (surveyor.looks, "hasync-board" in {thread.name for thread in threading.enumerate()}) == (0, False)


def test_first_reader_waits_for_the_first_view(board: Board, surveyor: Surveyor) -> None:
    """Whoever comes gets a view, not an empty page."""
    edition = board.read(PATIENCE_S)
    assert (edition.number, edition.document["as_of"], edition.document["stale"]) == (1, 1.0, False)


def test_looking_ends_a_while_after_the_last_reader(board: Board, surveyor: Surveyor, clock: QuickClock) -> None:
    """Threads and requests are given back, and taken up again by the next reader."""
    board.read(PATIENCE_S)
    clock.now += LINGER_S
    assert eventually(lambda: surveyor.rests > 0)
    looks = surveyor.looks
    board.read(0)
    assert eventually(lambda: surveyor.looks > looks)


def test_same_view_is_no_new_edition(board: Board, surveyor: Surveyor) -> None:
    """Followers are told of changes only, and the age of what they see goes on."""
    first = board.read(PATIENCE_S)
    surveyor.picture = Picture(taken_at=2.0)
    assert eventually(lambda: board.as_of == 2.0)
    assert board.read(0).number == first.number


def test_change_is_a_new_edition_with_its_differences(board: Board, surveyor: Surveyor) -> None:
    """Who waits behind an edition is woken by the next one."""
    board.read(PATIENCE_S)
    surveyor.picture = Scene().picture()
    news = board.after(1, PATIENCE_S)
    assert news is not None
    assert (news.number, [each["name"] for each in news.changes["streams"]]) == (2, ["orders"])


def test_zookeeper_away_makes_the_last_view_stale(board: Board, surveyor: Surveyor) -> None:
    """The page goes on showing what was, and says why it is no newer."""
    board.read(PATIENCE_S)
    surveyor.picture = CoordinationUnavailable("ZooKeeper does not answer")
    news = board.after(1, PATIENCE_S)
    assert news is not None
    assert (news.document["stale"], news.document["trouble"]) == (True, "ZooKeeper does not answer")
    assert news.document["as_of"] == 1.0


def test_fault_of_ours_is_logged_and_shown_and_looking_goes_on(surveyor: Surveyor, clock: QuickClock) -> None:
    """One view that cannot be made ends neither the page nor its thread."""
    lines, tellers = io.BytesIO(), iter([RuntimeError("internal detail")])

    def teller() -> Teller:
        for error in tellers:
            raise error
        return TELLER

    board = Board(surveyor=surveyor, teller=teller, clock=clock, log=a_log(lines), every_s=0.01)
    first = board.read(PATIENCE_S)
    assert (first.document["stale"], first.document["trouble"]) == (True, "internal error: RuntimeError")
    news = board.after(first.number, PATIENCE_S)
    assert news is not None
    assert news.document["stale"] is False
    assert b"internal detail" in lines.getvalue()
    board.close()


def test_closing_wakes_who_waits_and_ends_the_thread(board: Board, surveyor: Surveyor) -> None:
    """An instance that stops is not held up by a page."""
    board.read(PATIENCE_S)
    told: list[object] = []
    waiting = threading.Thread(target=lambda: told.append(board.after(99, 60)))
    waiting.start()
    board.close()
    waiting.join(PATIENCE_S)
    assert (told, board.closed) == ([None], True)
    assert "hasync-board" not in {thread.name for thread in threading.enumerate()}
    assert board.read(0).number == 1


def test_rate_counts_over_some_seconds_and_one_epoch() -> None:
    """Rows a second of this leader; another leader's counter begins anew."""
    rate = Rate()
    assert rate.of(1, 100, 0.0) is None
    assert rate.of(1, 150, 1.0) == 50.0
    assert rate.of(1, 150, 10.0) == 0.0
    assert rate.of(2, 7, 11.0) is None


def test_survey_forgets_streams_that_are_gone(scene: Scene) -> None:
    """Nothing is kept of a stream that was deleted; terms are read again only now and then."""
    survey = scene.survey()
    assert [each.summary.facts.stream for each in survey.look().streams] == ["orders"]
    survey._terms["gone"] = survey._terms["orders"]
    survey.look()
    assert set(survey._terms) == {"orders"}
    survey.rest()


def test_summary_of_a_survey_is_that_of_the_command_line(scene: Scene) -> None:
    """The page and ``hasync status`` judge by the same code."""
    scene.tells("a", lag_seconds=3.0, degraded={"apply": "slow"}, degraded_long=True)
    summary = scene.picture().streams[0].summary
    assert (summary.state, summary.lag_s, summary.problems) == ("degraded", 3.0, ("degraded: apply: slow",))
    assert replace(summary, told=None).lag_s is None


def test_document_is_parsed_once(scene: Scene) -> None:
    """Looking again and again costs no parsing; a refused document is refused each time, in the same words."""
    configs = Configs()
    assert configs(DOCUMENT) is configs(DOCUMENT)
    told = []
    for _ in range(2):
        with pytest.raises(ConfigInvalid) as refused:
            configs("version: 1\n")
        told.append(refused.value.problems)
    assert told[0] == told[1] != ()
