"""What a member does with Redis: peek, claim, apply; and what it concludes from each reply (``hasync.sinks.redis``)."""

from collections.abc import Iterator

from hasync.model.resume import ResumeKind
from hasync.sinks.verdict import Verdict
from tests.model import lent
from tests.model.protocol import Protocol
from tests.model.servers import CLAIM, STATE, executed, image_of, stored, touched
from tests.model.world import Bounds, Broken, Connection, Image, Member, Step, World, Write, Written, step

ARM = ("WATCH", "GET")
TRANSACT = ("EXEC", "WATCH", "GET")


def put(world: World, index: int, member: Member) -> World:
    """Return the world with one member changed."""
    members = list(world.members)
    members[index] = member
    return world._replace(members=tuple(members))


def over(member: Member) -> Member:
    """End the term: what was sent stays sent, what was confirmed may still be acknowledged."""
    return Member(
        phase="ended",
        lock=member.lock,
        epoch=member.epoch,
        saved=member.saved,
        rewinds=member.rewinds,
        written=member.written,
        orphans=abandoned(member),
        leftover=member.leftover,
    )


def abandoned(member: Member) -> tuple[Connection, ...]:
    """Return the orphans once the connection is given up: its transaction may still be run."""
    connection = member.connection
    if connection is None or "EXEC" not in connection.todo or connection.dirty:
        return member.orphans
    return (*member.orphans, connection._replace(todo=("EXEC",)))


# ---------------------------------------------------------------------- what it may begin


def begun(world: World, index: int, bounds: Bounds, rules: Protocol) -> Iterator[Step]:
    """Yield what the stream's thread may begin on its own."""
    member = world.members[index]
    for zombie in (False, True) if world.zombie is not None else (False,):
        if member.phase == "peek":
            yield _peeked(world, index, bounds, rules, zombie=zombie)  # the connection is kept for the claim
        elif member.phase in {"claim", "lead"} and member.connection is None:
            where = "the old primary" if zombie else "Redis"
            yield (
                (f"{{m}} connects to {where}, sends WATCH GET", index),
                put(world, index, _armed(member, zombie, rules)),
            )
    if member.phase == "claim" and _idle(member):
        zombie = member.connection is not None and member.connection.zombie
        yield ("{m} sends WATCH GET", index), put(world, index, _armed(member, zombie, rules))
    if member.phase == "lead" and member.batch is None and _idle(member):
        yield from _batches(world, index, bounds, rules)


def _idle(member: Member) -> bool:
    return member.connection is not None and not member.connection.todo


def _armed(member: Member, zombie: bool, rules: Protocol) -> Member:
    todo = ARM if rules.watches_before_reading or member.phase == "claim" else ("GET", "WATCH")
    if member.attempt is not None and not rules.reads_before_retry:
        todo = ("WATCH", "BLIND")
    return member._replace(connection=Connection(zombie=zombie, todo=todo))


def _peeked(world: World, index: int, bounds: Bounds, rules: Protocol, *, zombie: bool) -> Step:
    """GET the state, and decide with the real ``reconcile`` where to resume."""
    member = world.members[index]
    state = image_of(world, Connection(zombie=zombie, todo=())).state
    decision = lent.resumed(member.saved, state, bounds.policy)
    if decision is None:
        return ("{m} peeks: the state is missing, halt", index), put(world, index, over(member))
    kind, adopt = decision
    if kind in {ResumeKind.REWIND, ResumeKind.REPLACED} and not world.lost:
        return ("{m} peeks and reconciles", index), Broken(f"I5: a {kind.value} though nothing is lost")
    if not rules.state_key_wins and member.saved is not None and adopt is not None:
        adopt = adopt._replace(place=member.saved.place, redo_from=None)
    adopt = lent.anchored(adopt) if rules.anchors_claim else adopt
    decided = member._replace(
        phase="raise",
        connection=Connection(zombie=zombie, todo=()),
        seen=state,
        adopt=adopt,
        rewinds=kind is ResumeKind.REWIND,
        waives=kind is ResumeKind.REPLACED and state is None,
    )
    return (f"{{m}} peeks and reconciles: {kind.value}", index), put(world, index, decided)


def _batches(world: World, index: int, bounds: Bounds, rules: Protocol) -> Iterator[Step]:
    """Yield the next batch in every size, and the empty one that confirms a batch that might be redone."""
    member = world.members[index]
    assert member.written is not None
    begin = member.begin or 0
    ends = list(range(begin + 1, min(begin + bounds.batch, len(bounds.rows)) + 1))
    if member.written.redo_from is not None and begin == member.written.place:
        ends.append(begin)
    for end in ends:
        told = f"rows {begin + 1} to {end}" if end > begin else "an empty batch"
        offered = _sent(member._replace(batch=(begin, end)), bounds, rules)
        yield (f"{{m}} sends {told}: MULTI .. EXEC WATCH GET", index), put(world, index, offered)


# ------------------------------------------------------------------------- what is sent


def _sent(member: Member, bounds: Bounds, rules: Protocol) -> Member:
    """Send the batch on the connection that is armed."""
    written, batch, connection = member.written, member.batch, member.connection
    assert written is not None
    assert batch is not None
    assert connection is not None
    begin, end = batch
    redo_from = member.begin if _repeatable(batch, bounds) and rules.keeps_redo_from else None
    state = Written(written.epoch, written.seq + 1, end, redo_from)
    write = Write("batch", state, begin, end)
    return member._replace(attempt=state, connection=_with(connection, write))


def _repeatable(batch: tuple[int, int], bounds: Bounds) -> bool:
    rows = bounds.rows[slice(*batch)]
    return "h" in rows and "+" not in rows


def _with(connection: Connection, write: Write) -> Connection:
    return connection._replace(todo=TRANSACT, write=write, executed="")


def _claim_sent(member: Member, found: Written | None, rules: Protocol) -> Member:
    """Send the claim, or end the term when the state that is watched forbids it."""
    adopt = lent.adopted(member.epoch, member.seen, member.adopt, found if rules.claim_looks_again else member.seen)
    connection = member.connection
    assert connection is not None
    if adopt is None:
        return over(member)
    claim = adopt._replace(epoch=member.epoch)
    write = Write("claim", claim, waives=member.waives)
    return member._replace(claimed=claim, landed=False, connection=_with(connection, write))


# -------------------------------------------------------------- what the server answers


def served(world: World, index: int, bounds: Bounds, rules: Protocol) -> Iterator[Step]:
    """Yield the next command of the member's connection, and of each one that it has given up."""
    member = world.members[index]
    for number in range(len(member.orphans)):
        yield _orphan_served(world, index, number, bounds, rules)
    connection = member.connection
    if connection is None or not connection.todo:
        return
    command, rest = connection.todo[0], connection._replace(todo=connection.todo[1:])
    if command == "WATCH":
        armed = member._replace(connection=rest._replace(watched=_watched(member, connection, rules), dirty=False))
        if rest.todo:
            yield ("the server runs {m}'s WATCH", index), put(world, index, armed)
        else:  # the planted bug has read before
            yield ("the server runs {m}'s WATCH", index), put(world, index, _sent_on(armed, bounds, rules))
    elif command == "ANNOUNCE":
        announced = put(world, index, member._replace(connection=rest))
        yield ("the server runs {m}'s SET of the claim key", index), _announced(announced, index, bounds, rules)
    elif command == "EXEC":
        yield from _exec(world, index, rest, bounds, rules)
    else:
        yield _told(world, index, rest, bounds, rules, blind=command == "BLIND")


def _watched(member: Member, connection: Connection, rules: Protocol) -> str:
    """Return which keys are watched: a claim does not watch the announcements, rivals would only stop each other."""
    if member.phase == "claim" and connection.write is None:
        return "state" if rules.watches_for_claim else ""
    return "both" if rules.watches else ""


def _told(world: World, index: int, rest: Connection, bounds: Bounds, rules: Protocol, *, blind: bool) -> Step:
    """Give the member the state, and let it conclude."""
    member, image = world.members[index]._replace(connection=rest), image_of(world, rest)
    told = "{m} is not told the state" if blind else "{m} is told the state by GET"
    try:
        replied = _replied(world, member, image, bounds, rules, blind=blind)
    except Broken as broken:
        return (told, index), broken
    if replied.phase == "lead" and member.phase == "claim" and _rivalled(world, index, replied.epoch):
        return (told, index), Broken(f"I4: two members lead under epoch {replied.epoch}")
    return (f"{told}{_conclusion(replied)}", index), put(world, index, replied)


def _rivalled(world: World, index: int, epoch: int) -> bool:
    """Whether another leads under this epoch, too. ZooKeeper wiped *and* the claim lost in Redis permit it."""
    if world.wiped and world.lost:
        return False
    others = world.members[:index] + world.members[index + 1 :]
    return any(other.phase == "lead" and other.epoch == epoch for other in others)


def _conclusion(member: Member) -> str:
    if member.phase == "ended":
        return ", ends its term"
    connection = member.connection
    if connection is not None and connection.todo == TRANSACT and connection.write is not None:
        return f", sends its {connection.write.kind}"
    return ""


def _orphan_served(world: World, index: int, number: int, bounds: Bounds, rules: Protocol) -> Step:
    """Run a transaction whose sender has given up."""
    member = world.members[index]
    orphan = member.orphans[number]
    world = put(world, index, member._replace(orphans=member.orphans[:number] + member.orphans[number + 1 :]))
    assert orphan.write is not None
    told = f"the server runs the {orphan.write.kind} that {{m}} has given up waiting for"
    return step(told, index, _written, world, index, orphan, bounds, rules, refused=False)


def _exec(world: World, index: int, rest: Connection, bounds: Bounds, rules: Protocol) -> Iterator[Step]:
    member, write = world.members[index], rest.write
    assert write is not None
    if rest.dirty:
        yield ("the server runs {m}'s EXEC: nil, a watched key has changed", index), _failed(world, index, rules)
        return
    told = f"the server runs {{m}}'s EXEC: its {write.kind} is in"
    done = rest._replace(watched="", executed="yes")
    after = put(world, index, member._replace(connection=done))
    yield step(told, index, _written, after, index, rest, bounds, rules, refused=False)
    if _refusable(member, write, bounds) and world.faults:
        after = put(world, index, member._replace(connection=done._replace(executed="refused")))
        after = after._replace(faults=world.faults - 1)
        told += ", its commands refused"
        yield step(told, index, _written, after, index, rest, bounds, rules, refused=True)


def _refusable(member: Member, write: Write, bounds: Bounds) -> bool:
    """Whether its commands may be refused one by one; of other batches the types are asked first, under WATCH."""
    batch = (write.begin, write.end)
    repeatable = write.kind == "batch" and member.begin is not None and _repeatable(batch, bounds)
    return repeatable and "refusal" in bounds.kinds


def _written(
    world: World, index: int, connection: Connection, bounds: Bounds, rules: Protocol, *, refused: bool
) -> World:
    """Apply the connection's write to its server, and tell the others who watch."""
    write = connection.write
    assert write is not None
    image = image_of(world, connection)
    keys = {STATE, CLAIM} if write.kind == "claim" else {STATE}
    world = stored(world, executed(image, write, bounds, refused=refused), zombie=connection.zombie, bounds=bounds)
    if write.kind == "claim":
        member = world.members[index]
        if member.claimed == write.state and member.epoch == write.state.epoch:
            world = put(world, index, member._replace(landed=True))
    if connection.zombie:
        world = world._replace(lost=True)
    return touched(world, keys, zombie=connection.zombie)


def _failed(world: World, index: int, rules: Protocol) -> World:
    """Nothing was applied: read again. A claim announces itself first, so that older leaders stop."""
    member = world.members[index]
    connection = member.connection
    assert connection is not None
    if member.phase == "restore":
        return put(world, index, over(member._replace(connection=None, written=None)))
    again = _armed(member, connection.zombie, rules)  # its earlier try may be what changed the state
    if member.phase == "claim":
        todo = ("ANNOUNCE", *ARM)
        again = again._replace(connection=Connection(zombie=connection.zombie, todo=todo))
    return put(world, index, again)


def _announced(world: World, index: int, bounds: Bounds, rules: Protocol) -> World:
    """SET the claim key: leaders watch it and stop."""
    member = world.members[index]
    connection = member.connection
    assert connection is not None
    image = image_of(world, connection)._replace(claim=member.epoch)
    world = stored(world, image, zombie=connection.zombie, bounds=bounds)
    return touched(world, {CLAIM}, zombie=connection.zombie)


# ------------------------------------------------------------------ what it concludes


def _replied(world: World, member: Member, image: Image, bounds: Bounds, rules: Protocol, *, blind: bool) -> Member:
    connection = member.connection
    assert connection is not None
    if connection.executed:
        return _confirmed(world, member, image, bounds, rules)
    if member.phase == "claim":
        if member.landed and image.state == member.claimed:
            return _judged(world, _term_begun(member, rules), image, rules)
        return _claim_sent(member, image.state, rules)
    if blind:
        return _sent(member, bounds, rules)
    return _settled(world, member, image, bounds, rules)


def _term_begun(member: Member, rules: Protocol) -> Member:
    """Lead from the state that was claimed; only what leading needs is remembered."""
    claimed, adopt = member.claimed, member.adopt
    assert claimed is not None
    source = claimed if rules.begins_at_claimed or adopt is None else adopt
    return member._replace(
        phase="lead",
        written=claimed,
        begin=None if source.place is None else source.safe,
        seen=None,
        adopt=None,
        waives=False,
        claimed=None,
        landed=False,
    )


def _confirmed(world: World, member: Member, image: Image, bounds: Bounds, rules: Protocol) -> Member:
    """The transaction went in, and behind it the state was read."""
    connection, batch = member.connection, member.batch
    assert connection is not None
    if member.phase == "claim":
        return _judged(world, _term_begun(member, rules), image, rules)
    if member.phase == "restore":
        return over(member._replace(written=None))
    assert batch is not None
    member = member._replace(written=member.attempt, attempt=None, batch=None)
    if connection.executed == "refused":
        judged = _judged(world, member, image, rules) if rules.judges_before_restore else member
        return judged if judged.phase == "ended" else _restoring(member)
    return _judged(world, member._replace(begin=batch[1]), image, rules)


def _restoring(member: Member) -> Member:
    """Put the state back to where the batch with refused commands began."""
    written, connection = member.written, member.connection
    assert written is not None
    assert connection is not None
    restored = Written(written.epoch, written.seq + 1, member.begin)
    write = Write("restore", restored)
    return member._replace(phase="restore", attempt=restored, connection=_with(connection, write))


def _settled(world: World, member: Member, image: Image, bounds: Bounds, rules: Protocol) -> Member:
    """Judge the state after a reconnect or a failed EXEC; send the batch unless it is in already."""
    written, attempt, batch = member.written, member.attempt, member.batch
    assert written is not None
    if attempt is not None and image.state is not None and _verdict(image.state, member, rules) is Verdict.ATTEMPT:
        assert batch is not None
        member = member._replace(written=attempt, attempt=None)
        if not _repeatable(batch, bounds):
            return _judged(world, member._replace(begin=batch[1], batch=None), image, rules)
    member = _judged(world, member, image, rules)
    return _sent_on(member, bounds, rules)


def _sent_on(member: Member, bounds: Bounds, rules: Protocol) -> Member:
    if member.phase == "lead" and member.batch is not None and _idle(member):
        return _sent(member, bounds, rules)
    return member


def _verdict(found: Written, member: Member, rules: Protocol) -> Verdict:
    """Ask the real ``judge``, blinded as the planted bug wants it."""
    written = member.written
    assert written is not None
    if not rules.judges_epoch:
        found = found._replace(epoch=written.epoch)
    if not rules.judges_sequence and found.epoch == written.epoch:
        return Verdict.WRITTEN
    return lent.judged(found, written, member.attempt)


def _judged(world: World, member: Member, image: Image, rules: Protocol) -> Member:
    """Go on when the state is the last confirmed write and nobody claims; end the term otherwise."""
    written = member.written
    assert written is not None
    if image.state is None:
        return over(member)
    verdict = _verdict(image.state, member, rules)
    if verdict is Verdict.REGRESSED and not world.lost:
        raise Broken("I5: a regress though nothing is lost")
    if verdict is not Verdict.WRITTEN or (image.claim > written.epoch and rules.judges_epoch):
        return over(member)
    return member._replace(attempt=None, connection=_quiet(member.connection))


def _quiet(connection: Connection | None) -> Connection | None:
    return connection and connection._replace(write=None, executed="")
