"""What goes back to a client, and what is asked of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO, Final, Self
from wsgiref.types import WSGIEnvironment

import orjson

JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
EVENTS: Final = "text/event-stream"

Headers = list[tuple[str, str]]

SECURITY: Final = (
    ("Server", "hasync"),  # else wsgiref names the interpreter and its version
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""Sent with every answer: nothing here is for another site's page, framed or included."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""The page's Content-Security-Policy: only its own files, nothing inline, no text that becomes markup."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response."""

    status: HTTPStatus
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    cache: str = "no-store"

    @property
    def ok(self) -> bool:
        """Whether the request was granted."""
        return self.status < HTTPStatus.BAD_REQUEST

    def lines(self) -> Headers:
        """Return all header lines."""
        return [
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", self.cache),
            *SECURITY,
            *self.headers,
        ]


@dataclass(frozen=True, slots=True)
class Streamed:
    """A response without an end of its own. ``frames``: what is sent, piece by piece, from the request's thread."""

    frames: Iterator[bytes]

    def lines(self) -> Headers:
        """Return all header lines; proxies are asked not to collect the pieces."""
        return [("Content-Type", EVENTS), ("Cache-Control", "no-store"), ("X-Accel-Buffering", "no"), *SECURITY]


def document(status: HTTPStatus, content: object, *headers: tuple[str, str]) -> Answer:
    """Return an answer of one JSON document."""
    body = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_INDENT_2)
    return Answer(status, body + b"\n", JSON, headers)


def refusal(status: HTTPStatus, error: str, message: str, *headers: tuple[str, str], **more: Any) -> Answer:
    """Return the answer to a request that is not granted: a word for machines, a sentence for people."""
    return document(status, {"error": error, "message": message, **more}, *headers)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request may ask of the connection that it came over.

    ``keep``: from now on it may last as long as its client reads; what it is given is called
    once when it has ended. ``gone``: whether the client has hung up.
    """

    keep: Callable[[Callable[[], None]], None]
    gone: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is read of a request; its body only when it is asked for."""

    method: str
    path: str
    remote: str
    headers: dict[str, str]
    body: BinaryIO = field(repr=False)
    turn: Turn | None = None

    @classmethod
    def of(cls, environ: WSGIEnvironment) -> Self:
        """Take it from what the server gives."""
        named = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        named["content-type"] = environ.get("CONTENT_TYPE", "")
        named["content-length"] = environ.get("CONTENT_LENGTH", "")
        return cls(
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            remote=environ.get("REMOTE_ADDR", ""),
            headers=named,
            body=environ["wsgi.input"],
            turn=environ.get("hasync.turn"),
        )

    def header(self, name: str) -> str:
        """Return a header's value, empty when it is not there; ``name`` in small letters."""
        return self.headers.get(name, "")
