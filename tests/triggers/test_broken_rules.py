"""A stored rule that cannot be read stops itself, and nothing and nobody else."""

from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.urls import reverse

from engagement.demo.upcoming import find_active_rules
from tests.admin.conftest import Login, login  # noqa: F401
from tests.cast import (
    ADA,
    CART,
    ON_CART,
    add_to_cart,
    deliver,
    evaluate,
    make_rule,
    make_template,
    pass_time,
    report,
    scan,
)
from tests.mail_server import MailServer
from tracking.event import compute_user_profile_id
from tracking.models import Event, Source
from triggers.admin.rule_parts import read_fields
from triggers.admin.rule_words import list_awaited, list_ends, say_definition
from triggers.admin.why import explain_event
from triggers.audit.compare import audit
from triggers.lifecycle import activate_rule
from triggers.models import Activation, Delivery, Rule, RuleState, RuleVersion
from triggers.retention_need import check_retention, find_need
from triggers.rules.errors import RuleInvalid
from triggers.rules.stored import compile_stored

_EVER = 10**15
BROKEN: dict[str, Any] = {
    "silent for longer than any moment": {"format": 1, "trigger": {"kind": "inactivity", "after": _EVER}},
    "silent for 3,000 years": {"format": 1, "trigger": {"kind": "session_end", "after": 10**11}},
    "waiting for ever": {"format": 1, "trigger": CART | {"after": _EVER}},
    "not again for ever": {"format": 1, "trigger": ON_CART, "reentry": {"kind": "after", "seconds": _EVER}},
    "stale after for ever": {"format": 1, "trigger": ON_CART, "stale_after": _EVER},
    "of another release": {"format": 2, "trigger": ON_CART},
    "of an unknown kind": {"format": 1, "trigger": {"kind": "full_moon"}},
    "without a start": {"format": 1},
    "with a text for a start": {"format": 1, "trigger": "add_to_cart"},
    "with a list for a start": {"format": 1, "trigger": [], "reentry": "once", "template": "x"},
    "no object": ["add_to_cart"],
    "a text": "add_to_cart",
    "with an unreadable path": {
        "format": 1,
        "trigger": ON_CART,
        "conditions": {"node": "compare", "field": {"from": "event", "path": "a..b"}, "operator": "set"},
    },
    "with a value of the wrong kind": {
        "format": 1,
        "trigger": ON_CART,
        "conditions": {
            "node": "compare",
            "field": {"from": "event", "path": "a"},
            "operator": "gt",
            "value": ["x"],
        },
    },
}


def break_rule(rule: Rule, definition: Any) -> None:
    """Somebody writes something else into the database, the draft included."""
    Rule.objects.filter(pk=rule.pk).update(definition=definition)
    RuleVersion.objects.filter(rule=rule).update(definition=definition)


@pytest.fixture
def broken(source: Source, request: pytest.FixtureRequest) -> Rule:
    rule = make_rule("Broken", trigger=ON_CART, template=make_template("Broken").pk)
    break_rule(rule, BROKEN[getattr(request, "param", "no object")])
    return rule


some_kinds = pytest.mark.parametrize(
    "broken",
    ["no object", "with a list for a start", "silent for longer than any moment", "silent for 3,000 years"],
    indirect=True,
)


@pytest.mark.parametrize("definition", BROKEN.values(), ids=BROKEN)
@pytest.mark.usefixtures("db")
def test_whatever_is_stored_is_a_rule_or_a_rule_that_is_invalid(definition: Any) -> None:
    with pytest.raises(RuleInvalid):
        compile_stored(definition)
    assert isinstance(say_definition(definition), str)
    assert isinstance(list_awaited(definition) | list_ends(definition), set)
    assert read_fields(definition)["kind"]


@some_kinds
def test_a_rule_that_cannot_be_read_stops_no_other(source: Source, server: MailServer, broken: Rule) -> None:
    good = make_rule("Good", trigger=ON_CART, template=make_template("Good").pk)
    make_rule("Silence", trigger={"kind": "session_end", "after": 900})
    with structlog.testing.capture_logs() as logs:
        add_to_cart(source)
        report("add_to_cart", source=source)
        evaluate()
    deliver()
    pass_time(1000)
    scan()

    assert len(server.mails) == 2
    assert set(
        Activation.objects.filter(event_id__in=Event.objects.filter(name="add_to_cart").values("id")).values_list(
            "rule_id", flat=True
        )
    ) == {good.pk}
    assert Event.objects.filter(name="session_ended").count() == 1
    alarms = [line for line in logs if line["event"] == "rule_broken"]
    assert [(line["log_level"], line["rule_id"]) for line in alarms] == [("error", broken.pk)]
    assert audit().is_clean
    assert find_need() > timedelta(seconds=900)
    assert check_retention(None, ["default"]) == []
    assert set(find_active_rules()) == set(Rule.objects.exclude(pk=broken.pk).values_list("pk", flat=True))


@some_kinds
def test_every_page_that_shows_rules_opens_and_says_so(
    source: Source,
    broken: Rule,
    login: Login,  # noqa: F811
) -> None:
    add_to_cart(source)
    event = Event.objects.get(name="add_to_cart")
    client = login("admin")
    person = reverse("admin:tracking_profile_change", args=[compute_user_profile_id(ADA)])
    shown = {
        "admin:index": (),
        "admin:triggers_rule_changelist": (),
        "admin:triggers_rule_change": (broken.pk,),
    }
    for name, args in shown.items():
        answer = client.get(reverse(name, args=args))
        assert answer.status_code == 200
        assert "cannot be read" in answer.content.decode(), name
    for step in ("activate", "pause", "archive"):
        assert client.get(reverse(f"admin:triggers_rule_{step}", args=[broken.pk])).status_code == 200
    assert client.get(person).status_code == 200
    answers = {answer.rule_id: answer.says for answer in explain_event(compute_user_profile_id(ADA), event.pk)}
    assert "cannot be read" in answers[broken.pk]


def test_a_broken_rule_can_be_paused_and_archived(source: Source, broken: Rule, login: Login) -> None:  # noqa: F811
    client = login("admin")
    for step, state in (("pause", RuleState.PAUSED), ("archive", RuleState.ARCHIVED)):
        client.post(reverse(f"admin:triggers_rule_{step}", args=[broken.pk]))
        broken.refresh_from_db()
        assert broken.state == state


def test_a_broken_rule_is_mended_by_activating_it_again(source: Source, broken: Rule) -> None:
    Rule.objects.filter(pk=broken.pk).update(definition={"format": 1, "trigger": ON_CART})
    broken.refresh_from_db()

    activate_rule(broken)
    report("add_to_cart", source=source)
    evaluate()

    assert Activation.objects.get().rule_id == broken.pk


def test_a_message_of_a_rule_that_broke_since_is_tried_again(source: Source, server: MailServer) -> None:
    rule = make_rule("Breaks", trigger=ON_CART, template=make_template("Breaks").pk)
    make_rule("Good", trigger=ON_CART, template=make_template("Good").pk)
    add_to_cart(source)
    definition = rule.definition
    break_rule(rule, "junk")
    deliver()
    assert sorted(Delivery.objects.values_list("state", "reason")) == [("accepted", ""), ("planned", "retry")]

    break_rule(rule, definition)
    pass_time(300)
    deliver()

    assert len(server.mails) == 2
