"""Handlers whose effect counts: doubled or lost changes show in the numbers."""

from collections import Counter
from collections.abc import Iterable

from hasync.model.command import Command, command
from hasync.stream.handlers import RowChange, needs


def count_changes(changes: Iterable[RowChange]) -> list[Command]:
    """Add one to the account's counter for every change of its row."""
    return [command("INCRBY", f"changes:{(change.new or change.old)['id']}", 1) for change in changes]


@needs("id")
def sums(changes: Iterable[RowChange]) -> list[Command]:
    """Count rows and add their ids up, in 97 buckets, so that few keys tell which of millions of rows is missing."""
    counts: Counter[str] = Counter()
    for change in changes:
        number = int((change.new or change.old)["id"])
        counts["large:rows"] += 1
        counts[f"large:count:{number % 97}"] += 1
        counts[f"large:sum:{number % 97}"] += number
    return [command("INCRBY", key, count) for key, count in counts.items()]
