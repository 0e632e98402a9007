"""The handler of the stream: a lost or doubled change would falsify a counter for ever."""

from collections.abc import Iterable

from hasync.model.command import Command, command
from hasync.stream.handlers import RowChange, needs


@needs("id")
def count(changes: Iterable[RowChange]) -> list[Command]:
    """Add one to the row's counter for each change of it."""
    return [command("INCRBY", f"count:{(change.new or change.old)['id']}", 1) for change in changes]
