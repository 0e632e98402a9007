"""The drill of one stream in memory: the same promises as ``hasync.cluster.drills``."""

import threading
from collections.abc import Callable

from hasync.coordination import Drills
from hasync.errors import CoordinationUnavailable
from hasync.model.drill import Answer, Order


class FakeDrills:
    """Keeps one order; ``answers`` are all that were given to it, in order.

    ``away``: so many of the next answers meet a ZooKeeper that does not answer.
    ``on_ask``: what an instance does when it sees an order.
    """

    def __init__(self) -> None:
        """Begin without an order."""
        self.order: Order | None = None
        self.answers: list[Answer] = []
        self.away = 0
        self.on_ask: Callable[[Order], object] = lambda _: None

    def get(self, wake: threading.Event | None = None) -> Order | None:
        """Read the order."""
        return self.order

    def ask(self, order: Order) -> bool:
        """Keep the order if there is none."""
        if self.order is not None and self.order.id != order.id:
            return False
        self.order = order
        self.on_ask(order)
        return True

    def answer(self, order: Order, answer: Answer) -> bool:
        """Write the answer."""
        if self.away:
            self.away -= 1
            raise CoordinationUnavailable("away")
        if self.order is None or self.order.id != order.id:
            return False
        self.order = order.answered(answer)
        self.answers.append(answer)
        return True

    def withdraw(self, order: Order) -> None:
        """Forget this order."""
        if self.order is not None and self.order.id == order.id:
            self.order = None


def _conforms(drills: FakeDrills) -> Drills:
    """Have mypy hold the class to its port."""
    return drills
