"""A place for servers, and a look at processes from outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import workdir


@pytest.fixture
def place() -> Iterator[Path]:
    """Yield a work directory that is removed at the end."""
    with workdir() as path:
        yield path
