"""Two real instances on real servers, for all tests of the admin port."""

from collections.abc import Iterator

import pytest

from tests.browser.stage import Stage, staged


@pytest.fixture(scope="session")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Servers and instances."""
    with staged(tmp_path_factory.mktemp("port")) as stage:
        yield stage


@pytest.fixture
def stage(playing: Stage) -> Stage:
    """The same, at rest: a test may have moved a leader."""
    playing.settled()
    return playing
