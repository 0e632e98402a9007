"""The Redis servers: one command at a time from any connection's buffer, WATCH as Redis does it, and what EXEC may do.

Every invariant about what is written is checked here, at the only place where anything is.
"""

from tests.model.world import Bounds, Broken, Connection, Image, Member, World, Write, Written

STATE, CLAIM = "state", "claim"


def image_of(world: World, connection: Connection) -> Image:
    """Return what the server behind the connection holds."""
    image = world.zombie if connection.zombie else world.primary
    assert image is not None
    return image


def stored(world: World, image: Image, *, zombie: bool, bounds: Bounds) -> World:
    """Put a server's new image in place; the primary's last ones are kept for as long as a failover may come."""
    if zombie:
        return world._replace(zombie=image)
    keep = bounds.lag if world.faults and "failover" in bounds.kinds else 0
    return world._replace(primary=image, past=(world.primary, *world.past)[:keep])


def touched(world: World, keys: set[str], *, zombie: bool) -> World:
    """Let every connection to that server that watches one of ``keys`` know at its EXEC."""
    members = tuple(_touched(member, keys, zombie=zombie) for member in world.members)
    return world._replace(members=members)


def _touched(member: Member, keys: set[str], *, zombie: bool) -> Member:
    connection = member.connection
    if connection is not None and _watches(connection, keys, zombie=zombie):
        member = member._replace(connection=connection._replace(dirty=True))
    if member.orphans:  # one whose EXEC must fail now is as good as gone
        left = tuple(orphan for orphan in member.orphans if not _watches(orphan, keys, zombie=zombie))
        member = member._replace(orphans=left)
    return member


def _watches(connection: Connection, keys: set[str], *, zombie: bool) -> bool:
    if connection.zombie != zombie or not connection.watched:
        return False
    return STATE in keys or connection.watched == "both"


def executed(image: Image, write: Write, bounds: Bounds, *, refused: bool = False) -> Image:
    """Return the image after EXEC. Raises Broken when this write should never have been applied."""
    _fenced(image, write)
    after = image._replace(state=write.state)
    if write.kind == "claim":
        waived = max(image.waived, write.state.place or 0) if write.waives else image.waived
        after = after._replace(claim=0, waived=waived)
    elif write.kind == "batch" and not refused:
        after = _with_rows(after, write, bounds)
    _consistent(after, bounds)
    _continuous(image, write)
    return after


def _fenced(image: Image, write: Write) -> None:
    """Hold I3 and I4. Raises Broken."""
    before, epoch = image.state, write.state.epoch
    if write.kind == "claim":
        if before is not None and epoch <= before.epoch:
            raise Broken(f"I4: epoch {epoch} claims a state of epoch {before.epoch}")
    elif before is None:
        raise Broken("I3: a batch is applied where nothing is claimed")
    elif before.epoch > epoch:
        raise Broken(f"I3: a write of epoch {epoch} is applied after epoch {before.epoch} has claimed")
    elif before.epoch < epoch:
        raise Broken(f"I4: a write of epoch {epoch} is applied where epoch {before.epoch} leads")


def _continuous(image: Image, write: Write) -> None:
    """Hold I5: a batch raises the sequence by one, a claim leaves it. Raises Broken."""
    before, after = image.state, write.state
    if before is None:
        return
    replaces = before.place is None  # as good as missing
    if write.kind == "claim" and before[1:] != after[1:] and not replaces:
        raise Broken(f"I5: a claim changes sequence or place, {_told(before)} to {_told(after)}")
    if write.kind != "claim" and after.seq != before.seq + 1:
        raise Broken(f"I5: sequence {before.seq} is followed by {after.seq}")


def _told(state: Written) -> str:
    return f"#{state.seq} at {state.place}"


def _with_rows(image: Image, write: Write, bounds: Bounds) -> Image:
    rows, field = list(image.rows), image.field
    for row in range(write.begin, write.end):
        if bounds.rows[row] == "h":
            rows[row], field = 1, row + 1
        else:
            rows[row] += 1
    return image._replace(rows=tuple(rows), field=field)


def _consistent(image: Image, bounds: Bounds) -> None:
    """Compare the state with the rows. Raises Broken: a row is lost (I2) or had its effect twice (I8)."""
    state = image.state
    assert state is not None
    for row, times in enumerate(image.rows):
        counts = bounds.rows[row] == "+"
        if times > 1:
            raise Broken(f"I8: row {row + 1} has had its effect {times} times")
        if row < state.safe and row >= image.waived and not times:
            raise Broken(f"I2: row {row + 1} is lost: the state is past it, it had no effect")
        if counts and times and row >= (state.place or 0):
            raise Broken(f"I8: row {row + 1} has had its effect, the state is before it: it will have it twice")
    last = max((row + 1 for row in range(state.place or 0) if bounds.rows[row] == "h"), default=0)
    if state.redo_from is None and last > image.waived and image.field != last:
        raise Broken(f"I1: the field is as of row {image.field}, the state is past row {last}")
