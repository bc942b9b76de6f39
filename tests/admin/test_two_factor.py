"""Two-factor login by an app's codes, and a forgotten password replaced by mail."""

import base64
import re
import time
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.mail_server import MailServer

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"
ASK, SET_UP = "/admin/two-factor/", "/admin/two-factor/set-up/"


@pytest.fixture
def mara(db: None) -> User:
    cache.clear()
    return User.objects.create_user("mara", "mara@shop.example", PASSWORD, is_staff=True)


def sign_in(password: str = PASSWORD) -> Client:
    client = Client()
    client.post("/admin/login/", {"username": "mara", "password": password})
    return client


def read_code(key: str, steps: int = 0) -> str:
    """Return what an app shows that has this key, some steps of 30 seconds from now."""
    totp = TOTP(base64.b32decode(key))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06d}"


def enrol(client: Client) -> tuple[str, list[str]]:
    """Set up an app; return its key and the codes to keep."""
    key = client.get(SET_UP).context["key"]
    answer = client.post(SET_UP, {"code": read_code(key)})
    assert "no-store" in answer["Cache-Control"]
    return key, answer.context["codes"]


def where(answer: Any) -> str:
    return answer["Location"].partition("?")[0] if answer.status_code == 302 else ""


def test_who_has_set_it_up_is_asked_for_a_code_after_the_password(mara: User) -> None:
    key, _ = enrol(sign_in())

    client = sign_in()
    for page in ("/admin/", "/admin/password_change/", SET_UP, "/admin/two-factor/off/"):
        assert where(client.get(page)) == ASK
        assert where(client.post(page)) == ASK
    assert TOTPDevice.objects.exists()
    answer = client.post(ASK, {"code": "000000"})
    assert "not right" in answer.content.decode()
    TOTPDevice.objects.update(throttling_failure_count=0)
    answer = client.post(ASK, {"code": read_code(key, 1), "next": "/admin/password_change/"})
    assert where(answer) == "/admin/password_change/"
    assert client.get("/admin/").status_code == 200


def test_a_code_is_good_once_and_wrong_ones_are_slowed_down(mara: User) -> None:
    key, _ = enrol(sign_in())
    code = read_code(key, 1)
    assert where(sign_in().post(ASK, {"code": code})) == "/admin/"
    assert sign_in().post(ASK, {"code": code}).status_code == 200
    # That was a wrong one: for a second even the right one is not looked at.
    TOTPDevice.objects.update(last_t=-1)
    assert sign_in().post(ASK, {"code": read_code(key, 1)}).status_code == 200


def test_a_code_that_was_kept_opens_once(mara: User) -> None:
    _, kept = enrol(sign_in())
    assert len(kept) == 10
    client = sign_in()
    assert where(client.post(ASK, {"code": kept[0]})) == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert sign_in().post(ASK, {"code": kept[0]}).status_code == 200
    assert StaticToken.objects.count() == 9


def test_without_the_setting_nobody_is_asked_who_has_not_set_it_up(mara: User) -> None:
    assert sign_in().get("/admin/").status_code == 200


def test_where_it_is_demanded_everybody_sets_it_up_first(mara: User, settings: LazySettings) -> None:
    settings.REQUIRE_TWO_FACTOR = True
    client = sign_in()
    assert where(client.get("/admin/triggers/rule/")) == SET_UP
    assert "asks everybody" in client.get(SET_UP).content.decode()
    assert client.post(SET_UP, {"code": "000000"}).status_code == 200
    assert not TOTPDevice.objects.exists()
    enrol(client)
    assert client.get("/admin/").status_code == 200
    client.post("/admin/two-factor/off/")
    assert TOTPDevice.objects.exists()


def test_it_can_be_switched_off_and_helped_with_from_the_server(mara: User) -> None:
    client = sign_in()
    enrol(client)
    client.post("/admin/two-factor/off/")
    assert sign_in().get("/admin/").status_code == 200
    enrol(sign_in())
    out = StringIO()
    call_command("reset_two_factor", "mara", stdout=out)
    assert "is reset" in out.getvalue()
    assert sign_in().get("/admin/").status_code == 200
    with pytest.raises(CommandError, match="Nobody is called"):
        call_command("reset_two_factor", "nobody")


def ask_for_link(address: str = "mara@shop.example", **headers: str) -> str:
    answer = Client().post("/admin/password-reset/", {"email": address}, follow=True, headers=headers)
    return answer.content.decode()


def find_link(server: MailServer) -> str:
    """Return the path of the link in the only mail."""
    (mail,) = server.mails
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    found = re.search(r"(http\S+?)(/admin/password-reset/\S+)", body.decode())
    assert found is not None
    assert found[1] == "http://127.0.0.1:8000"
    return found[2]


def test_a_forgotten_password_is_replaced_by_a_link_in_a_mail(mara: User, server: MailServer) -> None:
    assert "/admin/password-reset/" in Client().get("/admin/login/").content.decode()
    assert "a link is on its way" in ask_for_link()
    assert server.mails[0]["To"] == "mara@shop.example"
    link, client = find_link(server), Client()
    page = client.get(link, follow=True)
    form = page.redirect_chain[-1][0]
    refused = client.post(form, {"new_password1": "short", "new_password2": "short"})
    assert "too short" in refused.content.decode()
    words = {"new_password1": "a better horse", "new_password2": "a better horse"}
    assert where(client.post(form, words)) == "/admin/login/"

    assert sign_in("a better horse").get("/admin/").status_code == 200
    assert sign_in().get("/admin/").status_code == 302
    assert "used already" in Client().get(link, follow=True).content.decode()


def test_the_answer_does_not_tell_who_has_an_account(mara: User, server: MailServer) -> None:
    User.objects.create_user("max", "max@shop.example", PASSWORD)
    assert ask_for_link("nobody@shop.example") == ask_for_link() == ask_for_link("max@shop.example")
    assert [mail["To"] for mail in server.mails] == ["mara@shop.example"], "nobody but staff can sign in"


def test_nobody_fills_a_letter_box_with_links(mara: User, server: MailServer) -> None:
    for _ in range(3):
        ask_for_link()
    assert len(server.mails) == 1


def test_a_link_leads_to_the_installation_whatever_host_a_request_names(
    mara: User, server: MailServer, settings: LazySettings
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    ask_for_link(host="evil.example")
    assert find_link(server)


def test_a_new_password_does_not_get_round_the_second_factor(mara: User, server: MailServer) -> None:
    enrol(sign_in())
    ask_for_link()
    client = Client()
    form = client.get(find_link(server), follow=True).redirect_chain[-1][0]
    client.post(form, {"new_password1": "a better horse", "new_password2": "a better horse"})
    assert where(sign_in("a better horse").get("/admin/")) == ASK
