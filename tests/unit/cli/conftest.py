"""A stage for each test."""

import pytest

from tests.unit.cli.stage import Stage


@pytest.fixture
def stage() -> Stage:
    """An empty cluster, and nobody at the terminal."""
    return Stage()
