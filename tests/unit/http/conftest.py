"""One server for all tests of a module that do not change how it is built."""

from collections.abc import Iterator

import pytest

from tests.unit.http.stage import Bench, Scene, served


@pytest.fixture
def scene() -> Scene:
    """A stream that ``a`` leads and ``b`` stands by for."""
    return Scene()


@pytest.fixture(scope="module")
def serving() -> Iterator[Bench]:
    """Serve on any free port."""
    with served() as bench:
        yield bench


@pytest.fixture
def bench(serving: Bench) -> Bench:
    """Return the server, told that all is well."""
    serving.health.reset()
    return serving
