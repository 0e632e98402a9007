"""An instance that loses three terms within a minute by its own fault stands back, as long as another can lead."""

import time
import uuid

from hasync.clock import SystemClock
from hasync.cluster.drills import DrillRecord
from hasync.cluster.znodes import Znodes
from hasync.model.cluster import Intent, IntentKind
from hasync.model.drill import Deed, Order
from testbed import wait_until
from tests.failover.fleet import STREAM, Fleet, Running, assert_equal

FLAPPING_MIN_S = 5.0
"""The least that flapping earns: half of ten seconds, since the rest is chance."""

SEEN_AFTER_S = 2.0
"""How long it may take until an instance has looked at the others."""


def able(fleet: Fleet, instance: Running) -> bool:
    """Whether the instance shows the others that it could lead."""
    shown = [each.streams.get(STREAM) for each in fleet.members() if each.id == instance.member]
    return any(status is not None and status.able for status in shown)


def lose_session(fleet: Fleet, instance: Running) -> None:
    """Have the instance's session closed behind its back, and wait until another one leads."""
    session = fleet.coordination.election._session  # type: ignore[attr-defined]
    drills = DrillRecord(session=session, znodes=Znodes(fleet.backends.root).stream(STREAM))
    (member,) = (each for each in fleet.members() if each.id == instance.member)
    order = Order(
        id=uuid.uuid4().hex,
        deed=Deed.EXPIRE,
        member=member.id,
        instance=member.instance,
        by="test",
        at=SystemClock().wall(),
    )
    assert drills.ask(order)
    fleet.leader(other_than=instance)
    drills.withdraw(order)


def hand_back(fleet: Fleet, instance: Running) -> None:
    """Have the stream switched over to the instance."""
    wait_until("it is in the queue", lambda: instance.member in fleet.coordination.election.contenders())
    state, now = fleet.state, SystemClock().wall()
    assert state is not None
    wish = Intent(kind=IntentKind.SWITCHOVER, by="test", at=now, to=instance.member, epoch=state.epoch)
    fleet.coordination.intents.put(wish)
    wait_until("it leads again", lambda: instance.leads)


def test_instance_that_flaps_stands_back_until_nobody_else_can_lead(mysql_fleet: Fleet) -> None:
    """Two lost sessions cost it nothing; the third one in a minute keeps it out of the queue while the other leads."""
    backends = mysql_fleet.backends
    mysql_fleet.apply(backends.config())
    (weak,) = mysql_fleet.start("weak", HASYNC_DRILLS__ENABLED="true", HASYNC_REBALANCE__ENABLED="false")
    mysql_fleet.leader()
    (strong,) = mysql_fleet.start("strong", HASYNC_REBALANCE__ENABLED="false")
    wait_until("the other one says that it could lead", lambda: able(mysql_fleet, strong), timeout_s=20)
    time.sleep(SEEN_AFTER_S)
    for _ in range(2):
        lose_session(mysql_fleet, weak)
        hand_back(mysql_fleet, weak)
    lose_session(mysql_fleet, weak)
    lost = time.monotonic()
    wait_until("it stands back", lambda: "standing back after session_lost" in weak.standing.get("detail", ""))
    while time.monotonic() - lost < FLAPPING_MIN_S - 1:
        assert mysql_fleet.coordination.election.contenders() == ("strong",)
        time.sleep(0.2)
    strong.process.kill()
    wait_until("nobody else can lead, so it does", lambda: weak.leads, timeout_s=FLAPPING_MIN_S)
    backends.database.sql("INSERT INTO app.account VALUES (1, 'o', 100, 1)")
    assert_equal(backends.database, backends.redis)
