"""A drained instance gives away what others can lead, and keeps what nobody else can."""

import io
from dataclasses import dataclass, field

import pytest

from hasync.errors import CoordinationUnavailable
from hasync.logs import open_log
from hasync.model.drain import Drain
from hasync.model.member import Eligibility, Member, StreamStatus
from hasync.worker.draining import AGAIN_S, Draining, takers
from tests.unit.worker.clock import Clock

WISH = Drain(member="a", by="ann@desk", at=1.0, reason="new kernel")


@dataclass
class Bench:
    """Instance a, the wish in ZooKeeper, and what a asked for."""

    wish: Drain | None = None
    away: bool = False
    leads: tuple[str, ...] = ("s0", "s1")
    others: tuple[Member, ...] = ()
    clock: Clock = field(default_factory=Clock)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        log = open_log(level="info", as_json=True, out=io.BytesIO(), clock=self.clock, member="a")
        self.draining = Draining(
            drains=self,
            member="a",
            weight=3,
            streams=self,
            others=lambda: self.others,
            clock=self.clock,
            log=log,
        )

    def get(self, member: str) -> Drain | None:
        if self.away:
            raise CoordinationUnavailable("away")
        return self.wish

    def led(self) -> tuple[str, ...]:
        return self.leads

    def weigh(self, weight: int) -> None:
        self.weights.append(weight)

    def ask_hand_over(self, stream: str, target: str, reason: str, *, by: str = "") -> bool:
        self.asked.append((stream, target, by))
        return True


def standby(name: str, *, able: bool = True, drained: str = "", role: str = "standby", reserve: bool = False) -> Member:
    """Return an instance that stands by for both streams."""
    eligibility = Eligibility.RESERVE if reserve else Eligibility.PREFERRED
    status = StreamStatus(role=role, able=able, eligibility=eligibility)
    return Member(id=name, instance=name, drained=drained, streams={"s0": status, "s1": status})


def test_drained_instance_asks_for_the_hand_over_of_all_that_it_leads() -> None:
    """Who wants it is kept as the one who asks; from now on it weighs nothing."""
    bench = Bench(wish=WISH, others=(standby("b"),))
    bench.draining.look()
    assert bench.asked == [("s0", "b", "ann@desk"), ("s1", "b", "ann@desk")]
    assert bench.weights == [0]
    assert bench.draining.told == "drained by ann@desk: new kernel"


def test_hand_over_that_does_not_come_about_is_asked_of_the_next_one() -> None:
    """Not at every look: the first one is given its time."""
    bench = Bench(wish=WISH, leads=("s0",), others=(standby("b"), standby("c")))
    bench.draining.look()
    bench.draining.look()
    bench.clock.now_s += AGAIN_S
    bench.draining.look()
    assert [target for _, target, _ in bench.asked] == ["b", "c"]


def test_stream_that_nobody_else_can_lead_is_kept() -> None:
    """To drain an instance must not stop a stream."""
    bench = Bench(
        wish=WISH, others=(standby("b", able=False), standby("c", drained="drained"), standby("d", role="unfit"))
    )
    bench.draining.look()
    assert bench.asked == []


def test_undrained_instance_has_its_weight_back() -> None:
    """Once each, whatever is looked in between."""
    bench = Bench(wish=WISH)
    bench.draining.look()
    bench.draining.look()
    bench.wish = None
    bench.draining.look()
    bench.draining.look()
    assert bench.weights == [0, 3]
    assert bench.draining.told == ""


def test_drain_stays_while_zookeeper_is_away() -> None:
    """What was known counts."""
    bench = Bench(wish=WISH)
    bench.draining.look()
    bench.away = True
    bench.draining.look()
    assert bench.weights == [0]
    assert bench.draining.told


@pytest.mark.parametrize(
    ("others", "order"),
    [
        ((standby("b", reserve=True), standby("c")), ["c", "b"]),
        ((standby("b", role="leader"), standby("c")), ["c"]),
        ((standby("a"),), []),
    ],
)
def test_those_meant_to_lead_come_before_reserves(others: tuple[Member, ...], order: list[str]) -> None:
    """A reserve is better than nobody."""
    assert takers("s0", "a", others) == order
