"""Names that pages use exist: settings, metrics, alerts, log events, commands of Redis."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hasync.metrics.reference import reference
from hasync.settings.model import fields, variable
from hasync.settings.sources import SECRETS_DIR, SETTINGS_FILE
from tests.docs.pages import ROOT, Page, pages

OTHERS = {"HASYNC_OUTPUT", "HASYNC_PURE"}
"""Variables of the command line's own, and of the build."""

NO_METRICS = {"hasync_drill", "hasync_state"}
"""The probe's account and schema; a label."""

SUFFIXES = re.compile(r"_(bucket|sum|count|created)$")


def settings() -> set[str]:
    return {variable(path) for path, _ in fields()} | {SECRETS_DIR, SETTINGS_FILE} | OTHERS


def metrics() -> set[str]:
    return set(re.findall(r"hasync_[a-z0-9_]+", reference()))


def alerts() -> set[str]:
    named = re.compile(r"^\s*-?\s*alert: *(\w+)", re.MULTILINE)
    return {name for path in rule_files() for name in named.findall(path.read_text())}


def rule_files() -> Iterator[Path]:
    for suffix in ("yaml", "yml", "tpl"):
        yield from (ROOT / "deploy").rglob(f"*.{suffix}")


def unknown_settings(page: Page) -> set[str]:
    names = {name.rstrip("_") for name in re.findall(r"HASYNC_[A-Z0-9_]+", page.text) if not name.endswith("_")}
    return {name for name in names - settings() if not name.startswith("HASYNC_SECRET_")}


def unknown_metrics(page: Page) -> set[str]:
    names = set(re.findall(r"(?<![\w:/.-])hasync_[a-z0-9]+(?:_[a-z0-9]+)*(?![\w*:./-])", page.text))
    known = metrics()
    return {name for name in names - NO_METRICS if name not in known and SUFFIXES.sub("", name) not in known}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_settings_and_metrics_exist(page: Page) -> None:
    """A name that a page tells can be set, or queried."""
    assert (unknown_settings(page), unknown_metrics(page)) == (set(), set())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_alerts_exist(page: Page) -> None:
    """A page that explains an alert explains one that there is."""
    named = set(re.findall(r"\bHasync[A-Z]\w+", page.prose))
    assert named <= alerts() or not alerts()
