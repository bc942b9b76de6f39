"""What a secret key may do: report, read back, manage, or export and erase people; and who may make which."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from engagement.groups import ensure_groups
from tests.cast import ADA, make_source, report
from tests.tracking.hooks.senders import make_hook
from tracking.keys import hash_secret, make_key, rotate_key
from tracking.models import KeyKind, Scope, Source, SourceKey
from tracking.registry import forget_registry

CALLS: dict[tuple[str, str], Scope] = {
    ("post", "/track-event"): Scope.INGEST,
    ("post", "/v1/events"): Scope.INGEST,
    ("post", "/v1/identify"): Scope.INGEST,
    ("post", "/v1/alias"): Scope.INGEST,
    ("post", "/v1/track"): Scope.INGEST,
    ("post", "/v1/batch"): Scope.INGEST,
    ("post", "/import"): Scope.INGEST,
    ("post", "/track"): Scope.INGEST,
    ("post", "/engage?verbose=1"): Scope.INGEST,
    ("post", "/groups"): Scope.INGEST,
    ("get", "/settings"): Scope.INGEST,
    ("post", "/mp/collect"): Scope.INGEST,
    ("post", "/capture"): Scope.INGEST,
    ("get", "/v1/events"): Scope.READ,
    ("get", "/v1/schema"): Scope.READ,
    ("get", "/v1/schema.d.ts"): Scope.READ,
    ("get", "/v1/profiles/ada"): Scope.READ,
    ("get", "/v1/profiles/ada/events"): Scope.READ,
    ("get", "/v1/activations"): Scope.READ,
    ("get", "/v1/deliveries"): Scope.READ,
    ("get", "/v1/profiles/ada/export"): Scope.PRIVACY,
    ("get", "/v1/export?user_id=ada"): Scope.PRIVACY,
    ("get", "/v1/erasures/6f4d9f54-265b-4b90-814c-d7017e14e736"): Scope.PRIVACY,
    ("delete", "/v1/profiles/ada"): Scope.PRIVACY,
    ("delete", "/v1/profiles?user_id=ada"): Scope.PRIVACY,
}


def ask(method: str, path: str, source: Source, *scopes: Scope) -> Any:
    """Make a call with a key of these scopes."""
    key = make_key(source, KeyKind.SECRET, scopes=scopes).value
    forget_registry()
    headers = {"authorization": f"Bearer {key}"}
    if method != "post":
        return getattr(Client(), method)(path, headers=headers)
    return Client().post(path, "{}", content_type="application/json", headers=headers)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_call_needs_its_scope_and_no_other(source: Source, method: str, path: str) -> None:
    needed = CALLS[method, path]
    others = [scope for scope in Scope if scope is not needed]
    refused = ask(method, path, source, *others)
    assert refused.status_code == 403
    assert f"lacks the scope `{needed.value}`" in refused.content.decode() or refused.content == b"0"
    # Mixpanel's own answers have no place for a code: it is in a header.
    assert "scope_missing" in refused.content.decode() + refused.headers.get("X-Error-Code", "")
    assert ask(method, path, source, needed).status_code != 403


def test_a_refused_erasure_erases_nobody(source: Source) -> None:
    report("view", source=source, user_id=ADA)
    assert ask("delete", f"/v1/profiles/{ADA}", source, Scope.INGEST, Scope.READ, Scope.MANAGE).status_code == 403
    assert ask("get", "/v1/events", source, Scope.READ).json()["results"][0]["event"] == "view"


def test_every_call_names_its_scope_in_the_description() -> None:
    described = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    unnamed = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            scope = operation.get("x-scope")
            if scope is None and not path.startswith("/hooks/"):
                unnamed.append((method, path))
    assert not unnamed
    assert described["paths"]["/v1/profiles/{user_id}"]["delete"]["x-scope"] == "privacy"
    assert described["paths"]["/v1/profiles/{user_id}"]["get"]["x-scope"] == "read"
    assert "`privacy`" in described["paths"]["/v1/export"]["get"]["description"]
    assert "403" in described["paths"]["/v1/export"]["get"]["responses"]


def test_a_new_key_may_report_and_read_and_a_successor_what_the_old_one_may(source: Source) -> None:
    first = source.keys.get(kind="secret")
    assert first.scopes == ["ingest", "read"]
    assert source.keys.get(kind="public").scopes == []
    wide = make_key(source, KeyKind.SECRET, scopes=Scope.values).key
    assert rotate_key(wide, now=datetime.now(UTC), overlap=timedelta(0)).key.scopes == Scope.values


@pytest.mark.django_db
def test_the_command_makes_keys_with_the_scopes_that_are_asked_for() -> None:
    for name, options, scopes in (("A", [], ["ingest", "read"]), ("B", ["--scope=privacy"], ["privacy"])):
        out = StringIO()
        call_command("source", "add", name, *options, stdout=out)
        made = json.loads(out.getvalue())
        assert SourceKey.objects.get(secret_hash=hash_secret(made["secret_key"])).scopes == scopes


@pytest.mark.django_db
def test_keys_that_were_there_before_keep_what_they_could_do() -> None:
    source = make_source()
    make_hook(source)
    SourceKey.objects.update(scopes=[])
    Group.objects.filter(name="Privacy").delete()
    privacy = Group.objects.create(name="Privacy")
    migration = MigrationLoader(connection).get_migration("tracking", "0025_scopes")
    for operation in migration.operations[-2:]:
        operation.code(apps, None)  # type: ignore[attr-defined]
    assert source.keys.get(kind="secret").scopes == ["ingest", "read", "privacy"]
    assert source.keys.get(kind="public").scopes == []
    assert privacy.permissions.get().codename == "grant_privacy"


def sign_in(*groups: str) -> Client:
    """Return a client of somebody in these groups."""
    ensure_groups()
    user = User.objects.create_user("-".join(groups), is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.django_db
@pytest.mark.parametrize(("groups", "may"), [(["Developer"], False), (["Developer", "Privacy"], True)])
def test_only_who_may_grant_it_makes_or_replaces_a_key_for_privacy(groups: list[str], may: bool) -> None:
    source, client = make_source(), sign_in(*groups)
    pages = f"/admin/tracking/source/{source.pk}/keys/"
    offered = client.get(f"{pages}add/").content.decode()
    assert ('value="privacy"' in offered) is may
    answer = client.post(f"{pages}add/", {"kind": "secret", "scopes": ["read", "privacy"]})
    assert (answer.status_code == 403) is not may
    assert source.keys.filter(scopes__contains=["privacy"]).exists() is may

    wide = make_key(source, KeyKind.SECRET, scopes=Scope.values).key
    before = source.keys.count()
    answer = client.post(f"{pages}{wide.pk}/rotate/", {"overlap": "0"}, follow=True)
    assert (source.keys.count() == before + 1) is may
    assert ("you need the permission" in answer.content.decode()) is not may


@pytest.mark.django_db
def test_a_developer_chooses_what_a_key_may_do_and_the_page_says_it() -> None:
    source, client = make_source(), sign_in("Developer")
    page = f"/admin/tracking/source/{source.pk}/keys/add/"
    assert "Choose what it may do" in client.post(page, {"kind": "secret"}).content.decode()
    client.post(page, {"kind": "secret", "scopes": ["read"], "label": "reports"})
    assert source.keys.get(label="reports").scopes == ["read"]
    shown = client.get(f"/admin/tracking/source/{source.pk}/change/").content.decode()
    assert "may read back<" in shown
    assert "may report, read back<" in shown
