"""A worker that dies or hangs is replaced in milliseconds; supervisor and worker never outlive each other wrongly."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hasync.term.takeover import Step
from testbed import wait_until
from tests.failover.fleet import Fleet, Running, Workload, assert_equal

LONG_SESSION = {"HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": "10"}


def gone(pid: int) -> bool:
    """Whether a process is no more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def said(instance: Running, event: str) -> list[dict[str, object]]:
    return [line for line in instance.events() if line["event"] == event]


def next_epoch(fleet: Fleet) -> Callable[[], bool]:
    """Remember the epoch, and tell when a higher one has claimed the state."""
    before = fleet.state
    assert before is not None

    def risen() -> bool:
        state = fleet.state
        return state is not None and state.epoch > before.epoch

    return risen


def started(fleet: Fleet, *members: str, **settings: str) -> Running:
    """Start instances and return the leader, with all others in the queue."""
    fleet.apply(fleet.backends.config())
    fleet.start(*members, **(LONG_SESSION | settings))
    leader = fleet.leader()
    wait_until("all contend", lambda: len(fleet.coordination.election.contenders()) == len(members))
    return leader


def test_killed_workers_are_replaced_within_their_session_and_nothing_is_lost_or_doubled(mysql_fleet: Fleet) -> None:
    """I1, I2, I7, I8: each time the supervisor closes the session, another leads, and the worker comes back."""
    started(mysql_fleet, "a", "b")
    with Workload(mysql_fleet.backends.database) as workload:
        for _ in range(3):
            victim = mysql_fleet.leader()
            workload.wait_commits(30)
            risen = next_epoch(mysql_fleet)
            victim.signal_worker(signal.SIGKILL)
            wait_until("another leads", risen, timeout_s=9, poll_s=0.005)  # less than the session
            wait_until("the worker is back", lambda victim=victim: victim.supervisor.get("restarts"), timeout_s=20)
            wait_until("all contend", lambda: len(mysql_fleet.coordination.election.contenders()) == 2, timeout_s=20)
        workload.wait_commits(30)
    assert_equal(mysql_fleet.backends.database, mysql_fleet.backends.redis)
    restarts = sum(instance.supervisor["restarts"] for instance in mysql_fleet.instances)
    assert restarts == 3
    steps = [set(term.takeover_ms) for term in mysql_fleet.coordination.terms.history(3)]
    assert steps == [{step.value for step in Step}] * 3
    crashed = [line for instance in mysql_fleet.instances for line in said(instance, "worker_crashed")]
    assert [line["how"] for line in crashed] == ["SIGKILL"] * 3
    assert sum(instance.metric("hasync_worker_restarts") for instance in mysql_fleet.instances) == 3
    assert sum(instance.metric("hasync_worker_sessions_closed") for instance in mysql_fleet.instances) == 3


def test_stopped_worker_is_killed_for_its_silence_and_another_leads(mysql_fleet: Fleet) -> None:
    """SIGSTOP of the worker: the supervisor notices the missing heartbeat long before the session is over."""
    leader = started(mysql_fleet, "a", "b", HASYNC_SUPERVISOR__HEARTBEAT_S="1")
    with Workload(mysql_fleet.backends.database) as workload:
        workload.wait_commits(30)
        risen = next_epoch(mysql_fleet)
        stopped = leader.signal_worker(signal.SIGSTOP)
        wait_until("another leads", risen, timeout_s=9, poll_s=0.005)
        workload.wait_commits(30)
    assert gone(stopped)
    assert_equal(mysql_fleet.backends.database, mysql_fleet.backends.redis)
    (killed,) = said(leader, "worker_killed")
    assert str(killed["why"]).startswith("no heartbeat for ")


def test_workers_end_with_a_killed_supervisor_but_hand_over_first(mysql_fleet: Fleet) -> None:
    """No orphan leader: the worker of a supervisor that is gone hands over in order and exits."""
    leader = started(mysql_fleet, "a", "b")
    worker = leader.worker
    with Workload(mysql_fleet.backends.database) as workload:
        workload.wait_commits(30)
        risen = next_epoch(mysql_fleet)
        os.kill(leader.process.pid, signal.SIGKILL)
        wait_until("another leads", risen, timeout_s=9, poll_s=0.005)
        wait_until("the worker is gone", lambda: gone(worker), timeout_s=10)
        workload.wait_commits(30)
    assert_equal(mysql_fleet.backends.database, mysql_fleet.backends.redis)
    assert said(leader, "stopped")


def test_supervisor_and_worker_killed_together_leave_the_stream_to_the_session_timeout(mysql_fleet: Fleet) -> None:
    """Nobody is left to close the session, so it expires; another leads then."""
    mysql_fleet.apply(mysql_fleet.backends.config())
    mysql_fleet.start("a", "b")
    leader = mysql_fleet.leader()
    worker, risen = leader.worker, next_epoch(mysql_fleet)
    leader.process.kill()  # the whole group
    wait_until("another leads", risen, timeout_s=20)
    assert gone(worker)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_to_the_supervisor_hands_over_and_exits_with_0(mysql_fleet: Fleet, number: signal.Signals) -> None:
    """I10, I11: the signal reaches the worker, which ends in order, and the exit code says so."""
    leader = started(mysql_fleet, "a")
    worker = leader.worker
    leader.process.signal(number)
    assert leader.process.wait(15) == 0
    assert gone(worker)
    assert said(leader, "stopped")
    assert [term.end_reason for term in mysql_fleet.coordination.terms.history()] == ["shutdown"]


def test_worker_that_does_not_end_is_killed_and_the_exit_code_says_so(mysql_fleet: Fleet) -> None:
    """A stopped worker cannot hand over: it is killed for its silence, its session closed, the exit code is 137."""
    leader = started(mysql_fleet, "a", HASYNC_SUPERVISOR__HEARTBEAT_S="1")
    leader.signal_worker(signal.SIGSTOP)
    leader.process.signal(signal.SIGTERM)
    assert leader.process.wait(15) == 128 + signal.SIGKILL
    assert said(leader, "worker_session_closed")


def test_worker_that_always_crashes_ends_the_supervisor_with_70(mysql_fleet: Fleet) -> None:
    """I10: whoever runs hasync learns that restarting does not help."""
    instance = started(mysql_fleet, "a", HASYNC_SUPERVISOR__GIVE_UP_AFTER="2")
    first = instance.signal_worker(signal.SIGKILL)
    wait_until("it is back", lambda: instance.worker not in {0, first}, timeout_s=20)
    instance.signal_worker(signal.SIGSEGV)
    assert instance.process.wait(15) == 70
    assert [line["how"] for line in said(instance, "worker_crashed")] == ["SIGKILL", "SIGSEGV"]


def test_memory_is_taken_from_the_worker_first(mysql_fleet: Fleet) -> None:
    """The kernel kills the process with the higher score: the supervisor survives, and hands over for its worker."""
    leader = started(mysql_fleet, "a")
    scores = [int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (leader.process.pid, leader.worker)]
    assert scores[1] == min(1000, scores[0] + 500)


def test_stopped_supervisor_disturbs_nobody(mysql_fleet: Fleet) -> None:
    """Its pipe fills up and is not read; the worker leads on, and is not killed when the supervisor goes on."""
    leader = started(mysql_fleet, "a", HASYNC_SUPERVISOR__HEARTBEAT_S="0.5")
    worker = leader.worker
    leader.process.freeze()
    with Workload(mysql_fleet.backends.database) as workload:
        until = time.monotonic() + 2  # four budgets
        while time.monotonic() < until:
            workload.wait_commits(5)
    leader.process.thaw()
    assert_equal(mysql_fleet.backends.database, mysql_fleet.backends.redis)
    assert leader.worker == worker
    assert said(leader, "worker_killed") == []
