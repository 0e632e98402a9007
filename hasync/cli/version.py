"""``hasync version``: what runs here."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Final

import typer

from hasync import __version__
from hasync.cli.options import Format, OutputOption
from hasync.cli.output import emit, facts

app = typer.Typer(rich_markup_mode=None, add_completion=False)

LIBRARIES: Final = ("kazoo", "PyMySQL", "mysql-replication", "redis", "typer")


@app.command()
def version(*, output: OutputOption = Format.TABLE) -> None:
    """Print which release this is, and what it runs on.

    Python, the machine, the drivers, and whether the binlog codec is compiled; for a bug report. 'hasync --version'
    is the release alone.
    """
    from hasync.binlog.codec import COMPILED  # noqa: PLC0415 - --help must not wait for it

    document = {
        "hasync": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "codec": "compiled" if COMPILED else "uncompiled",
        **{name: _installed(name) for name in LIBRARIES},
    }
    emit(document, output, facts(*document.items()))


def _installed(name: str) -> str:
    try:
        return installed(name)
    except PackageNotFoundError:
        return "not installed"
