"""Three rules to start from come with the product."""

from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps

from triggers.models import Rule, RuleState, Template, TemplateVersion
from triggers.recipes.drafts import store_recipes
from triggers.recipes.mails import RECIPE_MAILS
from triggers.render.context import build_variables
from triggers.render.liquid import RenderedMessage, Words, render_message
from triggers.rules.check import check_definition
from triggers.rules.parse import parse_definition

NAMES = ["Cart left for an hour", "Session ended without checkout", "Welcome back after 14 days"]


def test_a_new_installation_has_three_drafts(django_db_setup: list[tuple[str, str, int]]) -> None:
    assert sorted(name for name, _, _ in django_db_setup) == NAMES
    assert {state for _, state, _ in django_db_setup} == {RuleState.DRAFT}
    assert all(template for _, _, template in django_db_setup)


@pytest.mark.django_db
def test_a_rule_of_the_same_name_stays_as_it_is() -> None:
    own = Rule.objects.create(name=NAMES[0], description="Ours", definition={})
    store_recipes(apps)
    store_recipes(apps)
    own.refresh_from_db()
    assert (own.description, own.definition) == ("Ours", {})
    assert list(Rule.objects.values_list("name", flat=True)) == NAMES
    assert TemplateVersion.objects.count() == Template.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_fit_to_be_activated_and_its_message_to_be_sent(name: str) -> None:
    store_recipes(apps)
    definition = parse_definition(Rule.objects.get(name=name).definition)
    assert check_definition(definition, timedelta(days=400), timedelta(hours=24)) == []
    version = TemplateVersion.objects.get(template_id=definition.template or 0)
    words = Words(subject=version.subject, html=version.html, text=version.text)
    variables = build_variables(
        user_id="ada",
        traits={"email": "ada@example.com"},
        event_name=definition.start_event,
        occurred_at=datetime.now(UTC),
        properties={"items": [{"product_id": "12345"}, {"name": "<b>Mug</b>", "price": 18}]},
        source_name="Shop",
        time_zone="UTC",
    )
    message = render_message(words, variables)
    assert isinstance(message, RenderedMessage), message
    assert "Your shop" in message.html
    assert "<b>Mug" not in message.html


def test_every_recipe_has_its_message() -> None:
    assert len(RECIPE_MAILS) == len(NAMES)
