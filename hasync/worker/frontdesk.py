"""What the admin port gets to see and to do of the whole cluster, over this instance's own ZooKeeper session."""

from collections.abc import Mapping
from typing import Any

from hasync.cluster.assembly import stream_coordination
from hasync.cluster.configs import StreamList
from hasync.cluster.members import MemberList
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.znodes import Znodes
from hasync.coordination import StreamCoordination
from hasync.fleet.leaderstatus import ask_status
from hasync.fleet.survey import Eyes, Survey
from hasync.http import Cluster, Desk
from hasync.model.secret import Secrets
from hasync.ports import Clock
from hasync.settings import Settings
from hasync.worker.seats import Seats


def front_desk(
    *, session: ZooKeeperSession, seats: Seats, settings: Settings, secrets: Secrets, instance: str, clock: Clock
) -> Cluster:
    """Put it together; nothing is read before somebody looks. ``instance``: random, of this process."""
    znodes = Znodes(settings.zookeeper.root)
    members = MemberList(session=session, znodes=znodes, clock=clock)
    catalog = StreamList(session=session, znodes=znodes)
    reference = settings.http.admin_token

    def ports(stream: str) -> StreamCoordination:
        return stream_coordination(
            session=session, znodes=znodes, stream=stream, member=settings.member_id, clock=clock
        )

    def own() -> tuple[str, Mapping[str, Any]]:
        return settings.member_id, seats.status()

    def token() -> str:
        return secrets.resolve(reference) if reference is not None else ""

    eyes = Eyes(members=members, catalog=catalog, stream=ports, own=own, ask=ask_status, clock=clock)
    return Cluster(
        surveyor=Survey(eyes),
        desk=Desk(members=members, catalog=catalog, stream=ports, member=settings.member_id, clock=clock),
        root=settings.zookeeper.root,
        instance=instance,
        token=token if reference is not None else None,
        clock=clock,
    )
