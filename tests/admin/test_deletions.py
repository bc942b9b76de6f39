"""Deleting a source or a webhook: counted beforehand, and not while something is held that was promised."""

from urllib.parse import urlencode

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin.conftest import Login
from tests.admin.test_resending import order, send
from tests.cast import approve, make_source
from tests.tracking.hooks.senders import make_hook
from tests.tracking.hooks.senders import send as send_payload
from tracking.models import Hook, Quarantined, Source

PRICED = {"type": "object", "properties": {"price": {"type": "number"}}}


def test_a_webhook_is_not_deleted_while_a_payload_of_its_is_held(log: None, login: Login) -> None:
    hook = make_hook(make_source(), mapping={"event": "$.type", "user_id": "$.customer"})
    assert send_payload(hook, {"type": "x", "client": "ada"}).json()["outcome"] == "held"
    client = login("Developer")
    address = f"/admin/tracking/hook/{hook.pk}/delete/"

    for answer in (client.get(address, follow=True), client.post(address, {"post": "yes"}, follow=True)):
        assert "one held item waits there" in answer.content.decode()
    assert Hook.objects.exists()

    Quarantined.objects.all().delete()
    assert "1 hook payload" in client.get(address).content.decode()
    client.post(address, {"post": "yes"})
    assert not Hook.objects.exists()


def test_a_source_is_not_deleted_while_something_of_its_is_held(log: None, login: Login) -> None:
    shop = make_source()
    approve("order_completed", PRICED, policy="quarantine")
    send(shop, order(1), order(2))
    client = login("Developer")
    address = f"/admin/tracking/source/{shop.pk}/delete/"

    assert "2 held items wait there" in client.post(address, {"post": "yes"}, follow=True).content.decode()
    assert (Source.objects.count(), Quarantined.objects.count()) == (1, 2)

    kept = Quarantined.objects.earliest("pk")
    group = urlencode({"source": shop.pk, "held": 1, "code": kept.code, "field": kept.field, "event": kept.event_name})
    page = f"/admin/tracking/quarantined/group/?{group}"
    client.post(page, {"delete": "1"})
    assert Quarantined.objects.count() == 2
    client.post(page, {"delete": "2"})
    assert not Quarantined.objects.exists()
    client.post(address, {"post": "yes"})
    assert not Source.objects.exists()


def test_what_goes_with_a_source_is_counted_and_not_read(log: None, login: Login) -> None:
    shop = make_source()
    approve("order_completed", PRICED, policy="reject")
    client = login("Developer")
    asked = []
    for number in (1, 20):
        send(shop, *(order(one) for one in range(number)))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page = client.get(f"/admin/tracking/source/{shop.pk}/delete/").content.decode()
        asked.append(len(queries))
    assert "21 quarantined items" in page
    assert "order_completed" not in page
    assert asked[0] == asked[1]


def test_who_may_not_delete_items_deletes_no_group(log: None, login: Login) -> None:
    shop = make_source()
    send(shop, {"event": 5, "user_id": "ada"})
    kept = Quarantined.objects.get()
    page = f"/admin/tracking/quarantined/group/?source={shop.pk}&held=0&code={kept.code}&field={kept.field}&event="
    assert login("Marketer").post(page, {"delete": "1"}).status_code == 403
    assert Quarantined.objects.exists()
