"""Showing streams once, or again and again."""

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from hasync.cli.instances import document, instances
from hasync.cli.invocation import Cluster, Invocation, existing
from hasync.cli.messages import say
from hasync.cli.options import Format
from hasync.cli.output import console, emit
from hasync.cli.wording import moment
from hasync.errors import CoordinationUnavailable
from hasync.fleet.leaderstatus import ask_leader
from hasync.fleet.summary import Facts, Summary

WATCH_EVERY_S: Final = 2.0

Picture = Callable[[Sequence[Summary], float], Sequence[RenderableType]]
"""What people are shown of summaries, at a moment in Unix seconds."""


def summarise(cluster: Cluster, asked: Sequence[str]) -> list[Summary]:
    """Look at the streams asked for, or at all. Raises HasyncError for one that does not exist."""
    members = cluster.members.list()
    running = {name for member in members for name in member.streams}
    for name in set(asked) - running:
        existing(cluster, name)
    names = asked or sorted({*cluster.catalog.names(), *running})
    return [_summary(Facts.read(cluster.stream(name), members)) for name in names]


def _summary(read: Facts) -> Summary:
    told = ask_leader(read.leader, read.stream) if read.leader else None
    return Summary(facts=read, told=told)


class Screen:
    """Where summaries are shown: as data, or as the picture that a command makes of them."""

    def __init__(self, call: Invocation, cluster: Cluster, output: Format, picture: Picture) -> None:
        self._call = call
        self._cluster = cluster
        self._output = output
        self._picture = picture

    def show(self, summaries: Sequence[Summary], *, repeated: bool = False) -> None:
        """Write them once; ``repeated``: others follow."""
        if not summaries:
            say(f"no stream below {self._call.settings.zookeeper.root}; 'hasync config apply' makes one")
        told = {
            "streams": [summary.to_json() for summary in summaries],
            "instances": [document(each) for each in instances(summaries)],
        }
        emit(told, self._output, *self._picture(summaries, self._call.clock.wall()), repeated=repeated)

    def watch(self, asked: Sequence[str]) -> None:
        """Show them again and again; ends by KeyboardInterrupt."""
        never, screen, clock = threading.Event(), console(), self._call.clock
        if self._output is not Format.TABLE or not sys.stdout.isatty():
            while True:
                self.show(summarise(self._cluster, asked), repeated=True)
                clock.wait(never, WATCH_EVERY_S)
        with Live(console=screen, auto_refresh=False, screen=True, vertical_overflow="crop") as live:
            while True:
                live.update(self._frame(asked), refresh=True)
                clock.wait(never, WATCH_EVERY_S)

    def _frame(self, asked: Sequence[str]) -> RenderableType:
        now_s = self._call.clock.wall()
        try:
            summaries = summarise(self._cluster, asked)
        except CoordinationUnavailable as error:
            return Text(f"{moment(now_s)}  ZooKeeper does not answer: {error.message}", style="bold red")
        head = f"{moment(now_s)}  every {WATCH_EVERY_S:g} s, Ctrl-C ends"
        return Group(Text(head, style="dim"), *self._picture(summaries, now_s))
