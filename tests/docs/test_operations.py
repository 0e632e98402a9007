"""Tables of operations.md that are made from the code: log events."""

from hasync.logs import Event
from hasync.supervisor.log import TEXTS
from tests.docs.pages import page


def events() -> str:
    """Return the table of the page: the worker's events in the order of the code, then the supervisor's."""
    rows = [(str(event), event.text) for event in Event] + list(TEXTS.items())
    lines = ["| event | means |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows)]
    return "\n".join(lines)


def test_every_log_event_is_listed() -> None:
    """Whoever finds an event in a log finds it on the page; paste the table that is missing."""
    _, _, rest = page("operations.md").text.partition("<!-- events -->")
    table, end, _ = rest.partition("<!-- /events -->")
    assert end
    assert table.strip() == events()
