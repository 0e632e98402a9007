"""What a member does with ZooKeeper: lock, epoch, position (``hasync.cluster``); each request is one step there.

A request is run before any later one of its session or never, so one whose answer is
lost needs no buffer: it was run, and the member does not know.
"""

from collections.abc import Iterator

from tests.model import lent
from tests.model.member import over, put
from tests.model.protocol import Protocol
from tests.model.world import Bounds, Broken, Member, Saved, Step, World


def kept(world: World, index: int, bounds: Bounds, rules: Protocol) -> Iterator[Step]:
    """Yield what the member may do with ZooKeeper now."""
    member = world.members[index]
    if member.phase == "standby" and all(other.lock != "held" for other in world.members):
        elected = Member(phase="peek", lock="held", saved=world.saved, orphans=member.orphans)
        yield ("{m} is elected, loads the position", index), put(world, index, elected)._replace(raised=False)
    if member.phase == "raise":
        yield from _raised(world, index, bounds, rules)
    if member.phase in {"lead", "ended"}:
        yield from _acknowledged(world, index, bounds, rules)
    if member.leftover is not None:
        yield from _left_over(world, index, rules)
    if member.phase == "ended":
        yield from _after(world, index, bounds)
    elif member.lock == "gone":
        yield ("{m} learns that its session is over, ends its term", index), put(world, index, over(member))


def _after(world: World, index: int, bounds: Bounds) -> Iterator[Step]:
    """Yield how it goes on after a term: the lock is given back, or the next term begins under it."""
    member = world.members[index]
    yield ("{m} gives the lock back", index), put(world, index, Member(orphans=member.orphans))
    if member.lock != "held":
        return
    again = Member(
        phase="peek",
        lock="held",
        epoch=member.epoch,
        saved=world.saved,
        orphans=member.orphans,
        leftover=member.leftover,
    )
    yield ("{m} begins a new term under the same lock, loads the position", index), put(world, index, again)
    value = _value(member, rules=Protocol())
    if world.faults and "hang" in bounds.kinds and value is not None and _news(member.saved, value):
        again = again._replace(leftover=(member.saved, value))
        told = "{m} begins a new term under the same lock, the old one's save hangs"
        yield (told, index), put(world, index, again)._replace(faults=world.faults - 1)


def _raised(world: World, index: int, bounds: Bounds, rules: Protocol) -> Iterator[Step]:
    """multi[check(lock node), set(epoch, version)]."""
    member = world.members[index]
    if member.lock != "held":
        yield ("{m} cannot raise the epoch: its lock is gone", index), put(world, index, over(member))
        return
    seen = max(member.epoch, member.seen.epoch if member.seen else 0, member.saved.epoch if member.saved else 0)
    if not rules.epoch_above_both:
        seen = 0
    earlier = world.raised and world.epoch > seen  # its own try, whose answer was lost
    epoch = world.epoch if earlier else max(world.epoch, seen) + 1
    if member.seen is not None and epoch <= member.seen.epoch:
        told = f"I4: epoch {epoch} is given out though Redis holds epoch {member.seen.epoch}"
        yield (f"{{m}} raises the epoch to {epoch}", index), Broken(told)
        return
    after = world._replace(epoch=epoch, raised=True)
    claiming = member._replace(phase="claim", epoch=epoch)
    yield (f"{{m}} raises the epoch to {epoch}", index), put(after, index, claiming)
    if world.faults and "zookeeper" in bounds.kinds and after != world:
        yield (f"{{m}} raises the epoch to {epoch}, the answer is lost", index), after._replace(faults=world.faults - 1)


def _value(member: Member, rules: Protocol) -> Saved | None:
    """Return what the acknowledging thread would save; None when nothing is applied yet."""
    state = member.written
    if not rules.applies_before_ack and member.attempt is not None:
        state = member.attempt
    if state is None or state.place is None:
        return None
    return Saved(state.epoch, state.seq, state.safe)


def _news(saved: Saved | None, value: Saved) -> bool:
    return saved is None or (saved.epoch, saved.seq) != (value.epoch, value.seq)


def _acknowledged(world: World, index: int, bounds: Bounds, rules: Protocol) -> Iterator[Step]:
    """multi[check(lock node), set(position, version)], for what Redis has confirmed."""
    member = world.members[index]
    value = _value(member, rules)
    if value is None or not _news(member.saved, value):
        return
    told = f"{{m}} saves batch {value.seq}, place {value.place} in ZooKeeper"
    try:
        after = _forward(world, member, value) and _saved(world, member, member.saved, value, rules)
    except Broken as broken:
        yield (told, index), broken
        return
    if after is None:
        if member.phase != "ended":
            told = "{m} cannot save: it would go back, somebody else did, or its lock is gone"
            yield (told, index), put(world, index, over(member))
        return
    yield (told, index), put(after, index, member._replace(saved=value, rewinds=False))
    if world.faults and "zookeeper" in bounds.kinds and after != world:
        yield (f"{told}, the answer is lost", index), after._replace(faults=world.faults - 1)


def _forward(world: World, member: Member, value: Saved) -> World | None:
    """Return the world if the member's own rule lets it save; None when it would go back. Raises Broken."""
    if member.rewinds or lent.may_save(member.saved, value):
        return world
    if not world.lost:
        raise Broken(f"I5: the position would go back from {member.saved} to {value} though nothing is lost")
    return None


def _left_over(world: World, index: int, rules: Protocol) -> Iterator[Step]:
    """The acknowledging thread of an ended term comes back to life, and the lock is held again or still."""
    member = world.members[index]
    assert member.leftover is not None
    told = "{m}'s ended term saves its last position after all"
    try:
        after = _saved(world, member, *member.leftover, rules) or world
    except Broken as broken:
        yield (told, index), broken
        return
    yield (told, index), put(after, index, member._replace(leftover=None))


def _saved(world: World, member: Member, previous: Saved | None, value: Saved, rules: Protocol) -> World | None:
    """Return the world with the position saved; None when ZooKeeper or the member's own rule forbids it."""
    guarded = rules.saves_under_lock
    if guarded and member.lock != "held":
        return None
    present = world.saved
    if guarded and present != previous and (present is None or present.epoch != value.epoch):
        return None
    _permitted(world, value)
    return world._replace(saved=value)


def _permitted(world: World, value: Saved) -> None:
    """Hold I5 for the position. Raises Broken."""
    if world.lost:
        return
    state = world.primary.state
    if state is None or (value.epoch, value.seq) > (state.epoch, state.seq) or value.place > state.safe:
        raise Broken(f"I5: ZooKeeper is told of place {value.place} (batch {value.seq}), Redis is not there yet")
    before = world.saved
    if before is not None and (value.seq < before.seq or value.place < before.place or value.epoch < before.epoch):
        raise Broken(f"I5: ZooKeeper's position goes back to place {value.place} though nothing is lost")
