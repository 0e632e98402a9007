"""A trace for humans: one line for each step, and beside it what Redis and ZooKeeper hold then."""

from tests.model.checker import Finding
from tests.model.world import Image, Label, World

NAMES = "ABCDEFGH"


def told(finding: Finding) -> str:
    """Return the whole story: each step, what it left behind, and the invariant that it broke."""
    lines = [f"{'':4}{'':74}  {'Redis: state, rows':34}  ZooKeeper: epoch, position"]
    lines += [_line(number, label, world) for number, (label, world) in enumerate(finding.trace, 1)]
    return "\n".join((*lines, f"    BROKEN  {finding.invariant}"))


def _line(number: int, label: Label, world: World | None) -> str:
    text, index = label
    text = text.replace("{m}", NAMES[index])
    if world is None:
        return f"{number:3} {text}"
    zombie = f" (old: {_redis(world.zombie)})" if world.zombie else ""
    return f"{number:3} {text:74}  {_redis(world.primary) + zombie:34}  {_zookeeper(world)}".rstrip()


def _redis(image: Image) -> str:
    state, rows = image.state, ",".join(map(str, image.rows))
    claim = f" claim {image.claim}" if image.claim else ""
    if state is None:
        return f"no state, rows {rows}{claim}"
    redo = f" redo {state.redo_from}" if state.redo_from is not None else ""
    return f"e{state.epoch} #{state.seq} at {_place(state.place)}{redo}, rows {rows}{claim}"


def _zookeeper(world: World) -> str:
    saved = world.saved
    position = f"e{saved.epoch} #{saved.seq} at {saved.place}" if saved else "none"
    return f"epoch {world.epoch}, {position}"


def _place(place: int | None) -> str:
    return "-" if place is None else str(place)
