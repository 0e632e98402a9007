"""The worker's end of the pipe: what it says, and that nothing said or unsaid ever holds the worker up."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from hasync.clock import SystemClock
from hasync.model.cluster import SessionCredential
from hasync.model.vitals import Goodbye, Message, Past, Pulse, SessionHeld, packed, unpacked
from hasync.worker.lifeline import ORPHAN_S, Lifeline

CREDENTIAL = SessionCredential(session_id=7, password=b"secret")
WITHIN_S = 10.0


@dataclass
class Session:
    """A session whose credential a test changes."""

    credential: SessionCredential | None = None
    events: list[threading.Event] = field(default_factory=list)

    def subscribe(self, event: threading.Event) -> None:
        self.events.append(event)

    def becomes(self, credential: SessionCredential | None) -> None:
        self.credential = credential
        for event in self.events:
            event.set()


class Pair:
    """A lifeline, and the supervisor's end of it."""

    def __init__(self, every_s: float = 60.0) -> None:
        self.end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.end.settimeout(WITHIN_S)
        self.theirs = theirs
        self.stop = threading.Event()
        self.session = Session()
        self.ends_after: list[float] = []
        self.lifeline = Lifeline(
            theirs, clock=SystemClock(), every_s=every_s, stop=self.stop, end_after=self.ends_after.append
        )

    def follow(self) -> None:
        self.lifeline.follow(self.session, ages_s=lambda: {"orders": 0.5}, paused=lambda: False)  # type: ignore[arg-type]

    def close(self) -> None:
        """Let both threads of the lifeline end before the pipe goes."""
        self.lifeline.end()
        self.end.close()
        for thread in threading.enumerate():
            if thread.name in {"hasync-lifeline", "hasync-supervisor"}:
                thread.join(WITHIN_S)
        self.theirs.close()

    def next(self, kind: type[Message]) -> Message:
        """Return the next message of this kind."""
        while not isinstance(message := unpacked(self.end.recv(1 << 16)), kind):
            pass
        return message


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def test_first_sign_of_life_comes_before_any_session(pair: Pair) -> None:
    """The supervisor learns at once that Python has started."""
    pair.lifeline.start()
    assert pair.next(Pulse) == Pulse()


def test_session_is_told_whenever_it_changes_and_heartbeats_carry_the_loops_ages(pair: Pair) -> None:
    """Not only with the next heartbeat: the worker may die before that."""
    pair.lifeline.start()
    pair.follow()
    pair.session.becomes(CREDENTIAL)
    assert pair.next(SessionHeld) == SessionHeld(credential=CREDENTIAL)
    assert pair.next(Pulse) == Pulse(ages_s={"orders": 0.5})
    pair.session.becomes(None)
    assert pair.next(SessionHeld) == SessionHeld(credential=None)


def test_goodbye_comes_behind_the_session_that_is_still_to_be_closed(pair: Pair) -> None:
    """The supervisor then knows both what to close and that it was meant."""
    pair.follow()
    pair.session.becomes(CREDENTIAL)
    pair.lifeline.goodbye(1, "refused")
    assert pair.next(SessionHeld) == SessionHeld(credential=CREDENTIAL)
    assert pair.next(Goodbye) == Goodbye(code=1, reason="refused")


def test_past_is_kept_and_passed_on_and_what_is_unknown_is_passed_over(pair: Pair) -> None:
    """The supervisor may be of another release after an upgrade in place."""
    heard, got = threading.Event(), []
    pair.lifeline.watch_past(lambda past: (got.append(past), heard.set() if past.restarts else None))
    pair.lifeline.start()
    pair.end.send(json.dumps({"kind": "of a newer release"}).encode())
    pair.end.send(packed(Past(pid=1, restarts=2)))
    assert heard.wait(WITHIN_S)
    assert got == [Past(), Past(pid=1, restarts=2)]
    assert pair.lifeline.past.restarts == 2


def test_pipe_that_nobody_reads_holds_nothing_up_and_the_session_is_told_later() -> None:
    """A stopped supervisor: heartbeats are dropped, the news of the session is not."""
    pair = Pair(every_s=0.001)
    while True:  # fill it
        try:
            pair.theirs.send(packed(Pulse()), socket.MSG_DONTWAIT)
        except BlockingIOError:
            break
    pair.follow()
    pair.session.becomes(CREDENTIAL)
    pair.lifeline.start()
    assert pair.next(SessionHeld) == SessionHeld(credential=CREDENTIAL)
    pair.close()


def test_end_of_the_supervisor_stops_the_worker_with_a_timer_of_the_kernels_behind_it() -> None:
    """No orphan leader, even if Python does nothing any more."""
    pair = Pair()
    pair.lifeline.start()
    pair.end.close()
    assert pair.stop.wait(WITHIN_S)
    assert pair.ends_after == [ORPHAN_S]
    pair.close()


def test_worker_that_has_closed_its_session_is_no_orphan() -> None:
    """It ends by itself, and its supervisor may be faster."""
    pair = Pair()
    pair.lifeline.start()
    pair.lifeline.end()
    assert pair.next(SessionHeld) == SessionHeld(credential=None)
    pair.close()
    assert pair.ends_after == []
