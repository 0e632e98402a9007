"""A handler whose effect counts: doubled or lost changes show in the number."""

from collections.abc import Iterable

from hasync.model.command import Command, command
from hasync.stream.handlers import RowChange


def count_changes(changes: Iterable[RowChange]) -> list[Command]:
    """Add one to the account's counter for every change of its row."""
    return [command("INCRBY", f"changes:{(change.new or change.old)['id']}", 1) for change in changes]
