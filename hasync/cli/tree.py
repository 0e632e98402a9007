"""The tree of commands: each module is imported only when its command is called, and errors end in one place."""

import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import typer
from typer._click.shell_completion import CompletionItem
from typer.core import TyperGroup

from hasync.cli.messages import explain
from hasync.cli.usage import in_words
from hasync.errors import HasyncError

SECTIONS: Final = {
    "Run": {
        "run": ("run", "Run an instance."),
        "init-zk": ("initzk", "Make the tree in ZooKeeper that instances and operators write into."),
    },
    "Look": {
        "list": ("listing", "List streams: state, leader, lag."),
        "status": ("status", "Show leaders, positions, lag and trouble."),
        "history": ("history", "Show who led a stream, and why it ended."),
        "doctor": ("doctor", "Look at all servers as an instance would."),
    },
    "Act": {
        "switchover": ("switchover", "Have another instance lead a stream, in order."),
        "failover": ("failover", "Have another instance lead a stream, though its leader does not answer."),
        "pause": ("pause", "Pause a stream, or all, until resumed: maintenance."),
        "resume": ("resume", "Let a paused or halted stream, or all, go on."),
        "member": ("member", "Look at instances, and have one give its streams away."),
        "position": ("position", "Look at a stream's positions, or move it by hand."),
        "drill": ("drill", "Failover drills, with a report and a verdict."),
    },
    "Configure": {
        "config": ("config", "Apply, edit, look at and take back the config documents of streams."),
    },
    "About hasync": {
        "metrics": ("metrics", "List the metrics that an instance serves."),
        "completion": ("completion", "Print the script that completes commands, streams and members in a shell."),
        "version": ("version", "Print which release this is, and what it runs on."),
    },
}
"""Command, its module in this package, and its line in the help: nothing is imported to print that."""

MODULES: Final = {name: module for section in SECTIONS.values() for name, (module, _) in section.items()}
"""The module of each command; its ``app`` is a typer application."""

SUMMARIES: Final = {name: summary for section in SECTIONS.values() for name, (_, summary) in section.items()}


BROKEN_PIPE: Final = 141
"""Exit code of a process that SIGPIPE ended, as shells count it."""


class CommandModules(Mapping[str, Any]):
    """Commands by name, loaded when asked for: ``hasync run`` does not wait for what ``doctor`` needs."""

    def __getitem__(self, name: str) -> Any:
        """Import the command's module. Raises KeyError."""
        module = import_module(f"hasync.cli.{MODULES[name]}")
        command = typer.main.get_command(module.app)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        """Name the commands, in the order of help."""
        return iter(MODULES)

    def __len__(self) -> int:
        """Count the commands."""
        return len(MODULES)


class CommandTree(TyperGroup):
    """The root of all commands, and their top frame."""

    def __init__(self, **attributes: Any) -> None:
        """Replace typer's commands by those of :data:`MODULES`."""
        super().__init__(**attributes)
        self.commands: Any = CommandModules()

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - of the library
        """Write the commands' lines of the help, without loading them."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in section.items()], col_max=12)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete the first word: a command, or an option before it."""
        if incomplete.startswith("-"):
            return list(super().shell_complete(ctx, incomplete))
        return [CompletionItem(name, help=text) for name, text in SUMMARIES.items() if name.startswith(incomplete)]

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what hasync raises on purpose becomes a message and exit code 1."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as wrong:
            raise in_words(wrong)  # noqa: B904 - it is the same one, and typer shows it
        except HasyncError as error:
            explain(error)
            raise typer.Exit(1) from error
        except BrokenPipeError:  # the reader (head, less) has seen enough; Python would complain once more at its end
            sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
            raise typer.Exit(BROKEN_PIPE) from None
