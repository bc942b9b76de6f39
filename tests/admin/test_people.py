"""A person's page: what they did, what was decided and what was sent, with the reasons."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from tests.admin.conftest import Login
from tests.admin.installation import make_in_doubt
from tests.cast import ADA, evaluate, make_rule, make_source, make_template, report
from tracking.event import compute_user_profile_id
from tracking.models import Profile, Source
from triggers.admin import timeline
from triggers.models import Delivery

ADA_ID = compute_user_profile_id(ADA)


@pytest.fixture
def shop(log: None) -> Source:
    return make_source()


def _open(client: Client, query: str = "") -> str:
    return client.get(f"/admin/tracking/profile/{ADA_ID}/change/{query}").content.decode()


def test_the_timeline_tells_the_event_the_decision_with_its_trace_and_the_message(login: Login, shop: Source) -> None:
    condition = {
        "node": "compare",
        "field": {"from": "event", "path": "total"},
        "operator": "gt",
        "value": 10,
    }
    template = make_template()
    make_rule("Thanks", trigger={"kind": "event", "event": "purchase"}, conditions=condition, template=template.pk)
    report("purchase", source=shop, properties={"total": 42})
    evaluate()
    Delivery.objects.update(state="dropped", reason="address_missing")
    page = _open(login("Marketer"))
    assert "Thanks</a> matched" in page
    assert "the event&#x27;s <code>total</code> is more than 10" in page
    assert "it was <code>42</code>" in page
    assert "No address for this channel became known before the message expired." in page


def test_older_pages_continue_where_the_newer_one_ended(login: Login, shop: Source) -> None:
    now = datetime.now(UTC)
    for number in range(7):
        report(f"step_{number}", source=shop, timestamp=now - timedelta(minutes=10 - number))
    evaluate()
    profile = Profile.objects.get(pk=ADA_ID)
    first = timeline.load_timeline(profile, limit=3)
    second = timeline.load_timeline(profile, first.older, limit=3)
    third = timeline.load_timeline(profile, second.older, limit=3)
    told = [entry.event.name for page in (first, second, third) for entry in page.entries]
    assert told == [f"step_{number}" for number in range(6, -1, -1)]
    assert third.older is None


def test_what_somebody_did_before_they_signed_in_is_on_their_page(login: Login, shop: Source) -> None:
    report("looked_around", source=shop, user_id=None, anonymous_id="phone")
    report("$identify", source=shop, anonymous_id="phone", properties={"traits": {"email": "ada@example.com"}})
    evaluate()
    assert "looked_around" in _open(login("Marketer"))


def test_a_sign_in_is_told_in_words_and_once(login: Login, shop: Source) -> None:
    report("page_view", source=shop, user_id=None, anonymous_id="phone")
    report("page_view", source=shop, anonymous_id="phone")
    evaluate()
    report("page_view", source=shop, user_id=None, anonymous_id="phone")
    evaluate()
    page = _open(login("Marketer"))
    assert page.count("What was done before the sign-in is theirs from here on") == 1
    assert "$linked" not in page
    assert "$follow" not in page
    assert page.count("<strong>page_view</strong>") == 3


@pytest.mark.parametrize("term", [ADA, "ada@example.com", "phone", str(ADA_ID)])
def test_people_are_found_by_user_id_mail_address_and_anonymous_id(login: Login, shop: Source, term: str) -> None:
    report("looked_around", source=shop, user_id=None, anonymous_id="phone")
    report("$identify", source=shop, anonymous_id="phone", properties={"traits": {"email": "ada@example.com"}})
    report("page_view", source=shop, user_id="bob")
    evaluate()
    found = login("Marketer").get("/admin/tracking/profile/", {"q": term}).context["cl"].result_list
    assert len(found) == 1
    assert ADA_ID in (found[0].pk, found[0].linked_to)


def test_the_exact_message_is_framed_without_scripts(login: Login, log: None) -> None:
    delivery = make_in_doubt()
    answer = login("Marketer").get(f"/admin/triggers/delivery/{delivery.pk}/message/")
    policy = answer["Content-Security-Policy"]
    assert answer.content == b"<p>Hi</p>"
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
