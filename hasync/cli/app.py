"""The root command ``hasync`` and the options that all commands share."""

from pathlib import Path
from typing import Annotated

import typer

from hasync import __version__
from hasync.cli.invocation import Invocation, Outside, Overrides
from hasync.cli.options import seconds
from hasync.cli.tree import CommandTree

app = typer.Typer(
    name="hasync",
    cls=CommandTree,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"hasync {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    *,
    zookeeper: Annotated[
        str | None,
        typer.Option(
            envvar="HASYNC_ZOOKEEPER__HOSTS", metavar="HOSTS", help="Servers of the ensemble, separated by commas."
        ),
    ] = None,
    znode: Annotated[
        str | None,
        typer.Option(
            "--root", envvar="HASYNC_ZOOKEEPER__ROOT", metavar="ZNODE", help="Where the deployment lives in ZooKeeper."
        ),
    ] = None,
    timeout_s: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            envvar="HASYNC_ZOOKEEPER__CONNECT_TIMEOUT_S",
            parser=seconds,
            metavar="DURATION",
            help="How long to wait for ZooKeeper, such as 5s.",
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(envvar="HASYNC_SETTINGS_FILE", metavar="FILE", help="YAML file of settings (docs/settings.md)."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep Redis in step with MySQL or MariaDB, through the loss of any machine.

    Exit codes: 0 done, 1 failed or declined, 2 wrong usage or settings, 3 degraded
    (status), 130 interrupted. Data goes to standard output, messages to standard error.
    """
    outside = ctx.obj if isinstance(ctx.obj, Outside) else _outside_world()
    overrides = Overrides(zookeeper=zookeeper, root=znode, timeout_s=timeout_s, settings_file=settings)
    ctx.obj = Invocation(outside=outside, overrides=overrides)


def _outside_world() -> Outside:
    # Here and not above: the doors bring all drivers with them, and --help needs none.
    from hasync.cli.doors import outside_world  # noqa: PLC0415

    return outside_world()
