"""What is quarantined for one reason, sent again together once its schema is mended."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.db.models.signals import post_delete
from django.test import Client

from tests.admin.conftest import Login
from tests.cast import approve, evaluate, make_source
from tracking import again
from tracking.admin.mending import send_mended
from tracking.again import delete_old, run_resendings
from tracking.event import Item
from tracking.intake import open_intake
from tracking.log.append import AppendFailed
from tracking.models import Event, EventType, Quarantined, Resending, Source
from tracking.registry import forget_registry

PRICED = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}
MENDED = {"type": "object", "required": ["price"], "properties": {"price": {"type": ["number", "string"]}}}


@pytest.fixture
def shop(log: None) -> Source:
    approve("order_completed", PRICED, policy="quarantine")
    return make_source()


@pytest.fixture
def client(log: None, login: Login) -> Client:
    return login("Developer")


def send(source: Source, *events: dict[str, Any]) -> list[dict[str, Any]]:
    headers = {"x-write-key": source.write_key}
    answer = Client().post(
        "/v1/events", json.dumps({"events": events}), content_type="application/json", headers=headers
    )
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def order(number: int, **fields: Any) -> dict[str, Any]:
    base = {"event": "order_completed", "user_id": f"user{number}", "message_id": f"m{number}"}
    return base | {"properties": {"price": "5 €"}} | fields


def group_page(source: Source, field: str = "properties.price") -> str:
    return (
        f"/admin/tracking/quarantined/group/?source={source.pk}&held=1&code=schema_mismatch&field={field}"
        "&event=order_completed"
    )


def test_a_group_says_how_many_fit_now_and_why_the_others_do_not(client: Client, shop: Source) -> None:
    send(shop, order(1), order(2), order(3, properties={"price": True}))
    preview = client.get(group_page(shop)).context["preview"]
    assert (preview.looked_at, preview.fitting, preview.reasons) == (3, 0, [("`price` must be a number.", 3)])

    approve("order_completed", MENDED, policy="quarantine")

    preview = client.get(group_page(shop)).context["preview"]
    assert (preview.fitting, preview.reasons) == (2, [("`price` must be a number or a text.", 1)])


def test_a_group_is_sent_again_with_its_moments_ids_and_trust(
    client: Client, shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "BATCH", 2)
    said = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    held = send(shop, *[order(number, timestamp=said) for number in range(5)])
    stubborn = send(shop, order(9, properties={"price": True}))
    approve("order_completed", MENDED, policy="quarantine")

    page = client.post(group_page(shop))
    run_resendings(open_intake(), 10)

    run = Resending.objects.get()
    assert page["Location"] == f"/admin/tracking/quarantined/resending/{run.pk}/"
    assert (run.total, run.sent, run.left, run.first_problem) == (6, 5, 1, "`price` must be a number or a text.")
    assert run.finished_at is not None
    events = list(Event.objects.filter(name="order_completed"))
    assert {str(event.pk) for event in events} == {one["id"] for one in held}
    assert all(event.context["$public"] and event.occurred_at.isoformat() == said for event in events)
    assert {event.message_id for event in events} == {f"m{number}" for number in range(5)}
    assert Quarantined.objects.get(resent_at=None).event_id is not None
    assert stubborn[0]["outcome"] == "quarantined"
    told = client.get(f"/admin/tracking/quarantined/resending/{run.pk}.json").json()
    assert (told["sent"], told["left"], told["is_done"]) == (5, 1, True)
    for address in (page["Location"], "/admin/tracking/quarantined/"):
        assert "<code>order_completed</code> from Shop" in client.get(address).content.decode()


def test_what_was_sent_again_is_not_stored_twice_by_a_retry_nor_by_a_crash(
    client: Client, shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = {key: value for key, value in order(2).items() if key != "message_id"}
    send(shop, order(1, timestamp=datetime.now(UTC).isoformat()), nameless)
    approve("order_completed", MENDED, policy="quarantine")
    client.post(group_page(shop))
    run_resendings(open_intake(), 10)
    assert Event.objects.count() == 2

    # A crash between the append and the mark: the same items once more.
    Quarantined.objects.update(resent_at=None)
    client.post(group_page(shop))
    run_resendings(open_intake(), 10)

    assert Event.objects.count() == 2


def test_a_database_that_goes_away_loses_nothing_and_the_run_goes_on(
    client: Client, shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(shop, order(1))
    approve("order_completed", MENDED, policy="quarantine")
    client.post(group_page(shop))
    intake = open_intake()

    def fail(*_: Any, **__: Any) -> Any:
        raise AppendFailed("away")

    with monkeypatch.context() as away:
        away.setattr(intake.appender, "append", fail)
        with pytest.raises(AppendFailed):
            run_resendings(intake, 10)
    run_resendings(intake, 10)

    assert Event.objects.count() == 1
    assert Resending.objects.get().sent == 1


def test_what_a_page_may_not_say_it_may_not_say_by_way_of_the_quarantine(client: Client, shop: Source) -> None:
    send(shop, order(1))
    approve("order_completed", MENDED, policy="quarantine")
    EventType.objects.update(server_only=True)
    forget_registry()

    preview = client.get(group_page(shop)).context["preview"]

    assert preview.fitting == 0


@pytest.mark.parametrize(
    "said",
    [
        {"name": "$linked", "properties": {"profile": "b3", "user_id": "mallory", "known": True}},
        {"name": "x", "is_import": True},
        {"name": "x", "context": {"$bot": False}},
    ],
)
def test_a_refused_payload_in_our_own_shape_is_not_believed(client: Client, shop: Source, said: dict[str, Any]) -> None:
    send(shop, {"event": 5, "index": 0, "user_id": "ada"} | said, {"event": "x", "user_id": "ada"})
    kept = Quarantined.objects.get()
    group = f"?source={shop.pk}&held=0&code={kept.code}&field={kept.field}&event="

    assert client.get(f"/admin/tracking/quarantined/group/{group}").context["preview"].fitting == 0
    client.post(f"/admin/tracking/quarantined/group/{group}")
    run_resendings(open_intake(), 10)

    assert Resending.objects.get().left == 1
    assert Event.objects.count() == 1


def test_no_name_of_ours_but_what_clients_say_comes_by_way_of_the_quarantine(shop: Source) -> None:
    item = Item(index=0, name="$linked", user_id="ada", properties={"profile": "b3", "user_id": "mallory"})
    row = Quarantined(
        source=shop,
        received_at=datetime.now(UTC),
        event_name=item.name,
        payload=msgspec.json.encode(item),
        dialect="native",
        is_public=False,
    )
    problem = again.find_problem(row, open_intake())
    assert problem is not None
    assert problem.code == "reserved_event"
    for name in ("$identify", "$group", "signed_up"):
        row.payload = msgspec.json.encode(msgspec.structs.replace(item, name=name))
        assert again.find_problem(row, open_intake()) is None


def test_who_has_shown_who_they_are_need_not_show_it_again(client: Client, shop: Source) -> None:
    send(shop, order(1))
    approve("order_completed", MENDED, policy="quarantine")
    Source.objects.update(demands_user_hash=True)
    forget_registry()

    client.post(group_page(shop))
    run_resendings(open_intake(), 10)

    assert Event.objects.get().user_id == "user1"


def test_what_a_bot_sent_is_a_bots_when_it_is_sent_on(client: Client, shop: Source) -> None:
    robot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    headers = {"x-write-key": shop.write_key, "user-agent": robot}
    body = json.dumps({"events": [order(1)]})
    Client().post("/v1/events", body, content_type="application/json", headers=headers)
    item = Quarantined.objects.get()
    text = json.loads(bytes(item.payload))["properties"]

    mended = {"event": "order_completed", "user_id": "user1", "message_id": "m1", "properties": text | {"price": 5}}
    client.post(f"/admin/tracking/quarantined/{item.pk}/change/", {"payload_text": json.dumps(mended)})

    assert Event.objects.get().context["$bot"]


def test_a_held_item_is_mended_by_hand_with_its_trust_and_moment(client: Client, shop: Source) -> None:
    send(shop, order(1))
    item = Quarantined.objects.get()
    page = client.get(f"/admin/tracking/quarantined/{item.pk}/change/")
    text = page.context["adminform"].form.fields["payload_text"].initial
    assert "<mark>    &quot;price&quot;: &quot;5 €&quot;</mark>" in page.content.decode()

    client.post(f"/admin/tracking/quarantined/{item.pk}/change/", {"payload_text": text.replace('"5 €"', "5")})

    event = Event.objects.get()
    assert (event.pk, event.properties, event.message_id) == (item.event_id, {"price": 5}, "m1")
    assert event.context["$public"]
    assert event.occurred_at == item.received_at


def test_what_is_mended_while_its_reason_is_sent_again_is_one_event(
    client: Client, shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(shop, order(1))
    approve("order_completed", MENDED, policy="quarantine")
    client.post(group_page(shop))
    item, told, check = Quarantined.objects.get(), [], again.check_row

    def mend() -> None:
        told.append(send_mended(item, json.dumps(order(1, user_id="somebody else")).encode(), open_intake()))
        connection.close()

    other = threading.Thread(target=mend)

    def check_late(*args: Any, **kwargs: Any) -> Any:
        if not other.is_alive() and not told:
            other.start()
            other.join(0.5)
        return check(*args, **kwargs)

    monkeypatch.setattr(again, "check_row", check_late)
    run_resendings(open_intake(), 10)
    other.join()

    assert Event.objects.get().user_id == "user1"
    assert [problem and problem.code for problem in told] == ["sent_already"]


def test_what_comes_while_a_reason_is_deleted_stays(
    client: Client, shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(shop, order(1), order(2))
    monkeypatch.setattr(again, "_DELETED_AT_ONCE", 1)

    def come(**kwargs: Any) -> None:
        post_delete.disconnect(come, sender=Quarantined)
        send(shop, order(3))

    post_delete.connect(come, sender=Quarantined)
    try:
        client.post(group_page(shop), {"delete": "2"})
    finally:
        post_delete.disconnect(come, sender=Quarantined)

    assert json.loads(bytes(Quarantined.objects.get().payload))["message_id"] == "m3"


def test_nobody_waits_long_for_what_a_group_would_do(
    client: Client, shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(shop, order(1), order(2))
    monkeypatch.setattr(again, "_PREVIEW_SECONDS", 0)

    page = client.get(group_page(shop))

    assert page.context["preview"].looked_at == 1
    assert "Of the first 1," in page.content.decode()


def test_room_in_the_quarantine_comes_back_when_items_are_sent_on(
    client: Client, shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.quarantine.MAX_HELD", 1)
    send(shop, order(1))
    assert send(shop, order(2), {"event": "x", "user_id": "a"})[0]["code"] == "quarantine_full"
    approve("order_completed", MENDED, policy="quarantine")
    client.post(group_page(shop))
    run_resendings(open_intake(), 10)
    approve("order_completed", PRICED, policy="quarantine")

    assert send(shop, order(3))[0]["outcome"] == "quarantined"


def test_what_was_refused_goes_after_a_month_and_what_is_held_waits_for_a_person(client: Client, shop: Source) -> None:
    send(shop, order(1), {"event": "x", "user_id": ""}, {"event": "y", "user_id": "a"})
    now = datetime.now(UTC)

    delete_old(now + timedelta(days=29))
    assert Quarantined.objects.count() == 2
    delete_old(now + timedelta(days=1000))
    assert Quarantined.objects.get().is_held
    Quarantined.objects.update(resent_at=now)
    delete_old(now + timedelta(days=6))
    assert Quarantined.objects.exists()
    delete_old(now + timedelta(days=8))
    assert not Quarantined.objects.exists()


def test_an_item_sent_again_is_decided_like_any(client: Client, shop: Source) -> None:
    send(shop, order(1))
    approve("order_completed", MENDED, policy="quarantine")
    client.post(group_page(shop))
    run_resendings(open_intake(), 10)

    assert evaluate().events == 1
