"""One stage and one browser for all tests of the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.devtools import Browser
from tests.browser.stage import Stage, staged


@pytest.fixture(scope="session")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Servers and instances."""
    with staged(tmp_path_factory.mktemp("page")) as stage:
        yield stage


@pytest.fixture
def stage(playing: Stage) -> Stage:
    """The same, at rest: a test may have moved a leader."""
    playing.settled()
    return playing


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser without a window."""
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser; whatever it complains of fails the test: errors, and what the page's policy forbids."""
    chromium.said.clear()
    yield chromium
    chromium.run("location.protocol === 'http:' && sessionStorage.clear()")
    assert chromium.said == []


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go, for whoever wants to look at them after a failure."""
    return tmp_path
