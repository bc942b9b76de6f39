"""Webhooks in the admin: made from a preset, tried on a payload, secrets shown once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.admin.conftest import Login
from tests.cast import make_source
from tests.tracking.hooks.senders import CHECKOUT, SECRET, make_hook, send
from tracking.hooks.known import read_secret
from tracking.log.upkeep import keep_log
from tracking.models import Hook, HookCount, HookPayload
from tracking.wire.hooks.presets import PRESETS

ADD = "/admin/tracking/hook/add/"
PREVIEW = "/admin/tracking/hook/preview/"


def fill_in(client: Client, preset: str = "shopify", **changes: Any) -> dict[str, Any]:
    """Return the add form as the preset fills it in, with changes."""
    form = client.get(f"{ADD}?preset={preset}").context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    filled = {name: "on" if value is True else value for name, value in values.items() if value not in (None, False)}
    return filled | changes


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_hook_is_made_from_a_preset_and_its_secret_shown_once(log: None, login: Login, preset: str) -> None:
    make_source()
    client = login("Developer")
    answer = client.post(ADD, fill_in(client, preset))
    secret = answer.context["secret"]
    hook = Hook.objects.get()
    assert "no-store" in answer["Cache-Control"]
    assert read_secret(hook.secret) == secret
    assert secret not in hook.secret
    later = client.get(f"/admin/tracking/hook/{hook.pk}/change/").content.decode()
    assert secret not in later
    assert secret[-4:] in later
    assert f"/hooks/{hook.source_id}/{hook.name}" in later


def test_a_payload_that_the_new_hook_takes_is_seen_on_its_page_and_in_the_list(log: None, login: Login) -> None:
    make_source()
    client = login("Developer")
    client.post(ADD, fill_in(client, name="left", secret=SECRET))
    hook = Hook.objects.get()
    send(hook, CHECKOUT, X_Shopify_Topic="checkouts/create")
    send(hook, CHECKOUT, secret="wrong", X_Shopify_Topic="checkouts/create")

    page = client.get(f"/admin/tracking/hook/{hook.pk}/change/").content.decode()
    listed = client.get("/admin/tracking/hook/").content.decode()

    for shown in (page, listed):
        assert "1 accepted, 1 refused" in shown
        assert "No valid secret gives this signature." in shown
    payload = HookPayload.objects.get()
    told = client.get(f"/admin/tracking/hook/payload/{payload.pk}/").json()
    assert json.loads(told["body"]) == CHECKOUT
    assert told["headers"] == {"x-shopify-topic": "checkouts/create"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event": ""}, "event"),
        ({"user_id": "customer.id"}, "user_id"),
        ({"time": "$.x["}, "time"),
        ({"names": "no equals sign"}, "names"),
        ({"properties": '[{"name": "a", "place": "$..b..c"}]'}, "properties"),
        ({"properties": "junk"}, "properties"),
        ({"only_when": "$.a"}, "is_one_of"),
        ({"secret": "short"}, "secret"),
        ({"secret": "with an ümlaut"}, "secret"),
        ({"style": "query", "secret": "with spaces"}, "secret"),
        ({"style": "standard", "secret": "no base64 at all!"}, "secret"),
        ({"header": "X Y"}, "header"),
        ({"name": "Has Spaces"}, "name"),
    ],
)
def test_what_is_wrong_stands_at_its_field(log: None, login: Login, changes: dict[str, str], field: str) -> None:
    make_source()
    client = login("Developer")
    answer = client.post(ADD, fill_in(client, **changes))
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Hook.objects.exists()


def test_a_new_secret_leaves_the_former_one_valid_until_somebody_ends_it(log: None, login: Login) -> None:
    hook, client = make_hook(make_source()), login("Developer")
    address = f"/admin/tracking/hook/{hook.pk}/"

    client.get(f"{address}replace-secret/")
    assert send(hook, CHECKOUT).status_code == 200
    secret = client.post(f"{address}replace-secret/").context["secret"]

    hook.refresh_from_db()
    assert hook.previous_until is not None
    assert hook.previous_until - datetime.now(UTC) > timedelta(days=6)
    assert [send(hook, CHECKOUT, secret=one).status_code for one in (secret, SECRET)] == [200, 200]
    client.post(f"{address}end-former/")
    assert [send(hook, CHECKOUT, secret=one).status_code for one in (secret, SECRET)] == [200, 401]


def read_form(client: Client, address: str) -> dict[str, Any]:
    """Return a webhook's page as it would be sent unchanged."""
    form = client.get(address).context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    return {name: "on" if value is True else value for name, value in values.items() if value not in (None, False)}


def test_a_style_that_the_secret_does_not_fit_is_refused(log: None, login: Login) -> None:
    hook, client = make_hook(make_source()), login("Developer")
    address = f"/admin/tracking/hook/{hook.pk}/change/"
    given = read_form(client, address)

    answer = client.post(address, given | {"style": "query"})
    assert list(answer.context["adminform"].form.errors) == ["style"]
    assert "Replace the secret before." in answer.content.decode()
    assert client.post(address, given | {"style": "hmac_hex"}).status_code == 302
    hook.refresh_from_db()
    assert hook.style == "hmac_hex"


def test_an_edit_keeps_the_secret_and_holds_at_once(log: None, login: Login) -> None:
    hook, client = make_hook(make_source()), login("Developer")
    address = f"/admin/tracking/hook/{hook.pk}/change/"
    assert client.post(address, read_form(client, address) | {"event": "renamed"}).status_code == 302
    hook.refresh_from_db()
    assert hook.mapping["event"] == "renamed"
    assert hook.mapping["properties"][1] == {"name": "skus", "place": "$.line_items[*].sku"}
    assert send(hook, CHECKOUT).json() == {"outcome": "accepted"}


def test_a_preview_is_what_the_door_would_make_of_it_and_stores_nothing(log: None, login: Login) -> None:
    make_source()
    client = login("Developer")
    given = fill_in(client) | {"payload": json.dumps(CHECKOUT), "payload_headers": '{"X-Shopify-Topic": "x/y"}'}

    told = client.post(PREVIEW, given).json()
    event = json.loads(told["event"])
    assert told["result"] == "event"
    assert (event["event"], event["user_id"]) == ("x/y", "603851970716743426")
    assert {note["field"] for note in told["notes"]} == {"message_id", "properties.2.place", "properties.4.place"}

    wrong = client.post(PREVIEW, given | {"user_id": "$.line_items", "time": "$.x["}).json()
    assert wrong["result"] == "unclear"
    assert {note["field"] for note in wrong["notes"] if note["is_problem"]} == {"user_id", "time"}
    assert not Hook.objects.exists()


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"payload": ""}, "none"),
        ({"payload": "{"}, "error"),
        ({"payload": "7"}, "error"),
        ({"payload_headers": "junk"}, "error"),
        ({"names": "junk"}, "error"),
        ({"payload": json.dumps(CHECKOUT | {"note": "x" * 40_000}), "whole_body": "on"}, "unclear"),
        ({"time": "$.id"}, "unclear"),
        ({"only_when": "$.id", "is_one_of": "8"}, "ignored"),
    ],
)
def test_a_preview_says_what_is_in_its_way(log: None, login: Login, changes: dict[str, str], result: str) -> None:
    make_source()
    client = login("Developer")
    given = fill_in(client) | {"payload": json.dumps(CHECKOUT), "payload_headers": '{"x-shopify-topic": "a"}'}
    told = client.post(PREVIEW, given | changes).json()
    assert (told["result"], bool(told["says"])) == (result, True)


def test_who_may_only_look_sees_the_mapping_and_changes_nothing(log: None, login: Login) -> None:
    hook, client = make_hook(make_source()), login("Operator")
    User.objects.get().user_permissions.add(Permission.objects.get(codename="view_hook"))
    address = f"/admin/tracking/hook/{hook.pk}/change/"

    assert hook.mapping["event"] in client.get(address).content.decode()
    assert client.post(address, {"name": "other"}).status_code == 403


@pytest.mark.parametrize("group", ["Marketer", "Operator"])
def test_others_see_no_payload_and_try_no_mapping(log: None, login: Login, group: str) -> None:
    hook = make_hook(make_source())
    send(hook, CHECKOUT)
    client, payload = login(group), HookPayload.objects.get()
    own = f"/admin/tracking/hook/{hook.pk}"
    for address in (f"/admin/tracking/hook/payload/{payload.pk}/", f"{own}/change/", f"{own}/replace-secret/"):
        assert client.get(address).status_code == 403
    for address in (PREVIEW, f"{own}/again/", f"{own}/end-former/", f"{own}/replace-secret/"):
        assert client.post(address, {"payload": "{}"}).status_code == 403


def test_the_list_asks_as_much_for_many_hooks_as_for_one(log: None, login: Login) -> None:
    source, client = make_source(), login("Developer")
    counts = []
    for names in (("a",), ("b", "c", "d", "e")):
        for name in names:
            send(make_hook(source, name), CHECKOUT)
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/admin/tracking/hook/").status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_payloads_go_after_a_week_and_counts_after_five(log: None) -> None:
    hook = make_hook(make_source())
    send(hook, CHECKOUT)
    for age, payloads, counts in ((6, 1, 1), (8, 0, 1), (36, 0, 0)):
        moment = datetime.now(UTC) - timedelta(days=age)
        HookPayload.objects.update(received_at=moment)
        HookCount.objects.update(hour=moment)
        keep_log()
        assert (HookPayload.objects.count(), HookCount.objects.count()) == (payloads, counts)
