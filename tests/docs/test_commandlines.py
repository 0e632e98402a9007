"""Command lines, in blocks and in running text, are those of this release."""

import pytest

from tests.docs.commandlines import command_lines, fault_of
from tests.docs.pages import Page, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_command_and_option_exists(page: Page) -> None:
    """What a reader copies from a page is understood by the program."""
    faults = [(where, fault) for where, line in command_lines(page) if (fault := fault_of(line))]
    assert faults == []


def test_many_command_lines_are_found() -> None:
    """A pattern that finds nothing would pass for ever."""
    assert sum(1 for page in pages() for _ in command_lines(page)) > 50


@pytest.mark.parametrize("line", ["stats", "status --colour", "drill crash", "position reset --to-now", "drill --fast"])
def test_unknown_words_are_told(line: str) -> None:
    """A command or an option that does not exist is a fault."""
    assert fault_of(line)


@pytest.mark.parametrize("line", ["status -w -o json", "--root /x config apply a.yaml", "drill", "history -n 5"])
def test_known_words_pass(line: str) -> None:
    """Groups alone, short options and options in front of the command are fine."""
    assert fault_of(line) == ""
