"""The rule form: the same JSON as everywhere, and errors at the row that they concern."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.apps import apps
from django.test import Client

from engagement.lib.ids import compute_lane
from tests.admin.conftest import Login
from tests.admin.test_permissions import RULE_FORM
from tests.cast import approve, evaluate, make_rule, make_source, make_template, report
from tracking.models import EventType, Profile
from triggers.admin.rule_form import RuleForm
from triggers.admin.rule_parts import compose_definition
from triggers.admin.vocabulary import load_vocabulary
from triggers.models import Rule, RuleState, RuleVersion, Template
from triggers.recipes.drafts import store_recipes
from triggers.recipes.mails import RECIPE_MAILS
from triggers.rules.parse import dump_definition
from triggers.rules.recipes import RECIPES, Recipe

pytestmark = pytest.mark.django_db

CART = RULE_FORM | {
    "name": "Cart",
    "kind": "abandonment",
    "event": "",
    "started_by": "add_to_cart",
    "ended_by": "purchase",
    "key": "cart_id",
    "after_number": "1",
    "after_unit": "3600",
    "emits": "cart_abandonment",
    "reentry": "after",
    "reentry_after_number": "1",
    "reentry_after_unit": "86400",
}


def _compare(value: Any, operator: str = "gt", path: str = "total") -> dict[str, Any]:
    return {"node": "compare", "field": {"from": "event", "path": path}, "operator": operator, "value": value}


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.key for recipe in RECIPES])
def test_a_recipe_shown_in_the_form_and_saved_unchanged_is_the_same_rule(login: Login, recipe: Any) -> None:
    stored = json.loads(dump_definition(recipe.definition))
    form = RuleForm(initial={"definition": stored})
    posted: dict[str, Any] = {"name": "Copy"}
    for field in form:
        value = field.value()
        if isinstance(value, timedelta) or field.name in ("after", "reentry_after", "stale_after"):
            number, unit = form.fields[field.name].widget.decompress(value)
            posted |= {f"{field.name}_number": "" if number is None else number, f"{field.name}_unit": unit}
        elif value not in (None, False):
            posted[field.name] = value
    posted["name"] = "Copy"
    assert login("Marketer").post("/admin/triggers/rule/add/", posted).status_code == 302
    saved = Rule.objects.get(name="Copy").definition
    assert saved | {"stale_after": None, "send_if_came_back": False} == saved
    assert {name: value for name, value in saved.items() if value != _default(name)} == {
        name: value for name, value in stored.items() if value != _default(name)
    }


def _default(name: str) -> Any:
    return {"emits": None, "conditions": None, "template": None, "send_if_came_back": False}.get(name, "no default")


def test_the_cart_recipe_typed_into_the_form_is_the_cart_recipe(login: Login) -> None:
    login("Marketer").post("/admin/triggers/rule/add/", CART)
    recipe = next(one for one in RECIPES if one.key == "cart_left")
    saved = Rule.objects.get(name="Cart").definition
    assert msgspec.convert(saved, type(recipe.definition)) == recipe.definition


def test_an_error_in_the_tree_is_handed_to_the_page_with_its_place(login: Login) -> None:
    tree = {"node": "all", "of": [_compare(10), {"node": "any", "of": [_compare("many"), _compare(1, path="a..b")]}]}
    answer = login("Marketer").post("/admin/triggers/rule/add/", CART | {"conditions": json.dumps(tree)})
    assert answer.status_code == 200
    errors = {error["path"]: error["message"] for error in answer.context["condition_errors"]}
    assert errors["$.conditions.of[1].of[0].value"] == "Enter a number."
    assert "$.conditions.of[1].of[1].field.path" in errors
    assert not Rule.objects.exists()


def test_an_error_of_a_field_stands_at_the_field(login: Login) -> None:
    answer = login("Marketer").post("/admin/triggers/rule/add/", CART | {"ended_by": "add_to_cart", "after_number": ""})
    form = answer.context["adminform"].form
    assert "cannot also end it" in form.errors["ended_by"][0]
    assert form.errors["after"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.key)
def test_a_rule_from_a_recipe_has_the_recipes_message(login: Login, recipe: Recipe) -> None:
    store_recipes(apps)
    client = login("Marketer")

    form = client.get(f"/admin/triggers/rule/add/?recipe={recipe.key}").context["adminform"].form
    template = Template.objects.get(name=RECIPE_MAILS[recipe.key].name)
    assert (form.initial["template"], form.initial["name"]) == (template.pk, f"{recipe.name} 2")

    Template.objects.filter(pk=template.pk).update(name="Renamed")
    form = client.get(f"/admin/triggers/rule/add/?recipe={recipe.key}").context["adminform"].form
    assert form.initial["template"] == template.pk


def test_a_recipe_whose_message_is_gone_says_so(login: Login) -> None:
    page = login("Marketer").get("/admin/triggers/rule/add/?recipe=cart_left").content.decode()

    assert "The message of “Cart left for an hour” is gone" in page


def test_the_sentence_is_the_servers_own_and_says_what_is_sent(login: Login) -> None:
    template = make_template("Your cart")
    answer = login("Marketer").post("/admin/triggers/rule/describe/", CART | {"template": template.pk}).json()
    assert answer["sentence"] == (
        "When someone does `add_to_cart` but not `purchase` with the same `cart_id` within 1 hour "
        "— at most once every day (a message that could not be sent does not "
        "count). Then “Your cart” is sent."
    )


def test_an_incomplete_rule_has_no_sentence_but_says_what_is_missing(login: Login) -> None:
    answer = login("Marketer").post("/admin/triggers/rule/describe/", CART | {"started_by": ""}).json()
    assert answer == {"sentence": "", "missing": ["Choose an event."]}


def test_a_window_longer_than_events_are_kept_is_refused_on_save(login: Login) -> None:
    tree = {"node": "never", "event": "purchase", "within": 86_400 * 1000}
    answer = login("Marketer").post("/admin/triggers/rule/add/", CART | {"conditions": json.dumps(tree)})
    assert "events are only reliable for" in answer.context["condition_errors"][0]["message"]


def test_saving_an_active_rule_changes_the_draft_and_not_what_is_in_force(login: Login) -> None:
    rule = make_rule(trigger={"kind": "event", "event": "purchase"})
    client = login("Marketer")
    client.post(f"/admin/triggers/rule/{rule.pk}/change/", CART)
    page = client.get(f"/admin/triggers/rule/{rule.pk}/change/").content.decode()
    assert "Activate the changes" in page
    assert RuleVersion.objects.get(rule=rule).definition["trigger"] == {"kind": "event", "event": "purchase"}
    confirm = client.get(f"/admin/triggers/rule/{rule.pk}/activate/").content.decode()
    assert "someone does <code>purchase</code>" in confirm
    assert "someone does <code>add_to_cart</code> but not" in confirm
    client.post(f"/admin/triggers/rule/{rule.pk}/activate/")
    assert RuleVersion.objects.filter(rule=rule).count() == 2


def _make_quiet(days: float) -> None:
    profile, moment = uuid4(), datetime.now(UTC) - timedelta(days=days)
    Profile.objects.create(id=profile, lane=compute_lane(profile), seen_at=moment, created_at=moment)


def _draft(client: Client) -> Rule:
    quiet = RULE_FORM | {
        "name": "Quiet",
        "kind": "inactivity",
        "event": "",
        "after_number": "14",
        "after_unit": "86400",
    }
    client.post("/admin/triggers/rule/add/", quiet)
    return Rule.objects.get(name="Quiet")


def test_the_activation_page_says_how_many_are_past_it_and_leaves_them_out_by_default(login: Login) -> None:
    for days in (1, 14.5, 20, 30):
        _make_quiet(days)
    client = login("Marketer")
    rule = _draft(client)
    page = client.get(f"/admin/triggers/rule/{rule.pk}/activate/")
    assert (page.context["past"].people.number, page.context["past"].fresh.number) == (3, 1)
    client.post(f"/admin/triggers/rule/{rule.pk}/activate/")
    rule.refresh_from_db()
    assert rule.state == RuleState.ACTIVE
    assert rule.detector.watermark.year > 1970


def test_a_marketer_may_include_those_who_are_past_it(login: Login) -> None:
    _make_quiet(20)
    client = login("Marketer")
    rule = _draft(client)
    client.post(f"/admin/triggers/rule/{rule.pk}/activate/", {"include_past": "1"})
    rule.refresh_from_db()
    assert rule.detector.watermark.year == 1970


def test_a_rule_says_that_its_event_was_never_seen_and_that_it_never_matched(login: Login) -> None:
    make_rule("Refunds", trigger={"kind": "event", "event": "refund"})
    client = login("Marketer")
    page = client.get("/admin/triggers/rule/").content.decode()
    assert "It waits for “refund”, which no app has sent yet." in page
    assert "It has not matched anybody since it was activated" in page
    EventType.objects.create(name="refund", last_seen_at=datetime.now(UTC))
    assert "which no app has sent yet" not in client.get("/admin/triggers/rule/").content.decode()


def test_a_rule_says_that_the_event_which_leaves_people_out_was_never_seen(login: Login) -> None:
    EventType.objects.create(name="add_to_cart", last_seen_at=datetime.now(UTC))
    rule = make_rule(trigger={"kind": "abandonment", "started_by": "add_to_cart", "ended_by": "purchse", "after": 3600})
    client = login("Marketer")
    worry = "It leaves out who does “purchse”, which no app has sent yet."
    assert worry in client.get("/admin/triggers/rule/").content.decode()
    assert worry in client.get(f"/admin/triggers/rule/{rule.pk}/change/").content.decode()
    confirm = client.get(f"/admin/triggers/rule/{rule.pk}/activate/").content.decode()
    assert "No app has sent “purchse” yet: until one does, nobody is left out because of it." in confirm


def test_a_step_that_is_not_open_to_a_rule_changes_nothing(login: Login) -> None:
    rule = make_rule(trigger={"kind": "event", "event": "purchase"})
    login("Marketer").post(f"/admin/triggers/rule/{rule.pk}/resume/")
    assert RuleVersion.objects.filter(rule=rule).count() == 1


def test_a_rule_that_was_in_force_cannot_be_deleted(login: Login) -> None:
    rule = make_rule(trigger={"kind": "event", "event": "purchase"})
    login("Marketer").post(f"/admin/triggers/rule/{rule.pk}/delete/", {"post": "yes"})
    assert Rule.objects.filter(pk=rule.pk).exists()


def test_a_kind_that_starts_on_an_event_keeps_nothing_of_a_silence() -> None:
    values = {"kind": "event", "event": "a", "emits": "left_over", "send_if_came_back": True, "reentry": "always"}
    definition = compose_definition(values)
    assert definition["emits"] is None
    assert definition["send_if_came_back"] is False


def test_the_form_offers_what_an_approved_schema_says_before_what_was_seen(log: None) -> None:
    seen = {"currency": {"types": ["text"]}, "note": {"types": ["text"]}, "is_gift": {"types": ["boolean"]}}
    EventType.objects.create(name="order_completed", properties=seen)
    currency = {"type": "string", "enum": ["EUR", "USD"], "title": "What was paid in"}
    approve("order_completed", {"type": "object", "properties": {"currency": currency, "total": {"type": "number"}}})

    offered = load_vocabulary()["events"]["order_completed"]

    assert offered == {
        "currency": {"kinds": ["text"], "values": ["EUR", "USD"], "title": "What was paid in"},
        "note": {"kinds": ["text"], "values": [], "title": ""},
        "is_gift": {"kinds": ["true or false"], "values": [], "title": ""},
        "total": {"kinds": ["number"], "values": [], "title": ""},
    }


def test_values_that_came_more_than_once_are_offered(log: None, login: Login) -> None:
    source = make_source()
    for colour in ("amber", "amber", "only once"):
        report("lamp_lit", source=source, properties={"colour": colour})
        evaluate()

    answer = login("Marketer").get("/admin/triggers/rule/values/", {"event": "lamp_lit"})

    assert answer.json() == {"colour": ["amber"]}
    assert Client().get("/admin/triggers/rule/values/", {"event": "lamp_lit"}).status_code == 302
