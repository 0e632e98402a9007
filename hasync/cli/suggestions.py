"""Names for the shell's completion, asked of ZooKeeper; when it does not answer at once there are none."""

import contextlib
import io
from collections.abc import Callable, Iterable
from typing import Final

import typer

from hasync.cli.invocation import Cluster, Invocation, Outside, Overrides
from hasync.errors import HasyncError

WITHIN_S: Final = 1.0
"""Nobody waits longer for a key press."""


def stream_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Name the streams that begin so."""
    return _asked(ctx, incomplete, lambda cluster: cluster.catalog.names())


def member_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Name the instances that begin so."""
    return _asked(ctx, incomplete, lambda cluster: [member.id for member in cluster.members.list()])


def _asked(ctx: typer.Context, incomplete: str, names: Callable[[Cluster], Iterable[str]]) -> list[str]:
    """Ask a cluster. No message is written: it would land in the line that somebody types."""
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            with _invocation(ctx).connect() as cluster:
                return [name for name in names(cluster) if name.startswith(incomplete)]
        except (HasyncError, typer.Exit):
            return []


def _invocation(ctx: typer.Context) -> Invocation:
    """Return what the options before the command say; the root command itself is not run for a completion."""
    root = ctx.find_root()
    given = root.params
    overrides = Overrides(
        zookeeper=given.get("zookeeper"),
        root=given.get("znode"),
        timeout_s=WITHIN_S,
        settings_file=given.get("settings"),
    )
    return Invocation(outside=root.obj if isinstance(root.obj, Outside) else _world(), overrides=overrides)


def _world() -> Outside:
    from hasync.cli.doors import outside_world  # noqa: PLC0415 - brings kazoo, which no other completion needs

    return outside_world()
