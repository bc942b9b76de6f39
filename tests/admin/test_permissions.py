"""Who may do what: a real request for each cell of the matrix."""

import uuid
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django_celery_beat.models import PeriodicTask

from engagement.lib.ids import compute_lane
from engagement.schedules import ensure_schedules
from tests.admin.conftest import Login
from tests.admin.installation import make_in_doubt
from tests.cast import approve, make_rule, make_source, make_template
from tracking.models import EventType, Profile, Quarantined, Resending, SetAside, SourceKey
from tracking.schemas import add_draft
from triggers.models import Destination, Rule, RuleState, SendingSwitch, Template

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MARKETER, DEVELOPER, OPERATOR = "Marketer", "Developer", "Operator"
ALL = {MARKETER, DEVELOPER, OPERATOR}

READABLE = {
    "": ALL,
    "triggers/rule/": ALL,
    "triggers/rule/add/": {MARKETER},
    "triggers/template/": {MARKETER},
    "triggers/template/add/": {MARKETER},
    "triggers/activation/": {MARKETER},
    "triggers/delivery/": {MARKETER, OPERATOR},
    "triggers/delivery/in-doubt/": {MARKETER, OPERATOR},
    "triggers/sendingswitch/": {OPERATOR},
    "triggers/destination/": ALL,
    "triggers/destination/add/": {DEVELOPER},
    "triggers/destination/add/?kind=webhook": {DEVELOPER},
    "tracking/profile/": {MARKETER},
    "tracking/source/": {DEVELOPER},
    "tracking/source/add/": {DEVELOPER},
    "tracking/hook/": {DEVELOPER},
    "tracking/hook/add/": {DEVELOPER},
    "tracking/event/": {DEVELOPER},
    "tracking/eventtype/": {MARKETER, DEVELOPER},
    "tracking/quarantined/": {DEVELOPER},
    "tracking/setaside/": {DEVELOPER, OPERATOR},
    "django_celery_beat/periodictask/": {OPERATOR},
    "django_celery_beat/intervalschedule/add/": {OPERATOR},
    "auth/user/": set(),
    "auth/group/": set(),
    "axes/accessattempt/": set(),
}


@pytest.mark.parametrize("group", sorted(ALL))
@pytest.mark.parametrize("page", READABLE)
def test_a_group_opens_its_own_pages_and_no_others(login: Login, group: str, page: str) -> None:
    answer = login(group).get(f"/admin/{page}")
    assert answer.status_code == (200 if group in READABLE[page] else 403)


def _rule() -> Rule:
    return make_rule(trigger={"kind": "event", "event": "purchase"})


def _activate(client: Client) -> bool:
    rule = Rule.objects.create(name="Draft", definition={"format": 1, "trigger": {"kind": "event", "event": "a"}})
    client.post(f"/admin/triggers/rule/{rule.pk}/activate/")
    rule.refresh_from_db()
    return rule.state == RuleState.ACTIVE


def _take_step(client: Client, step: str, state: RuleState) -> bool:
    rule = _rule()
    client.post(f"/admin/triggers/rule/{rule.pk}/{step}/")
    rule.refresh_from_db()
    return rule.state == state


def _pause(client: Client) -> bool:
    return _take_step(client, "pause", RuleState.PAUSED)


def _archive(client: Client) -> bool:
    return _take_step(client, "archive", RuleState.ARCHIVED)


def _edit_rule(client: Client) -> bool:
    rule = _rule()
    client.post(f"/admin/triggers/rule/{rule.pk}/change/", RULE_FORM | {"name": "Renamed"})
    return Rule.objects.filter(name="Renamed").exists()


def _edit_template(client: Client) -> bool:
    template = make_template()
    words = {"name": "Renamed", "subject": "Hello", "html": "<p>x</p>", "text": "", "on_missing": "drop"}
    client.post(f"/admin/triggers/template/{template.pk}/change/", words)
    return Template.objects.filter(name="Renamed").exists()


def _ask_for_sentence(client: Client) -> bool:
    return client.post("/admin/triggers/rule/describe/", RULE_FORM).status_code == 200


def _preview_template(client: Client) -> bool:
    return client.post("/admin/triggers/template/trial/preview/", {"subject": "x"}).status_code == 200


def _replace_secret(client: Client) -> bool:
    key = make_source().keys.get(kind="secret")
    client.post(f"/admin/tracking/source/{key.source_id}/keys/{key.pk}/rotate/", {"overlap": "0"})
    return SourceKey.objects.filter(kind="secret").count() == 2


def _revoke_key(client: Client) -> bool:
    key = make_source().keys.get(kind="public")
    client.post(f"/admin/tracking/source/{key.source_id}/keys/{key.pk}/revoke/")
    key.refresh_from_db()
    return key.revoked_at is not None


def _add_key(client: Client) -> bool:
    source = make_source()
    client.post(f"/admin/tracking/source/{source.pk}/keys/add/", {"kind": "foreign", "value": "G-ABC123"})
    return SourceKey.objects.filter(value="G-ABC123").exists()


def _read_key(client: Client) -> bool:
    source = make_source()
    answer = client.get(f"/admin/tracking/source/{source.pk}/change/")
    return source.write_key in answer.content.decode()


def _mark_server_only(client: Client) -> bool:
    kind = EventType.objects.create(name="refund")
    client.post(f"/admin/tracking/eventtype/{kind.pk}/change/", {"server_only": "on", "policy": "accept"})
    kind.refresh_from_db()
    return kind.server_only


def _set_policy(client: Client) -> bool:
    kind = EventType.objects.create(name="refund")
    client.post(f"/admin/tracking/eventtype/{kind.pk}/change/", {"policy": "reject"})
    kind.refresh_from_db()
    return kind.policy == "reject"


def _save_schema(client: Client) -> bool:
    kind = EventType.objects.create(name="refund")
    client.post(f"/admin/tracking/eventtype/{kind.pk}/schema/", {"schema": "{}", "_save": ""})
    return kind.versions.exists()


def _approve_schema(client: Client) -> bool:
    version = add_draft(EventType.objects.create(name="refund"), "{}")
    client.post(f"/admin/tracking/eventtype/{version.event_type_id}/schema/1/")
    return EventType.objects.filter(in_force=version).exists()


def _withdraw_schema(client: Client) -> bool:
    version = approve("refund", {})
    client.post(f"/admin/tracking/eventtype/{version.event_type_id}/schema/withdraw/")
    return not EventType.objects.filter(in_force=version).exists()


def _read_type(client: Client) -> bool:
    version = approve("refund", {"required": ["reason"]})
    answer = client.get(f"/admin/tracking/eventtype/{version.event_type_id}/change/")
    return "reason" in answer.content.decode()


def _delete_quarantined(client: Client) -> bool:
    item = Quarantined.objects.create(
        source=make_source(), received_at=datetime.now(UTC), code="invalid_json", message="No.", payload=b"{"
    )
    client.post(f"/admin/tracking/quarantined/{item.pk}/delete/", {"post": "yes"})
    return not Quarantined.objects.exists()


def _send_group_again(client: Client) -> bool:
    group = {"source": make_source().pk, "code": "invalid_json"}
    client.post(f"/admin/tracking/quarantined/group/?{urlencode(group)}")
    return Resending.objects.exists()


def _watch_resending(client: Client) -> bool:
    run = Resending.objects.create(
        source=make_source(), is_held=False, code="invalid_json", last_id=0, total=0, started_at=datetime.now(UTC)
    )
    pages = (f"/admin/tracking/quarantined/resending/{run.pk}{end}" for end in ("/", ".json"))
    return [client.get(page).status_code for page in pages] == [200, 200]


def _retime(client: Client) -> bool:
    ensure_schedules()
    task = PeriodicTask.objects.get(name="Keep the log")
    interval = PeriodicTask.objects.get(name="Find silences").interval
    client.post(f"/admin/django_celery_beat/periodictask/{task.pk}/change/", {"interval": interval.pk, "enabled": "on"})
    task.refresh_from_db()
    return bool(task.interval_id == interval.pk)


def _turn_switch(client: Client) -> bool:
    client.post("/admin/triggers/sendingswitch/turn/", {"stop": "1"})
    return SendingSwitch.objects.filter(is_stopped=True).exists()


def _decide_again(client: Client) -> bool:
    SetAside.objects.create(
        consumer="evaluator", lane=0, seq=1, event_id=uuid.uuid4(), reason="x", created_at=datetime.now(UTC)
    )
    return 'value="decide_again"' in client.get("/admin/tracking/setaside/").content.decode()


def _settle(client: Client) -> bool:
    delivery = make_in_doubt()
    client.post(f"/admin/triggers/delivery/{delivery.pk}/settle/", {"answer": "arrived"})
    delivery.refresh_from_db()
    return delivery.state == "accepted"


def _pause_destination(client: Client) -> bool:
    destination = Destination.objects.create(name="Warehouse", kind="webhook", state="on")
    return client.get(f"/admin/triggers/destination/{destination.pk}/switch/?to=off").status_code == 200


def _read_destination(client: Client) -> bool:
    destination = Destination.objects.create(name="Warehouse", kind="webhook", state="on")
    answer = client.get(f"/admin/triggers/destination/{destination.pk}/change/")
    return "keeps up" in answer.content.decode()


def _make_user(client: Client) -> bool:
    client.post(
        "/admin/auth/user/add/", {"username": "eve", "password1": "long enough 1", "password2": "long enough 1"}
    )
    return User.objects.filter(username="eve").exists()


def _read_person(client: Client) -> bool:
    profile = uuid.uuid4()
    Profile.objects.create(id=profile, lane=compute_lane(profile), user_id="ada", created_at=datetime.now(UTC))
    return client.get(f"/admin/tracking/profile/{profile}/change/").status_code == 200


DEEDS = [
    (_activate, {MARKETER}),
    (_pause, {MARKETER}),
    (_archive, {MARKETER}),
    (_edit_rule, {MARKETER}),
    (_edit_template, {MARKETER}),
    (_ask_for_sentence, {MARKETER}),
    (_preview_template, {MARKETER}),
    (_read_person, {MARKETER}),
    (_read_key, {DEVELOPER}),
    (_replace_secret, {DEVELOPER}),
    (_revoke_key, {DEVELOPER}),
    (_add_key, {DEVELOPER}),
    (_mark_server_only, {DEVELOPER}),
    (_set_policy, {DEVELOPER}),
    (_save_schema, {DEVELOPER}),
    (_approve_schema, {DEVELOPER}),
    (_withdraw_schema, {DEVELOPER}),
    (_read_type, {DEVELOPER, MARKETER}),
    (_delete_quarantined, {DEVELOPER}),
    (_send_group_again, {DEVELOPER}),
    (_watch_resending, {DEVELOPER}),
    (_retime, {OPERATOR}),
    (_turn_switch, {OPERATOR}),
    (_settle, {OPERATOR}),
    (_decide_again, {OPERATOR}),
    (_pause_destination, {DEVELOPER, OPERATOR}),
    (_read_destination, ALL),
    (_make_user, set()),
]

RULE_FORM = {
    "name": "Rule",
    "description": "",
    "kind": "event",
    "event": "purchase",
    "after_number": "",
    "after_unit": "60",
    "conditions": "null",
    "reentry": "always",
    "reentry_after_number": "",
    "reentry_after_unit": "60",
    "stale_after_number": "",
    "stale_after_unit": "60",
}


@pytest.mark.parametrize("group", sorted(ALL))
@pytest.mark.parametrize(("deed", "allowed"), DEEDS, ids=[deed.__name__.strip("_") for deed, _ in DEEDS])
def test_a_group_does_its_own_work_and_no_other(login: Login, group: str, deed: object, allowed: set[str]) -> None:
    assert callable(deed)
    assert deed(login(group)) is (group in allowed)


def test_a_visitor_without_a_login_is_sent_to_the_login_page(client: Client) -> None:
    answer = client.get("/admin/triggers/rule/")
    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]


def test_ten_wrong_passwords_lock_the_name_even_for_the_right_one(client: Client) -> None:
    User.objects.create_user("mara", password="correct horse", is_staff=True)
    for _ in range(10):
        client.post("/admin/login/", {"username": "mara", "password": "wrong"}, REMOTE_ADDR="192.0.2.7")
    answer = client.post("/admin/login/", {"username": "mara", "password": "correct horse"}, REMOTE_ADDR="192.0.2.7")
    assert answer.status_code == 429
    assert "_auth_user_id" not in client.session


def try_password(password: str, forwarded_for: str, client: Client | None = None) -> int:
    client = client or Client()
    form = {"username": "mara", "password": password}
    answer = client.post("/admin/login/", form, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded_for)
    return answer.status_code


def test_behind_a_proxy_wrong_passwords_lock_only_who_typed_them(settings: LazySettings) -> None:
    settings.TRUSTED_PROXIES = 1
    User.objects.create_user("mara", password="correct horse", is_staff=True)
    for _ in range(10):
        try_password("wrong", "198.51.100.6")
    assert try_password("correct horse", "198.51.100.6") == 429
    assert try_password("correct horse", "198.51.100.7, 198.51.100.6") == 429, (
        "what stands further left is not believed"
    )
    assert try_password("correct horse", "198.51.100.7") == 302


@pytest.mark.parametrize("forwarded_for", ["unknown", "198.51.100.6:4711", "[2001:db8::1]:80", "x" * 500, ","])
def test_whatever_a_proxy_says_a_login_is_answered(settings: LazySettings, forwarded_for: str) -> None:
    settings.TRUSTED_PROXIES = 1
    User.objects.create_user("mara", password="correct horse", is_staff=True)
    assert try_password("wrong", forwarded_for) == 200
    assert try_password("correct horse", forwarded_for) == 302


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/admin/"])
def test_a_login_that_is_to_lead_elsewhere_leads_to_the_dashboard(client: Client, to: str) -> None:
    User.objects.create_user("mara", password="correct horse", is_staff=True)
    form = {"username": "mara", "password": "correct horse", "next": to}
    answer = client.post("/admin/login/", form, follow=True)
    assert answer.redirect_chain == [("/admin/", 302)]
    assert answer.status_code == 200


def test_a_login_leads_to_the_dashboard_or_to_the_page_that_was_asked_for(client: Client) -> None:
    User.objects.create_user("mara", password="correct horse", is_staff=True)
    assert 'name="next" value="/admin/"' in client.get("/admin/login/").content.decode()
    page = client.get("/admin/login/?next=/admin/triggers/rule/").content.decode()
    assert "next=/admin/triggers/rule/" in page
    answer = client.post("/admin/login/?next=/admin/triggers/rule/", {"username": "mara", "password": "correct horse"})
    assert answer["Location"] == "/admin/triggers/rule/"
