"""What may be done over the admin port: the wishes that ``hasync switchover``, ``pause`` and ``resume`` make."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson

from hasync.coordination import Members, StreamCatalog, StreamCoordination
from hasync.errors import CoordinationUnavailable, HasyncError
from hasync.fleet import wishes
from hasync.fleet.succession import planned
from hasync.fleet.summary import Facts
from hasync.http.answers import JSON, Answer, Request, document, refusal
from hasync.http.gatekeeper import Gatekeeper
from hasync.logs import Event, Log
from hasync.model.duration import Duration
from hasync.model.names import Fault
from hasync.ports import Clock

BODY_MAX_BYTES: Final = 4096
REASON_MAX: Final = 500
"""Longest reason, in characters."""

COME_AGAIN = ("Retry-After", "2")

Body = Mapping[str, str]


class Refused(Exception):  # noqa: N818 - the client's fault, and its answer
    """A request that cannot be carried out as it is."""

    def __init__(self, answer: Answer) -> None:
        """Keep the answer."""
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where wishes are made. ``member``: the instance whose port is used, for who asks later who did it."""

    members: Members
    catalog: StreamCatalog
    stream: Callable[[str], StreamCoordination]
    member: str
    clock: Clock


class Actions:
    """Carries out ``POST /api/streams/<name>/<action>``. Called from: request threads."""

    def __init__(self, *, desk: Desk, gatekeeper: Gatekeeper, log: Log) -> None:
        """Serve whoever the gatekeeper lets in."""
        self._desk = desk
        self._gatekeeper = gatekeeper
        self._log = log
        self._known: dict[str, tuple[frozenset[str], Callable[[StreamCoordination, Body, str], Answer]]] = {
            "switchover": (frozenset({"to", "reason"}), self._switch_over),
            "pause": (frozenset({"reason", "for"}), self._pause),
            "resume": (frozenset(), self._resume),
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What can be done with a stream."""
        return tuple(self._known)

    def answer(self, request: Request, stream: str, action: str) -> Answer:
        """Judge the request, carry it out, and write down who asked for what and what became of it."""
        try:
            answer = self._gatekeeper.refuse(request) or self._carried_out(request, stream, action)
        except Refused as refused:
            answer = refused.answer
        except CoordinationUnavailable as away:
            answer = refusal(HTTPStatus.SERVICE_UNAVAILABLE, away.code, away.message, COME_AGAIN)
        except HasyncError as error:
            answer = refusal(HTTPStatus.CONFLICT, error.code, error.message, hint=error.hint or None)
        self._write_down(request, stream, action, answer)
        return answer

    def _write_down(self, request: Request, stream: str, action: str, answer: Answer) -> None:
        write = self._log.info if answer.ok else self._log.warning
        told = orjson.loads(answer.body)
        write(
            Event.ADMIN_ACTION,
            remote=request.remote,
            stream=stream,
            action=action,
            status=answer.status.value,
            outcome=told.get("outcome") or told.get("message"),
        )

    def _carried_out(self, request: Request, stream: str, action: str) -> Answer:
        allowed, carry_out = self._known[action]
        body = fields_of(request, allowed)
        if stream not in self._desk.catalog.names():
            raise Refused(refusal(HTTPStatus.NOT_FOUND, "no_such_stream", f"there is no stream {stream!r}"))
        return carry_out(self._desk.stream(stream), body, request.remote)

    def _operator(self, body: Body, remote: str) -> wishes.Operator:
        by = f"{remote} at {self._desk.member}"
        return wishes.Operator(by=by, at=self._desk.clock.wall(), reason=body.get("reason", ""))

    def _switch_over(self, ports: StreamCoordination, body: Body, remote: str) -> Answer:
        plan = planned(Facts.read(ports, self._desk.members.list()), body.get("to") or None)
        content = {**plan.to_json(asked=not plan.done, leader=None), "warnings": list(plan.warnings)}
        if plan.done:
            outcome = f"{plan.target} leads already, epoch {plan.leader.epoch}"
            return document(HTTPStatus.OK, {"outcome": outcome, **content})
        intent = wishes.hand_over(ports, plan, self._operator(body, remote))
        outcome = f"{intent.by} asked {plan.leader.member} to hand over to {plan.target}"
        return document(HTTPStatus.ACCEPTED, {"outcome": outcome, **content})

    def _pause(self, ports: StreamCoordination, body: Body, remote: str) -> Answer:
        wish = wishes.pause(ports, self._operator(body, remote), for_s=_lasting_s(body.get("for")))
        outcome = "pause is asked for" + (f" for {body['for']}" if wish.until else "")
        content = {"outcome": outcome, "stream": ports.stream, "by": wish.by, "until": wish.until}
        return document(HTTPStatus.ACCEPTED, content)

    def _resume(self, ports: StreamCoordination, _body: Body, _remote: str) -> Answer:
        done = wishes.resume(ports, self._desk.members.list())
        outcome = "; ".join(done) or "was neither paused nor halted"
        return document(HTTPStatus.OK, {"outcome": outcome, "stream": ports.stream, "done": list(done)})


def fields_of(request: Request, allowed: frozenset[str]) -> dict[str, str]:
    """Return the fields of a request's JSON body. Raises Refused, naming what is wrong with it."""
    if request.header("content-type").partition(";")[0].strip().lower() != JSON:
        message = f"send {JSON}, '{{}}' where nothing is to be said"
        raise Refused(refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message))
    try:
        content = orjson.loads(_body(request))
    except orjson.JSONDecodeError as error:
        raise Refused(_bad(f"the body is no JSON: {error}")) from None
    if not isinstance(content, dict) or set(content) - allowed:
        raise Refused(_bad(f"send a JSON object with nothing but {', '.join(sorted(allowed)) or 'no field'}"))
    told = {name: value for name, value in content.items() if value is not None}
    for name, value in told.items():
        if not isinstance(value, str) or len(value) > REASON_MAX or not value.isprintable():
            raise Refused(_bad(f"{name} is to be one line of text of at most {REASON_MAX} characters"))
    return told


def _lasting_s(text: str | None) -> float | None:
    """Return a length of time in seconds, None for none. Raises Refused."""
    try:
        return Duration.parse(text).seconds if text else None
    except Fault as fault:
        raise Refused(_bad(f"for: {fault}")) from None


def _body(request: Request) -> bytes:
    length = request.header("content-length")
    if not length.isascii() or not length.isdigit():
        message = "say how long the body is (Content-Length)"
        raise Refused(refusal(HTTPStatus.LENGTH_REQUIRED, "length_required", message))
    if int(length) > BODY_MAX_BYTES:
        message = f"a body has at most {BODY_MAX_BYTES} bytes"
        raise Refused(refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message))
    return request.body.read(int(length))


def _bad(message: str) -> Answer:
    return refusal(HTTPStatus.BAD_REQUEST, "bad_request", message)
