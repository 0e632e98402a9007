"""Parts of pages that are made from the code. ``python -m tests.docs.generated`` writes them anew."""

from collections.abc import Callable
from dataclasses import dataclass

from hasync.logs import Event
from hasync.model.reference import reference
from hasync.supervisor.log import TEXTS
from tests.docs.pages import DOCS

REMEDY = "run: .venv/bin/python -m tests.docs.generated"


def events() -> str:
    """Return the table of log events: the worker's in the order of the code, then the supervisor's."""
    rows = [(str(event), event.text) for event in Event] + list(TEXTS.items())
    return "\n".join(["| event | means |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows)])


@dataclass(frozen=True, slots=True)
class Part:
    """What stands between two marks of a page; an empty ``end`` is the page's end."""

    page: str
    begin: str
    end: str
    make: Callable[[], str]

    def split(self) -> tuple[str, str, str]:
        """Return the page in front of the part, the part, and what is behind it."""
        text = (DOCS / self.page).read_text()
        before, mark, rest = text.partition(self.begin)
        assert mark, f"{self.page} lacks {self.begin}"
        part, end, after = rest.partition(self.end) if self.end else (rest, "", "")
        return before + mark, part, end + after

    def write(self) -> None:
        """Put what the code says now into the page."""
        before, _, after = self.split()
        behind = f"\n\n{after}" if after else "\n"
        (DOCS / self.page).write_text(f"{before}\n\n{self.make().strip()}{behind}")


PARTS = (
    Part("configuration.md", "<!-- generated: the reference -->", "", reference),
    Part("operations.md", "<!-- generated: events -->", "<!-- end -->", events),
)

if __name__ == "__main__":
    for one in PARTS:
        one.write()
