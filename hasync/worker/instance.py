"""The life of one instance, from settings to exit code."""

import os
import secrets
import socket
import threading
from collections.abc import Mapping
from dataclasses import replace

from prometheus_client import CollectorRegistry

from hasync import __version__
from hasync.cluster.assembly import stream_coordination
from hasync.cluster.drains import DrainList
from hasync.cluster.drills import DrillRecord
from hasync.cluster.members import MemberList
from hasync.cluster.znodes import Znodes
from hasync.coordination import SessionEvent
from hasync.errors import ConfigInvalid, CoordinationRefused, HasyncError
from hasync.http import AdminServer
from hasync.logs import Event, Log
from hasync.metrics import Metrics
from hasync.model.member import Member
from hasync.model.secret import Secrets
from hasync.model.vitals import Past
from hasync.ports import Clock
from hasync.settings import Settings
from hasync.term.candidate import Candidate
from hasync.term.report import StreamReport
from hasync.term.role import Identity
from hasync.worker.adapters import StreamAdapters
from hasync.worker.doorkeeper import Doorkeeper
from hasync.worker.draining import Draining
from hasync.worker.drilling import Drilling, Hands
from hasync.worker.frontdesk import front_desk
from hasync.worker.gates import Gates
from hasync.worker.installation import report_codec
from hasync.worker.lifeline import Lifeline
from hasync.worker.placement import Balancer, Neighbours
from hasync.worker.preflight import Preflight
from hasync.worker.process import OwnProcess
from hasync.worker.seats import Seats, StreamSeat
from hasync.worker.sessions import build_closer, build_session, secrets_from

TICK_S = 0.5
"""How often the instance shows its status to the others."""

TROUBLE = {SessionEvent.SUSPENDED, SessionEvent.LOST, SessionEvent.REFUSED}

LOOK_AROUND_S = 2.0
"""How often the instance looks who else is there, unless streams are to be spread faster."""

EXIT_MAX = 200
"""Longest explanation of a worker's end in a member's znode, in characters."""

CONFIG_CODE = 2
"""Exit code for settings that cannot work."""

LAST_STEPS_S = 2.0
"""How long leaving ZooKeeper and closing the session may take each."""


class SessionReport:
    """Counts what happens to the session, and says it in the log from the instance's own thread."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._events: list[SessionEvent] = []

    def session_event(self, event: SessionEvent) -> None:
        """Count and remember. Called from: kazoo's connection thread, so nothing here blocks."""
        self._metrics.session_event(event)
        self._events.append(event)

    def request(self, operation: str, seconds: float, outcome: str) -> None:
        """Count one request."""
        self._metrics.request(operation, seconds, outcome)

    def tell(self, log: Log) -> None:
        """Write down what happened since the last time."""
        while self._events:
            event = self._events.pop(0)
            write = log.warning if event in TROUBLE else log.info
            write(f"session_{event.value}")


class Instance:
    """Runs all streams of one process until told to stop."""

    def __init__(
        self,
        *,
        settings: Settings,
        secrets: Secrets,
        clock: Clock,
        log: Log,
        token: str,
        lifeline: Lifeline | None = None,
    ) -> None:
        """Build what needs no server. ``token``: random, of this process start; ``lifeline``: to a supervisor."""
        self._lifeline = lifeline
        self._settings = settings
        self._secrets = secrets
        self._clock = clock
        self._log = log
        self._metrics = Metrics(CollectorRegistry(), clock)
        self._session_report = SessionReport(self._metrics)
        self._gates = Gates.of(settings.streams, clock)
        self._session = build_session(settings, secrets, clock, self._session_report, self._gates.zookeeper)
        self._looked_at = 0.0
        self._connected_at = clock.monotonic()
        self._told = False
        self._znodes = Znodes(settings.zookeeper.root)
        self._doorkeeper = Doorkeeper(session=self._session, znodes=self._znodes, settings=settings, log=log)
        self._members = MemberList(session=self._session, znodes=self._znodes, clock=clock)
        self._member = Member(
            id=settings.member_id,
            instance=token,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            started_at=clock.wall(),
            weight=settings.weight,
        )

    # ------------------------------------------------------------------- its life

    def run(self, stop: threading.Event) -> int:
        """Serve until ``stop`` is set, hand over, and return the exit code. Called from: the main thread.

        Raises ConfigInvalid when the admin port cannot be had or no stream is named.
        """
        seats = Seats(session=self._session)
        self._neighbours = Neighbours(member=self._member.id, status=seats.status_of, clock=self._clock)
        self._balancer = self._balance(seats)
        self._draining = self._drain(seats)
        with self._admin_server(seats) as http:
            address = self._settings.http.address(self._member.host, http.port)
            seats.take(tuple(self._seat(stream, address) for stream in self._settings.require_streams()))
            self._member = seats.member = replace(self._member, address=address)
            self._log.info(Event.STARTED, version=__version__, streams=list(self._settings.streams), address=address)
            report_codec(self._metrics, self._log)
            if self._lifeline is not None:
                self._lifeline.follow(self._session, ages_s=seats.ages_s, paused=seats.all_paused)
                self._lifeline.watch_past(lambda past: self._remember(seats, past))
            self._session.start()
            self._members.join(self._member)
            code = self._run_streams(seats, stop)
        self._log.info(Event.STOPPED)
        return code

    def _run_streams(self, seats: Seats, stop: threading.Event) -> int:
        preflight = Preflight(seats=seats, settings=self._settings, secrets=self._secrets, clock=self._clock)
        drilling = self._drilling(seats)
        seats.start()
        preflight.start()
        drilling.start()
        try:
            return self._serve(seats, stop)
        finally:
            drilling.stop()
            preflight.stop()
            self._leave(seats)

    def _serve(self, seats: Seats, stop: threading.Event) -> int:
        while not self._clock.wait(stop, TICK_S):
            self._session_report.tell(self._log)
            self._tell_trouble()
            try:
                self._members.check()
                self._check_session()
                self._doorkeeper.look()
            except CoordinationRefused as refused:
                self._log.error(Event.FAILED, error=refused)
                if self._lifeline is not None:
                    self._lifeline.goodbye(1, refused.message)
                return 1
            self._show(seats)
        self._log.info(Event.SHUTDOWN)
        return 0

    def _tell_trouble(self) -> None:
        """Say that ZooKeeper is away, and why, when it has been so for long; once each time."""
        now = self._clock.monotonic()
        if self._session.connected and self._session.confirmed:
            self._connected_at, self._told = now, False
        elif not self._told and now - self._connected_at >= self._settings.zookeeper.connect_timeout_s:
            self._told = True
            self._log.error(Event.SESSION_AWAY, trouble=self._session.trouble or "the server does not answer any more")

    def _check_session(self) -> None:
        if self._session.failure is not None:
            raise CoordinationRefused(self._session.failure.message, hint=self._session.failure.hint)

    def _show(self, seats: Seats) -> None:
        """Tell the others what this instance does; a changed status only is written."""
        past, statuses = seats.past or Past(), seats.statuses()
        for stream, status in statuses.items():
            self._metrics.stream(stream).able.set(status.able)
        shown = replace(
            self._member,
            streams=statuses,
            restarts=past.restarts,
            last_exit=past.last_exit[:EXIT_MAX],
            drained=self._draining.told[:EXIT_MAX],
        )
        if shown != self._member:
            self._member = seats.member = shown
            self._members.update(self._member)
        if self._clock.monotonic() - self._looked_at >= min(LOOK_AROUND_S, self._settings.rebalance.pause_s):
            self._looked_at = self._clock.monotonic()
            self._look_around(seats)

    def _look_around(self, seats: Seats) -> None:
        try:
            members = self._members.list()
        except HasyncError:
            return  # what was known stays; ZooKeeper's absence is told elsewhere
        seats.know(members)
        self._metrics.maintenance(seats.all_paused())
        self._neighbours.know(members)
        self._draining.look()
        self._metrics.drained(drained=self._draining.drain is not None)
        self._balancer.look()

    def _leave(self, seats: Seats) -> None:
        """Hand over all streams at once, then give up the session, so that nobody waits for its timeout."""
        seats.hand_over(self._clock, self._settings.shutdown_timeout_s)
        self._members.leave()
        if self._session.stop(LAST_STEPS_S) and self._lifeline is not None:
            self._lifeline.end()
        self._session_report.tell(self._log)

    def _remember(self, seats: Seats, past: Past) -> None:
        """Show what the supervisor has seen. Called from: the lifeline's thread, and once from the main one."""
        seats.remember(past)
        self._metrics.supervisor(past)

    # ----------------------------------------------------------------- its parts

    def _admin_server(self, seats: Seats) -> AdminServer:
        http = self._settings.http
        return AdminServer(
            http.host,
            http.port,
            health=seats,
            registry=self._metrics.registry,
            cluster=front_desk(
                session=self._session,
                seats=seats,
                settings=self._settings,
                secrets=self._secrets,
                instance=self._member.instance,
                clock=self._clock,
            ),
            live_within_s=self._settings.live_within_s,
            log=self._log,
        )

    def _balance(self, seats: Seats) -> Balancer:
        return Balancer(
            neighbours=self._neighbours,
            ask=seats.ask_hand_over,
            settings=self._settings,
            clock=self._clock,
            log=self._log,
            on_move=self._metrics.rebalanced,
        )

    def _drain(self, seats: Seats) -> Draining:
        return Draining(
            drains=DrainList(session=self._session, znodes=self._znodes),
            member=self._member.id,
            weight=self._settings.weight,
            streams=seats,
            others=lambda: self._neighbours.members,
            clock=self._clock,
            log=self._log,
        )

    def _drilling(self, seats: Seats) -> Drilling:
        drilling = Drilling(
            drills={
                stream: DrillRecord(session=self._session, znodes=self._znodes.stream(stream))
                for stream in self._settings.streams
            },
            enabled=self._settings.drills.enabled,
            member=self._member.id,
            instance=self._member.instance,
            streams=seats,
            hands=Hands(
                process=OwnProcess(),
                gates=self._gates,
                session=self._session,
                closer=lambda: build_closer(self._settings, self._secrets),
                streams=seats,
                clock=self._clock,
            ),
            clock=self._clock,
            log=self._log,
            on_deed=self._metrics.drilled,
        )
        self._session.subscribe(drilling.wake)
        return drilling

    def _seat(self, stream: str, address: str) -> StreamSeat:
        report = StreamReport(
            stream=stream,
            process=self._metrics,
            log=self._log,
            clock=self._clock,
            degraded_after_s=self._settings.retry.degraded_after_s,
        )
        adapters = StreamAdapters(
            stream=stream,
            settings=self._settings,
            secrets=self._secrets,
            clock=self._clock,
            retries=report,
            on_fenced=report.fenced,
            company=self._neighbours,
            gates=self._gates if self._settings.drills.enabled else None,
        )
        candidate = Candidate(
            coordination=stream_coordination(
                session=self._session,
                znodes=self._znodes,
                stream=stream,
                member=self._settings.member_id,
                clock=self._clock,
            ),
            session=self._session,
            adapters=adapters,
            address=address,
            identity=Identity(member=self._settings.member_id, weight=self._settings.weight),
            clock=self._clock,
            acknowledge_every_s=self._settings.acknowledge_every_s,
            observer=report,
        )
        return StreamSeat(stream=stream, candidate=candidate, report=report)


def run_worker(
    settings: Settings,
    environ: Mapping[str, str],
    stop: threading.Event,
    *,
    log: Log,
    clock: Clock,
    lifeline: Lifeline | None = None,
) -> int:
    """Run an instance until ``stop`` is set; return its exit code: 0 after a hand-over, 1 when it gave up.

    Raises ConfigInvalid. Called from: the main thread, with SIGTERM and SIGINT set to set ``stop``.
    """
    try:
        instance = Instance(
            settings=settings,
            secrets=secrets_from(environ),
            clock=clock,
            log=log,
            token=secrets.token_hex(8),
            lifeline=lifeline,
        )
        return instance.run(stop)
    except ConfigInvalid as invalid:
        if lifeline is not None:
            lifeline.goodbye(CONFIG_CODE, invalid.message)
        raise
