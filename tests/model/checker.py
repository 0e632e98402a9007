"""Explicit-state, breadth-first: every interleaving, each world once, and the shortest way to a broken invariant.

A world is remembered by 64 bits (``world.fingerprint``) and by those of the world it was
first reached from, so that millions fit into memory; were two of n worlds to share their
bits (probability about n*n/2**65: one in a million for six million worlds), one would
not be looked into. A trace is found again by going the remembered way once more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model.faults import happened
from tests.model.member import begun, served
from tests.model.protocol import Protocol
from tests.model.world import Bounds, Broken, Label, Step, World, beginning, fingerprint
from tests.model.zookeeper import kept

Trace = tuple[tuple[Label, World | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken invariant and the shortest way to it; the last step has no world, it must not happen."""

    invariant: str
    trace: Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was looked at. ``depth``: steps from the beginning; ``complete``: nothing within the bounds is left.

    ``finished``: worlds in which every row had its effect and both positions are at the end: the model is not stuck.
    """

    worlds: int
    steps: int
    depth: int
    complete: bool
    finished: int
    finding: Finding | None


def successors(world: World, bounds: Bounds, rules: Protocol) -> Iterator[Step]:
    """Yield each step that may come next. One that must not come leads to Broken."""
    for index in range(len(world.members)):
        yield from kept(world, index, bounds, rules)
        yield from begun(world, index, bounds, rules)
        yield from served(world, index, bounds, rules)
    yield from happened(world, bounds)


def explored(bounds: Bounds, rules: Protocol | None = None) -> Report:
    """Try everything within ``bounds`` until an invariant breaks or nothing new is left."""
    return _Search(bounds, rules or Protocol()).report()


class _Search:
    """One breadth-first walk."""

    def __init__(self, bounds: Bounds, rules: Protocol) -> None:
        self._bounds = bounds
        self._rules = rules
        self._beginning = beginning(bounds)
        self._came_from: dict[int, int] = {fingerprint(self._beginning): 0}
        self._steps = 0
        self._finished = 0

    def report(self) -> Report:
        frontier, depth, finding = [self._beginning], 0, None
        while frontier and depth != self._bounds.depth and finding is None:
            frontier, finding = self._layer(frontier)
            depth += bool(frontier) or finding is not None
        return Report(
            worlds=len(self._came_from),
            steps=self._steps,
            depth=depth,
            complete=not frontier and finding is None,
            finished=self._finished,
            finding=finding,
        )

    def _layer(self, frontier: list[World]) -> tuple[list[World], Finding | None]:
        """Take every step from every world of one depth."""
        reached: list[World] = []
        known = self._came_from
        for world in frontier:
            origin = fingerprint(world)
            for label, after in successors(world, self._bounds, self._rules):
                if isinstance(after, Broken):
                    return reached, Finding(invariant=str(after), trace=(*self._way_to(origin), (label, None)))
                self._steps += 1
                mark = fingerprint(after)
                if mark not in known:
                    known[mark] = origin
                    reached.append(after)
                    self._finished += _is_finished(after)
        return reached, None

    def _way_to(self, mark: int) -> Trace:
        """Go the remembered way again from the beginning; members keep their names on it."""
        marks = [mark]
        while self._came_from[marks[-1]]:
            marks.append(self._came_from[marks[-1]])
        world, trace = self._beginning, []
        for wanted in reversed(marks[:-1]):
            label, world = self._leading_to(wanted, world)
            trace.append((label, world))
        return tuple(trace)

    def _leading_to(self, wanted: int, world: World) -> tuple[Label, World]:
        for label, after in successors(world, self._bounds, self._rules):
            if isinstance(after, World) and fingerprint(after) == wanted:
                return label, after
        raise AssertionError("the model is not deterministic")


def _is_finished(world: World) -> bool:
    state, end = world.primary.state, len(world.primary.rows)
    return state is not None and state.safe == end and world.saved is not None and world.saved.place == end
