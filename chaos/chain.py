"""The writes that one Redis took, one after the other: each must follow from the one before it (I3, I4, I5).  Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chaos.promise import Promise
from chaos.record import Heard, State
from hasync.model.position import Flavor


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """An invariant that did not hold.  ``invariant``: "I3", or "deaf" when the observer could not know."""

    invariant: str
    text: str

    def __str__(self) -> str:
        """In one line."""
        return f"{self.invariant}: {self.text}"


@dataclass(slots=True, kw_only=True)
class Chain:
    """Goes through what was heard of one server.  ``clients``: addresses whose writes are no replication."""

    server: str
    flavor: Flavor
    promise: Promise
    replicas: frozenset[str]
    violations: list[Violation] = field(default_factory=list)
    judged: int = 0
    unjudged: int = 0
    last: State | None = None
    known: bool = False
    primary: bool = False

    def follow(self, lines: Iterable[Heard]) -> None:
        """Judge them in their order."""
        for line in lines:
            if line.kind == "deaf":
                self.known = self.primary = False
            elif line.kind == "look":
                self._look(line)
            elif line.kind == "gone":
                self._gone(line)
            else:
                self._write(line)

    def _say(self, invariant: str, text: str) -> None:
        self.violations.append(Violation(invariant=invariant, text=f"{self.server}: {text}"))

    def _look(self, line: Heard) -> None:
        primary = line.role == "master"
        if self.known and self.primary and primary and line.state != self.last:
            self._say("I3", f"the state key changed out of sight, from {_short(self.last)} to {_short(line.state)}")
        self.last, self.known, self.primary = line.state, True, primary

    def _gone(self, line: Heard) -> None:
        if line.peer not in self.replicas and not self.promise.empties_redis:
            self._say("I3", f"{line.peer} removed the state key")
        self.last, self.known = None, True

    def _write(self, line: Heard) -> None:
        if line.peer in self.replicas:  # replication: it repeats what was judged at the primary
            self.last, self.known = line.state, True
            return
        if self.known and line.state is not None:
            self.judged += 1
            self._judge(self.last, line.state, line.peer)
        else:
            self.unjudged += 1
        self.last, self.known, self.primary = line.state, True, True

    def _judge(self, before: State | None, after: State, peer: str) -> None:
        step = f"{peer} wrote {_short(after)} behind {_short(before)}"
        if before is None:
            if not self.promise.empties_redis:
                self._say("I5", f"{step}: a state out of nothing")
        elif after.epoch < before.epoch:
            self._say("I3", f"{step}: an older epoch was let in")
        elif after.epoch > before.epoch and after.seq != before.seq and not self.promise.moves:
            self._say("I5", f"{step}: a claim that changes the sequence")
        elif after.epoch == before.epoch and after.seq != before.seq + 1:
            self._say("I5", f"{step}: a gap in the sequence")
        elif self._goes_back(before, after) and not self.promise.moves:
            self._say("I5", f"{step}: the position went back")

    def _goes_back(self, before: State, after: State) -> bool:
        if before.gtid_set == after.gtid_set:
            return False
        newer, older = self.flavor.gtid_set(after.gtid_set), self.flavor.gtid_set(before.gtid_set)
        return not newer.covers(older)  # type: ignore[arg-type]


def _short(state: State | None) -> str:
    return "nothing" if state is None else f"(epoch {state.epoch}, sequence {state.seq})"


def writers(heard: Iterable[Sequence[Heard]], hidden: frozenset[str]) -> dict[int, set[str]]:
    """Return for each epoch from which addresses it was written, those in ``hidden`` (replication, proxies) aside."""
    found: dict[int, set[str]] = {}
    for lines in heard:
        for line in lines:
            if line.kind == "write" and line.state is not None and line.peer not in hidden:
                found.setdefault(line.state.epoch, set()).add(line.peer)
    return found
