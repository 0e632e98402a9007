"""Puts the ports of one stream together; called by the worker and the command line."""

from hasync.cluster.configs import ConfigRecord
from hasync.cluster.election import LockElection
from hasync.cluster.halts import HaltRecord
from hasync.cluster.intents import IntentRecord
from hasync.cluster.positions import PositionRecord
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.terms import TermBook
from hasync.cluster.znodes import Znodes
from hasync.coordination import StreamCoordination
from hasync.ports import Clock


def stream_coordination(
    *, session: ZooKeeperSession, znodes: Znodes, stream: str, member: str, clock: Clock
) -> StreamCoordination:
    """Return all ports of one stream for one member. Raises ConfigInvalid for a bad stream name."""
    paths = znodes.stream(stream)
    return StreamCoordination(
        stream=stream,
        election=LockElection(session=session, znodes=paths, member=member, clock=clock),
        terms=TermBook(session=session, znodes=paths),
        positions=PositionRecord(session=session, znodes=paths),
        configs=ConfigRecord(session=session, znodes=paths, clock=clock),
        halts=HaltRecord(session=session, znodes=paths),
        intents=IntentRecord(session=session, znodes=paths),
    )
