"""Asking before something is done that interrupts a stream or moves it."""

import typer

from hasync.cli.invocation import Invocation
from hasync.errors import HasyncError


def ask(call: Invocation, question: str, *, yes: bool) -> None:
    """Ask whoever is there, unless ``yes``. Raises HasyncError when the answer is no, or there is nobody to ask."""
    if yes:
        return
    if not call.outside.interactive:
        raise HasyncError("not confirmed, and there is nobody to ask", hint="add --yes to do it without a question")
    if not typer.confirm(question, err=True):
        raise HasyncError("declined, nothing is changed")
