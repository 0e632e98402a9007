"""The real doors to ZooKeeper, the source and the sink, built by the worker's builders."""

import os
import pwd
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from hasync.binlog.beats import SqlBeats
from hasync.cli.invocation import Cluster, Invocation, Outside, ProbeAccount, Servers
from hasync.cli.supervision import supervise
from hasync.clock import SystemClock
from hasync.cluster.assembly import stream_coordination
from hasync.cluster.checks import zookeeper_checks
from hasync.cluster.configs import StreamList
from hasync.cluster.drills import DrillRecord
from hasync.cluster.members import MemberList
from hasync.cluster.provision import Provisioner
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.drill.handlers import counts_key
from hasync.drill.probe import SQL, BeatCounts, BeatTable
from hasync.logs import open_log, route_drivers, wants_json
from hasync.model.check import Check
from hasync.model.config import StreamConfig
from hasync.ports import ChangeSource, Sink
from hasync.settings import environment
from hasync.sinks.beats import RedisBeats
from hasync.worker.adapters import (
    build_endpoint,
    build_logins,
    build_session,
    build_sink,
    build_source,
    secrets_from,
)
from hasync.worker.installation import codec_check
from hasync.worker.instance import run_worker
from hasync.worker.lifeline import Lifeline
from hasync.worker.preflight import preflight

CLOSE_WITHIN_S: Final = 1.0
"""How long closing a session may take; the servers end it by themselves after its timeout."""


@contextmanager
def connect(call: Invocation) -> Iterator[Cluster]:
    """Open a session, and close it in the end whatever happens."""
    settings = call.settings
    session = build_session(settings, secrets_from(call.outside.environ), call.clock)
    session.start()
    try:
        session.await_connected(settings.zookeeper.connect_timeout_s)
        yield _cluster(call, session)
    finally:
        session.stop(CLOSE_WITHIN_S)


def _cluster(call: Invocation, session: ZooKeeperSession) -> Cluster:
    znodes, clock = Znodes(call.settings.zookeeper.root), call.clock
    return Cluster(
        members=MemberList(session=session, znodes=znodes, clock=clock),
        catalog=StreamList(session=session, znodes=znodes),
        stream=lambda name: stream_coordination(
            session=session, znodes=znodes, stream=name, member=call.member, clock=clock
        ),
        checks=lambda: zookeeper_checks(
            session, znodes, asked_s=call.settings.zookeeper.session_timeout_s, clock=clock
        ),
        drills=lambda name: DrillRecord(session=session, znodes=znodes.stream(name)),
        provision=lambda streams, *, execute, fix_acl: Provisioner(
            session=session, znodes=znodes, execute=execute, fix_acl=fix_acl
        ).provision(streams),
    )


@dataclass(frozen=True, slots=True)
class StreamServers:
    """:class:`hasync.cli.invocation.Servers` of one config."""

    call: Invocation
    stream: str
    config: StreamConfig

    def sink(self) -> Sink:
        """Build the sink."""
        call = self.call
        settings = call.settings.model_copy(update={"member_id": call.member})  # the name CLIENT LIST shows
        secrets = secrets_from(call.outside.environ)
        return build_sink(self.config, stream=self.stream, settings=settings, secrets=secrets, clock=call.clock)

    def source(self) -> ChangeSource:
        """Build a source under a server id of its own."""
        call, secrets = self.call, secrets_from(self.call.outside.environ)
        # The server id is made of the stream's name: under the stream's own one MySQL would end the leader's dump.
        alias = f"{self.stream}/{call.member}"
        return build_source(self.config, stream=alias, settings=call.settings, secrets=secrets, clock=call.clock)

    def probe(self, account: ProbeAccount) -> tuple[BeatTable, BeatCounts]:
        """Build both ends of a drill's probe, as the account of its own in MySQL and the stream's in Redis."""
        call, secrets = self.call, secrets_from(self.call.outside.environ)
        password = secrets.resolve(account.password) if account.password else ""
        login = build_logins(self.config, secrets=secrets)[0]
        login = replace(login, host=account.host or login.host, user=account.user, password=password)
        remedy = f"the probe's table: {SQL.format(table=account.table)}; its account may INSERT and DELETE there"
        endpoint = build_endpoint(self.config, settings=call.settings, secrets=secrets)
        return SqlBeats(login, account.table, remedy=remedy), RedisBeats(endpoint, call.clock, prefix=counts_key(""))

    def checks(self) -> tuple[Check, ...]:
        """Look at both servers."""
        call, secrets = self.call, secrets_from(self.call.outside.environ)
        return preflight(self.config, stream=self.stream, settings=call.settings, secrets=secrets, clock=call.clock)


def servers(call: Invocation, stream: str, config: StreamConfig) -> Servers:
    """Return the doors to a config's servers; nothing is connected yet."""
    return StreamServers(call, stream, config)


def work(call: Invocation, stop: threading.Event, descriptor: int | None) -> int:
    """Run an instance until ``stop`` is set; ``descriptor``: the pipe to its supervisor, if it has one."""
    settings, clock = call.settings, call.clock
    out = sys.stderr.buffer
    log = open_log(
        level=settings.log.level,
        as_json=wants_json(settings.log.format, out),
        out=out,
        clock=clock,
        member=settings.member_id,
    )
    route_drivers(log)
    lifeline = None
    if descriptor is not None:
        every_s = min(1.0, settings.supervisor.heartbeat_s / 5)
        lifeline = Lifeline.inherited(descriptor, clock=clock, every_s=every_s, stop=stop)
        lifeline.start()
    return run_worker(settings, call.outside.environ, stop, log=log, clock=clock, lifeline=lifeline)


def outside_world() -> Outside:
    """Return the real one."""
    return Outside(
        environ=environment(),
        clock=SystemClock(),
        hostname=socket.gethostname(),
        user=_user(),
        pid=os.getpid(),
        interactive=sys.stdin.isatty() and sys.stderr.isatty(),
        connect=connect,
        servers=servers,
        work=work,
        supervise=supervise,
        installation=lambda: (codec_check(),),
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user often has no name
        return f"uid-{os.getuid()}"
