"""The cookbook, cooked: every recipe on MySQL, MariaDB and Redis, from the text of the page."""

from collections.abc import Iterator

import pytest

from tests.docs.kitchen import Kitchen, kitchen_with
from tests.docs.pages import page
from tests.docs.recipes import Recipe, recipes, same_reply

COOKBOOK = recipes(page("cookbook.md"))


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def kitchen(request: pytest.FixtureRequest) -> Iterator[Kitchen]:
    with kitchen_with(request.param, COOKBOOK) as kitchen:
        yield kitchen


def test_book_holds_the_scopes_examples_and_more() -> None:
    """The page is lifted whole: a section that lost its shape would go unnoticed otherwise."""
    assert len(COOKBOOK) >= 19


@pytest.mark.timeout(120)
@pytest.mark.parametrize("recipe", COOKBOOK, ids=lambda recipe: recipe.title)
def test_recipe_makes_what_the_page_shows(kitchen: Kitchen, recipe: Recipe) -> None:
    """Each change sends exactly the commands of the page, and Redis then answers as shown there."""
    for change in recipe.changes:
        commands, replies = kitchen.cook(recipe, change)
        assert commands == change.commands
        for (command, shown), seen in zip(change.looks, replies, strict=True):
            assert same_reply(command, shown, seen), f"{command}\npage: {shown}\nseen: {seen}"
