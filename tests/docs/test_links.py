"""Links lead somewhere: files are there, anchors too."""

import pytest

from tests.docs.pages import ROOT, Page, pages, slug_of


def missing(page: Page) -> list[str]:
    return [
        link for link in page.links if not link.startswith(("http://", "https://", "mailto:")) and not leads(page, link)
    ]


def leads(page: Page, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.path.parent / path).resolve() if path else page.path
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or target.suffix != ".md" or anchor in Page(path=target).anchors


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_relative_links_and_anchors_resolve(page: Page) -> None:
    """Nobody ends at a page that is not there."""
    assert missing(page) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_page_can_be_reached(page: Page) -> None:
    """A page that the table of contents does not lead to is not read."""
    reached = {ROOT / "README.md", ROOT / "docs/index.md"}
    open_ends = list(reached)
    while open_ends:
        here = Page(path=open_ends.pop())
        for link in here.links:
            target = (here.path.parent / link.partition("#")[0]).resolve()
            found = [target] if target.suffix == ".md" else sorted(target.glob("*.md")) if target.is_dir() else []
            new = [path for path in found if path not in reached and path.exists()]
            reached.update(new)
            open_ends += new
    assert page.path in reached


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("`hasync run`", "hasync-run"),
        ("What the binlog does not say", "what-the-binlog-does-not-say"),
        ("A, B & C", "a-b--c"),
    ],
)
def test_anchors_are_made_as_readers_make_them(heading: str, anchor: str) -> None:
    """Of the words, in lower case, with hyphens."""
    assert slug_of(heading) == anchor
