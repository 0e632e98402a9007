"""``hasync run``: the instance itself."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from hasync.cli.invocation import Invocation, invocation
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
    supervised: Annotated[
        bool,
        typer.Option(
            "--supervisor/--no-supervisor",
            help="Run the work in a child that is watched and replaced; without, in this process (for a debugger).",
        ),
    ] = True,
    lifeline: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run an instance.

    It stands ready to lead the streams of HASYNC_STREAMS, and leads those that it is
    elected for. On SIGTERM, SIGINT or SIGHUP it applies what was read, acknowledges, hands
    over, and exits with 0. It exits with 1 when ZooKeeper refuses it for good, with 2 when
    its settings are wrong, with 70 when its worker crashed ten times in a row
    (supervisor.give_up_after), with 137 when the worker had to be killed in the end. A
    second SIGINT ends it at once, with 130.

    This process is a small supervisor; the work is done by a child of it. When that dies
    or hangs, its ZooKeeper session is closed at once, so that another instance leads
    within milliseconds, and it is started again.
    """
    call = invocation(ctx).with_settings_file(settings)
    try:
        code = _worker(call, lifeline) if lifeline is not None or not supervised else call.outside.supervise(call)
    except ConfigInvalid as invalid:
        explain(invalid)
        raise typer.Exit(2) from invalid
    raise typer.Exit(code)


def _worker(call: Invocation, lifeline: int | None) -> int:
    """Do the work in this process; return the exit code. Raises ConfigInvalid."""
    stop = threading.Event()
    with _told_by_signals(stop, supervised=lifeline is not None):
        return call.outside.work(call, stop, lifeline)


@contextmanager
def _told_by_signals(stop: threading.Event, *, supervised: bool) -> Iterator[None]:
    """Set ``stop`` on SIGTERM, SIGHUP and SIGINT. Called from: the main thread.

    A terminal sends Ctrl-C to the supervisor and its worker alike; the supervisor alone
    heeds it and says SIGTERM, or each press would count twice.
    """

    def told(number: int, _: FrameType | None) -> None:
        stop.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever presses it twice means it

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN if supervised else told)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
