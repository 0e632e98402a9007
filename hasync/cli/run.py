"""``hasync run``: the instance itself."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from hasync.cli.invocation import invocation
from hasync.cli.messages import explain
from hasync.errors import ConfigInvalid

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def run(
    ctx: typer.Context,
    *,
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file of settings; the same as before the command.")
    ] = None,
) -> None:
    """Run an instance.

    It stands ready to lead the streams of HASYNC_STREAMS, and leads those that it is
    elected for. On SIGTERM or SIGINT it applies what was read, acknowledges, hands over,
    and exits with 0. It exits with 1 when ZooKeeper refuses it for good, with 2 when its
    settings are wrong. A second SIGINT ends it at once.
    """
    call = invocation(ctx).with_settings_file(settings)
    stop = threading.Event()
    try:
        with _told_by_signals(stop):
            code = call.outside.work(call, stop)
    except ConfigInvalid as invalid:
        explain(invalid)
        raise typer.Exit(2) from invalid
    raise typer.Exit(code)


@contextmanager
def _told_by_signals(stop: threading.Event) -> Iterator[None]:
    """Set ``stop`` on SIGTERM and SIGINT. Called from: the main thread."""

    def told(number: int, _: FrameType | None) -> None:
        stop.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever presses it twice means it

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
