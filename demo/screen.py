"""Shows the drill: live on a terminal, as plain lines anywhere else."""

import sys
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.picture import Picture, Seat

_MOST_EVENTS = 14
_STYLES = {"leader": "bold green", "standby": "cyan"}


class Screen(Protocol):
    """Something that shows moments and events; a context manager."""

    def show(self, picture: Picture) -> None:
        """Show how things are now; called several times a second."""

    def tell(self, elapsed_s: float, event: str) -> None:
        """Show an event of the drill, with the seconds since the start."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last moment standing, so that the verdict follows below it."""


def screen_for(stream: TextIO = sys.stdout) -> Screen:
    """Return what suits the stream."""
    return LiveScreen(Console(file=stream)) if stream.isatty() else PlainScreen(stream)


class PlainScreen:
    """One line a second, and one for each event."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown_s = -1

    def show(self, picture: Picture) -> None:
        """Write one line, unless this second has one."""
        if int(picture.elapsed_s) != self._shown_s:
            self._shown_s = int(picture.elapsed_s)
            self._write(picture.elapsed_s, describe(picture))

    def tell(self, elapsed_s: float, event: str) -> None:
        """Write one line with a mark in front."""
        self._write(elapsed_s, f"* {event}")

    def _write(self, elapsed_s: float, text: str) -> None:
        print(f"[{elapsed_s:5.1f}s] {text}", file=self._stream, flush=True)

    def __enter__(self) -> Self:
        """Nothing to prepare."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put back."""


class LiveScreen:
    """A picture that is drawn over and over; events scroll inside it."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._events: list[tuple[float, str]] = []
        self._picture: Picture | None = None

    def show(self, picture: Picture) -> None:
        """Draw the moment."""
        self._picture = picture
        self._draw()

    def tell(self, elapsed_s: float, event: str) -> None:
        """Add the event to the list and draw."""
        self._events.append((elapsed_s, event))
        self._draw()

    def _draw(self) -> None:
        if self._picture:
            self._live.update(_frame(self._picture, self._events), refresh=True)

    def __enter__(self) -> Self:
        """Take the lines below the cursor."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the cursor back below the last picture."""
        self._live.stop()


def describe(picture: Picture) -> str:
    """Put a moment into one line."""
    seats = " ".join(f"{seat.member}={seat.status.state}" for seat in picture.seats) or "no instance yet"
    return (
        f"{picture.phase} | {seats} | {_epoch(picture)} lag {_lag(picture)}"
        f" | {picture.source} {picture.tally.rows} rows {picture.source_rows_per_s:.0f}/s"
        f" | redis {picture.sink_rows} rows {picture.sink_rows_per_s:.0f}/s"
    )


def _epoch(picture: Picture) -> str:
    return f"epoch {picture.state.epoch} batch {picture.state.seq}" if picture.state else "epoch -"


def _lag(picture: Picture) -> str:
    return "-" if picture.lag_s is None else f"{picture.lag_s:.3f}s"


def _frame(picture: Picture, events: list[tuple[float, str]]) -> RenderableType:
    title = f"hasync demo · {picture.phase} · {picture.elapsed_s:.0f} s"
    return Panel(Group(_servers(picture), _seats(picture), _figures(picture), _events(events)), title=title)


def _servers(picture: Picture) -> RenderableType:
    return Text("   ".join(f"{name} {address}" for name, address in picture.servers), style="dim")


def _seats(picture: Picture) -> RenderableType:
    table = Table(expand=True, box=None, padding=(0, 2, 0, 0))
    for heading in ("instance", "pid", "role", "epoch", "lag", "position", "rows applied"):
        table.add_column(heading)
    for seat in picture.seats:
        table.add_row(*_seat(seat))
    return table


def _seat(seat: Seat) -> tuple[RenderableType, ...]:
    status = seat.status
    lag = "" if status.lag_s is None else f"{status.lag_s:.3f} s"
    return (
        Text(seat.member),
        Text(str(seat.pid)),
        Text(status.state, style=_STYLES.get(status.state, "yellow")),
        Text(str(status.epoch or "") if status.leads else ""),
        Text(lag),
        Text(status.position),
        Text("" if status.rows is None else f"{status.rows:,}"),
    )


def _figures(picture: Picture) -> RenderableType:
    table = Table.grid(expand=True, padding=(1, 2, 0, 0))
    table.add_row(
        Text(_epoch(picture), style="bold"),
        Text(f"lag {_lag(picture)}", style="bold"),
        Text(f"{picture.source} {picture.source_rows_per_s:,.0f} rows/s ({picture.tally.rows:,})"),
        Text(f"redis {picture.sink_rows_per_s:,.0f} rows/s ({picture.sink_rows:,})"),
    )
    clients = f"clients: {picture.tally.transactions:,} transactions, {picture.tally.rolled_back:,} rolled back"
    return Group(table, Text(clients, style="dim"), Text())


def _events(events: list[tuple[float, str]]) -> RenderableType:
    lines = [f"{elapsed_s:6.1f} s  {event}" for elapsed_s, event in events[-_MOST_EVENTS:]]
    return Text("\n".join(lines))
