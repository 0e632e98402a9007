"""What the supervisor does next: a pure function from what is known and what happened to what to do.

Nothing here reads a clock, draws a number or touches a process; each event carries its
moment (monotonic seconds), and the chance for the back-off is handed in.
"""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hasync.model.cluster import SessionCredential
from hasync.model.vitals import Goodbye, Message, Past, Pulse, SessionHeld
from hasync.supervisor.plan import Limits

GAVE_UP = 70
"""Exit code after too many crashes in a row (EX_SOFTWARE): only whoever runs hasync can help now."""

OVERSLEPT_S = 1.0
"""A tick this late means that this process stood still too; silence meanwhile proves nothing."""

ENDING_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


# ------------------------------------------------------------------------------- what is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The running worker.

    ``stalled``: the loop that was too old in the last pulse; ``doomed``: why it must be
    killed; ``killed``: it was sent SIGKILL.
    """

    pid: int
    since: float
    heard_at: float
    heard: bool = False
    maintenance: bool = False
    stalled: str = ""
    doomed: str = ""
    killed: bool = False
    goodbye: Goodbye | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Everything that the supervisor remembers. ``told_at``: when it was asked to end; ``crashes``: in a row."""

    past: Past
    worker: Worker | None = None
    credential: SessionCredential | None = None
    restart_at: float | None = None
    told_at: float | None = None
    ticked_at: float | None = None
    crashes: int = 0


# ------------------------------------------------------------------------------- what happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened ``at`` (monotonic seconds)."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """A worker runs as ``pid``."""

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Event):
    """The worker said something."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Event):
    """The worker is gone; ``status`` as ``waitpid`` gives it, ``wall``: Unix seconds, for display."""

    status: int
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstarted(Event):
    """The system would not start a worker; ``wall``: Unix seconds, for display."""

    why: str
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Event):
    """A signal asks the supervisor to end."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Event):
    """Time went by."""


# --------------------------------------------------------------------------------- what to do


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a worker and tell it the past."""

    past: Past


@dataclass(frozen=True, slots=True)
class Send:
    """Send a signal to the worker."""

    pid: int
    number: int


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Close the dead worker's session, now."""

    credential: SessionCredential


@dataclass(frozen=True, slots=True)
class Leave:
    """Exit with this code, once sessions are closed."""

    code: int


@dataclass(frozen=True, slots=True)
class Say:
    """Write a log line."""

    level: str
    event: str
    fields: Mapping[str, object] = field(default_factory=dict)


Action = Spawn | Send | CloseSession | Leave | Say
Step = tuple[Watch, tuple[Action, ...]]


def begin(pid: int) -> Step:
    """Begin with nothing but the wish for a worker; ``pid``: the supervisor's own."""
    past = Past(pid=pid)
    return Watch(past=past), (Spawn(past),)


def decide(watch: Watch, event: Event, limits: Limits, chance: float) -> Step:
    """Return what is known after ``event``, and what to do. ``chance``: in [0, 1), for the back-off."""
    if isinstance(event, Started):
        worker = Worker(pid=event.pid, since=event.at, heard_at=event.at)
        started = replace(watch, worker=worker, restart_at=None)
        said = Say("info", "worker_started", {"pid": event.pid, "restarts": watch.past.restarts})
        # Asked to end in the very moment of a start: the new worker is asked at once.
        return started, (said, *((Send(event.pid, signal.SIGTERM),) if watch.told_at is not None else ()))
    if isinstance(event, Heard):
        return _heard(watch, event, limits), ()
    if isinstance(event, Ended):
        return _ended(watch, event, limits, chance)
    if isinstance(event, Unstarted):
        return _unstarted(watch, event, limits, chance)
    if isinstance(event, Told):
        return _told(watch, event)
    return _ticked(watch, event, limits)


def _heard(watch: Watch, event: Heard, limits: Limits) -> Watch:
    worker, message = watch.worker, event.message
    if worker is None:
        return watch
    worker = replace(worker, heard_at=event.at, heard=True)
    if isinstance(message, SessionHeld):
        return replace(watch, worker=worker, credential=message.credential)
    if isinstance(message, Goodbye):
        return replace(watch, worker=replace(worker, goodbye=message))
    if isinstance(message, Pulse):
        return replace(watch, worker=_pulsed(worker, message, limits))
    return replace(watch, worker=worker)


def _pulsed(worker: Worker, pulse: Pulse, limits: Limits) -> Worker:
    """Take note of a loop that has not turned; only the second pulse in a row that says so condemns the worker.

    One alone may be the first word of a worker that was stopped and goes on.
    """
    slow = {loop: age_s for loop, age_s in pulse.ages_s.items() if age_s > limits.stall_s}
    stalled = max(slow, key=slow.__getitem__) if slow else ""
    doomed = worker.doomed
    if stalled and worker.stalled and not pulse.maintenance and not doomed:
        doomed = f"its loop {stalled!r} has not turned for {slow[stalled]:.1f} s"
    return replace(worker, maintenance=pulse.maintenance, stalled=stalled, doomed=doomed)


# ------------------------------------------------------------------------------ time goes by


def _ticked(watch: Watch, event: Event, limits: Limits) -> Step:
    late = watch.ticked_at is not None and event.at - watch.ticked_at > limits.tick_s + OVERSLEPT_S
    watch = replace(watch, ticked_at=event.at)
    worker = watch.worker
    if worker is None:
        if watch.restart_at is not None and event.at >= watch.restart_at and watch.told_at is None:
            return replace(watch, restart_at=None), (Spawn(watch.past),)
        return watch, ()
    if late:
        worker = replace(worker, heard_at=event.at)
        return replace(watch, worker=worker), ()
    doomed = _doom(worker, watch, event.at, limits)
    if not doomed:
        return watch, ()
    # Sent again with each tick until the kernel says that it is gone: it costs nothing.
    said = () if worker.killed else (Say("error", "worker_killed", {"pid": worker.pid, "why": doomed}),)
    killed = replace(watch, worker=replace(worker, doomed=doomed, killed=True))
    return killed, (*said, Send(worker.pid, signal.SIGKILL))


def _doom(worker: Worker, watch: Watch, now: float, limits: Limits) -> str:
    """Say why the worker must be killed, empty when it may live."""
    if worker.doomed:
        return worker.doomed
    if watch.told_at is not None and now - watch.told_at > limits.stop_s:
        return f"it did not end within {limits.stop_s:g} s"
    silent_s = now - worker.heard_at
    if not worker.heard:
        return f"no sign of life {limits.start_s:g} s after its start" if silent_s > limits.start_s else ""
    if silent_s > limits.heartbeat_s and not worker.maintenance:
        return f"no heartbeat for {silent_s:.1f} s"
    return ""


# ---------------------------------------------------------------------------------- signals


def _told(watch: Watch, event: Told) -> Step:
    again = watch.told_at is not None
    told = watch if again else replace(watch, told_at=event.at)
    if watch.worker is None:
        return told, (Say("info", "supervisor_stopping"), Leave(0))
    if event.number == signal.SIGINT and again:  # whoever presses it twice means it
        doomed = replace(watch.worker, doomed="interrupted twice")
        return replace(told, worker=doomed), (Send(watch.worker.pid, signal.SIGKILL),)
    if again:
        return told, ()
    return told, (Say("info", "supervisor_stopping"), Send(watch.worker.pid, signal.SIGTERM))


# ------------------------------------------------------------------------- the worker is gone


def _ended(watch: Watch, event: Ended, limits: Limits, chance: float) -> Step:
    worker = watch.worker
    if worker is None:
        return watch, ()
    code = os.waitstatus_to_exitcode(event.status)
    how = _how(worker, code)
    gone = replace(
        watch, worker=None, credential=None, past=replace(watch.past, last_exit=how, last_exit_at=event.wall)
    )
    closing = (CloseSession(watch.credential),) if watch.credential is not None else ()
    lived_s = event.at - worker.since
    fields: dict[str, object] = {"pid": worker.pid, "how": how, "lived_s": round(lived_s, 3)}
    if watch.told_at is not None:
        return gone, (*closing, Say("info", "worker_ended", fields), Leave(_exit_code(worker, code)))
    if worker.goodbye is not None and code == worker.goodbye.code:
        return gone, (*closing, Say("error", "worker_gave_up", fields), Leave(code))
    if code == 0:  # somebody ended the worker itself, in order
        again, actions = _again(replace(gone, crashes=0), event.at, limits, chance)
        return again, (*closing, Say("info", "worker_ended", fields), *actions)
    crashes = 1 if lived_s >= limits.healthy_s else gone.crashes + 1
    again, actions = _again(replace(gone, crashes=crashes), event.at, limits, chance)
    return again, (*closing, Say("error", "worker_crashed", fields), *actions)


def _unstarted(watch: Watch, event: Unstarted, limits: Limits, chance: float) -> Step:
    past = replace(watch.past, last_exit=f"could not be started: {event.why}", last_exit_at=event.wall)
    again, actions = _again(replace(watch, past=past, crashes=watch.crashes + 1), event.at, limits, chance)
    return again, (Say("error", "worker_crashed", {"how": past.last_exit}), *actions)


def _again(gone: Watch, now: float, limits: Limits, chance: float) -> Step:
    """Start it again after a while, or give up."""
    if limits.give_up_after and gone.crashes >= limits.give_up_after:
        return gone, (Say("error", "supervisor_gave_up", {"crashes": gone.crashes}), Leave(GAVE_UP))
    wait_s = back_off_s(gone.crashes, limits, chance)
    past = replace(gone.past, restarts=gone.past.restarts + 1)
    return replace(gone, past=past, restart_at=now + wait_s), ()


def back_off_s(crashes: int, limits: Limits, chance: float) -> float:
    """Return how long to wait before the next start: exponential with full jitter; nothing after an orderly end."""
    if crashes == 0:
        return 0.0
    ceiling_s: float = min(limits.restart_max_s, limits.restart_min_s * 2.0 ** min(crashes - 1, 30))
    return ceiling_s * chance


def _how(worker: Worker, code: int) -> str:
    if worker.goodbye is not None and code == worker.goodbye.code:
        return f"exit code {code}: {worker.goodbye.reason}"
    ended = f"exit code {code}" if code >= 0 else _signal_name(-code)
    return f"{ended} ({worker.doomed})" if worker.doomed else ended


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _exit_code(worker: Worker, code: int) -> int:
    """Return what the supervisor exits with when it was asked to end: 0 only for an orderly hand-over."""
    if worker.doomed == "interrupted twice":
        return 128 + signal.SIGINT
    return code if code >= 0 else 128 - code


def session_closed(watch: Watch) -> Watch:
    """Count a session that was closed for a dead worker."""
    return replace(watch, past=replace(watch.past, sessions_closed=watch.past.sessions_closed + 1))
