"""Asking for a fault and waiting for its end, with an instance that is played."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hasync.drill.conductor import Conductor
from hasync.drill.kinds import DrillKind, Request
from hasync.drill.recording import Mark, Marked, Recording
from hasync.drill.verdict import Undoing
from hasync.errors import HasyncError
from hasync.model.cluster import Leader
from hasync.model.drill import Answer, Deed, Order, Stage
from hasync.model.member import Member, StreamStatus
from tests.fakes.drills import FakeDrills
from tests.unit.cli.stage import Clock


def member(name: str, role: str, *, instance: str = "1") -> Member:
    status = StreamStatus(role=role, epoch=3, able=True)
    return Member(id=name, instance=instance, pid=17, host="node", streams={"orders": status})


class Cluster:
    """Two instances, of which ``a`` leads, and what they do with an order."""

    def __init__(self) -> None:
        self.clock, self.drills, self.recording = Clock(), FakeDrills(), Recording()
        self.drills.on_ask = self._ordered
        self.members = {"a": member("a", "leader"), "b": member("b", "standby")}
        self.leading: Leader | None = Leader(member="a", epoch=3, since=1.0)
        self.obey: Callable[[Order], object] = lambda _: None
        self.orders: list[Order] = []
        self.said: list[str] = []

    def _ordered(self, order: Order) -> None:
        self.orders.append(order)
        self.obey(order)

    def list(self) -> tuple[Member, ...]:
        return tuple(self.members.values())

    def leader(self) -> Leader | None:
        return self.leading

    def answer(self, order: Order, stage: Stage, message: str = "", hint: str = "") -> None:
        self.drills.answer(order, Answer(stage=stage, at=1.0, message=message, hint=hint))

    def conduct(self, kind: DrillKind, **changes: Any) -> Undoing:
        eyes: Any = self
        conductor = Conductor(
            drills=self.drills,
            terms=eyes,
            members=eyes,
            recording=self.recording,
            clock=self.clock,
            say=self.said.append,
        )
        request = Request(id="r", kind=kind, stream="orders", by="ann@desk", for_s=2.0 if kind.lasts else 0.0)
        return conductor.conduct(replace(request, **changes))

    def marks(self) -> Sequence[Mark]:
        return [sample.mark for sample in self.recording.samples() if isinstance(sample, Marked)]

    # what an instance does

    def restarts(self, order: Order) -> None:
        self.answer(order, Stage.ACCEPTED)
        was = self.members[order.member]
        self.members[order.member] = replace(was, instance=was.instance + "+")

    def undoes(self, order: Order) -> None:
        self.answer(order, Stage.UNDONE)

    def hands_over(self, order: Order) -> None:
        self.answer(order, Stage.UNDONE)
        self.members = {"a": member("a", "standby"), "b": member("b", "leader")}
        self.leading = Leader(member="b", epoch=4, since=2.0)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_crash_is_undone_by_another_start_of_the_same_instance(cluster: Cluster) -> None:
    """The order names the process that leads, in the term that it leads in."""
    cluster.obey = cluster.restarts
    assert cluster.conduct(DrillKind.CRASH_LEADER) == Undoing(done=True)
    (order,) = cluster.orders
    assert (order.deed, order.member, order.instance, order.epoch) == (Deed.CRASH, "a", "1", 3)
    assert cluster.marks() == [Mark.ASKED, Mark.INJECTED, Mark.UNDONE, Mark.ENDED]
    assert cluster.drills.order is None


def test_crashed_instance_that_does_not_come_back_is_a_failure_that_says_how_to_mend_it(cluster: Cluster) -> None:
    """With the process and its host."""
    cluster.obey = lambda order: cluster.answer(order, Stage.ACCEPTED)
    undoing = cluster.conduct(DrillKind.CRASH_LEADER)
    assert not undoing.done
    assert "a (process 17 on node) was killed and did not come back" in undoing.message
    assert "hasync run" in undoing.hint


def test_frozen_instance_is_continued_by_hand_as_the_report_says(cluster: Cluster) -> None:
    """The one fault that nothing of this command's could end."""
    cluster.obey = lambda order: cluster.answer(order, Stage.ACCEPTED)
    undoing = cluster.conduct(DrillKind.FREEZE_LEADER)
    assert not undoing.done
    assert "kill -CONT 17" in undoing.hint


@pytest.mark.parametrize("kind", [kind for kind in DrillKind if kind.lasts] + [DrillKind.EXPIRE_SESSION])
def test_fault_that_lasts_is_undone_when_the_instance_says_so(cluster: Cluster, kind: DrillKind) -> None:
    """And stands ready for the stream."""
    cluster.obey = cluster.undoes
    assert cluster.conduct(kind).done


def test_frozen_instance_that_its_supervisor_replaced_is_undone(cluster: Cluster) -> None:
    """The new process is as good as the old one continued."""
    cluster.obey = cluster.restarts
    assert cluster.conduct(DrillKind.FREEZE_LEADER).done


def test_instance_that_is_not_ready_is_not_undone(cluster: Cluster) -> None:
    """It says that the cut is over, but does not stand by again."""

    def obey(order: Order) -> None:
        cluster.undoes(order)
        cluster.members["a"] = member("a", "waiting")

    cluster.obey = obey
    assert not cluster.conduct(DrillKind.CUT_ZOOKEEPER).done


def test_failed_fault_is_told_with_the_instance_s_own_words(cluster: Cluster) -> None:
    """They say more than a missing answer."""
    cluster.obey = lambda order: cluster.answer(order, Stage.FAILED, "still lives", "run it supervised")
    undoing = cluster.conduct(DrillKind.CRASH_LEADER)
    assert undoing == Undoing(done=False, message="still lives", hint="run it supervised")


def test_refused_drill_is_an_error_with_its_remedy(cluster: Cluster) -> None:
    """Nothing was done, so there is nothing to judge."""
    cluster.obey = lambda order: cluster.answer(order, Stage.REFUSED, "not enabled", "enable it")
    with pytest.raises(HasyncError, match="a refuses: not enabled") as refused:
        cluster.conduct(DrillKind.CRASH_LEADER)
    assert refused.value.hint == "enable it"
    assert cluster.drills.order is None


def test_silent_instance_is_an_error_and_its_order_is_withdrawn(cluster: Cluster) -> None:
    """A release without drills must not find the order later."""
    with pytest.raises(HasyncError, match="did not see the order"):
        cluster.conduct(DrillKind.CRASH_LEADER)
    assert cluster.drills.order is None


def test_second_drill_of_a_stream_is_refused(cluster: Cluster) -> None:
    """Two faults at once would explain nothing."""
    cluster.drills.order = Order(id="x", deed=Deed.CRASH, member="a", instance="1", by="bob", at=1.0)
    with pytest.raises(HasyncError, match="another drill of orders runs"):
        cluster.conduct(DrillKind.CRASH_LEADER)
    assert cluster.drills.order.id == "x"


def test_stream_that_nobody_leads_is_not_drilled(cluster: Cluster) -> None:
    """It has trouble enough."""
    cluster.leading = None
    with pytest.raises(HasyncError, match="nobody leads"):
        cluster.conduct(DrillKind.CRASH_LEADER)


def test_lonely_leader_is_warned_of(cluster: Cluster) -> None:
    """The gap will be as long as its restart."""
    del cluster.members["b"]
    cluster.obey = cluster.restarts
    cluster.conduct(DrillKind.CRASH_LEADER)
    assert "no other instance could lead now" in cluster.said[0]


def test_switchover_names_a_standby_that_could_lead(cluster: Cluster) -> None:
    """And is over when that one leads and the old leader stands by."""
    cluster.obey = cluster.hands_over
    assert cluster.conduct(DrillKind.SWITCHOVER).done
    assert cluster.orders[0].to == "b"


def test_switchover_without_a_standby_is_not_begun(cluster: Cluster) -> None:
    """No order was given."""
    del cluster.members["b"]
    with pytest.raises(HasyncError, match="no standby could lead"):
        cluster.conduct(DrillKind.SWITCHOVER)
    assert cluster.orders == []


def test_rolling_restart_takes_the_leader_last(cluster: Cluster) -> None:
    """Each has to be back before the next one goes; so the stream is handed over once."""
    cluster.obey = cluster.restarts
    assert cluster.conduct(DrillKind.ROLLING_RESTART).done
    assert [(order.member, order.epoch) for order in cluster.orders] == [("b", 0), ("a", 0)]
    assert cluster.marks() == [Mark.ASKED, Mark.INJECTED, Mark.UNDONE, Mark.RESTARTED, Mark.UNDONE, Mark.ENDED]


def test_rolling_restart_stops_at_an_instance_that_does_not_come_back(cluster: Cluster) -> None:
    """Else it would take the last one down as well."""
    cluster.obey = lambda order: cluster.answer(order, Stage.ACCEPTED)
    assert not cluster.conduct(DrillKind.ROLLING_RESTART).done
    assert [order.member for order in cluster.orders] == ["b"]
