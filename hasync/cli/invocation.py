"""What one call of a command is given to work with: settings, who asks, and the doors to the servers."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

import typer

from hasync.cli.messages import explain
from hasync.errors import ConfigInvalid, HasyncError
from hasync.model.names import nearest

if TYPE_CHECKING:  # only to name them: --help, --version and completion must not wait for what others need
    from hasync.coordination import Drills, Members, StreamCatalog, StreamCoordination
    from hasync.drill.probe import BeatCounts, BeatTable
    from hasync.model.check import Check
    from hasync.model.config import StreamConfig
    from hasync.model.drain import Drain
    from hasync.model.provision import Provisioned
    from hasync.model.secret import SecretReference
    from hasync.ports import ChangeSource, Clock, Sink
    from hasync.settings import Settings

OUTPUT_VARIABLE: Final = "HASYNC_OUTPUT"


class Provision(Protocol):
    """Makes the tree of the streams named; see ``hasync.cluster.provision``."""

    def __call__(self, streams: Sequence[str], *, execute: bool, fix_acl: bool) -> "tuple[Provisioned, ...]":
        """Return what was found and done. Raises as ``hasync.cluster.provision.Provisioner`` does."""


class Drains(Protocol):
    """The wishes that instances lead nothing; ``hasync.cluster.drains.DrainList``."""

    def put(self, drain: "Drain") -> None:
        """Write or replace a member's. Raises CoordinationUnavailable, CoordinationRefused."""

    def clear(self, member: str) -> bool:
        """Take a member's away; False when there was none. Raises CoordinationUnavailable, CoordinationRefused."""

    def list(self) -> "tuple[Drain, ...]":
        """Return all. Raises CoordinationUnavailable, CoordinationRefused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """An open session with ZooKeeper, and the ports of all streams in it.

    ``checks``: what ``doctor`` looks at; ``drills``: by stream; ``provision``: makes the tree;
    ``depose``: takes a stream's lock from a holder. The session contends for nothing by itself.
    """

    members: "Members"
    catalog: "StreamCatalog"
    stream: "Callable[[str], StreamCoordination]"
    checks: "Callable[[], tuple[Check, ...]]"
    drills: "Callable[[str], Drills]"
    provision: Provision
    drains: "Drains"
    depose: "Callable[[str, str], bool]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAccount:
    """Who writes a drill's own rows. ``host`` empty: the first of the config's source."""

    table: str
    user: str
    password: "SecretReference | None"
    host: str = ""


class Servers(Protocol):
    """The source and the sink of one stream's config."""

    def sink(self) -> "Sink":
        """Build the sink. Raises ConfigInvalid when a secret cannot be read."""

    def source(self) -> "ChangeSource":
        """Build a source under a server id of its own, so that no leader's dump is cut off. Raises ConfigInvalid."""

    def probe(self, account: "ProbeAccount") -> "tuple[BeatTable, BeatCounts]":
        """Build both ends of a drill's probe. Raises ConfigInvalid."""

    def checks(self) -> "tuple[Check, ...]":
        """Look at both as ``doctor`` does. Never raises for what a server does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """The world around a command; a test hands in another one.

    ``interactive``: somebody can answer a question. ``connect`` and ``servers`` build
    adapters; ``work`` is the instance itself and returns its exit code, with a lifeline to
    its supervisor if it was given one; ``supervise`` turns this process into that
    supervisor. ``installation``: what ``doctor`` says of hasync as it is installed here.
    """

    environ: Mapping[str, str]
    clock: "Clock"
    hostname: str
    user: str
    pid: int
    interactive: bool
    connect: Callable[["Invocation"], AbstractContextManager[Cluster]]
    servers: "Callable[[Invocation, str, StreamConfig], Servers]"
    work: Callable[["Invocation", threading.Event, int | None], int]
    supervise: Callable[["Invocation"], int]
    installation: "Callable[[], tuple[Check, ...]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the options before the command say, None where they say nothing."""

    zookeeper: str | None = None
    root: str | None = None
    timeout_s: float | None = None
    settings_file: Path | None = None

    def variables(self) -> dict[str, str]:
        """Return them as the variables they stand for, so that settings check both alike."""
        values = {
            "HASYNC_ZOOKEEPER__HOSTS": self.zookeeper,
            "HASYNC_ZOOKEEPER__ROOT": self.root,
            "HASYNC_ZOOKEEPER__CONNECT_TIMEOUT_S": None if self.timeout_s is None else f"{self.timeout_s:g}",
        }
        return {name: value for name, value in values.items() if value is not None}


class Invocation:
    """One call of a command."""

    def __init__(self, *, outside: Outside, overrides: Overrides) -> None:
        """Nothing is read before it is asked for."""
        self.outside = outside
        self.clock = outside.clock
        self._overrides = overrides

    def with_settings_file(self, file: Path | None) -> "Invocation":
        """Return this call with another settings file; with the same one for None."""
        settings_file = file or self._overrides.settings_file
        return Invocation(outside=self.outside, overrides=replace(self._overrides, settings_file=settings_file))

    @cached_property
    def settings(self) -> "Settings":
        """The instance's settings, with the command's own options in them. Ends with exit code 2 when they are bad."""
        from hasync.settings import load  # noqa: PLC0415 - see above

        environ = {**self.outside.environ, **self._overrides.variables()}
        try:
            return load(
                environ,
                file=self._overrides.settings_file,
                hostname=self.outside.hostname,
                reserved={OUTPUT_VARIABLE},
            )
        except ConfigInvalid as invalid:
            explain(invalid)
            raise typer.Exit(2) from invalid

    @property
    def operator(self) -> str:
        """Who asks, as config revisions and intents keep it."""
        return f"{self.outside.user}@{self.outside.hostname}"

    @property
    def member(self) -> str:
        """The name under which this process takes the election's lock for a moment."""
        host = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in self.outside.hostname)
        return f"cli-{host[:40]}-{self.outside.pid}"

    def connect(self) -> AbstractContextManager[Cluster]:
        """Open a session for the time of a ``with``. Raises CoordinationUnavailable, which names the hosts."""
        return self.outside.connect(self)

    def servers(self, stream: str, config: "StreamConfig") -> Servers:
        """Return the doors to the servers of a config."""
        return self.outside.servers(self, stream, config)

    def stream(self, asked: str | None) -> str:
        """Return the stream that is meant. Raises typer.BadParameter when that is not clear."""
        names = self.settings.streams
        if asked or len(names) == 1:
            return asked or names[0]
        known = f"HASYNC_STREAMS names {', '.join(names)}" if names else "HASYNC_STREAMS names none"
        raise typer.BadParameter(f"say which stream with --stream NAME ({known})", param_hint="--stream")


def invocation(ctx: typer.Context) -> Invocation:
    """Return what the root command left for its commands."""
    return cast("Invocation", ctx.obj)


def existing(cluster: Cluster, stream: str) -> "StreamCoordination":
    """Return a stream's ports. Raises HasyncError when nobody has made it yet."""
    names = cluster.catalog.names()
    if stream not in names:
        raise HasyncError(
            f"there is no stream {stream!r} in ZooKeeper",
            hint=f"{nearest(stream, names) or 'there is none at all'}; 'hasync config apply' makes one",
        )
    return cluster.stream(stream)


def meant(call: Invocation, cluster: Cluster, asked: str | None, *, every: bool) -> "list[StreamCoordination]":
    """Return the ports of the stream that is meant, or of all. Raises HasyncError, typer.BadParameter."""
    if not every:
        return [existing(cluster, call.stream(asked))]
    if asked:
        raise typer.BadParameter("--all and --stream exclude each other", param_hint="--all")
    names = cluster.catalog.names()
    if not names:
        raise HasyncError("there is no stream in ZooKeeper", hint="'hasync config apply' makes one")
    return [cluster.stream(name) for name in names]
