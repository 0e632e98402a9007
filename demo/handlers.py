"""The demo's handler: counters whose every increment must count exactly once.

Named in ``stream.yaml`` as ``demo.handlers:count_orders``. Nothing here is idempotent,
on purpose: a batch applied twice, or not at all, shows in these numbers for ever.
"""

from collections import Counter
from collections.abc import Iterable

from hasync.model.change import Operation
from hasync.model.command import Command, command
from hasync.stream.handlers import RowChange, needs

STATUS_KEY = "stats:status"
CHANGES_KEY = "stats:changes"


def orders_key(user_id: object) -> str:
    """Return the key that counts a user's orders."""
    return f"stats:orders:{user_id}"


@needs("user_id", "status")
def count_orders(changes: Iterable[RowChange]) -> list[Command]:
    """Turn changes of ``test.orders`` into increments: orders per user, orders per status, changes per operation."""
    users: Counter[object] = Counter()
    statuses: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    for change in changes:
        operations[Operation(change.operation).value] += 1
        for image, step in ((change.old, -1), (change.new, +1)):
            if image:
                users[image["user_id"]] += step
                statuses[str(image["status"])] += step
    return [
        *(command("INCRBY", orders_key(user), step) for user, step in users.items() if step),
        *(command("HINCRBY", STATUS_KEY, status, step) for status, step in statuses.items() if step),
        *(command("HINCRBY", CHANGES_KEY, operation, step) for operation, step in operations.items()),
    ]
