"""What is said to the person at the terminal: always on standard error, so that standard output is data only."""

import typer

from hasync.errors import HasyncError


def say(text: str) -> None:
    """Say how things are going."""
    typer.echo(text, err=True)


def warn(text: str) -> None:
    """Say what should be looked at, though the command goes on."""
    typer.echo(f"warning: {text}", err=True)


def explain(error: HasyncError) -> None:
    """Say what went wrong, every problem of it on a line of its own, and what to do."""
    problems = getattr(error, "problems", ())
    typer.echo(f"error: {error.message}", err=True)
    for problem in problems:
        if problem not in error.message:  # a single one may be the message
            typer.echo(f"  {problem}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)
