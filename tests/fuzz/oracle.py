"""Whether what hasync made of packets may stand."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hasync.errors import ConfigInvalid
from hasync.model.gtid import MariadbGtidSet, MysqlGtidSet
from hasync.model.position import Position
from tests.fuzz.corpus import Scene
from tests.fuzz.reference import Verdict, verdict
from tests.fuzz.ruled import content_of, rows_of
from tests.fuzz.tables import Id
from tests.fuzz.target import Delivery, Setup, deliver
from tests.fuzz.wire import FORMAT_DESCRIPTION, kind_of, sealed

_FILE_AND_PLACE = re.compile(r"\S*:-?\d+")  # a mutation may have named the file anew
_TYPE = re.compile(r"\b[A-Z0-9_]+_EVENT \(\d+\)|event type \d+|event of type \d+|table map|row image|rows? of |column ")
_TAKEN_BACK = "handed over in pieces"

Read = Callable[[Scene, Sequence[bytes], Setup], Delivery]
"""Reads packets with hasync, or, in the oracle's own tests, with something that is worse."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: a ``kind`` to count by, and the particulars."""

    kind: str
    detail: str


def judge(scene: Scene, packets: Sequence[bytes], setup: Setup, read: Read = deliver) -> tuple[str, list[Finding]]:
    """Read packets both ways; return how it went (``equal``, ``refused``, ``unjudged``) and what is wrong.

    An error of hasync's own is always allowed here, if it says where. No error is only
    allowed where our parser finds no contradiction either, and then rows and place must be the same.
    """
    wanted = verdict(scene, packets)
    found = read(scene, packets, setup)
    if setup.rules and (differences := _of_two_roads(scene, packets, setup, found)):
        return "equal", differences
    if found.error is not None:
        return "refused", [] if isinstance(found.error, ConfigInvalid) else list(_named(found.error.message))
    if wanted.fault is not None:
        detail = f"packet {wanted.fault.packet}: {wanted.fault.detail}"
        return "unnoticed", [Finding(f"unnoticed: {wanted.fault.kind}", detail)]
    if wanted.unjudged:
        return "unjudged", []
    return "equal", _differences(scene, packets, setup, wanted, found)


def _of_two_roads(scene: Scene, packets: Sequence[bytes], setup: Setup, found: Delivery) -> list[Finding]:
    """Hold the commands made from row images against those that the rules' steps make of the same rows."""
    other = deliver(scene, packets, replace(setup, steps=True, buffered=False))
    if found.error is not None or other.error is not None:
        if type(found.error) is type(other.error):
            return []
        return [Finding("one road refuses", f"images: {found.error}; steps: {other.error}")]
    if content_of(found.segments) != content_of(other.segments):
        return [Finding("commands differ", f"{content_of(found.segments)} instead of {content_of(other.segments)}")]
    return []


def _named(message: str) -> Sequence[Finding]:
    if _FILE_AND_PLACE.search(message) and _TYPE.search(message):
        return []
    return [Finding("error that does not say where", message)]


def _differences(
    scene: Scene, packets: Sequence[bytes], setup: Setup, wanted: Verdict, found: Delivery
) -> list[Finding]:
    findings = []
    whole = wanted.ids + wanted.pending
    ids: Sequence[Id] = whole[: rows_of(found.segments)] if setup.rules else found.ids
    count = rows_of(found.segments) if setup.rules else len(ids)
    if not len(wanted.ids) <= count <= len(whole) or not all(map(_same_id, whole, ids)):
        findings.append(Finding("rows differ", f"wanted {wanted.ids} (open: {wanted.pending}), got {count}: {ids}"))
    assert found.position is not None
    place = (found.position.file, found.position.pos)
    if place != (wanted.file, wanted.pos):
        findings.append(Finding("place differs", f"wanted {wanted.file}:{wanted.pos}, got {found.position}"))
    if wanted.judged_gtids and str(_gtids(scene, wanted)) != found.position.gtid_set:
        findings.append(Finding("GTIDs differ", f"wanted {_gtids(scene, wanted)}, got {found.position.gtid_set}"))
    return findings or _resumed(scene, packets, setup, wanted, found)


def _same_id(wanted: Id, found: Id) -> bool:
    """Whether a row may be the one that is wanted: our parser knows the ids of INT columns only."""
    return wanted is None or wanted == found


def _gtids(scene: Scene, wanted: Verdict) -> MysqlGtidSet | MariadbGtidSet:
    known = scene.flavor.gtid_set(scene.start.gtid_set)
    for origin, number in wanted.gtids:
        known = known.add(f"{origin}:{number}" if isinstance(known, MysqlGtidSet) else f"{origin}-{number}")
    return known


def _resumed(scene: Scene, packets: Sequence[bytes], setup: Setup, wanted: Verdict, found: Delivery) -> list[Finding]:
    """Start again behind a segment in the middle: the rest must come, no more and no less."""
    if len(found.segments) < 2:
        return []
    middle = len(found.segments) // 2
    position = found.segments[middle - 1].position
    rest = from_place(packets, wanted.places, position)
    again = deliver(scene, rest, setup, position)
    if not rest or (again.error is not None and _TAKEN_BACK in again.error.message):
        return []  # it cannot be known which rows were handed over before a savepoint took them back
    if again.error is not None:
        return [Finding("resume refused", f"at {position}: {again.error.message}")]
    if setup.rules:
        return _resumed_by_rules(found, middle, again)
    before = [number for segment in found.segments[:middle] for number in _ids(segment)]
    if before + again.ids != found.ids:
        return [Finding("resume differs", f"at {position}: {found.ids}, in two parts {before} + {again.ids}")]
    return []


def _resumed_by_rules(found: Delivery, middle: int, again: Delivery) -> list[Finding]:
    whole, parts = content_of(found.segments), content_of([*found.segments[:middle], *again.segments])
    rows = rows_of(found.segments), rows_of([*found.segments[:middle], *again.segments])
    if whole == parts and rows[0] == rows[1]:
        return []
    return [Finding("resume differs", f"{rows[0]} rows, in two parts {rows[1]}; {whole}, in two parts {parts}")]


def _ids(segment: object) -> list[int | None]:
    return Delivery(segments=[segment]).ids  # type: ignore[list-item]


def from_place(packets: Sequence[bytes], places: Sequence[tuple[str, int] | None], position: Position) -> list[bytes]:
    """Return what a server sends that is asked for a dump from ``position``: a made-up head, then the rest.

    Nothing when a mutation took the head away, or there is no rest.
    """
    head = b""
    for number, (packet, place) in enumerate(zip(packets, places, strict=True)):
        if kind_of(packet) == FORMAT_DESCRIPTION:
            head = _made_up(packet)
        if place and place[0] == position.file and place[1] >= position.pos:
            made_up = [head] if head and kind_of(packet) != FORMAT_DESCRIPTION else []
            return [*made_up, *packets[number:]] if head else []
    return []


def _made_up(packet: bytes) -> bytes:
    """Return a FORMAT_DESCRIPTION as it is sent for a dump that begins further on: without a place."""
    return sealed(packet[:14] + bytes(4) + packet[18:])
