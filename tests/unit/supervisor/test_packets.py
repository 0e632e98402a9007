"""What goes over the pipe, and the plan, arrive as they were sent."""

import io
import json

import pytest

from hasync.cli.supervision import plan_of
from hasync.clock import SystemClock
from hasync.model.cluster import SessionCredential
from hasync.model.vitals import Goodbye, Message, Past, Pulse, SessionHeld, packed, unpacked
from hasync.settings import Settings
from hasync.supervisor.log import TEXTS, PlainLog
from hasync.supervisor.plan import Plan

MESSAGES: list[Message] = [
    SessionHeld(credential=SessionCredential(session_id=-(1 << 62), password=bytes(range(16)))),
    SessionHeld(credential=None),
    Pulse(ages_s={"orders": 0.25}, maintenance=True),
    Goodbye(code=1, reason="ZooKeeper closed the door"),
    Past(pid=1, restarts=3, sessions_closed=2, last_exit="SIGKILL", last_exit_at=5.0),
    Past(),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_message_is_read_as_it_was_written(message: Message) -> None:
    """Both ends are of one release, and agree."""
    assert unpacked(packed(message)) == message


@pytest.mark.parametrize("packet", [b"{}", b'{"kind":"x"}', b'{"kind":"session","id":1}', b"no"])
def test_packet_that_is_none_is_refused_without_quoting_it(packet: bytes) -> None:
    """It could hold a password."""
    with pytest.raises(ValueError, match=r"lifeline|Expecting"):
        unpacked(packet)


def test_plan_of_settings_is_read_as_it_was_written() -> None:
    """The supervisor gets every limit, and a reference in place of the secret."""
    settings = Settings(
        member_id="a",
        zookeeper={"hosts": "zk-1,zk-2", "auth": "env:ZOOKEEPER_AUTH"},
        supervisor={"heartbeat_s": 3},
    )
    plan = plan_of(settings, as_json=True)
    assert Plan.load(plan.dump()) == plan
    assert plan.ensemble.hosts == ("zk-1:2181", "zk-2:2181")
    assert plan.ensemble.auth == "env:ZOOKEEPER_AUTH"
    assert (plan.limits.heartbeat_s, plan.limits.stop_s) == (3, 25)


def test_line_for_machines_has_the_workers_form() -> None:
    """Time, level, event, message first, then the context."""
    out = io.BytesIO()
    PlainLog(out, SystemClock(), as_json=True, member="a").say("info", "worker_started", {"pid": 4})
    line = json.loads(out.getvalue())
    assert list(line) == ["time", "level", "event", "message", "member", "role", "pid"]
    assert line["message"] == TEXTS["worker_started"]


def test_line_that_cannot_be_written_is_dropped() -> None:
    """A full disk must not end the supervisor."""
    out = io.BytesIO()
    out.close()
    PlainLog(out, SystemClock(), as_json=False, member="a").say("info", "worker_started", {})
