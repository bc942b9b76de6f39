"""Refused items: read, mended, sent again."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from engagement.local.state import PROJECT
from tests.admin.conftest import Login
from tests.cast import make_source
from tracking.admin.quarantine_groups import count_reasons
from tracking.event import Rejection
from tracking.models import Event, Quarantined, Source
from tracking.quarantine import Refused, keep_refused
from tracking.refusal_words import WORDS, say_code

OLD = {"event": "add_to_cart", "timestamp": "1999-01-01T00:00:00Z", "user_id": "bob", "product_id": "7"}


@pytest.fixture
def client_of_shop(log: None, login: Login) -> tuple[Client, Source]:
    return login("Developer"), make_source()


def _send(client: Client, source: Source, body: Any, path: str = "/track-event") -> Quarantined:
    answer = client.post(path, body, content_type="application/json", headers={"X-Write-Key": source.write_key})
    assert answer.status_code in (400, 403)
    return Quarantined.objects.latest("pk")


def _mend(client: Client, item: Quarantined, text: str) -> Any:
    return client.post(f"/admin/tracking/quarantined/{item.pk}/change/", {"payload_text": text})


def test_a_mended_item_is_accepted_and_marked(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    item = _send(client, source, OLD)
    page = client.get(f"/admin/tracking/quarantined/{item.pk}/change/")
    shown = json.loads(page.context["adminform"].form.fields["payload_text"].initial)
    assert shown["event"] == "add_to_cart"
    shown["timestamp"] = datetime.now(UTC).isoformat()
    assert _mend(client, item, json.dumps(shown)).status_code == 302
    event = Event.objects.get(name="add_to_cart")
    assert (event.user_id, event.properties, event.source_id) == ("bob", {"product_id": "7"}, source.pk)
    item.refresh_from_db()
    assert item.resent_at is not None


def test_what_two_people_mend_at_once_is_one_event(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    item = _send(client, source, OLD)
    mended = {name: value for name, value in OLD.items() if name != "timestamp"}
    assert _mend(client, item, json.dumps(mended)).status_code == 302
    again = _mend(client, item, json.dumps(mended | {"product_id": "8"})).content.decode()
    assert "It was sent again meanwhile, and is in the log." in again

    # A worker that died between the append and the mark.
    Quarantined.objects.update(resent_at=None)
    assert _mend(client, item, json.dumps(mended)).status_code == 302
    assert Event.objects.get().occurred_at == item.received_at


def test_what_is_mended_keeps_no_more_of_an_address_than_its_source_says(
    client_of_shop: tuple[Client, Source],
) -> None:
    client, source = client_of_shop
    item = _send(client, source, OLD)
    mended = {"event": "add_to_cart", "user_id": "bob", "context": {"ip": "203.0.113.9"}, "user_hash": "5f2a"}
    assert _mend(client, item, json.dumps(mended)).status_code == 302
    assert Event.objects.get().context == {}


def test_what_is_refused_again_says_why_and_is_not_kept_twice(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    item = _send(client, source, OLD)
    answer = _mend(client, item, json.dumps(OLD))
    assert "It was refused again: The time lies" in answer.content.decode()
    assert Quarantined.objects.count() == 1
    item.refresh_from_db()
    assert item.resent_at is None


def test_the_names_in_a_second_refusal_are_marked_and_what_they_hold_is_text(
    client_of_shop: tuple[Client, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, source = client_of_shop
    item = _send(client, source, OLD)
    problem = Rejection(index=0, code="schema", message="`total` is not in <b>.")
    monkeypatch.setattr("tracking.admin.mending.send_mended", lambda *given: problem)
    page = _mend(client, item, json.dumps(OLD)).content.decode()
    assert "It was refused again: <code>total</code> is not in &lt;b&gt;." in page


def test_what_is_no_json_is_shown_as_it_came_and_can_be_mended(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    item = Quarantined.objects.create(
        source=source, received_at=datetime.now(UTC), code="invalid_json", message="No JSON.", payload=b'{"event": '
    )
    page = client.get(f"/admin/tracking/quarantined/{item.pk}/change/")
    assert page.context["adminform"].form.fields["payload_text"].initial == '{"event": '
    assert "not valid JSON" in _mend(client, item, '{"event": ').content.decode()
    assert _mend(client, item, '{"event": "fine", "user_id": "ada"}').status_code == 302
    assert Event.objects.filter(name="fine").exists()


def test_a_refused_payload_in_our_own_shape_is_shown_as_it_came(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    body = {"event": 5, "index": 0, "name": "$identify", "user_id": "ada", "properties": [1]}
    item = _send(client, source, body, "/v1/events")
    page = client.get(f"/admin/tracking/quarantined/{item.pk}/change/")
    assert json.loads(page.context["adminform"].form.fields["payload_text"].initial) == body


def test_a_reserved_name_from_a_page_is_accepted_from_the_admin(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    item = _send(client, source, {"event": "cart_abandonment", "user_id": "ada"})
    text = client.get(f"/admin/tracking/quarantined/{item.pk}/change/").context["adminform"].form.fields["payload_text"]
    assert _mend(client, item, text.initial).status_code == 302


def test_reasons_are_counted_above_the_list(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    for _ in range(3):
        _send(client, source, OLD)
    groups = client.get("/admin/tracking/quarantined/").context["groups"]
    told = [(group["code"], group["field"], group["event_name"], group["number"]) for group in groups]
    assert told == [("timestamp_out_of_range", "timestamp", "add_to_cart", 3)]


def test_a_reason_of_several_items_says_that_its_words_are_the_newests(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    now = datetime.now(UTC)
    for message in ("`total` must be a number.", "`total` is missing."):
        Quarantined.objects.create(source=source, received_at=now, code="schema_mismatch", message=message)
    page = client.get("/admin/tracking/quarantined/").content.decode()
    assert "The newest: <code>total</code> is missing." in page


def test_the_list_is_narrowed_to_one_reason(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    now = datetime.now(UTC)
    for code, message in (("invalid_json", "No JSON."), ("identity_required", "Nobody.")):
        Quarantined.objects.create(source=source, received_at=now, code=code, message=message, payload=b"{")
    page = client.get("/admin/tracking/quarantined/?code=identity_required").content.decode()
    table = page[page.index("result_list") :]
    assert "Nobody." in table
    assert "No JSON." not in table


def test_every_code_that_has_words_is_one_that_the_door_gives() -> None:
    written = "".join(
        path.read_text() for path in (PROJECT / "tracking").rglob("*.py") if path.name != "refusal_words.py"
    )
    assert [code for code in WORDS if f'"{code}"' not in written] == []
    assert say_code("brand_new") == "was refused: brand new"


def test_from_a_reason_one_gets_to_its_own_items(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    _send(client, source, OLD)
    _send(client, source, OLD | {"event": "purchase"})
    groups = {one["event_name"]: one["url"] for one in client.get("/admin/tracking/quarantined/").context["groups"]}

    listed = client.get(client.get(groups["purchase"]).context["list_url"])

    assert [row.event_name for row in listed.context["cl"].result_list] == ["purchase"]


def test_an_index_alone_counts_what_is_open_by_reason(client_of_shop: tuple[Client, Source]) -> None:
    client, source = client_of_shop
    for body in ({"event": 5}, {"event": 6}, OLD):
        newest = _send(client, source, body)
    groups = client.get("/admin/tracking/quarantined/").context["groups"]
    assert [(group["number"], group["event_name"]) for group in groups] == [(2, ""), (1, "add_to_cart")]
    assert (groups[1]["message"], groups[1]["latest"]) == (newest.message, newest.received_at)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("analyze tracking_quarantined")
        cursor.execute("set local enable_seqscan = off")
        cursor.execute("set local enable_bitmapscan = off")
        cursor.execute("set local enable_sort = off")
        cursor.execute("set local enable_indexscan = off")
        cursor.execute("set local enable_hashagg = off")
        assert "Index Only Scan using quarantined_reasons" in count_reasons().explain()


def test_the_longest_place_and_name_fit_into_the_index(client_of_shop: tuple[Client, Source]) -> None:
    _, source = client_of_shop
    source_of_letters = random.Random(1)
    letters = "".join(chr(0x10000 + source_of_letters.randrange(number)) for number in range(60_000, 62_000))
    rejection = Rejection(index=0, code="schema_mismatch", field=letters, message="No.")
    refused = Refused(rejection=rejection, payload=b"{}", dialect="native", event_name=letters[::-1], is_public=True)
    keep_refused(source.pk, [rejection], lambda _: refused, datetime.now(UTC))
    assert Quarantined.objects.filter(field=letters[:250]).exists()
