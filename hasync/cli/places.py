"""Where a stream stands: in ZooKeeper, in Redis, at its source, and where a new term would resume."""

from dataclasses import dataclass
from typing import Any

from hasync.cli.invocation import Servers
from hasync.coordination import StreamCoordination
from hasync.errors import HasyncError
from hasync.model.change import Table
from hasync.model.config import StreamConfig, parse
from hasync.model.position import Position, Start, StartKind
from hasync.model.resume import MissingStatePolicy, reconcile
from hasync.model.state import Acknowledged, SinkState


class NothingWanted:
    """The :class:`hasync.model.change.Interest` of somebody who wants to know a place only."""

    def patterns(self) -> tuple[()]:
        """Name no table."""
        return ()

    def emptied(self, schema: str, table: str) -> None:
        """Take no notice."""

    def select(self, table: Table) -> None:
        """Want no rows of any table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Positions of one stream, and ``failures``: why the ones that are missing could not be read."""

    acknowledged: Acknowledged | None
    state: SinkState | None
    source: Position | None
    resume: str
    failures: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the document of ``-o json``."""
        return {
            "acknowledged": self.acknowledged.to_json() if self.acknowledged else None,
            "state": self.state.to_json() if self.state else None,
            "source": self.source.to_json() if self.source else None,
            "resume": self.resume,
            "failures": list(self.failures),
        }


def resting(acknowledged: Acknowledged | None, state: SinkState | None) -> Position | None:
    """Return where a new term would resume: Redis' state wins."""
    if state is not None and state.position is not None:
        return state.redo_from or state.position
    return acknowledged.position if acknowledged else None


def stand(ports: StreamCoordination, servers: Servers, policy: MissingStatePolicy) -> Stand:
    """Ask all three; what one server does not answer is told, not raised."""
    failures: list[str] = []
    acknowledged = ports.positions.load().value
    state, resume = None, ""
    try:
        state = peek(servers)
    except HasyncError as error:
        failures.append(f"Redis: {error}")
        resume = "unknown without Redis"
    else:
        resume = resumption(acknowledged, state, policy)
    source = None
    try:
        source = resolve(servers, Start(kind=StartKind.LATEST))
    except HasyncError as error:
        failures.append(f"source: {error}")
    return Stand(acknowledged=acknowledged, state=state, source=source, resume=resume, failures=tuple(failures))


def resumption(acknowledged: Acknowledged | None, state: SinkState | None, policy: MissingStatePolicy) -> str:
    """Say in words what a new term would do with the two positions."""
    try:
        resume = reconcile(acknowledged, state, policy)
    except HasyncError as refused:
        return f"it would not: {refused}"
    where = f"at {resume.position}" if resume.position else "at the config's start"
    return f"{where}: {resume.explanation}"


def peek(servers: Servers) -> SinkState | None:
    """Read the state key. Raises as :meth:`hasync.ports.Sink.peek`, and ConfigInvalid."""
    sink = servers.sink()
    try:
        return sink.peek()
    finally:
        sink.close()


def resolve(servers: Servers, start: Start | Position) -> Position:
    """Prove on the real source that a place exists, and return it. Raises as ``ChangeSource.open``, ConfigInvalid."""
    source = servers.source()
    try:
        return source.open(start, NothingWanted())
    finally:
        source.close()


def config_of(ports: StreamCoordination) -> StreamConfig:
    """Return the config in force. Raises ConfigInvalid, HasyncError when there is none."""
    revision = ports.configs.get()
    if revision is None:
        raise HasyncError(
            f"{ports.stream} has no config, so its servers are not known", hint="'hasync config apply FILE' first"
        )
    return parse(revision.document)
