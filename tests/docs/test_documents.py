"""Documents of streams that pages show are valid, so are the examples, and Compose is what the pages say."""

import re
from pathlib import Path

import pytest
import yaml

from hasync.drill import plan
from hasync.drill.verdict import Budgets
from hasync.model import config
from tests.docs.pages import DOCS, ROOT, Block, Page, pages

HEAD = 'version: 1\nsource: {hosts: ["db:3306"], user: hasync}\nredis: {url: "redis://redis:6379/0"}\n'
TABLES = HEAD + 'tables: {"a.b": [{delete: ["a:{id}"]}]}\n'
EXAMPLES = sorted((DOCS / "examples").glob("*.yaml"))


def documents(page: Page) -> list[Block]:
    return [block for block in page.blocks_of("yaml") if document_of(block)]


def document_of(block: Block) -> str:
    """Return the whole document that the block is, or is a part of; empty when it is none of a stream's."""
    top = block.text.lstrip()
    if top.startswith("version: 1\n") and "tables:" in block.text:
        return block.text
    if top.startswith("tables:"):
        return HEAD + block.text
    part = top.partition(":")[0]
    if part in {"source", "redis", "batch", "placement", "on_missing_state", "on_emptied_table", "enabled"}:
        kept = [line for line in TABLES.splitlines() if not line.startswith(f"{part}:")]
        return "\n".join(kept) + "\n" + block.text
    return ""


WITH_DOCUMENTS = [page for page in pages() if documents(page)]


@pytest.mark.parametrize("page", WITH_DOCUMENTS, ids=lambda page: page.name)
def test_streams_documents_are_valid(page: Page) -> None:
    """What a reader copies into a file, `hasync config validate` accepts."""
    for block in documents(page):
        text = document_of(block)
        assert config.parse(text).tables, block.line


def test_documents_are_found() -> None:
    """The pages that teach rules do show some."""
    names = {page.name for page in WITH_DOCUMENTS}
    assert {"docs/configuration.md", "docs/cookbook.md", "docs/migration-canal.md"} <= names


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid(path: Path) -> None:
    """Files to begin with."""
    text = path.read_text()
    if "drills:" in text:
        assert plan.parse(text, Budgets()).steps
    else:
        assert config.parse(text).tables


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_all_yaml_can_be_read(page: Page) -> None:
    """No block is broken by its indentation."""
    for block in page.blocks_of("yaml"):
        if "{{" not in block.text or document_of(block):
            assert list(yaml.safe_load_all(block.text)) != [None], f"{page.name}:{block.line}"


def test_quick_start_names_composes_services() -> None:
    """The page's `docker compose` lines name services, tables and keys that compose.yaml has."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    page = Page(path=DOCS / "quickstart.md")
    lines = [line for block in page.blocks for line in block.text.splitlines() if "docker compose exec" in line]
    named = [line.split("docker compose exec ", 1)[1].split()[0] for line in lines]
    assert named
    assert set(named) <= set(compose["services"])
    stream = config.parse(compose["configs"]["stream"]["content"])
    assert "shop.products" in stream.tables
    assert "CREATE TABLE shop.products" in compose["configs"]["schema"]["content"]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_values_of_the_chart_exist(page: Page) -> None:
    """What a page sets on Helm's command line is a value of the chart."""
    values = yaml.safe_load((ROOT / "deploy/helm/hasync/values.yaml").read_text())
    for name in re.findall(r"--set(?:-string|-file)?[ =]([A-Za-z][\w.]*)=", page.text):
        here = values
        for part in name.split("."):
            if here == {}:  # the reader's own names
                break
            assert part in here, name
            here = here[part]
