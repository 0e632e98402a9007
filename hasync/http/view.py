"""The cluster as the status page and ``/api/cluster`` show it. Pure: from a picture to a document.

The document holds no secret, no row value and no address of the source or the sink.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from hasync.fleet.leaderstatus import Said
from hasync.fleet.summary import Summary
from hasync.fleet.survey import Picture, StreamPicture
from hasync.fleet.takeovers import STEPS, ending, gap_s
from hasync.logs import masked
from hasync.model.cluster import Intent, Leader, TermRecord
from hasync.model.member import Member
from hasync.model.placement import leads
from hasync.model.position import Position

VERSION: Final = 1
"""Of the document. A reader passes over fields it does not know; what goes or changes its meaning raises this."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """The instance that serves the page, by its own word, and whether it would carry out admin actions."""

    status: Mapping[str, Any]
    actions: bool
    root: str


def cluster(picture: Picture | None, teller: Teller, trouble: str = "") -> Document:
    """Return the whole document. ``picture``: the last one, None before the first.

    ``trouble``: why it could not be renewed, empty when it is fresh.
    """
    streams = [_stream(each, picture.said) for each in picture.streams] if picture else []
    own = teller.status.get("member")
    return masked(  # type: ignore[no-any-return]
        {
            "version": VERSION,
            "as_of": picture.taken_at if picture else None,
            "stale": bool(trouble),
            "trouble": trouble or None,
            "root": teller.root,
            "actions": teller.actions,
            "served_by": _teller(teller),
            "streams": streams,
            "instances": [_instance(each, picture.said, own, streams) for each in picture.members] if picture else [],
        }
    )


def _teller(teller: Teller) -> Document:
    status = teller.status
    return {
        "member": status.get("member"),
        "version": status.get("version"),
        "ready": bool(status.get("ready")),
        "reasons": list(status.get("reasons") or ()),
    }


# -------------------------------------------------------------------------- a stream


def _stream(picture: StreamPicture, said: Mapping[str, Said]) -> Document:
    summary, facts = picture.summary, picture.summary.facts
    told = summary.told if summary.told and summary.told.reached else None
    return {
        "name": facts.stream,
        "state": state(summary),
        "problems": list(summary.problems),
        "warnings": list(summary.warnings),
        "leader": _leader(facts.leader, reached=told is not None),
        "contenders": list(facts.contenders),
        "lag_s": None if summary.lag_s is None else round(summary.lag_s, 1),
        "behind_bytes": told.behind_bytes if told else None,
        "rows_per_s": None if picture.rate_rows_s is None else round(picture.rate_rows_s, 1),
        "acknowledged": _acknowledged(summary),
        "source_end": _source_end(summary),
        "config": _config(summary, said),
        "halt": _halt(summary),
        **_wishes(facts.intent),
        "members": [_member(member, facts.stream, said) for member in facts.members],
        "takeovers": list(takeovers(picture.terms, facts.leader)),
    }


def state(summary: Summary) -> str:
    """Return one word: ``running``, ``degraded``, ``halted``, ``paused``, ``disabled`` or ``no_leader``."""
    if summary.halt is not None:
        return "halted"
    if summary.state in {"paused", "disabled"}:
        return summary.state
    if summary.facts.leader is None:
        return "no_leader"
    return "degraded" if summary.problems else "running"


def _leader(leader: Leader | None, *, reached: bool) -> Document | None:
    if leader is None:
        return None
    return {"member": leader.member, "epoch": leader.epoch, "since": leader.since, "reached": reached}


def _acknowledged(summary: Summary) -> Document | None:
    acknowledged = summary.facts.acknowledged
    if acknowledged is None:
        return None
    position = acknowledged.position
    return {
        "place": str(position),
        "gtid_set": position.gtid_set or None,
        "flavor": position.flavor.value,
        "epoch": acknowledged.epoch,
        "seq": acknowledged.seq,
        "at": acknowledged.acknowledged_at or None,
        "committed_at": position.timestamp or None,
    }


def _source_end(summary: Summary) -> str | None:
    """Return the end of the source's binlog as ``file:pos``, None while unknown.

    Its leader asks for it once a second; what was acknowledged meanwhile has moved it, too.
    """
    end = summary.told.source_end if summary.told is not None else ""
    acknowledged = summary.facts.acknowledged
    if end and acknowledged is not None and _order(str(acknowledged.position)) > _order(end):
        return f"{acknowledged.position.file}:{acknowledged.position.pos}"
    return end or None


def _order(place: str) -> tuple[str, int]:
    """Return what sorts ``file:pos``; the files' numbers have leading zeros, and a longer one is a later one."""
    file, _, pos = place.partition("+")[0].rpartition(":")
    number = file.rpartition(".")[2]
    return number.rjust(20, "0"), int(pos) if pos.isdigit() else 0


def _config(summary: Summary, said: Mapping[str, Said]) -> Document:
    facts, told = summary.facts, summary.told
    revision = facts.revision.revision if facts.revision else None
    in_force = {member.id: _revision_of(said.get(member.id), facts.stream) for member in facts.members}
    refusal = facts.config()[1] or (told.config_refusal if told else "")
    return {
        "revision": revision,
        "applied_at": facts.revision.applied_at if facts.revision else None,
        "applied_by": facts.revision.applied_by if facts.revision else None,
        "comment": (facts.revision.comment or None) if facts.revision else None,
        "refusal": refusal or None,
        "older": {name: number for name, number in in_force.items() if number and revision and number < revision},
    }


def _revision_of(said: Said | None, stream: str) -> int | None:
    """Return the revision that an instance has in force, None when it did not say."""
    part = _part(said, stream)
    number = part.get("config_revision")
    return number if isinstance(number, int) and number else None


def _part(said: Said | None, stream: str) -> Mapping[str, Any]:
    """Return what an instance's own status says of a stream; nothing when it was not reached."""
    streams = said.document.get("streams") if said is not None and isinstance(said.document, dict) else None
    part = streams.get(stream) if isinstance(streams, dict) else None
    return part if isinstance(part, dict) else {}


def _halt(summary: Summary) -> Document | None:
    halt = summary.halt
    if halt is None:
        return None
    return {
        "code": halt.code,
        "reason": halt.reason,
        "remedy": halt.hint or None,
        "member": halt.member,
        "epoch": halt.epoch,
        "at": halt.at,
    }


def _wishes(intent: Intent | None) -> Document:
    """Return what operators want: a pause, a switchover, or neither."""
    if intent is None:
        return {"pause": None, "switchover": None}
    wish = {"by": intent.by, "at": intent.at, "reason": intent.reason or None}
    if intent.pauses:
        return {"pause": {**wish, "until": intent.until}, "switchover": None}
    return {"pause": None, "switchover": {**wish, "to": intent.to, "epoch": intent.epoch}}


def _member(member: Member, stream: str, said: Mapping[str, Said]) -> Document:
    status = member.streams[stream]
    return {
        "id": member.id,
        "role": status.role,
        "able": status.able,
        "eligibility": status.eligibility.value,
        "detail": status.detail or None,
        "config_revision": _revision_of(said.get(member.id), stream),
    }


def takeovers(terms: tuple[TermRecord, ...], leader: Leader | None) -> Iterator[Document]:
    """Yield how each term came about, newest first; ``terms`` as the history has them.

    ``gap_s``: from the predecessor's last word to the new leader's first, None where the
    predecessor died without one. The clocks of both hosts are in it.
    """
    for term, before in zip_longest(terms, terms[1:]):
        gap = gap_s(term, before)
        yield {
            "epoch": term.epoch,
            "member": term.member,
            "from": before.member if before else None,
            "since": term.since,
            "until": term.until,
            "after": ending(before, None) if before else None,
            "why": (before.message or None) if before else None,
            "gap_s": None if gap is None else round(gap, 3),
            "steps_ms": {step: term.takeover_ms[step] for step in STEPS if step in term.takeover_ms},
            "ended": ending(term, leader),
            "begin": _place(term.begin),
            "note": term.note or None,
        }


def _place(position: Position | None) -> str | None:
    return None if position is None else str(position)


# ------------------------------------------------------------------------ an instance


def _instance(member: Member, said: Mapping[str, Said], own: object, streams: list[Document]) -> Document:
    answer = said.get(member.id, Said(why="it was not asked"))
    document = answer.document if isinstance(answer.document, dict) else {}
    why = answer.why
    if answer.reached and document.get("member") != member.id:
        document, why = {}, f"at {member.address} another instance answers: {document.get('member')!r}"
    return {
        "id": member.id,
        "serves_this_page": member.id == own,
        "version": member.version or None,
        "host": member.host or None,
        "address": member.address or None,
        "started_at": member.started_at or None,
        "weight": member.weight,
        "leads": sorted(each["name"] for each in streams if _is_led_by(each, member.id)),
        "leads_count": leads(member),
        "stands_by_count": sum(status.role == "standby" for status in member.streams.values()),
        "streams_count": len(member.streams),
        "reached": not why,
        "why": why or None,
        "ready": document.get("ready") if not why else None,
        "reasons": list(document.get("reasons") or ()),
        "older_config": sorted(each["name"] for each in streams if member.id in each["config"]["older"]),
        "restarts": member.restarts,
        "last_exit": member.last_exit or None,
    }


def _is_led_by(stream: Document, member: str) -> bool:
    return stream["leader"] is not None and stream["leader"]["member"] == member


# -------------------------------------------------------------------------- changes

KEYED: Final = {"streams": "name", "instances": "id"}
"""Lists whose items have a name of their own."""


def changes(old: Document, new: Document) -> Document:
    """Return what differs: top-level fields as they are now, of the lists only items that changed.

    An item that is gone is named under ``gone``. Empty when nothing but the time differs.
    """
    found: Document = {name: value for name, value in new.items() if name not in KEYED and value != old.get(name)}
    found.pop("as_of", None)
    gone: dict[str, list[str]] = {}
    for field, key in KEYED.items():
        before = {item[key]: item for item in old.get(field, [])}
        after = {item[key]: item for item in new[field]}
        if changed := [item for name, item in after.items() if before.get(name) != item]:
            found[field] = changed
        if missing := sorted(before.keys() - after.keys()):
            gone[field] = missing
    return {**found, "gone": gone} if gone else found
