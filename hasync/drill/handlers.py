"""The handler that counts the probe's rows; a stream's config names it as ``hasync.drill.handlers:beat``."""

from collections.abc import Iterable
from typing import Final

from hasync.model.change import Operation
from hasync.model.command import Command, command
from hasync.stream.handlers import RowChange, needs

KEPT_S: Final = 3600
"""How long the counters outlive a drill that could not remove them, in seconds."""


def counts_key(drill: object) -> str:
    """Return the key of a drill's counters, a hash from row to how often it was applied."""
    return f"hasync-drill:{drill}"


@needs("drill", "beat")
def beat(changes: Iterable[RowChange]) -> list[Command]:
    """Count each new row. Not idempotent, on purpose: a row that is applied twice shows."""
    found: list[Command] = []
    drills = set()
    for change in changes:
        if change.operation is Operation.INSERT:
            drills.add(change.new["drill"])
            found.append(command("HINCRBY", counts_key(change.new["drill"]), str(change.new["beat"]), 1))
    return [*found, *(command("EXPIRE", counts_key(drill), KEPT_S) for drill in sorted(drills))]
