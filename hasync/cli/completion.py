"""``hasync completion``: the shell's side of completion."""

from enum import StrEnum
from typing import Annotated

import typer
from typer._completion_shared import get_completion_script

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class Shell(StrEnum):
    """Shells that a script is made for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell that is to complete.")],
) -> None:
    """Print the script that completes commands, streams and members in a shell.

    Names of streams and members come from ZooKeeper, if it answers within a second;
    HASYNC_ZOOKEEPER__HOSTS has to be set in the shell, or --zookeeper typed. 'hasync
    --install-completion' puts the script into the shell's own files instead.

    \b
    source <(hasync completion bash)
    hasync completion fish > ~/.config/fish/completions/hasync.fish
    """  # noqa: D301 - \b keeps the lines of the examples apart
    typer.echo(get_completion_script(prog_name="hasync", complete_var="_HASYNC_COMPLETE", shell=shell.value))
