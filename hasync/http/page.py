"""The status page: files of the package, and a table for browsers without scripts."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from hasync.http.answers import HTML, POLICY, Answer, Request
from hasync.http.view import Document

KINDS: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
    "actions.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files that a browser may ask for, and what they are."""

PLACE: Final = "<!-- table -->"
"""Where the page has room for what the server renders."""

HEADERS: Final = (
    ("Content-Security-Policy", POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)

REVALIDATED: Final = "no-cache"
"""Browsers keep the files, and ask each time whether they still are the same."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file with the tag of its content."""

    content: bytes
    kind: str
    tag: str

    def answer(self, request: Request) -> Answer:
        """Return it, or that the browser has it already."""
        headers = (("ETag", self.tag),)
        known = {tag.strip().removeprefix("W/") for tag in request.header("if-none-match").split(",")}
        if self.tag in known or "*" in known:
            return Answer(HTTPStatus.NOT_MODIFIED, b"", self.kind, headers, REVALIDATED)
        return Answer(HTTPStatus.OK, self.content, self.kind, headers, REVALIDATED)


class Page:
    """The page's files, read once."""

    def __init__(self) -> None:
        """Read them from the package."""
        folder = files("hasync.http") / "static"
        self._page = (folder / "page.html").read_text(encoding="utf-8")
        self._assets = {name: asset((folder / name).read_bytes(), kind) for name, kind in KINDS.items()}

    def file(self, name: str) -> Asset | None:
        """Return one of its files, None when there is no such."""
        return self._assets.get(name)

    def html(self, view: Document) -> Answer:
        """Return the page, with the view as a table for browsers that run no script."""
        body = self._page.replace(PLACE, "\n".join(table(view)), 1)
        return Answer(HTTPStatus.OK, body.encode(), HTML, HEADERS)


def asset(content: bytes, kind: str) -> Asset:
    """Return a file; the tag is its content's."""
    return Asset(content, kind, f'"{hashlib.sha256(content).hexdigest()[:24]}"')


# --------------------------------------------------------------- without a script


def table(view: Document) -> Iterator[str]:
    """Yield the view as HTML. Whatever comes from outside is escaped."""
    if view["stale"]:
        yield f"<p><strong>Stale: {_text(view['trouble'])}</strong></p>"
    yield f"<p>As of {_moment(view['as_of'])}, told by {_text(view['served_by']['member'])}.</p>"
    yield from _rows(
        "Streams",
        ("Stream", "State", "Leader", "Epoch", "Lag", "Acknowledged", "Config"),
        (_stream(each) for each in view["streams"]),
    )
    for stream in view["streams"]:
        for problem in stream["problems"]:
            yield f"<p>{_text(stream['name'])}: {_text(problem)}</p>"
    yield from _rows(
        "Instances",
        ("Instance", "Version", "Leads", "Stands by", "Ready"),
        (_instance(each) for each in view["instances"]),
    )


def _rows(title: str, heads: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    yield f"<h2>{title}</h2><table><thead><tr>"
    yield "".join(f"<th>{head}</th>" for head in heads) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"


def _stream(stream: Document) -> tuple[Any, ...]:
    leader = stream["leader"] or {}
    lag_s, acknowledged = stream["lag_s"], stream["acknowledged"] or {}
    return (
        stream["name"],
        stream["state"].replace("_", " "),
        leader.get("member"),
        leader.get("epoch"),
        None if lag_s is None else f"{lag_s:g} s",
        acknowledged.get("place"),
        stream["config"]["revision"],
    )


def _instance(instance: Document) -> tuple[Any, ...]:
    ready = {True: "yes", False: "no", None: "unknown"}[instance["ready"]]
    return (
        instance["id"],
        instance["version"],
        ", ".join(instance["leads"]),
        instance["stands_by_count"],
        ready,
    )


def _text(value: Any) -> str:
    return "-" if value in {None, ""} else escape(str(value))


def _moment(unix_s: float | None) -> str:
    return "never" if unix_s is None else datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
