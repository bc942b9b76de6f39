"""A rule may be kept to the people of one source; a silence belongs to the source of the last event before it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.urls import reverse

from engagement.demo.demo_rules import DEMO_RULES
from engagement.demo.load import load_demo
from engagement.demo.origins import SOURCE_NAME
from tests.admin.conftest import Login, login  # noqa: F401
from tests.cast import ADA, CART, ON_CART, evaluate, make_rule, make_source, pass_time, report, scan
from tracking.models import Event, Source
from tracking.registry import forget_registry
from triggers.audit.compare import audit
from triggers.lifecycle import activate_rule, pause_rule
from triggers.models import Activation, Delivery, Rule, RuleState
from triggers.rules.describe import describe_rule
from triggers.rules.errors import RuleInvalid
from triggers.rules.parse import dump_definition, parse_definition
from triggers.rules.stored import compile_stored
from triggers.rules.wording import Names

QUIET = {"kind": "inactivity", "after": 900}
SESSION = {"kind": "session_end", "after": 900}
QUIET_TO_CART = {"kind": "inactivity", "event": "add_to_cart", "after": 900}


def of(source: Source) -> dict[str, Any]:
    return {"node": "source", "source": source.pk}


@pytest.fixture
def other(source: Source) -> Source:
    return make_source("Other")


def test_only_events_of_the_source_start_the_rule_and_the_trace_says_so(source: Source, other: Source) -> None:
    make_rule(trigger=ON_CART, conditions=of(source))
    report("add_to_cart", source=other)
    report("add_to_cart", source=source)
    evaluate()

    activation = Activation.objects.get()
    assert Event.objects.get(pk=activation.event_id).source_id == source.pk
    assert activation.trace == {
        "sentence": "what they did last came from “Shop”",
        "outcome": "matched",
        "actual": "Shop",
    }
    assert audit().is_clean


@pytest.mark.parametrize("trigger", [SESSION, QUIET, CART, QUIET_TO_CART], ids=["session", "quiet", "cart", "event"])
def test_a_silence_is_of_the_source_where_they_were_last(source: Source, other: Source, trigger: Any) -> None:
    make_rule("Here", trigger=trigger, conditions=of(source))
    for person, places in {"ada": (other, source), "bob": (source, other)}.items():
        for place in places:
            report("add_to_cart", source=place, user_id=person, properties={"cart_id": "c1"})
    evaluate()
    scan()
    pass_time(4000)
    scan()

    silences = Event.objects.filter(origin=2)
    assert {row.user_id: row.source_id for row in silences} == {"ada": source.pk, "bob": other.pk}
    matched = Activation.objects.values_list("event_id", flat=True)
    assert {Event.objects.get(pk=pk).user_id for pk in matched} == {"ada"}


def test_what_is_not_of_a_source_is_of_any_other(source: Source, other: Source) -> None:
    make_rule(trigger=ON_CART, conditions={"node": "not", "of": of(source)})
    report("add_to_cart", source=source)
    report("add_to_cart", source=other)
    evaluate()

    assert Event.objects.get(pk=Activation.objects.get().event_id).source_id == other.pk


def test_a_source_that_is_gone_is_said_by_its_number() -> None:
    definition = parse_definition({"format": 1, "trigger": ON_CART, "conditions": {"node": "source", "source": 7}})

    assert "came from source 7" in describe_rule(definition)
    assert "came from “Shop”" in describe_rule(definition, Names(sources={7: "Shop"}))


def test_a_rule_that_asks_for_a_source_that_is_off_says_so(
    source: Source,
    other: Source,
    login: Login,  # noqa: F811
) -> None:
    rule = make_rule(trigger=ON_CART, conditions={"node": "any", "of": [of(source), {"node": "not", "of": of(other)}]})
    Source.objects.filter(pk=other.pk).update(is_enabled=False)
    forget_registry()

    page = login("Marketer").get(reverse("admin:triggers_rule_change", args=[rule.pk])).content.decode()

    assert f"It asks for source {other.pk}, which is gone or switched off." in page
    assert f"It asks for source {source.pk}," not in page


@pytest.mark.parametrize("source_id", [0, -1, 1 << 31])
def test_a_source_must_be_one(source_id: int) -> None:
    with pytest.raises(RuleInvalid, match="Choose a source"):
        compile_stored({"format": 1, "trigger": ON_CART, "conditions": {"node": "source", "source": source_id}})


def test_the_form_offers_the_sources_and_says_the_condition(
    source: Source,
    login: Login,  # noqa: F811
) -> None:
    client = login("Marketer")
    page = client.get(reverse("admin:triggers_rule_add"))
    assert [source.pk, "Shop"] in [list(one) for one in page.context["editor"]["sources"]]
    fields = {
        "kind": "event",
        "event": "add_to_cart",
        "reentry": "always",
        "conditions": json.dumps({"node": "all", "of": [of(source)]}),
    }
    said = client.post(reverse("admin:triggers_rule_describe"), fields).json()
    assert said["sentence"].startswith(
        "When someone does `add_to_cart`, and what they did last came from “Shop” — every time."
    )


@pytest.fixture
def place(log: None, settings: LazySettings, tmp_path: Path) -> None:
    settings.STATE_DIR, settings.PORT, settings.PUBLIC_URL = tmp_path, 8000, "http://127.0.0.1:8000"


def test_the_demo_writes_to_nobody_of_another_source(place: None) -> None:
    load_demo()
    forget_registry()
    demo, other = Source.objects.get(name=SOURCE_NAME), make_source("Real shop")
    for source, person in ((demo, "visitor"), (other, ADA)):
        traits = {"email": f"{person}@example.com"}
        report("$identify", source=source, user_id=person, properties={"traits": traits})
        report("page_view", source=source, user_id=person)
    evaluate()
    scan()
    pass_time(100)
    scan()

    written = {Event.objects.get(pk=row.event_id).user_id for row in Delivery.objects.all()}
    assert written == {"visitor"}


def test_rules_of_an_earlier_demo_are_kept_to_its_source_unless_they_were_changed(place: None) -> None:
    load_demo()
    changed, paused, plain = (Rule.objects.get(name=demo.name) for demo in DEMO_RULES)
    for rule, demo in zip((changed, paused, plain), DEMO_RULES, strict=True):
        old = demo.compose_unbound(rule.definition["template"])
        rule.definition = json.loads(dump_definition(old))
        if rule == changed:
            rule.definition["stale_after"] = 60
        rule.save()
        activate_rule(rule)
    pause_rule(paused)

    changes = load_demo()

    assert changes == [f"Rule “{plain.name}”, for the people of “{SOURCE_NAME}” only"]
    plain.refresh_from_db()
    newest = plain.versions.order_by("number").last()
    assert newest is not None
    assert newest.definition == plain.definition
    assert plain.definition["conditions"]["of"][0] == of(Source.objects.get(name=SOURCE_NAME))
    assert (plain.state, Rule.objects.get(pk=paused.pk).state) == (RuleState.ACTIVE, RuleState.PAUSED)
    assert load_demo() == []
