"""Sources in the admin: keys, how to send, what came without identity."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.admin.conftest import Login
from tests.cast import make_source
from tracking.keys import hash_secret
from tracking.models import AllowedOrigin, EventCount, Source

pytestmark = pytest.mark.django_db
FORM = {
    "name": "Shop",
    "lateness_number": "2",
    "lateness_unit": "3600",
    "is_activity": "on",
    "address_policy": "drop",
    "source_rate": "0",
    "source_burst": "0",
    "address_rate": "200",
    "address_burst": "5000",
    "person_rate": "50",
    "person_burst": "1000",
    "is_enabled": "on",
    "origins-TOTAL_FORMS": "1",
    "origins-INITIAL_FORMS": "0",
    "origins-0-origin": "https://Shop.example/",
}


def test_the_secret_key_is_shown_once_and_kept_as_a_hash(login: Login) -> None:
    client = login("Developer")
    answer = client.post("/admin/tracking/source/add/", FORM)
    secret = answer.context["secret_key"]
    source = Source.objects.get(name="Shop")
    assert secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert source.keys.get(kind="secret").secret_hash == hash_secret(secret)
    assert source.lateness.total_seconds() == 7200
    later = client.get(f"/admin/tracking/source/{source.pk}/change/").content.decode()
    assert secret not in later
    assert source.write_key in later
    assert f"Bearer {source.write_key}" in later


def test_an_origin_is_kept_as_a_browser_sends_it(login: Login) -> None:
    login("Developer").post("/admin/tracking/source/add/", FORM)
    assert AllowedOrigin.objects.get().origin == "https://shop.example"


@pytest.mark.parametrize("wrong", ["shop.example", "ftp://shop.example", "https://shop.example/page", "https://"])
def test_what_is_no_origin_is_refused(login: Login, wrong: str) -> None:
    login("Developer").post("/admin/tracking/source/add/", FORM | {"origins-0-origin": wrong})
    assert not AllowedOrigin.objects.exists()


def test_a_replaced_secret_key_is_another_one_and_asks_first(login: Login) -> None:
    source, client = make_source(), login("Developer")
    old = source.keys.get(kind="secret")
    url = f"/admin/tracking/source/{source.pk}/keys/{old.pk}/rotate/"
    client.get(url)
    assert source.keys.filter(kind="secret").count() == 1
    secret = client.post(url, {"overlap": "3600"}).context["secret_key"]
    new = source.keys.exclude(pk=old.pk).get(kind="secret")
    old.refresh_from_db()
    assert new.secret_hash == hash_secret(secret) != old.secret_hash
    assert new.expires_at is None
    assert old.expires_at is not None
    assert timedelta(minutes=59) < old.expires_at - datetime.now(UTC) < timedelta(minutes=61)


def test_a_key_is_revoked_after_a_question(login: Login) -> None:
    source, client = make_source(), login("Developer")
    key = source.keys.get(kind="public")
    url = f"/admin/tracking/source/{source.pk}/keys/{key.pk}/revoke/"
    assert "nothing until they have another" in client.get(url).content.decode()
    assert source.keys.filter(revoked_at=None).count() == 2
    page = client.post(url, follow=True).content.decode()
    assert source.keys.filter(revoked_at=None).count() == 1
    assert ">revoked<" in page


def test_a_key_that_clients_carry_already_belongs_to_one_source_only(login: Login) -> None:
    shop, other, client = make_source(), make_source("Other"), login("Developer")
    body = {"kind": "foreign", "value": "G-ABC123", "label": "web"}
    assert "G-ABC123" in client.post(f"/admin/tracking/source/{shop.pk}/keys/add/", body, follow=True).content.decode()
    page = client.post(f"/admin/tracking/source/{other.pk}/keys/add/", body).content.decode()
    assert "The source Shop has this key already" in page
    assert not other.keys.filter(value="G-ABC123").exists()
    looks_secret = client.post(f"/admin/tracking/source/{other.pk}/keys/add/", body | {"value": "sk_something"})
    assert "looks like a key of this platform" in looks_secret.content.decode()


def test_events_without_identity_are_counted_with_the_cure(login: Login) -> None:
    source = make_source()
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    EventCount.objects.create(
        minute=minute, lane=1, source_id=source.pk, name="add_to_cart", received=10, without_identity=4
    )
    page = login("Developer").get(f"/admin/tracking/source/{source.pk}/change/").content.decode()
    assert "4 events without identity" in page
    assert "anonymous_id" in page


def test_events_with_an_id_that_stands_for_nobody_are_counted_with_the_cure(login: Login) -> None:
    source = make_source()
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    EventCount.objects.create(minute=minute, lane=1, source_id=source.pk, name="visit", received=10, dropped_ids=3)
    page = login("Developer").get(f"/admin/tracking/source/{source.pk}/change/").content.decode()
    assert "3 events with an id that stands for nobody" in page
    assert "ALLOWED_IDS" in page


def test_a_source_that_comes_to_demand_user_hashes_gets_a_secret_for_them(login: Login) -> None:
    source, client = make_source(), login("Developer")
    url = f"/admin/tracking/source/{source.pk}/change/"
    client.post(url, FORM | {"demands_user_hash": "on"})
    secret = source.keys.get(kind="identity").value
    assert secret is not None
    assert secret in client.get(url).content.decode()
    client.post(url, FORM | {"demands_user_hash": "on"})
    assert source.keys.filter(kind="identity").count() == 1
