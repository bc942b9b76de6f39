"""What each kind of destination is sent, to the last key."""

import json
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from tests.cast import ADA, evaluate, make_rule, report
from tests.forward.conftest import SECRET, MakeDestination, count_copies, forward, let_wait_pass, load_progress
from tests.other_side import Heard, OtherSide, Say
from tracking.event import IMPORT, compute_anonymous_profile_id, compute_user_profile_id
from tracking.models import Event, Source
from triggers.forward.send import MOST_REFUSALS
from triggers.models import Activation, RefusedCopy

MICROSECONDS = 1_000_000


def read_micros(event_id: Any) -> int:
    return int(Event.objects.get(pk=event_id).occurred_at.timestamp() * 1000) * 1000


def test_a_webhook_is_sent_what_happened_and_nothing_of_the_person_but_the_user_id(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination(traits=["plan"])
    context = {"ip": "203.0.113.9", "page": {"path": "/"}}
    event = report("visit", source=source, anonymous_id="cookie-1", properties={"a": 1}, context=context)
    traits = {"email": "ada@example.com", "plan": "gold"}
    known = report("$identify", source=source, anonymous_id="cookie-1", properties={"traits": traits})
    report("$identify", source=source, properties={"traits": {"email": "ada@example.com"}})
    evaluate()
    forward()
    row = Event.objects.get(pk=event.id)
    device = compute_anonymous_profile_id(source.pk, "cookie-1").hex
    person = {"user_id": ADA, "profile_id": compute_user_profile_id(ADA).hex, "device_id": device}
    first, second = (Verifier(SECRET).verify(request.body, request.headers) for request in other_side.taken)
    moment = row.occurred_at.isoformat().replace("+00:00", "Z")
    assert first == {
        "type": "event",
        "timestamp": moment,
        "data": {
            "id": str(event.id),
            **person,
            "name": "visit",
            "properties": {"a": 1},
            "source": "Shop",
            "occurred_at": moment,
            "received_at": row.received_at.isoformat().replace("+00:00", "Z"),
        },
    }
    assert second["type"] == "identify"
    assert second["data"]["id"] == str(known.id)
    assert second["data"]["traits"] == {"plan": "gold"}
    assert all(b"example.com" not in request.body and b"cookie-1" not in request.body for request in other_side.taken)


def test_what_the_platform_tells_itself_and_imported_history_are_not_copied(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination()
    report("visit", source=source, user_id=None, anonymous_id="v1")
    report("$identify", source=source, anonymous_id="v1")
    report("old", source=source, origin=IMPORT)
    evaluate()
    report("visit", source=source, user_id=None, anonymous_id="v1")
    evaluate()
    assert Event.objects.filter(name="$follow").exists()
    forward()
    assert [request.json["data"]["name"] for request in other_side.taken] == ["visit", "visit"]


def test_only_the_chosen_events_are_copied(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination(events="some", event_names=["purchase"])
    for name in ("visit", "purchase", "refund"):
        report(name, source=source)
    evaluate()
    forward()
    assert [request.json["data"]["name"] for request in other_side.taken] == ["purchase"]


def test_several_in_one_request_are_signed_as_one_message(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination(settings={"per_request": 100})
    ids = [str(report("visit", source=source).id) for _ in range(3)]
    evaluate()
    forward()
    message = Verifier(SECRET).verify(other_side.taken[0].body, other_side.taken[0].headers)
    assert message["type"] == "batch"
    assert [one["data"]["id"] for one in message["data"]] == ids
    assert other_side.taken[0].headers["webhook-id"] not in ids


def test_ga4_is_sent_requests_about_one_person_each(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination("ga4")
    event = report(
        "add_to_cart",
        source=source,
        anonymous_id="cookie-1",
        properties={
            "value": 12.5,
            "currency": "EUR",
            "is_gift": True,
            "note": "x" * 300,
            "nothing": None,
            "nested": {"a": 1},
            "items": [{"item_id": "lamp", "quantity": 2, "gone": None}],
        },
    )
    evaluate()
    forward()
    heard = other_side.taken[0]
    address = urlsplit(heard.path)
    assert address.path == "/mp/collect"
    assert parse_qs(address.query) == {"measurement_id": ["G-TEST"], "api_secret": ["sesame"]}
    assert heard.json == {
        "client_id": compute_anonymous_profile_id(source.pk, "cookie-1").hex,
        "user_id": ADA,
        "events": [
            {
                "name": "add_to_cart",
                "params": {
                    "value": 12.5,
                    "currency": "EUR",
                    "is_gift": "true",
                    "note": "x" * 100,
                    "nested": '{"a":1}',
                    "items": [{"item_id": "lamp", "quantity": 2}],
                    "event_id": str(event.id),
                    "engagement_time_msec": 1,
                },
                "timestamp_micros": read_micros(event.id),
            }
        ],
    }


def test_ga4_is_sent_at_most_25_events_and_25_parameters(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination("ga4")
    many = {f"p{number:02}": number for number in range(60)}
    expected = {}
    for user in ("ada", "grace"):
        expected[user] = [str(report("visit", source=source, user_id=user, properties=many).id) for _ in range(60)]
    evaluate()
    forward()
    arrived: dict[str, list[str]] = {"ada": [], "grace": []}
    for request in other_side.taken:
        events = request.json["events"]
        assert len(events) <= 25
        assert all(len(event["params"]) == 25 for event in events)
        arrived[request.json["user_id"]] += [event["params"]["event_id"] for event in events]
    assert arrived == expected
    assert len(other_side.taken) == 6


def test_ga4_is_told_the_chosen_traits_as_properties_of_the_user(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination("ga4", traits=["plan", "a very long name of a property"])
    report("visit", source=source)
    traits = {"email": "ada@example.com", "plan": "g" * 50, "a very long name of a property": 1}
    report("$identify", source=source, properties={"traits": traits})
    report("visit", source=source)
    evaluate()
    forward()
    names = [[event["name"] for event in request.json["events"]] for request in other_side.taken]
    assert names == [["visit"], ["identify"], ["visit"]]
    told = other_side.taken[1].json["user_properties"]
    assert told["plan"] == {"value": "g" * 36}
    assert all(len(name) <= 24 for name in told)
    assert len(told) == 2


def test_mixpanel_is_sent_one_import_for_all_lanes(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination("mixpanel", settings={"project_id": "42"})
    signed = report("purchase", source=source, anonymous_id="c1", properties={"total": 3, "token": "no", "$x": 1})
    visitor = report("visit", source=source, user_id=None, anonymous_id="c2")
    evaluate()
    forward()
    (heard,) = other_side.taken
    assert heard.path == "/import?strict=1&project_id=42"
    assert heard.headers["content-type"] == "application/json"
    assert b64decode(heard.headers["authorization"].removeprefix("Basic ")) == b"tok:"
    own, other = (compute_anonymous_profile_id(source.pk, cookie).hex for cookie in ("c1", "c2"))
    assert sorted(heard.json, key=lambda event: str(event["event"])) == [
        {
            "event": "purchase",
            "properties": {
                "total": 3,
                "p_token": "no",
                "time": read_micros(signed.id) // 1000,
                "distinct_id": ADA,
                "$device_id": own,
                "$user_id": ADA,
                "$insert_id": str(signed.id),
            },
        },
        {
            "event": "visit",
            "properties": {
                "time": read_micros(visitor.id) // 1000,
                "distinct_id": f"$device:{other}",
                "$device_id": other,
                "$insert_id": str(visitor.id),
            },
        },
    ]
    assert all(len(event["properties"]["$insert_id"]) <= 36 for event in heard.json)


def test_mixpanel_says_which_events_it_refuses_and_the_others_count_as_sent(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination("mixpanel")
    ids = [str(report("visit", source=source, user_id=f"user-{number}").id) for number in range(4)]
    evaluate()

    def refuse_one(request: Heard) -> Say:
        place = next(place for place, event in enumerate(request.json) if event["properties"]["$insert_id"] == ids[2])
        failed = [{"index": place, "insert_id": ids[2], "field": "properties.time", "message": "is in the future"}]
        body = {"code": 400, "num_records_imported": 3, "status": "Bad Request", "failed_records": failed}
        return Say(status=400, body=json.dumps(body).encode())

    other_side.answer = refuse_one
    forward()
    forward()
    assert len(other_side.heard) == 1
    refused = RefusedCopy.objects.get()
    assert (str(refused.copy_id), refused.reason) == (ids[2], "properties.time is in the future")
    assert count_copies() == (3, 1)


def test_mixpanel_is_told_the_chosen_traits_as_the_persons_profile(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination("mixpanel", events="none", traits=["plan"])
    report("$identify", source=source, properties={"traits": {"email": "ada@example.com", "plan": "gold"}})
    evaluate()

    other_side.answer = lambda request: Say(body=b'{"status": 0, "error": "some error"}')
    forward()
    assert RefusedCopy.objects.get().reason == "some error"

    report("$identify", source=source, properties={"traits": {"plan": "silver"}})
    evaluate()
    other_side.answer = lambda request: Say(body=b'{"status": 1, "error": null}')
    forward()
    assert other_side.heard[-1].path == "/engage?verbose=1"
    assert other_side.heard[-1].json == [{"$token": "tok", "$distinct_id": ADA, "$ip": "0", "$set": {"plan": "silver"}}]
    assert count_copies()[0] == 1


@pytest.mark.parametrize("kind", ["ga4", "mixpanel"])
def test_an_activation_is_an_event_of_its_own_there(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, kind: str
) -> None:
    make_rule("Bought", trigger={"kind": "event", "event": "purchase"})
    make_destination(kind, events="none", activations="all")
    report("purchase", source=source)
    evaluate()
    forward()
    told = other_side.taken[0].json
    event = told["events"][0] if kind == "ga4" else told[0]
    words = event["params"] if kind == "ga4" else event["properties"]
    assert (event.get("name") or event.get("event")) == "rule_matched"
    assert words["rule"] == "Bought"
    assert words["event_name"] == "purchase"
    assert str(Activation.objects.get().pk) in (words.get("event_id"), words.get("$insert_id"))


def test_mixpanel_that_names_every_event_is_believed_for_20_of_them(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination("mixpanel")
    for number in range(30):
        report("visit", source=source, user_id=f"user-{number}")
    evaluate()

    def refuse_all(request: Heard) -> Say:
        failed = [{"index": place, "field": "", "message": "no such project"} for place in range(len(request.json))]
        return Say(status=400, body=json.dumps({"code": 400, "failed_records": failed}).encode())

    other_side.answer = refuse_all
    for _ in range(3):
        forward()
        let_wait_pass()
    assert RefusedCopy.objects.count() == MOST_REFUSALS
    assert load_progress(destination).error == "It refuses everything. no such project"


@pytest.mark.parametrize("place", [-1, 2])
def test_names_of_events_that_were_not_sent_take_nothing_for_sent(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, place: int
) -> None:
    make_destination("mixpanel")
    for number in range(2):
        report("visit", source=source, user_id=f"user-{number}")
    evaluate()
    body = json.dumps({"code": 400, "failed_records": [{"index": place, "message": "no"}]}).encode()
    other_side.answer = lambda request: Say(status=400, body=body)
    forward()
    assert count_copies() == (0, 2)


def test_what_the_other_side_says_can_always_be_noted(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination("mixpanel")
    report("visit", source=source)
    evaluate()
    body = json.dumps({"code": 400, "failed_records": [{"index": 0, "message": "a\0b"}]}).encode()
    other_side.answer = lambda request: Say(status=400, body=body)
    forward()
    assert RefusedCopy.objects.get().reason == "ab"


def test_what_was_taken_behind_a_copy_that_was_not_is_sent_again_with_its_id(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination("mixpanel", traits=["plan"])
    report("$identify", source=source, properties={"traits": {"plan": "gold"}})
    report("visit", source=source)
    evaluate()
    other_side.answer = lambda request: Say(status=500 if request.path.startswith("/engage") else 200)
    forward()
    other_side.recover()
    let_wait_pass()
    forward()
    imports = [request.json for request in other_side.taken if request.path.startswith("/import")]
    assert len(imports) == 2
    assert imports[0] == imports[1]
    assert count_copies() == (2, 0)
