"""What an instance makes of the others, and when it asks for a hand-over."""

import io
from dataclasses import dataclass, field, replace

import pytest

from hasync.errors import CoordinationUnavailable
from hasync.logs import open_log
from hasync.model.member import Eligibility, Member, StreamStatus
from hasync.settings import Settings
from hasync.worker.placement import CARRIED_OUT_S, DISTRUST_S, Balancer, Neighbours
from tests.unit.worker.clock import Clock

LEADER, STANDBY = StreamStatus(role="leader", able=True), StreamStatus(role="standby", able=True)


def members(*owners: str, among: str = "ab") -> tuple[Member, ...]:
    """Return members of which these lead streams s0, s1, ..."""
    return tuple(
        Member(
            id=member,
            instance=f"{member}1",
            streams={f"s{n}": LEADER if owner == member else STANDBY for n, owner in enumerate(owners)},
        )
        for member in among
    )


@dataclass
class Bench:
    """Instance a, its clock, and what it asked for."""

    clock: Clock = field(default_factory=Clock)
    asked: list[tuple[str, str]] = field(default_factory=list)
    answer: bool | Exception = True
    enabled: bool = True

    def __post_init__(self) -> None:
        settings = Settings.model_validate(
            {"member_id": "a", "rebalance": {"enabled": self.enabled, "after_s": 30, "pause_s": 2}}
        )
        self.neighbours = Neighbours(member="a", status=lambda _: STANDBY, clock=self.clock)
        self.moves = 0
        self.balancer = Balancer(
            neighbours=self.neighbours,
            ask=self._ask,
            settings=settings,
            clock=self.clock,
            log=open_log(level="info", as_json=True, out=io.BytesIO(), clock=self.clock, member="a"),
            on_move=self._moved,
        )

    def _ask(self, stream: str, target: str, reason: str) -> bool:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.asked.append((stream, target))
        return self.answer

    def _moved(self) -> None:
        self.moves += 1

    def pass_(self, seconds: float, seen: tuple[Member, ...]) -> list[tuple[str, str]]:
        """Let time pass in looks of a second; return what was asked for meanwhile."""
        before = len(self.asked)
        for _ in range(int(seconds)):
            self.neighbours.know(seen)
            self.balancer.look()
            self.clock.now_s += 1
        return self.asked[before:]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_stream_is_handed_over_once_the_other_has_been_there_long_enough(bench: Bench) -> None:
    """Not to one that may be gone again in a moment."""
    uneven = members("a", "a", "a")
    assert bench.pass_(30, uneven) == []
    assert bench.pass_(2, uneven) == [("s0", "b")]
    assert bench.moves == 1


def test_restarted_process_counts_as_new(bench: Bench) -> None:
    """One that crashes every now and then is given nothing."""
    uneven = members("a", "a", "a")
    bench.pass_(29, uneven)
    reborn = (uneven[0], replace(uneven[1], instance="b2"))
    assert bench.pass_(29, reborn) == []


def test_next_hand_over_waits_until_nothing_changes(bench: Bench) -> None:
    """One at a time: while anybody's role changes, nobody is asked."""
    bench.pass_(31, members("a", "a", "a", "a"))
    assert bench.asked == [("s0", "b")]
    for _ in range(10):
        assert bench.pass_(1, members("b", "a", "a", "a")) == []
        flicker = members("b", "a", "a", "a")
        draining = replace(flicker[1], streams={**flicker[1].streams, "s0": replace(LEADER, role="draining")})
        assert bench.pass_(1, (flicker[0], draining)) == []
    assert bench.pass_(4, members("b", "a", "a", "a")) == [("s1", "b")]
    assert bench.pass_(60, members("b", "b", "a", "a")) == []


def test_target_that_did_not_take_a_stream_is_given_a_rest(bench: Bench) -> None:
    """Asking again and again would be a storm of its own."""
    uneven = members("a", "a", "a")
    bench.pass_(31, uneven)
    assert len(bench.asked) == 1
    assert bench.pass_(CARRIED_OUT_S + DISTRUST_S - 2, uneven) == []
    assert len(bench.pass_(10, uneven)) == 1


def test_third_instance_is_asked_while_one_is_distrusted(bench: Bench) -> None:
    """The others go on."""
    uneven = members("a", "a", "a", among="abc")
    bench.pass_(31, uneven)
    assert bench.pass_(15, uneven) == [("s0", "c")]


def test_only_the_origin_of_the_move_asks() -> None:
    """The picture says that b has too many; that is b's business."""
    bench = Bench()
    assert bench.pass_(60, members("b", "b", "b")) == []


@pytest.mark.parametrize("answer", [False, CoordinationUnavailable("away")])
def test_wish_that_cannot_be_made_is_tried_again(bench: Bench, answer: bool | Exception) -> None:
    """Another wish stands, or ZooKeeper is away."""
    bench.answer = answer
    uneven = members("a", "a", "a")
    bench.pass_(40, uneven)
    assert bench.moves == 0
    bench.answer = True
    bench.pass_(2, uneven)
    assert bench.moves == 1


def test_instance_that_must_not_rebalance_does_not() -> None:
    """rebalance.enabled: false."""
    assert Bench(enabled=False).pass_(60, members("a", "a", "a")) == []


def test_only_who_is_a_reserve_or_unfit_asks_for_better_contenders(bench: Bench) -> None:
    """A takeover by anybody else costs no look at the queue."""

    def must_not_ask() -> tuple[str, ...]:
        raise AssertionError("the queue was read")

    bench.neighbours.know(members("b", "b"))
    assert bench.neighbours.better("s0", must_not_ask) == ""
    reserve = Neighbours(
        member="a", status=lambda _: replace(STANDBY, eligibility=Eligibility.RESERVE), clock=bench.clock
    )
    reserve.know(members("a", "a"))
    assert reserve.better("s0", lambda: ("a", "b")) == "b"
    assert reserve.better("s0", lambda: ("a",)) == ""
    assert reserve.others_able("s0")
    reserve.know(members("a", "a", among="a"))
    assert not reserve.others_able("s0")
