"""What the supervisor decides, event by event; no process, no clock."""

import signal
from collections.abc import Sequence
from typing import Any

import pytest

from hasync.model.cluster import SessionCredential
from hasync.model.vitals import Goodbye, Message, Pulse, SessionHeld
from hasync.supervisor import watch as do
from hasync.supervisor.plan import Limits

LIMITS = Limits(
    heartbeat_s=5,
    stall_s=20,
    stop_s=25,
    restart_min_s=0.5,
    restart_max_s=30,
    healthy_s=60,
    give_up_after=4,
    start_s=60,
)
CREDENTIAL = SessionCredential(session_id=7, password=b"secret")
CRASH = signal.SIGKILL.value  # a wait status: ended by this signal


class Supervisor:
    """Feeds events to the decision and keeps what it wanted done."""

    def __init__(self, chance: float = 0.5) -> None:
        self.chance = chance
        self.watch, self.actions = do.begin(1)

    def happened(self, *events: do.Event) -> Sequence[do.Action]:
        """Return what these events together led to."""
        self.actions = ()
        for event in events:
            self.watch, actions = do.decide(self.watch, event, LIMITS, self.chance)
            self.actions += actions
        return self.actions

    def wanted(self, kind: type[Any]) -> list[Any]:
        return [action for action in self.actions if isinstance(action, kind)]

    def ticks(self, start: float, end: float, message: Message | None = None) -> Sequence[do.Action]:
        """Let time go by, with a message each half second if given."""
        all_actions: list[do.Action] = []
        moment = start
        while moment <= end:
            if message is not None:
                all_actions += self.happened(do.Heard(at=moment, message=message))
            all_actions += self.happened(do.Tick(at=moment))
            moment += 0.5
        self.actions = tuple(all_actions)
        return self.actions


def running() -> Supervisor:
    """Return one whose worker, 42, runs since 0, holds a session and was heard at 0."""
    supervisor = Supervisor()
    supervisor.happened(
        do.Started(at=0, pid=42),
        do.Heard(at=0, message=SessionHeld(credential=CREDENTIAL)),
        do.Heard(at=0, message=Pulse()),
        do.Tick(at=0),
    )
    return supervisor


def ended(at: float, status: int) -> do.Ended:
    return do.Ended(at=at, status=status, wall=1000.0)


def exited(at: float, code: int) -> do.Ended:
    return ended(at, code << 8)


def test_start_spawns_a_worker_and_tells_it_the_past() -> None:
    """The first worker learns that nothing has happened yet."""
    (spawn,) = Supervisor().wanted(do.Spawn)
    assert (spawn.past.pid, spawn.past.restarts, spawn.past.last_exit) == (1, 0, "")


def test_crash_closes_the_session_before_anything_else_and_restarts_with_jitter() -> None:
    """The takeover waits for nothing; the restart does, half the ceiling at chance one half."""
    supervisor = running()
    actions = supervisor.happened(ended(10, CRASH))
    assert actions[0] == do.CloseSession(CREDENTIAL)
    assert supervisor.wanted(do.Spawn) == []
    assert supervisor.happened(do.Tick(at=10.2)) == ()
    supervisor.happened(do.Tick(at=10.25))
    (spawn,) = supervisor.wanted(do.Spawn)
    assert (spawn.past.restarts, spawn.past.last_exit, spawn.past.last_exit_at) == (1, "SIGKILL", 1000.0)


def test_each_crash_in_a_row_waits_twice_as_long_and_a_healthy_while_ends_the_row() -> None:
    """0.25, 0.5, 1 s at chance one half; after a minute of life the row begins anew."""
    supervisor, waits = Supervisor(), []
    for lived_s in (1, 1, 1, 61):
        supervisor.happened(do.Started(at=0, pid=42), ended(lived_s, CRASH))
        assert supervisor.watch.restart_at is not None
        waits.append(supervisor.watch.restart_at - lived_s)
    assert waits == [0.25, 0.5, 1.0, 0.25]


def test_back_off_never_exceeds_its_ceiling() -> None:
    """Also after a thousand crashes."""
    assert do.back_off_s(1000, LIMITS, 0.999) < LIMITS.restart_max_s


def test_too_many_crashes_in_a_row_give_up_with_70() -> None:
    """Whoever runs hasync learns of it; the session is closed all the same."""
    supervisor = Supervisor()
    for _ in range(3):
        supervisor.happened(do.Started(at=0, pid=42), ended(1, CRASH))
    supervisor.happened(
        do.Started(at=0, pid=42), do.Heard(at=0, message=SessionHeld(credential=CREDENTIAL)), ended(1, CRASH)
    )
    assert supervisor.wanted(do.Leave) == [do.Leave(do.GAVE_UP)]
    assert supervisor.wanted(do.CloseSession) == [do.CloseSession(CREDENTIAL)]


def test_silent_worker_is_killed_once_its_budget_is_over_and_not_before() -> None:
    """Five seconds without a word: SIGKILL, and the log says why."""
    supervisor = running()
    assert supervisor.ticks(0.5, 5) == ()
    supervisor.happened(do.Tick(at=5.5))
    assert supervisor.wanted(do.Send) == [do.Send(42, signal.SIGKILL)]
    (said,) = supervisor.wanted(do.Say)
    assert said.fields == {"pid": 42, "why": "no heartbeat for 5.5 s"}
    supervisor.happened(ended(5.6, CRASH))
    assert supervisor.wanted(do.CloseSession) == [do.CloseSession(CREDENTIAL)]
    assert supervisor.watch.past.last_exit == "SIGKILL (no heartbeat for 5.5 s)"


def test_kill_is_repeated_but_said_once() -> None:
    """A process in an uninterruptible wait dies when it can."""
    supervisor = running()
    supervisor.ticks(0.5, 7)
    assert len(supervisor.wanted(do.Send)) > 1
    assert len(supervisor.wanted(do.Say)) == 1


def test_heartbeats_keep_a_worker_alive() -> None:
    """A minute of pulses, and nothing to do."""
    assert running().ticks(0.5, 60, Pulse(ages_s={"orders": 1.0})) == ()


def test_loop_that_does_not_turn_condemns_the_worker_at_the_second_pulse() -> None:
    """One late pulse may be the first word of a worker that stood still and goes on."""
    supervisor = running()
    late = Pulse(ages_s={"orders": 21.0, "users": 0.1})
    assert supervisor.happened(do.Heard(at=1, message=late), do.Tick(at=1)) == ()
    supervisor.happened(do.Heard(at=1.5, message=late), do.Tick(at=1.5))
    assert supervisor.wanted(do.Send) == [do.Send(42, signal.SIGKILL)]
    assert "'orders'" in str(supervisor.wanted(do.Say)[0].fields["why"])


def test_one_late_pulse_is_forgiven_when_the_next_is_in_time() -> None:
    """The loop turned again."""
    supervisor = running()
    for age_s in (21.0, 0.1, 21.0, 0.1):
        assert supervisor.happened(do.Heard(at=1, message=Pulse(ages_s={"orders": age_s})), do.Tick(at=1)) == ()


def test_supervisor_that_overslept_gives_the_worker_a_new_budget() -> None:
    """A machine that was suspended, a cgroup that was frozen: silence meanwhile proves nothing."""
    supervisor = running()
    assert supervisor.happened(do.Tick(at=600)) == ()
    assert supervisor.ticks(600.5, 605) == ()
    supervisor.happened(do.Tick(at=605.5))
    assert supervisor.wanted(do.Send) == [do.Send(42, signal.SIGKILL)]


def test_paused_worker_is_not_killed_for_silence_nor_for_a_stall() -> None:
    """Maintenance: somebody may look at it with a debugger."""
    supervisor = running()
    quiet = Pulse(ages_s={"orders": 99.0}, maintenance=True)
    supervisor.happened(do.Heard(at=0, message=quiet), do.Heard(at=0.5, message=quiet))
    assert supervisor.ticks(0.5, 60) == ()


def test_worker_without_a_first_word_has_the_time_of_a_start() -> None:
    """Python may take long to start on a busy machine; not for ever."""
    supervisor = Supervisor()
    supervisor.happened(do.Started(at=0, pid=42), do.Tick(at=0))
    assert supervisor.ticks(0.5, 60) == ()
    supervisor.happened(do.Tick(at=60.5))
    assert supervisor.wanted(do.Send) == [do.Send(42, signal.SIGKILL)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_is_passed_on_as_sigterm_and_its_end_is_ours(number: signal.Signals) -> None:
    """A terminal's Ctrl-C reaches the worker too, which ignores it: it hears SIGTERM, once."""
    supervisor = running()
    supervisor.happened(do.Told(at=1, number=number), do.Told(at=1.1, number=signal.SIGTERM))
    assert supervisor.wanted(do.Send) == [do.Send(42, signal.SIGTERM)]
    supervisor.happened(do.Heard(at=2, message=SessionHeld(credential=None)), exited(2, 0))
    assert supervisor.wanted(do.Leave) == [do.Leave(0)]
    assert supervisor.wanted(do.CloseSession) == []


def test_second_interrupt_kills_and_exits_with_130() -> None:
    """Whoever presses it twice means it; the session is closed even so."""
    supervisor = running()
    supervisor.happened(do.Told(at=1, number=signal.SIGINT), do.Told(at=2, number=signal.SIGINT))
    assert supervisor.wanted(do.Send)[-1] == do.Send(42, signal.SIGKILL)
    supervisor.happened(ended(2.1, CRASH))
    assert supervisor.wanted(do.Leave) == [do.Leave(130)]
    assert supervisor.wanted(do.CloseSession) == [do.CloseSession(CREDENTIAL)]


def test_worker_that_does_not_end_in_time_is_killed_and_exits_with_137() -> None:
    """0 would claim a hand-over that was none."""
    supervisor = running()
    supervisor.happened(do.Told(at=1, number=signal.SIGTERM))
    supervisor.ticks(1, 27, Pulse())
    assert do.Send(42, signal.SIGKILL) in supervisor.wanted(do.Send)
    supervisor.happened(ended(27, CRASH))
    assert supervisor.wanted(do.Leave) == [do.Leave(137)]


def test_signal_while_no_worker_runs_ends_at_once() -> None:
    """Between two starts there is nobody to hand over."""
    supervisor = running()
    supervisor.happened(ended(1, CRASH), do.Told(at=1.1, number=signal.SIGTERM))
    assert do.Leave(0) in supervisor.actions


def test_worker_that_said_goodbye_is_not_started_again() -> None:
    """ZooKeeper refuses it for good: the code goes to whoever runs hasync."""
    supervisor = running()
    supervisor.happened(do.Heard(at=1, message=Goodbye(code=1, reason="ZooKeeper closed the door")), exited(1.1, 1))
    assert supervisor.wanted(do.Leave) == [do.Leave(1)]
    assert supervisor.watch.past.last_exit == "exit code 1: ZooKeeper closed the door"


def test_exit_code_without_a_goodbye_is_a_crash() -> None:
    """An unforeseen exception ends Python with 1, too."""
    supervisor = running()
    supervisor.happened(exited(1, 1))
    assert supervisor.wanted(do.Leave) == []
    assert supervisor.watch.restart_at is not None


def test_worker_ended_in_order_by_somebody_else_is_started_again_at_once() -> None:
    """``kill WORKER`` is a way to restart it; no crash is counted."""
    supervisor = running()
    supervisor.happened(exited(5, 0), do.Tick(at=5))
    assert len(supervisor.wanted(do.Spawn)) == 1
    assert supervisor.watch.crashes == 0


def test_worker_that_cannot_be_started_is_tried_again_later() -> None:
    """No memory for a process, say: the same back-off, the same end."""
    supervisor = Supervisor()
    supervisor.happened(do.Unstarted(at=0, why="Cannot allocate memory", wall=1.0))
    assert supervisor.watch.restart_at == 0.25
    assert "Cannot allocate memory" in supervisor.watch.past.last_exit


def test_new_session_replaces_the_one_to_close() -> None:
    """After a lost session the worker has another one; that is the one to close."""
    newer = SessionCredential(session_id=8, password=b"other")
    supervisor = running()
    supervisor.happened(do.Heard(at=1, message=SessionHeld(credential=newer)), ended(2, CRASH))
    assert supervisor.wanted(do.CloseSession) == [do.CloseSession(newer)]


def test_log_fields_never_hold_the_password() -> None:
    """I12."""
    supervisor = running()
    supervisor.happened(ended(2, CRASH))
    assert b"secret" not in repr([action.fields for action in supervisor.wanted(do.Say)]).encode()
    assert "secret" not in repr(supervisor.watch)
