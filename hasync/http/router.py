"""From a request to an answer: a WSGI application that keeps nothing from one request to the next."""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from hasync.http.actions import Actions
from hasync.http.answers import EVENTS, SECURITY, Answer, Headers, Request, Streamed, document
from hasync.http.board import Board
from hasync.http.events import Followers
from hasync.http.health import Health
from hasync.http.page import Page
from hasync.logs import Event, Log, masked
from hasync.model.cluster import NAME

READING: Final = ("GET", "HEAD")
ACTING: Final = ("POST",)

PAGE_WAIT_S: Final = 1.5
"""How long the page waits for its table; its script shows what comes later."""

VIEW_WAIT_S: Final = 5.0
"""How long ``/api/cluster`` waits for a fresh view; then it tells the last one, and that it is stale."""

ACTION: Final = re.compile(rf"/api/streams/({NAME.pattern})/([a-z]+)")

Handler = Callable[[Request], Answer | Streamed]


class Router:
    """Answers probes, metrics, status, the page with what it needs, and admin actions.

    Called from: one thread per request.
    """

    def __init__(
        self,
        health: Health,
        registry: CollectorRegistry,
        *,
        board: Board,
        followers: Followers,
        actions: Actions,
        live_within_s: float,
        log: Log,
    ) -> None:
        """``live_within_s``: oldest heartbeat of a loop that still counts as alive."""
        self._health = health
        self._board = board
        self._followers = followers
        self._actions = actions
        self._live_within_s = live_within_s
        self._log = log
        self._page = Page()
        self._metrics: WSGIApplication = make_wsgi_app(registry)
        self._routes: dict[str, Handler] = {
            "/": self._index,
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/status": self._status,
            "/events": self._events,
            "/api/cluster": self._cluster,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, whatever happens."""
        try:
            if environ["PATH_INFO"] == "/metrics" and environ["REQUEST_METHOD"] in READING:
                return self._scrape(environ, start_response)
            answer = self._answer(Request.of(environ))
        except Exception as error:  # noqa: BLE001 - a request thread's top frame: one bad request must not end it silently
            self._log.error(Event.HTTP_FAILED, path=environ["PATH_INFO"], error=error)
            answer = document(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal", "message": "see the log"})
        return _send(answer, environ, start_response)

    def _answer(self, request: Request) -> Answer | Streamed:
        if (action := ACTION.fullmatch(request.path)) and action[2] in self._actions.names:
            if request.method not in ACTING:
                return _not_allowed(request, ACTING)
            return self._actions.answer(request, action[1], action[2])
        handler = self._handler(request)
        if handler is None and request.path != "/metrics":
            paths = sorted([*self._routes, "/metrics"])
            return document(HTTPStatus.NOT_FOUND, {"error": "not_found", "path": request.path, "paths": paths})
        if handler is None or request.method not in READING:
            return _not_allowed(request, READING)
        return handler(request)

    def _handler(self, request: Request) -> Handler | None:
        folder, _, name = request.path.rpartition("/")
        file = self._page.file(name) if folder == "/static" else None
        return file.answer if file is not None else self._routes.get(request.path)

    def _scrape(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: Headers) -> Callable[[bytes], object]:
            return start_response(status, [*headers, *SECURITY])

        head = environ["REQUEST_METHOD"] == "HEAD"
        body = list(self._metrics(environ | {"REQUEST_METHOD": "GET"}, cast("StartResponse", start)))
        return [] if head else body

    # ----------------------------------------------------------------------- probes

    def _livez(self, _request: Request) -> Answer:
        ages_s = {loop: round(age, 3) for loop, age in self._health.ages_s().items()}
        stuck = sorted(loop for loop, age in ages_s.items() if age >= self._live_within_s)
        content: dict[str, Any] = {"live": not stuck, "heartbeat_age_s": ages_s, "live_within_s": self._live_within_s}
        if stuck:
            content["reasons"] = [f"the loop of {loop} last turned {ages_s[loop]:g} s ago" for loop in stuck]
        return document(HTTPStatus.SERVICE_UNAVAILABLE if stuck else HTTPStatus.OK, content)

    def _readyz(self, _request: Request) -> Answer:
        readiness = self._health.readiness()
        status = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
        content = {"ready": readiness.ready, "reasons": masked(readiness.reasons), "notes": masked(readiness.notes)}
        return document(status, content)

    def _status(self, _request: Request) -> Answer:
        return document(HTTPStatus.OK, masked(self._health.status()))

    # --------------------------------------------------------------- the whole cluster

    def _index(self, _request: Request) -> Answer:
        return self._page.html(self._board.read(PAGE_WAIT_S).document)

    def _cluster(self, _request: Request) -> Answer:
        return document(HTTPStatus.OK, self._board.read(VIEW_WAIT_S).document)

    def _events(self, request: Request) -> Answer | Streamed:
        if request.method == "HEAD":
            return Answer(HTTPStatus.OK, b"", EVENTS)
        return self._followers.answer(request)


def _not_allowed(request: Request, methods: tuple[str, ...]) -> Answer:
    content = {"error": "method_not_allowed", "method": request.method, "allow": methods}
    return document(HTTPStatus.METHOD_NOT_ALLOWED, content, ("Allow", ", ".join(methods)))


def _send(answer: Answer | Streamed, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if isinstance(answer, Streamed):
        start_response("200 OK", answer.lines())
        return answer.frames
    start_response(f"{answer.status.value} {answer.status.phrase}", answer.lines())
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]
