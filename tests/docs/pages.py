"""The docs as data: pages, their blocks, spans, links and anchors, as Markdown readers of GitHub's kind see them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n`]*\n(?P<text>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL
)
_SHOWS = re.compile(r"<!-- shows: *([^\n]*?) *-->\s*\Z")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_HEADING = re.compile(r"^#{1,6} +(.*?)(?: +#+)?$", re.MULTILINE)
_ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
_RUN = re.compile(r"<!-- run: *(.*?) *-->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block.

    ``line``: of its first line of text; ``heading``: the nearest one above; ``shows``: what its output must
    match (a ``<!-- shows: ... -->`` in front of it), empty when the page does not say.
    """

    language: str
    shows: str
    text: str
    line: int
    heading: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """Its path from the root of the project."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text()

    @cached_property
    def prose(self) -> str:
        """The text without blocks and comments; lines stay where they are."""
        without = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), self.text)
        return _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), without)

    @property
    def run(self) -> str | None:
        """What the page declares about running it (``<!-- run: ... -->``), None when it says nothing."""
        found = _RUN.search(self.text)
        return found[1] if found else None

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All fenced blocks, in order."""
        return tuple(self._blocks())

    def _blocks(self) -> Iterator[Block]:
        prose = self.prose
        headings = [(prose.count("\n", 0, found.start()) + 1, found[1]) for found in _HEADING.finditer(prose)]
        for found in _FENCE.finditer(self.text):
            first = self.text.count("\n", 0, found.start("text")) + 1
            above = [heading for line, heading in headings if line < first]
            indent = len(found["indent"])
            lines = [line[indent:] for line in found["text"].splitlines()]
            shows = _SHOWS.search(self.text[: found.start()])
            yield Block(
                language=found["language"],
                shows=shows[1] if shows else "",
                text="".join(f"{line}\n" for line in lines),
                line=first,
                heading=above[-1] if above else "",
            )

    def blocks_of(self, *languages: str) -> list[Block]:
        """Return the blocks of these languages."""
        return [block for block in self.blocks if block.language in languages]

    @property
    def spans(self) -> list[str]:
        """Inline code."""
        return [" ".join(found[1].split()) for found in _SPAN.finditer(self.prose)]

    @property
    def links(self) -> list[str]:
        """Targets of links and pictures."""
        return [found[1] for found in _LINK.finditer(_SPAN.sub("", self.prose))]

    @cached_property
    def anchors(self) -> frozenset[str]:
        """Places that a link can name."""
        seen: dict[str, int] = {}
        names = set(_ANCHOR.findall(self.text))
        for heading in _HEADING.findall(self.prose):
            slug = slug_of(heading)
            number = seen.get(slug, 0)
            seen[slug] = number + 1
            names.add(f"{slug}-{number}" if number else slug)
        return frozenset(names)


def slug_of(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    text = re.sub(r"[*_]{1,2}(\S.*?\S|\S)[*_]{1,2}(?=\W|$)", r"\1", text) if "*" in text else text
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def pages() -> list[Page]:
    """Return all pages: those below docs/, and those at the root that lead there."""
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
    return [Page(path=path) for path in paths]


def page(name: str) -> Page:
    """Return a page of docs/ by its name."""
    return Page(path=DOCS / name)
