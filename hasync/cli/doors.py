"""The real doors to the world. Behind each one is loaded what it needs, once somebody goes through it."""

import os
import pwd
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hasync.cli.invocation import Cluster, Invocation, Outside, Servers
from hasync.clock import SystemClock
from hasync.cluster.assembly import stream_coordination
from hasync.cluster.checks import zookeeper_checks
from hasync.cluster.configs import StreamList
from hasync.cluster.deposal import depose
from hasync.cluster.drains import DrainList
from hasync.cluster.drills import DrillRecord
from hasync.cluster.members import MemberList
from hasync.cluster.provision import Provisioner
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.settings import environment
from hasync.worker.sessions import build_session, secrets_from

if TYPE_CHECKING:
    from hasync.model.check import Check
    from hasync.model.config import StreamConfig

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
        drains=DrainList(session=session, znodes=znodes),
        depose=lambda name, holder: depose(session, znodes.stream(name), holder),
    )


def servers(call: Invocation, stream: str, config: "StreamConfig") -> Servers:
    """Return the doors to a config's servers; nothing is connected yet."""
    from hasync.cli.servers import StreamServers  # noqa: PLC0415 - brings the drivers

    return StreamServers(call, stream, config)


def work(call: Invocation, stop: threading.Event, descriptor: int | None) -> int:
    """Run an instance until ``stop`` is set; ``descriptor``: the pipe to its supervisor, if it has one."""
    from hasync.cli import work as instance  # noqa: PLC0415 - brings everything

    return instance.work(call, stop, descriptor)


def supervise(call: Invocation) -> int:
    """Turn this process into the supervisor of an instance."""
    from hasync.cli import supervision  # noqa: PLC0415 - not for those who only look

    return supervision.supervise(call)


def installation() -> "tuple[Check, ...]":
    """Look at hasync as it is installed here."""
    from hasync.worker.installation import codec_check  # noqa: PLC0415 - brings the codec and the metrics

    return (codec_check(),)


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
        installation=installation,
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user often has no name
        return f"uid-{os.getuid()}"
