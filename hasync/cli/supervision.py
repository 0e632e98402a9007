"""Turns ``hasync run`` into its own supervisor, once the settings are known to be good."""

import os
import sys
from pathlib import Path

import hasync.supervisor
from hasync.cli.invocation import Invocation
from hasync.logs import wants_json
from hasync.settings import Settings
from hasync.supervisor.plan import Ensemble, Limits, Plan

BEYOND_S = 5.0
"""How much longer than the worker's own limit the supervisor waits for an orderly end."""

PROGRAM = Path(hasync.supervisor.__file__).with_name("__main__.py")


def supervise(call: Invocation) -> int:
    """Replace this process's program by the supervisor, which starts the worker with the same words.

    The process id stays, the memory of what read the settings goes. Does not return.
    Raises ConfigInvalid when no stream is named.
    """
    call.settings.require_streams()
    plan = plan_of(call.settings, as_json=wants_json(call.settings.log.format, sys.stderr.buffer))
    reading, writing = os.pipe()
    os.write(writing, plan.dump())  # a kilobyte or two; a pipe holds 64
    os.close(writing)
    os.set_inheritable(reading, True)  # noqa: FBT003 - the name says it
    worker = [sys.executable, *sys.orig_argv[1:]]
    # -P: what lies in the current directory must not shadow a library.
    os.execv(sys.executable, [sys.executable, "-P", str(PROGRAM), str(reading), *worker])  # noqa: S606 - no shell wanted


def plan_of(settings: Settings, *, as_json: bool) -> Plan:
    """Return what the supervisor has to know of the settings."""
    zookeeper, supervisor = settings.zookeeper, settings.supervisor
    tls = zookeeper.tls
    return Plan(
        member=settings.member_id,
        as_json=as_json,
        limits=Limits(
            heartbeat_s=supervisor.heartbeat_s,
            stall_s=supervisor.stall_s,
            stop_s=settings.shutdown_timeout_s + BEYOND_S,
            restart_min_s=supervisor.restart_min_s,
            restart_max_s=supervisor.restart_max_s,
            healthy_s=supervisor.healthy_s,
            give_up_after=supervisor.give_up_after,
        ),
        ensemble=Ensemble(
            hosts=zookeeper.hosts,
            session_timeout_s=zookeeper.session_timeout_s,
            auth=str(zookeeper.auth or ""),
            ca=str(tls.ca) if tls else "",
            cert=str(tls.cert or "") if tls else "",
            key=str(tls.key or "") if tls else "",
            key_password=str(tls.key_password or "") if tls else "",
        ),
    )
