"""From a request to an answer: a WSGI application without any state of its own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import orjson
from prometheus_client import CollectorRegistry, make_wsgi_app

from hasync.http.health import Health
from hasync.logs import Event, Log, masked

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
METHODS = ("GET", "HEAD")
SERVER = ("Server", "hasync")  # else wsgiref names the interpreter and its version

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response."""

    status: HTTPStatus
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def document(status: HTTPStatus, content: object, *headers: tuple[str, str]) -> Answer:
    """Return an answer of one JSON document."""
    body = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_INDENT_2)
    return Answer(status, body + b"\n", JSON, headers)


class Router:
    """Answers ``/livez``, ``/readyz``, ``/metrics``, ``/status`` and ``/``; reads nothing from a request but its path.

    Called from: one thread per request.
    """

    def __init__(self, health: Health, registry: CollectorRegistry, *, live_within_s: float, log: Log) -> None:
        """``live_within_s``: oldest heartbeat of a loop that still counts as alive."""
        self._health = health
        self._live_within_s = live_within_s
        self._log = log
        self._metrics: WSGIApplication = make_wsgi_app(registry)
        self._routes: dict[str, Callable[[], Answer]] = {
            "/": self._index,
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/status": self._status,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, whatever happens."""
        try:
            if environ["PATH_INFO"] == "/metrics" and environ["REQUEST_METHOD"] in METHODS:
                return self._scrape(environ, start_response)
            answer = self._answer(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        except Exception as error:  # noqa: BLE001 - a request thread's top frame: one bad request must not end it silently
            self._log.error(Event.HTTP_FAILED, path=environ["PATH_INFO"], error=error)
            answer = document(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal", "message": "see the log"})
        return _send(answer, environ, start_response)

    def _answer(self, method: str, path: str) -> Answer:
        if path not in self._routes and path != "/metrics":
            paths = sorted([*self._routes, "/metrics"])
            return document(HTTPStatus.NOT_FOUND, {"error": "not_found", "path": path, "paths": paths})
        if method not in METHODS:
            allow = ("Allow", ", ".join(METHODS))
            content = {"error": "method_not_allowed", "method": method, "allow": METHODS}
            return document(HTTPStatus.METHOD_NOT_ALLOWED, content, allow)
        return self._routes[path]()

    def _scrape(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: Headers) -> Callable[[bytes], object]:
            return start_response(status, [*headers, SERVER])

        head = environ["REQUEST_METHOD"] == "HEAD"
        body = list(self._metrics(environ | {"REQUEST_METHOD": "GET"}, cast("StartResponse", start)))
        return [] if head else body

    def _index(self) -> Answer:
        lines = (
            "hasync",
            "",
            "/livez    200 while every loop of this instance turns",
            "/readyz   200 while it leads, or could lead",
            "/metrics  for Prometheus",
            "/status   what it knows of itself, as JSON",
            "",
        )
        return Answer(HTTPStatus.OK, "\n".join(lines).encode(), TEXT)

    def _livez(self) -> Answer:
        ages_s = {loop: round(age, 3) for loop, age in self._health.ages_s().items()}
        stuck = sorted(loop for loop, age in ages_s.items() if age >= self._live_within_s)
        content: dict[str, Any] = {"live": not stuck, "heartbeat_age_s": ages_s, "live_within_s": self._live_within_s}
        if stuck:
            content["reasons"] = [f"the loop of {loop} last turned {ages_s[loop]:g} s ago" for loop in stuck]
        return document(HTTPStatus.SERVICE_UNAVAILABLE if stuck else HTTPStatus.OK, content)

    def _readyz(self) -> Answer:
        readiness = self._health.readiness()
        status = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
        content = {"ready": readiness.ready, "reasons": masked(readiness.reasons), "notes": masked(readiness.notes)}
        return document(status, content)

    def _status(self) -> Answer:
        return document(HTTPStatus.OK, masked(self._health.status()))


def _send(answer: Answer, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    headers: Headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
        SERVER,
        *answer.headers,
    ]
    start_response(f"{answer.status.value} {answer.status.phrase}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]
