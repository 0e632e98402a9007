"""Server-sent events: the whole view first, then what changes."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson

from hasync.http.answers import Answer, Request, Streamed, refusal
from hasync.http.board import Board, Edition

CLIENTS_MAX: Final = 16
"""So many may follow at a time; they do not count among the requests."""

BEAT_S: Final = 5.0
"""After so long without a change the client is told the age of what it shows, and that the line is alive."""

FIRST_S: Final = 5.0
"""How long the first edition is waited for."""

COME_AGAIN = ("Retry-After", "10")


@dataclass(frozen=True, slots=True)
class Feed:
    """The editions as events. ``token``: of this process, so that numbers of another one mean nothing."""

    board: Board
    token: str
    beat_s: float = BEAT_S

    def frames(self, last_seen: str) -> Iterator[bytes]:
        """Yield the stream of events, until the board is closed. ``last_seen``: the id a client that returns names."""
        yield b"retry: 2000\n\n"
        edition = self.board.read(FIRST_S)
        if last_seen != self._id(edition):
            yield frame("snapshot", edition.document, self._id(edition))
        while not self.board.closed:
            news = self.board.after(edition.number, self.beat_s)
            if news is None:
                yield b": alive\n\n" + frame("as_of", {"as_of": self.board.as_of})
            elif news.number == edition.number + 1:
                yield frame("changes", {"as_of": news.document["as_of"], **news.changes}, self._id(news))
            else:
                yield frame("snapshot", news.document, self._id(news))
            edition = news or edition

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
        return Streamed(self._feed.frames(request.header("last-event-id")))
