"""Two people have one form open: nobody's change is lost, and the history says who changed what."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client, RequestFactory
from django.urls import reverse

from engagement.groups import ensure_groups
from engagement.lib.edits import cut_alike
from tests.admin.conftest import Login
from tests.admin.installation import sign_in
from tests.cast import make_rule, make_template
from tracking.models import Quarantined, Source
from triggers.forward.kinds.webhook import make_secret
from triggers.forward.secrets import read_secrets
from triggers.models import Destination, Rule, Template

pytestmark = pytest.mark.django_db(transaction=True)

CART = {"kind": "abandonment", "started_by": "add_to_cart", "ended_by": "purchase", "key": "cart_id", "after": 3600}


class FormReader(HTMLParser):
    """Reads the fields of a page's main form, as a browser would send them if nothing was typed."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self.is_inside = False
        self.name, self.text = "", ""
        self.options: list[tuple[str, bool]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.is_inside = (given.get("id") or "").endswith("_form")
        elif not self.is_inside or "disabled" in given:
            return
        elif tag == "input":
            is_off = given.get("type") in ("checkbox", "radio") and "checked" not in given
            if given.get("name") and not is_off and given.get("type") not in ("submit", "button"):
                self.fields.setdefault(given["name"] or "", []).append(
                    given.get("value") or "on" * ("checked" in given)
                )
        elif tag == "textarea":
            self.name, self.text = given.get("name") or "", ""
        elif tag == "select":
            self.name, self.options = given.get("name") or "", []
        elif tag == "option" and self.options is not None:
            self.options.append((given.get("value") or "", "selected" in given))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.is_inside = False
        elif tag == "textarea" and self.is_inside:
            self.fields[self.name] = [self.text.removeprefix("\n").replace("\n", "\r\n")]
        elif tag == "select" and self.is_inside and self.options is not None:
            chosen = [value for value, is_chosen in self.options if is_chosen]
            self.fields[self.name] = chosen
            self.options = None


def open_form(client: Client, page: str) -> dict[str, Any]:
    """Return what a browser would send if nothing was typed."""
    return read_form(client.get(page))


def read_form(answer: Any) -> dict[str, Any]:
    """Return what a browser would send of the form that an answer shows."""
    reader = FormReader()
    reader.feed(answer.content.decode())
    assert "edit_seen" in reader.fields, "a form that is edited by hand carries what it showed"
    return {name: value for name, value in reader.fields.items() if name != "csrfmiddlewaretoken"}


def read_history(page: str, client: Client) -> str:
    """Return the text of the newest entry of a history page."""
    text = client.get(page.replace("/change/", "/history/")).content.decode()
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


@pytest.fixture
def mara(login: Login) -> Client:
    return login("Marketer")


@pytest.fixture
def max_(db: None) -> Client:
    ensure_groups()
    user = User.objects.create_user("max", password="x", is_staff=True)
    user.groups.set(Group.objects.all())
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_second_to_save_a_rule_is_shown_what_the_first_one_saved(mara: Client, max_: Client) -> None:
    rule = make_rule("Cart left", trigger=CART)
    page = f"/admin/triggers/rule/{rule.pk}/change/"
    first, second = open_form(mara, page), open_form(max_, page)

    assert mara.post(page, first | {"after_number": "2"}).status_code == 302
    answer = max_.post(page, second | {"description": "By Max"})

    assert answer.status_code == 409
    rule.refresh_from_db()
    assert (rule.definition["trigger"]["after"], rule.description) == (7200, "")
    conflict = answer.context["conflict"]
    assert conflict.who[0].startswith("mara (")
    told = [(one.label, one.old, one.theirs, one.yours, one.is_yours) for one in conflict.differences]
    assert told == [
        ("Description", "empty", "empty", "By Max", True),
        ("After how long", "1 hour", "2 hours", "not changed by you", False),
    ]

    assert max_.post(page, read_form(answer)).status_code == 302
    rule.refresh_from_db()
    assert (rule.definition["trigger"]["after"], rule.description) == (7200, "By Max")
    latest = LogEntry.objects.order_by("pk").last()
    assert latest is not None
    assert latest.get_change_message() == "Changed Description."


def test_a_rule_is_activated_as_it_was_shown_or_not_at_all(mara: Client, max_: Client) -> None:
    rule = Rule.objects.create(name="Draft", definition={"format": 1, "trigger": CART})
    step, page = f"/admin/triggers/rule/{rule.pk}/activate/", f"/admin/triggers/rule/{rule.pk}/change/"
    seen = mara.get(step).context["seen"]
    max_.post(page, open_form(max_, page) | {"after_number": "2"})

    answer = mara.post(step, {"seen": seen})

    rule.refresh_from_db()
    assert rule.state == "draft"
    assert "within 2 hours" in answer.context["sentence"]
    mara.post(step, {"seen": answer.context["seen"]})
    rule.refresh_from_db()
    assert rule.state == "active"


def test_history_says_what_each_field_was_and_is(mara: Client) -> None:
    rule = make_rule("Cart left", trigger=CART)
    page = f"/admin/triggers/rule/{rule.pk}/change/"
    mara.post(page, open_form(mara, page) | {"after_number": "3", "description": "Patience"})
    history = read_history(page, mara)
    assert "After how long 1 hour → 3 hours" in history
    assert "Description empty → Patience" in history
    assert Rule.objects.get().definition["trigger"]["after"] == 10800


def test_a_form_that_is_saved_as_it_was_opened_changes_nothing(mara: Client) -> None:
    template = make_template()
    page = f"/admin/triggers/template/{template.pk}/change/"
    assert mara.post(page, open_form(mara, page)).status_code == 302
    assert Template.objects.get().versions.count() == 1
    latest = LogEntry.objects.order_by("pk").last()
    assert latest is not None
    assert latest.get_change_message() == "No fields changed."


def find_rows() -> list[tuple[str, Any]]:
    """Return a row of each model that somebody can edit by hand, with the address of its page."""
    request = RequestFactory().get("/")
    request.user = User.objects.get(is_superuser=True)
    found = []
    for model, page in admin.site._registry.items():
        row: Any = model._default_manager.exclude(pk__in=[request.user.pk] if model is User else []).first()
        if page.has_change_permission(request, row) and model is not Quarantined:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            found.append((reverse(name, args=[row.pk]), row))
    return found


@pytest.mark.slow
def test_no_form_changes_anything_when_it_is_saved_as_it_was_opened(installation: None) -> None:
    client = sign_in("")
    rows = find_rows()
    assert len(rows) >= 12
    said = {}
    for page, row in rows:
        answer = client.post(page, open_form(client, page))
        entry = LogEntry.objects.order_by("pk").last()
        said[row._meta.label] = (answer.status_code, entry.get_change_message() if entry is not None else "")
        LogEntry.objects.all().delete()
    assert set(said.values()) == {(302, "No fields changed.")}, said


ANOTHER = "another of those that may be chosen"
EDITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "triggers.Rule": ({"event": "purchase"}, {"description": "By the second"}),
    "triggers.Template": ({"subject": "By the first"}, {"text": "By the second"}),
    "triggers.Destination": ({"name": "By the first"}, {"traits": "plan"}),
    "tracking.Source": ({"name": "By the first"}, {"lateness_number": "3"}),
    "tracking.Hook": ({"event": "by_the_first"}, {"is_enabled": []}),
    "tracking.EventType": ({"policy": "reject"}, {"server_only": "on"}),
    "django_celery_beat.PeriodicTask": ({"enabled": []}, {"interval": ANOTHER}),
    "django_celery_beat.IntervalSchedule": ({"every": "77"}, {"period": "days"}),
    "django_celery_beat.CrontabSchedule": ({"minute": "7"}, {"hour": "7"}),
    "django_celery_beat.SolarSchedule": ({"latitude": "7"}, {"longitude": "7.000000"}),
    "auth.User": ({"email": "first@example.com"}, {"first_name": "Second"}),
    "auth.Group": ({"name": "By the first"}, {"permissions": [ANOTHER]}),
}
ONE_FIELD = {"django_celery_beat.ClockedSchedule", "axes.AccessAttempt"}


def _choose(client: Client, page: str, name: str) -> list[str]:
    """Return a choice of a field that is not chosen."""
    field = client.get(page).context["adminform"].form.fields[name]
    chosen = open_form(client, page)[name]
    return [str(key) for key, _ in field.choices if str(key) not in ("", *chosen)][:1]


@pytest.mark.slow
def test_no_form_lets_the_second_undo_what_the_first_saved(installation: None) -> None:
    client = sign_in("")
    rows = find_rows()
    assert {row._meta.label for _, row in rows} - ONE_FIELD == set(EDITS), "a form is not tried here"
    for page, row in rows:
        if row._meta.label in ONE_FIELD:
            continue
        by_first, by_second = EDITS[row._meta.label]
        by_second = {
            name: _choose(client, page, name) if ANOTHER in value else value for name, value in by_second.items()
        }
        first, second = open_form(client, page), open_form(client, page)
        assert client.post(page, first | by_first).status_code == 302, page
        after_first = open_form(client, page)

        answer = client.post(page, second | by_second)

        assert answer.status_code == 409, page
        assert "Not saved yet" in answer.content.decode()
        assert answer.context["conflict"].who[0].startswith("you, in another window")
        unsaved = open_form(client, page)
        assert unsaved == after_first, page
        assert client.post(page, read_form(answer)).status_code == 302, page
        saved = open_form(client, page)
        for name in by_first:
            assert saved.get(name) == after_first.get(name), (page, name)
        for name, value in by_second.items():
            assert saved.get(name, []) == (value if isinstance(value, list) else [value]), (page, name)


def test_pages_that_somebody_else_allowed_are_told_and_not_taken_away(installation: None) -> None:
    client, source = sign_in(""), Source.objects.get()
    page = f"/admin/tracking/source/{source.pk}/change/"
    first, second = open_form(client, page), open_form(client, page)
    client.post(page, first | {"origins-0-origin": "https://shop.example"})

    answer = client.post(page, second | {"name": "Renamed"})

    assert answer.status_code == 409
    told = {one.label: (one.old, one.theirs) for one in answer.context["conflict"].differences}
    assert told["Pages that may send events (their origins)"] == ("empty", "https://shop.example")
    assert client.post(page, read_form(answer)).status_code == 302
    source.refresh_from_db()
    assert (source.name, source.origins.get().origin) == ("Renamed", "https://shop.example")


def test_the_history_tells_that_a_secret_was_replaced_and_never_what_it_was(installation: None) -> None:
    client, destination = sign_in(""), Destination.objects.get()
    page = f"/admin/triggers/destination/{destination.pk}/change/"
    opened = client.get(page)
    secret = read_secrets(destination)["signing_secret"]
    assert secret not in opened.content.decode()
    other = make_secret()
    client.post(page, read_form(opened) | {"signing_secret": other})
    entry = LogEntry.objects.order_by("pk").last()
    assert entry is not None
    assert entry.get_change_message() == "Changed Signing secret."
    assert secret not in entry.change_message
    assert other not in entry.change_message


def test_a_secret_that_somebody_else_replaced_is_not_overwritten(installation: None) -> None:
    client, destination = sign_in(""), Destination.objects.get()
    page = f"/admin/triggers/destination/{destination.pk}/change/"
    first, second = open_form(client, page), open_form(client, page)
    theirs, mine = make_secret(), make_secret()
    client.post(page, first | {"signing_secret": theirs})

    answer = client.post(page, second | {"signing_secret": mine})

    assert answer.status_code == 409
    conflict = answer.context["conflict"]
    assert [(one.label, one.theirs) for one in conflict.differences] == [("Signing secret", "replaced")]
    assert conflict.lost == ["Signing secret"]
    assert theirs not in answer.content.decode()
    assert mine not in answer.content.decode()
    destination.refresh_from_db()
    assert read_secrets(destination)["signing_secret"] == theirs
    assert client.post(page, read_form(answer) | {"signing_secret": mine}).status_code == 302
    destination.refresh_from_db()
    assert read_secrets(destination)["signing_secret"] == mine


def test_what_was_typed_below_a_form_is_named_and_nothing_else(installation: None) -> None:
    client, source = sign_in(""), Source.objects.get()
    page = f"/admin/tracking/source/{source.pk}/change/"
    first, second, third = (open_form(client, page) for _ in range(3))
    client.post(page, first | {"name": "Renamed", "origins-0-origin": "https://shop.example"})

    answer = client.post(page, second | {"origins-0-origin": "https://www.example"})

    shown = answer.content.decode()
    assert shown.index("Not saved yet") < shown.index("in the last 24 hours"), "it stands above all else"
    label = "Pages that may send events (their origins)"
    rows = {one.label: (one.theirs, one.yours) for one in answer.context["conflict"].differences}
    assert rows[label] == ("https://shop.example", "https://www.example")
    assert rows["Name"] == ("Renamed", "not changed by you")
    assert answer.context["conflict"].lost == [label]
    untouched = client.post(page, third | {"name": "Mine"})
    assert untouched.context["conflict"].lost == []


def test_who_has_changed_something_stays_in_the_history(mara: Client, login: Login) -> None:
    rule = make_rule("Cart left", trigger=CART)
    page = f"/admin/triggers/rule/{rule.pk}/change/"
    mara.post(page, open_form(mara, page) | {"description": "By Mara"})
    admin_client, user = login("admin"), User.objects.get(username="mara")
    assert admin_client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"}).status_code == 403
    form = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}
    admin_client.post("/admin/auth/user/", form)
    assert LogEntry.objects.filter(user=user).exists()


def test_a_long_text_is_told_by_what_differs_in_it() -> None:
    words = "All about lamps. " * 50
    old, new = cut_alike([f"{words}Lamp{words}", f"{words}Bulb{words}"])
    assert (old[:2], old[-2:]) == ("… ", " …")
    assert "Lamp" in old
    assert "Bulb" in new
    assert max(len(old), len(new)) < 100
