"""Each helm command of the docs is run, page by page, against the stand-in for the Kubernetes API."""

import re
import shlex
from pathlib import Path

import pytest

from tests.chart.apiserver import ApiServer
from tests.chart.helm import Helm
from tests.chart.values import ROOT
from tests.docs.pages import Page, pages

LANGUAGES = ("sh", "bash", "console", "")
OWN = {"helm.md", "quickstart.md"}
"""Pages that must have some: a pattern that finds nothing would pass for ever."""


def commands(page: Page) -> list[list[str]]:
    """Return the words of each helm command of a page's blocks, without the program's name."""
    lines = [line for block in page.blocks_of(*LANGUAGES) for line in re.sub(r"\\\n\s*", " ", block.text).splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("helm ")]


PAGES = [page for page in [*pages(), Page(path=ROOT / "deploy/helm/hasync/README.md")] if commands(page)]


def test_pages_with_commands_are_found() -> None:
    """The chart's own page and the quick start have commands."""
    assert {page.path.name for page in PAGES} >= OWN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_helm_commands_of_page_run(page: Page, helm: Helm, cluster: ApiServer, tmp_path: Path) -> None:
    """In the order of the page, with the files that it shows, each command succeeds."""
    _files(page, tmp_path)
    for words in commands(page):
        if words[0] == "install" and "README" in page.path.name:
            helm.try_("uninstall", words[1])  # alternatives for one release
        ended = helm.try_(*(_local(word, tmp_path) for word in words), *_patience(words))
        assert ended.code == 0, f"helm {' '.join(words)}\n{ended.error}"


def _patience(words: list[str]) -> list[str]:
    return ["--timeout", "30s"] if words[0] in {"install", "upgrade", "test", "rollback"} else []


def _local(word: str, folder: Path) -> str:
    """Point a word at this checkout, or at the files of the page."""
    if word.startswith("deploy/"):
        return str(ROOT / word)
    name, equals, file = word.rpartition("=")
    return f"{name}{equals}{folder / file}" if (folder / file).is_file() else word


def _files(page: Page, folder: Path) -> None:
    """Write the blocks in YAML down under the name that the text before them says."""
    (folder / "tables.yaml").write_text('shop.orders: [{delete: ["order:{id}"]}]\n')
    (folder / "values.yaml").write_text(
        "zookeeper: {hosts: [z]}\nmysql: {hosts: [m]}\nredis: {url: redis://r}\nexistingSecret: s\n"
    )
    lines = page.text.splitlines()
    for block in page.blocks_of("yaml"):
        before = " ".join(lines[max(0, block.line - 6) : block.line - 1])
        names = re.findall(r"`([\w-]+\.yaml)`", before)
        if names:
            (folder / names[-1]).write_text(block.text)
