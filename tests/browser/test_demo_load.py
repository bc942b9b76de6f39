"""Loading the demo's content, and that production has none of it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from engagement.demo.first_curl import compose_first_curl
from engagement.demo.load import load_demo
from tracking.models import AllowedOrigin, Source
from triggers.lifecycle import pause_rule
from triggers.models import Rule, RuleState, Template, TemplateVersion
from triggers.render.context import build_variables
from triggers.render.liquid import RenderedMessage, Words, render_message
from triggers.rules.check import check_definition
from triggers.rules.parse import parse_definition

CART = "Demo: cart left for 30 seconds"


@pytest.fixture(autouse=True)
def place(log: None, settings: Settings, tmp_path: Path) -> Settings:
    """An installation at port 8000 with a state folder of its own."""
    settings.STATE_DIR, settings.PORT, settings.PUBLIC_URL = tmp_path, 8000, "http://127.0.0.1:8000"
    return settings


def test_a_second_load_changes_nothing_and_says_nothing() -> None:
    assert load_demo()
    counts = [model.objects.count() for model in (Source, Rule, Template, TemplateVersion, AllowedOrigin)]
    assert load_demo() == []
    assert [model.objects.count() for model in (Source, Rule, Template, TemplateVersion, AllowedOrigin)] == counts


def test_the_demo_rules_are_in_force() -> None:
    load_demo()
    states = dict(Rule.objects.values_list("name", "state"))
    assert [name for name, state in states.items() if state == RuleState.ACTIVE] == [
        CART,
        "Demo: session ended without checkout",
        "Demo: welcome back after a minute",
    ]


def test_every_rule_that_is_loaded_is_fit_for_use_and_has_words() -> None:
    load_demo()
    for rule in Rule.objects.all():
        definition = parse_definition(rule.definition)
        assert definition.template is not None
        assert check_definition(definition, timedelta(days=400), timedelta(hours=24)) == []
        assert Template.objects.filter(pk=definition.template).exists()


def test_what_somebody_paused_stays_so() -> None:
    load_demo()
    pause_rule(Rule.objects.get(name=CART))
    assert load_demo() == []
    assert Rule.objects.get(name=CART).state == RuleState.PAUSED


def test_at_another_port_the_shop_still_reports_and_its_mails_lead_there(place: Settings) -> None:
    load_demo()
    place.PORT, place.PUBLIC_URL = 8001, "http://127.0.0.1:8001"
    assert load_demo()
    assert AllowedOrigin.objects.filter(origin="http://localhost:8001").exists()
    newest = TemplateVersion.objects.filter(template__name="Demo: cart reminder").order_by("number").last()
    assert newest is not None
    assert newest.number == 2
    assert "http://127.0.0.1:8001/demo/" in newest.html
    assert "http://127.0.0.1:8000/demo/" not in newest.html


def test_an_origin_of_another_source_is_left_to_it() -> None:
    other = Source.objects.create(name="Other")
    AllowedOrigin.objects.create(source=other, origin="http://localhost:8000")
    load_demo()
    assert AllowedOrigin.objects.get(origin="http://localhost:8000").source == other


def test_the_first_curl_line_has_the_demo_sources_key_and_is_kept_for_the_start_screen(
    place: Settings,
) -> None:
    load_demo()
    key = Source.objects.get(name="Demo shop").write_key
    assert compose_first_curl("http://127.0.0.1:8000") == (
        f"curl -X POST http://127.0.0.1:8000/track-event -H 'Authorization: Bearer {key}' "
        '-H \'Content-Type: application/json\' -d \'{"event":"add_to_cart","product_id":"12345","user_id":"ada"}\''
    )
    assert (place.STATE_DIR / "first-curl").read_text() == compose_first_curl("http://127.0.0.1:8000")


def test_every_template_can_be_filled_in_with_what_its_silence_knows() -> None:
    load_demo()
    variables = build_variables(
        user_id="ada",
        traits={"email": "ada@example.com"},
        event_name="cart_abandonment",
        occurred_at=Source.objects.get(name="Demo shop").created_at,
        properties={"items": [{"product_id": "12345"}, {"name": "<b>Mug</b>", "price": 18}]},
        source_name="Demo shop",
        time_zone="UTC",
    )
    for version in TemplateVersion.objects.all():
        rendered = render_message(Words(subject=version.subject, html=version.html), variables)
        assert isinstance(rendered, RenderedMessage), rendered
        assert "<b>Mug" not in rendered.html


def test_production_has_neither_shop_nor_inbox(client: Client) -> None:
    assert client.get("/demo/").status_code == 404
    assert client.get("/inbox/").status_code == 404
    assert client.get("/")["Location"] == "/admin/"
