"""Mutated packets of real servers: never a crash, never a hang, never rows lost in silence."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hasync.model.position import Flavor
from tests.fuzz.corpus import Scene, everything, load
from tests.fuzz.guard import fuzz
from tests.fuzz.known import KNOWN
from tests.fuzz.oracle import judge
from tests.fuzz.reference import verdict
from tests.fuzz.target import Delivery, Setup, deliver
from tests.fuzz.wire import kind_of, laid_out, sealed, sized

SCENES = everything()
SHORT_CASES = 5000
MAY_BE_REFUSED = {"statement", "xa", "minimal_image", "noblob_image", "minimal_metadata"} | {
    "compressed",
    "partial_json",
    "tagged",
}
"""Scenes with rows that hasync may refuse in so many words; what it reads of them must be right all the same."""
XID, WRITE_ROWS = 16, 30


def name_of(scene: Scene) -> str:
    return f"{scene.flavor.value}-{scene.name}"


def mysql(name: str) -> Scene:
    return next(scene for scene in load(Flavor.MYSQL) if scene.name == name)


@pytest.fixture(scope="module")
def small() -> Scene:
    """MySQL's shortest scene: five transactions on one table."""
    return mysql("small")


@pytest.mark.parametrize("max_rows", [1, 3, 1000])
@pytest.mark.parametrize("scene", SCENES, ids=name_of)
def test_recorded_packets_are_read_as_our_parser_reads_them(scene: Scene, max_rows: int) -> None:
    """Unchanged: rows, place, GTIDs and a resume in the middle agree with a parser that knows nothing of hasync."""
    outcome, findings = judge(scene, scene.packets, Setup(max_rows=max_rows))
    if outcome == "refused" and (scene.name in MAY_BE_REFUSED or (scene.name.startswith("shapes") and max_rows == 1)):
        return
    assert (outcome, findings) in (("equal", []), ("unjudged", []))


def test_short_run_finds_nothing_new() -> None:
    """The first cases of a fixed seed; `make fuzz` runs longer, with seeds of chance."""
    report = fuzz("make-test", 60, last=SHORT_CASES)
    assert not report.counts.keys() - KNOWN.keys(), "\n".join(report.lines())
    assert report.cases > SHORT_CASES / 10
    assert report.outcomes["equal"] > report.cases / 20
    assert report.outcomes["refused"] > report.cases / 20


# --------------------------------------------------------------------- open defects, see known.py


def at(scene: Scene, kind: int) -> int:
    """Return the number of the first packet of a type."""
    return min(number for number, packet in enumerate(scene.packets) if kind_of(packet) == kind)


def dropped(scene: Scene) -> Sequence[bytes]:
    number = at(scene, WRITE_ROWS)
    return [*scene.packets[:number], *scene.packets[number + 1 :]]


def repeated(scene: Scene) -> Sequence[bytes]:
    number = at(scene, WRITE_ROWS)
    return [*scene.packets[: number + 1], *scene.packets[number:]]


def unplaced(scene: Scene) -> Sequence[bytes]:
    packet = scene.packets[at(scene, XID)]
    return [*scene.packets[: at(scene, XID)], sealed(packet[:14] + bytes(4) + packet[18:])]


def short_rotate(scene: Scene) -> Sequence[bytes]:
    return [sealed(sized(scene.packets[0][:28])), *scene.packets[1:]]


def wrong_checksum(scene: Scene) -> Sequence[bytes]:
    number = at(scene, XID)
    return [*scene.packets[:number], scene.packets[number][:-1] + b"\0"]


def _open(damage: Callable[[Scene], Sequence[bytes]]) -> Any:
    reason = "the codec does not look at it; tests/fuzz/known.py names the kind"
    return pytest.param(damage, marks=pytest.mark.xfail(reason=reason, raises=AssertionError))


@pytest.mark.parametrize("damage", [dropped, repeated, wrong_checksum, _open(unplaced), _open(short_rotate)])
def test_damage_that_the_place_shows_is_an_error(damage: Callable[[Scene], Sequence[bytes]]) -> None:
    """A rows event that is missing or comes twice, a COMMIT without a place: an error that says where."""
    scene = mysql("bulk")  # with rows events in the middle of a statement
    outcome, findings = judge(scene, damage(scene), Setup())
    assert (outcome, findings) == ("refused", [])


# ------------------------------------------------------------------ the fuzzer's own eyes


def broken(change: Callable[[Delivery], Delivery]) -> Callable[[Scene, Sequence[bytes], Setup], Delivery]:
    return lambda scene, packets, setup: change(deliver(scene, packets, setup))


def without_a_row(found: Delivery) -> Delivery:
    last = found.segments[-1]
    changes = [*last.changes[:-1], replace(last.changes[-1], before=(), after=())]
    return Delivery([*found.segments[:-1], replace(last, changes=tuple(changes))], found.position)


def with_a_segment_twice(found: Delivery) -> Delivery:
    return Delivery([*found.segments, found.segments[-1]], found.position)


def at_the_wrong_place(found: Delivery) -> Delivery:
    assert found.position is not None
    return Delivery(found.segments, replace(found.position, pos=found.position.pos - 1))


def without_a_gtid(found: Delivery) -> Delivery:
    assert found.position is not None
    return Delivery(found.segments, replace(found.position, gtid_set=""))


@pytest.mark.parametrize("change", [without_a_row, with_a_segment_twice, at_the_wrong_place, without_a_gtid])
def test_oracle_sees_what_a_worse_reader_does(small: Scene, change: Callable[[Delivery], Delivery]) -> None:
    """A row less, a row twice, a place or a GTID that is off: each is a finding."""
    assert judge(small, small.packets, Setup())[1] == []
    assert judge(small, small.packets, Setup(), broken(change))[1] != []


def test_our_parser_takes_a_file_laid_out_anew_for_sound(small: Scene) -> None:
    """Mending places must not make faults of its own: a transaction less is then a shorter history."""
    begins = [number for number, packet in enumerate(small.packets) if kind_of(packet) == 33]
    shorter = laid_out([*small.packets[: begins[1]], *small.packets[begins[2] :]])
    shorter = [sealed(packet) for packet in shorter]
    found = verdict(small, shorter)
    assert found.fault is None
    assert len(found.ids) == len(verdict(small, small.packets).ids) - 3


def test_guard_names_the_cases_that_hang_and_crash() -> None:
    """A worker's death is a finding of the case it died in, and the rest still runs."""
    report = fuzz("x", 60, last=8, worker="tests.fuzz.broken", case_s=3)
    assert [(kind, cases[0][0]) for kind, cases in sorted(report.examples.items())] == [("crash", 4), ("hang", 2)]
    assert report.cases == 8
