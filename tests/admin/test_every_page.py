"""Every page of the admin opens on an installation in which everything has happened, whoever asks for it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from engagement.groups import GROUPS
from tests.admin.installation import sign_in
from tracking.models import (
    Event,
    HookPayload,
    Profile,
    Quarantined,
    Resending,
    SchemaVersion,
    Source,
)
from triggers.models import Activation, Delivery, Destination, SendingSwitch

pytestmark = pytest.mark.slow

NOBODY = "staff without a group"
OPEN_TO_ALL = {
    "/admin/",
    "/admin/login/",
    "/admin/jsi18n/",
    "/admin/first-steps.json",
    "/admin/search/",
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/two-factor/",
    "/admin/two-factor/set-up/",
    "/admin/two-factor/off/",
}
_ELSEWHERE = {"logout", "view_on_site"}


def list_pages() -> list[str]:
    """Return every address of the admin, with what is there in the place of its variables."""
    values, pages = _list_values(), []
    for pattern in _walk(get_resolver("engagement.urls").url_patterns):
        wanted = pattern.pattern.converters or pattern.pattern.regex.groupindex
        if pattern.name is None or pattern.name in _ELSEWHERE or "object_id" in wanted:
            continue
        lacking = set(wanted) - set(values)
        assert not lacking, f"{pattern.name} has a variable of which this test knows no value: {lacking}"
        pages.append(reverse(f"admin:{pattern.name}", kwargs={name: values[name] for name in wanted}))
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        for row in _rows(model):
            pages += [reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "delete", "history")]
    kinds = reverse("admin:triggers_destination_add")
    return pages + [f"{kinds}?kind={kind}" for kind in ("webhook", "ga4", "mixpanel")]


def _walk(patterns: list[Any], is_admin: bool = False) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, is_admin or pattern.namespace == "admin")
        elif is_admin:
            yield pattern


def _rows(model: type[Model]) -> list[Model]:
    rows = list(model._default_manager.all()[:5])
    assert rows, f"{model._meta.label} has no row: make one, so that its pages are opened"
    return rows


def _list_values() -> dict[str, Any]:
    """Return what stands for the variables of addresses. A new variable needs a line here."""
    source = Source.objects.get()
    payload = HookPayload.objects.get()
    return {
        "app_label": "tracking",
        "id": User.objects.filter(username="somebody").get().pk,
        "source_id": source.pk,
        "key_id": source.keys.filter(kind="secret").get().pk,
        "hook_id": payload.hook_id,
        "payload_id": payload.pk,
        "type_id": SchemaVersion.objects.get().event_type_id,
        "number": 1,
        "run_id": Resending.objects.get().pk,
        "delivery_id": Delivery.objects.filter(state="in_doubt").get().pk,
        "destination_id": Destination.objects.get().pk,
        "rule_id": Activation.objects.get().rule_id,
        "profile_id": Profile.objects.get(user_id="ada").pk,
        "event_id": Event.objects.get(name="add_to_cart").pk,
    }


def test_every_page_opens_for_everybody_without_a_server_error(installation: None) -> None:
    pages = list_pages()
    assert len(pages) > 100
    failed, seen = [], 0
    for group in ("", *GROUPS, NOBODY):
        client = sign_in(group)
        for page in pages:
            status = client.get(page).status_code
            seen += status == 200
            if status >= 500:
                failed.append((group or "superuser", page, status))
    assert not failed
    assert seen > len(pages)


def test_whatever_may_be_deleted_goes(installation: None) -> None:
    client, failed = sign_in(""), []
    Quarantined.objects.all().delete()
    for model in admin.site._registry:
        for row in list(model._default_manager.all()[:5]):
            if row == User.objects.get(is_superuser=True):
                continue
            page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_delete", args=[row.pk])
            status = client.post(page, {"post": "yes"}).status_code
            if status >= 500:
                failed.append((page, status))
    assert not failed
    assert not Destination.objects.exists()
    assert not Source.objects.exists()


def test_who_may_do_nothing_sees_nothing(installation: None) -> None:
    SendingSwitch.objects.update(is_stopped=True)
    client = sign_in(NOBODY)
    opened = {page for page in list_pages() if client.get(page).status_code not in (403, 404)}
    assert opened == OPEN_TO_ALL
    dashboard = client.get("/admin/").content.decode()
    assert not [words for words in ("First steps", "stopped", "stands still", "behind the log") if words in dashboard]
    assert client.get("/admin/first-steps.json").json() == {}


def test_a_held_item_is_not_counted_for_who_may_not_delete(installation: None) -> None:
    source = Source.objects.get()
    client = sign_in("Marketer")
    for owner in (f"source/{source.pk}", f"hook/{source.hooks.get().pk}"):
        assert client.get(f"/admin/tracking/{owner}/delete/").status_code == 403
