"""The rules that come with the product."""

from datetime import timedelta

import pytest

from triggers.rules.check import check_definition
from triggers.rules.compile import compile_rule
from triggers.rules.describe import describe_rule
from triggers.rules.parse import dump_definition, parse_definition
from triggers.rules.recipes import RECIPES, Recipe


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.key)
def test_a_recipe_is_fit_to_be_activated(recipe: Recipe) -> None:
    assert check_definition(recipe.definition, timedelta(days=90), timedelta(days=1)) == []
    assert parse_definition(dump_definition(recipe.definition)) == recipe.definition
    assert compile_rule(recipe.definition).start_event == recipe.definition.emits


def test_the_recipes_say_what_they_do() -> None:
    assert [describe_rule(recipe.definition) for recipe in RECIPES] == [
        "When someone has done nothing for 14 days — at most once every 30 days.",
        "When someone does `add_to_cart` but not `purchase` with the same `cart_id` within 1 hour "
        "— at most once every day.",
        "When someone's session ends (15 minutes without activity), and they have not done `checkout` in the last "
        "4 hours, and they have not done `purchase` in the last 4 hours — at most once every 7 days.",
    ]
