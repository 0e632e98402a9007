"""Server-sent events: the whole view first, then what changes."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson

from hasync.http.answers import Answer, Request, Streamed, refusal
from hasync.http.board import Board, Edition

CLIENTS_MAX: Final = 16
"""So many may follow at a time; they do not count among the requests."""

POLL_S: Final = 1.0
"""How often is looked whether a client has hung up, so that its place is free again."""

BEAT_EVERY: Final = 5
"""After so many of these without a change the client is told the age of what it shows, and that the line is alive."""

FIRST_S: Final = 5.0
"""How long the first edition is waited for."""

COME_AGAIN = ("Retry-After", "10")


@dataclass(frozen=True, slots=True)
class Feed:
    """The editions as events. ``token``: of this process, so that numbers of another one mean nothing."""

    board: Board
    token: str
    poll_s: float = POLL_S

    def frames(self, last_seen: str, gone: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
        """Yield the stream of events, until the board is closed or the client has ``gone``.

        ``last_seen``: the id that a client names when it comes back.
        """
        yield b"retry: 2000\n\n"
        edition = self.board.read(FIRST_S)
        if last_seen != self._id(edition):
            yield frame("snapshot", edition.document, self._id(edition))
        quiet = 0
        while not (self.board.closed or gone()):
            news = self.board.after(edition.number, self.poll_s)
            quiet = 0 if news else quiet + 1
            if news is not None:
                yield self._told(news, edition)
            elif quiet % BEAT_EVERY == 0:
                yield b": alive\n\n" + frame("as_of", {"as_of": self.board.as_of})
            edition = news or edition

    def _told(self, news: Edition, before: Edition) -> bytes:
        if news.number == before.number + 1:
            return frame("changes", {"as_of": news.document["as_of"], **news.changes}, self._id(news))
        return frame("snapshot", news.document, self._id(news))

    def _id(self, edition: Edition) -> str:
        return f"{self.token}-{edition.number}"


def frame(event: str, data: Any, number: str = "") -> bytes:
    """Return one event. JSON has no line break of its own, so that one data line is enough."""
    head = f"id: {number}\nevent: {event}\n" if number else f"event: {event}\n"
    return head.encode() + b"data: " + orjson.dumps(data, default=str) + b"\n\n"


class Followers:
    """Answers ``/events``, to a bounded number of clients."""

    def __init__(self, feed: Feed, *, clients_max: int = CLIENTS_MAX) -> None:
        """Begin with none."""
        self._feed = feed
        self._free = threading.BoundedSemaphore(clients_max)

    def answer(self, request: Request) -> Answer | Streamed:
        """Follow, or be asked to come again. Called from: the request's thread, which the client then keeps."""
        if request.turn is None or not self._free.acquire(blocking=False):
            message = "too many pages follow this instance; look at another one, or come again"
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_clients", message, COME_AGAIN)
        request.turn.keep(self._free.release)
        return Streamed(self._feed.frames(request.header("last-event-id"), request.turn.gone))
