"""Work inside one event that is done a bit at a time: a compressed transaction, an XA transaction that commits."""

from collections.abc import Callable, Generator, Iterator

from hasync.binlog.frames import Event

Work = Generator[None, None, None]


class Steps:
    """A stack of generators: what one of them begins is done before it goes on."""

    def __init__(self) -> None:
        self._stack: list[Work] = []

    def __bool__(self) -> bool:
        """Whether there is work left."""
        return bool(self._stack)

    def begin(self, work: Work) -> None:
        """Do this first."""
        self._stack.append(work)

    def run(self, most: int, enough: Callable[[], bool]) -> None:
        """Take at most so many steps, fewer when it is ``enough``. Raises what the work raises."""
        for _ in range(most):
            if not self._stack or enough():
                return
            work = self._stack[-1]
            try:
                next(work)
            except StopIteration:
                self._stack.remove(work)

    def close(self) -> None:
        """Drop all work; connections that it holds are closed."""
        while self._stack:
            self._stack.pop().close()


def each(
    events: Iterator[Event | None], handle: Callable[[Event], None], end: Callable[[], None] = lambda: None
) -> Work:
    """Handle one event a step, then come to the ``end``; a None only takes a step."""
    for event in events:
        if event is not None:
            handle(event)
        yield
    end()
