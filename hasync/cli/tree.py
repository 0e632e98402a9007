"""The tree of commands: each module is imported only when its command is called, and errors end in one place."""

import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup

from hasync.cli.messages import explain
from hasync.cli.usage import in_words
from hasync.errors import HasyncError

MODULES: Final = {
    "run": "hasync.cli.run",
    "status": "hasync.cli.status",
    "history": "hasync.cli.history",
    "switchover": "hasync.cli.switchover",
    "pause": "hasync.cli.pause",
    "resume": "hasync.cli.resume",
    "drill": "hasync.cli.drill",
    "position": "hasync.cli.position",
    "config": "hasync.cli.config",
    "init-zk": "hasync.cli.initzk",
    "doctor": "hasync.cli.doctor",
}
"""The module of each command; its ``app`` is a typer application."""


BROKEN_PIPE: Final = 141
"""Exit code of a process that SIGPIPE ended, as shells count it."""


class CommandModules(Mapping[str, Any]):
    """Commands by name, loaded when asked for: ``hasync run`` does not wait for what ``doctor`` needs."""

    def __getitem__(self, name: str) -> Any:
        """Import the command's module. Raises KeyError."""
        module = import_module(MODULES[name])
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
