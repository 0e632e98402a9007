"""What may go wrong: each takes one from the world's budget and may come at any moment."""

from collections.abc import Iterator

from tests.model.member import abandoned, over, put
from tests.model.servers import CLAIM, STATE, touched
from tests.model.world import Bounds, Image, Member, Step, World

KINDS = frozenset(
    {"timeout", "crash", "expire", "failover", "split", "flush", "forget", "zookeeper", "wipe", "refusal", "hang"}
)
"""In the steps they spoil: ``zookeeper`` (an answer is lost), ``refusal``, ``hang`` (a save that outlives its term)."""


def happened(world: World, bounds: Bounds) -> Iterator[Step]:
    """Yield each fault that may come now, and the end of an old primary that was left, which is none."""
    if world.zombie is not None:
        yield ("the old primary is stopped", -1), _cut(world._replace(zombie=None), zombie=True)
    if not world.faults:
        return
    spent = world._replace(faults=world.faults - 1)
    for index in range(len(world.members)):
        yield from _of_member(spent, index, bounds)
    yield from _of_redis(spent, world, bounds)
    if "wipe" in bounds.kinds and (world.epoch or world.saved):
        yield ("ZooKeeper is wiped: all sessions, epoch and position are gone", -1), _wiped(spent)


def _of_member(world: World, index: int, bounds: Bounds) -> Iterator[Step]:
    member, kinds = world.members[index], bounds.kinds
    if "timeout" in kinds and member.connection is not None and member.connection.todo:
        yield ("{m} gives up waiting for the reply; what it sent may still arrive", index), _gave_up(world, index)
    if "crash" in kinds and member.phase != "standby":
        crashed = Member(orphans=abandoned(member))
        yield ("{m} crashes, its session is closed; what it sent may still arrive", index), put(world, index, crashed)
    if "expire" in kinds and member.lock == "held":
        expired = member._replace(lock="gone")
        yield ("{m}'s session expires, it does not know", index), put(world, index, expired)


def _gave_up(world: World, index: int) -> World:
    member = world.members[index]
    if member.phase == "restore":
        return put(world, index, over(member._replace(written=None)))
    return put(world, index, member._replace(connection=None, orphans=abandoned(member)))


def _of_redis(spent: World, world: World, bounds: Bounds) -> Iterator[Step]:
    if "failover" in bounds.kinds and world.zombie is None:
        for writes, image in enumerate((world.primary, *world.past)):
            lost = f"the last {writes} writes are lost" if writes else "nothing is lost"
            after = spent._replace(primary=image, past=(), lost=world.lost or writes > 0)
            yield (f"Redis fails over, {lost}", -1), _cut(after, zombie=False)
            if "split" in bounds.kinds:
                yield (f"Redis fails over, {lost}; the old primary goes on", -1), _split(after, world.primary)
    if "flush" in bounds.kinds and world.primary.state is not None:
        flushed = spent._replace(primary=Image(state=None, rows=(0,) * len(world.primary.rows)), lost=True)
        keys = {STATE, CLAIM}
        yield ("Redis is flushed", -1), touched(flushed, keys, zombie=False)
    if "forget" in bounds.kinds and world.primary.claim:
        yield ("the announcement expires", -1), spent._replace(primary=world.primary._replace(claim=0))


def _cut(world: World, *, zombie: bool) -> World:
    """Let all connections to a server go, with what is in their buffers."""
    members = []
    for member in world.members:
        orphans = tuple(orphan for orphan in member.orphans if orphan.zombie != zombie)
        left = member._replace(orphans=orphans)
        if member.connection is not None and member.connection.zombie == zombie:
            left = left._replace(connection=None)
            left = over(left._replace(written=None)) if member.phase == "restore" else left
        members.append(left)
    return world._replace(members=tuple(members))


def _split(world: World, old: Image) -> World:
    """Let the old primary serve whom it serves, and whoever is still led to it."""
    members = tuple(
        member._replace(
            connection=member.connection and member.connection._replace(zombie=True),
            orphans=tuple(orphan._replace(zombie=True) for orphan in member.orphans),
        )
        for member in world.members
    )
    return world._replace(members=members, zombie=old, lost=True)


def _wiped(world: World) -> World:
    members = tuple(member._replace(lock="gone") if member.lock == "held" else member for member in world.members)
    return world._replace(members=members, epoch=0, raised=False, saved=None, wiped=True)
