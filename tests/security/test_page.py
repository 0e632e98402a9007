"""docs/security.md shows the very statements that the tests run."""

import pytest

from tests.security.estate import ACCOUNTS, ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()


@pytest.mark.parametrize("file", sorted(ACCOUNTS.iterdir()), ids=lambda file: file.name)
def test_page_shows_the_accounts_as_they_are_tested(file: object) -> None:
    """Who copies from the page gets what is known to be enough."""
    assert (ACCOUNTS / str(file)).read_text().strip() in PAGE


def test_page_warns_of_what_filters_do_not_do() -> None:
    """REPLICATION SLAVE shows every schema's changes."""
    assert "filters and rules are no boundary" in PAGE
