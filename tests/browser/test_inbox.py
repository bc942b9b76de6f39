"""The inbox in a real browser: who reads what, and what a mail may do there."""

import smtplib
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import find_barriers
from tests.browser.conftest import OpenPage, Scheme
from tests.browser.shoppers import sign_in
from tests.live import LivePlatform, wait_for

pytestmark = pytest.mark.xdist_group("live")
SCHEMES = ("light", "dark")


def send_mail(platform: LivePlatform, to: str, subject: str, html: str = "", text: str = "Plain.") -> None:
    """Write a mail and hand it over."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Shop <shop@example.com>", to, subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    hand_over(platform, message)


def hand_over(platform: LivePlatform, message: EmailMessage) -> None:
    """Give a mail to the platform's SMTP sink."""
    server = urlsplit(platform.services["EMAIL_URL"])
    with smtplib.SMTP(server.hostname or "", server.port or 0) as client:
        client.send_message(message)


@contextmanager
def count_visits() -> Iterator[tuple[str, list[str]]]:
    """Run a server that notes the paths it is asked for; give its address and the notes."""
    visits: list[str] = []

    class Notes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Notes) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", visits
        server.shutdown()


def open_inbox_of(open_page: OpenPage, address: str, scheme: Scheme = "light") -> Page:
    """Open the inbox as a visitor of the shop who signed in with an address."""
    page = open_page("/demo/", scheme=scheme)
    sign_in(page, address)
    page.goto("/inbox/")
    return page


def log_in(page: Page, platform: LivePlatform) -> None:
    """Log in to the admin."""
    page.goto("/admin/login/?next=/inbox/")
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(platform.admin_password)
    page.locator("form#login-form button, form [type=submit]").first.click()
    page.wait_for_url("**/inbox/")


def test_a_stranger_reads_nothing(open_page: OpenPage, live_platform: LivePlatform) -> None:
    send_mail(live_platform, "owner@example.com", "For the owner only")
    page = open_page("/inbox/?address=owner@example.com&selected=x")
    expect(page.get_by_role("heading", name="Whose mails?")).to_be_visible()
    assert page.request.get("/inbox/list?address=owner@example.com").status == 403
    expect(page.get_by_text("For the owner only")).to_have_count(0)


def test_a_forged_cookie_opens_nothing(open_page: OpenPage, live_platform: LivePlatform) -> None:
    page = open_page("/inbox/")
    page.context.add_cookies([{"name": "demo_visitor", "value": "owner@example.com", "url": live_platform.base_url}])
    assert page.request.get("/inbox/").status == 403


def test_a_visitor_reads_their_own_mails_and_no_others(open_page: OpenPage, live_platform: LivePlatform) -> None:
    send_mail(live_platform, "bea@example.com", "For Bea")
    send_mail(live_platform, "carl@example.com", "For Carl")
    bea, carl = (open_inbox_of(open_page, f"{name}@example.com") for name in ("bea", "carl"))
    expect(bea.get_by_role("link", name="For Bea")).to_be_visible()
    expect(bea.get_by_text("For Carl")).to_have_count(0)
    path = carl.get_by_role("link", name="For Carl").get_attribute("href") or ""
    assert carl.request.get(path).status == 200
    assert bea.request.get(path).status == 404
    assert bea.request.get(f"{path}html").status == 404


def test_the_admin_reads_all(open_page: OpenPage, live_platform: LivePlatform) -> None:
    send_mail(live_platform, "dora@example.com", "For Dora")
    page = open_page("/inbox/")
    log_in(page, live_platform)
    expect(page.get_by_text("Mails to everybody")).to_be_visible()
    expect(page.get_by_role("link", name="For Dora")).to_be_visible()


def test_a_new_mail_appears_at_the_top_by_itself(open_page: OpenPage, live_platform: LivePlatform) -> None:
    send_mail(live_platform, "eve@example.com", "The first")
    page = open_inbox_of(open_page, "eve@example.com")
    expect(page.locator(".mail-row")).to_have_count(1)
    send_mail(live_platform, "Eve <EVE@example.com>", "The second")
    expect(page.locator(".mail-row strong").first).to_have_text("The second")
    expect(page.locator("#mails-said")).to_have_text("A new mail has arrived.")


def test_a_mail_runs_no_script_and_asks_no_server(open_page: OpenPage, live_platform: LivePlatform) -> None:
    with count_visits() as (elsewhere, visits):
        html = (
            f"<html><head><title>x</title><style>h1 {{ color: rgb(1, 2, 3) }} p {{ background: url({elsewhere}a) }}"
            f"</style><link rel=stylesheet href='{elsewhere}b'></head><body><h1>Offer</h1><p>Now</p>"
            f"<img src='{elsewhere}c' onerror='document.title=1'><script>document.title=2</script></body></html>"
        )
        send_mail(live_platform, "finn@example.com", "Nasty", html)
        page = open_page("/demo/", may_complain=True)
        sign_in(page, "finn@example.com")
        page.goto("/inbox/")
        page.get_by_role("link", name="Nasty").click()
        heading = page.frame_locator(".mail-frame").get_by_role("heading", name="Offer")
        expect(heading).to_have_css("color", "rgb(1, 2, 3)")
        page.wait_for_load_state("networkidle")
        assert heading.evaluate("() => document.title") == "x"
        assert visits == []
        urllib.request.urlopen(f"{elsewhere}counted").close()
        assert visits == ["/counted"]


def test_an_attached_image_is_shown(open_page: OpenPage, live_platform: LivePlatform) -> None:
    picture = b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.com", "gus@example.com", "With a picture"
    message.set_content("A picture.")
    message.add_alternative("<p>Here: <img src='cid:dot' alt='A dot'></p>", subtype="html")
    message.get_payload()[1].add_related(picture, "image", "png", cid="<dot>")  # type: ignore[union-attr, index]
    hand_over(live_platform, message)
    page = open_inbox_of(open_page, "gus@example.com")
    page.get_by_role("link", name="With a picture").click()
    image = page.frame_locator(".mail-frame").get_by_role("img", name="A dot")
    expect(image).to_be_visible()
    wait_for(lambda: image.evaluate("image => image.naturalWidth") == 1)


def test_a_link_in_a_mail_opens_a_page_of_its_own(open_page: OpenPage, live_platform: LivePlatform) -> None:
    link = f"<a href='{live_platform.base_url}/demo/'>To the shop</a>"
    send_mail(live_platform, "hal@example.com", "Come in", f"<html><head></head><body>{link}</body></html>")
    page = open_inbox_of(open_page, "hal@example.com")
    page.get_by_role("link", name="Come in").click()
    with page.expect_popup() as opened:
        page.frame_locator(".mail-frame").get_by_role("link", name="To the shop").click()
    expect(opened.value.locator("#address")).to_have_text("hal@example.com")
    expect(opened.value.locator("#entries")).to_contain_text("You opened the shop")


def test_a_mail_can_be_read_as_text_and_as_source(open_page: OpenPage, live_platform: LivePlatform) -> None:
    send_mail(live_platform, "ida@example.com", "Grüße", "<p>In HTML</p>", text="In plain words: 5 < 7, für Ida.")
    page = open_inbox_of(open_page, "ida@example.com")
    page.get_by_role("link", name="Grüße").click()
    expect(page.frame_locator(".mail-frame").get_by_text("In HTML")).to_be_visible()
    page.get_by_role("link", name="Text").click()
    expect(page.locator(".mail-text")).to_have_text("In plain words: 5 < 7, für Ida.")
    page.get_by_role("link", name="Source").click()
    expect(page.locator(".mail-text")).to_contain_text("X-RcptTo: ida@example.com")


def test_a_mail_is_read_by_keyboard_alone(open_page: OpenPage, live_platform: LivePlatform) -> None:
    send_mail(live_platform, "jo@example.com", "By keyboard", "<p>Read me</p>")
    page = open_inbox_of(open_page, "jo@example.com")
    page.get_by_role("link", name="By keyboard").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
    page.get_by_role("link", name="Source").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".mail-text")).to_contain_text("Subject: By keyboard")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nobody_is_kept_out_of_the_inbox(open_page: OpenPage, live_platform: LivePlatform, scheme: Scheme) -> None:
    page = open_page("/inbox/", scheme=scheme)
    assert find_barriers(page) == []
    send_mail(live_platform, f"kim-{scheme}@example.com", "For everyone", "<html lang=en><p>Hello</p></html>")
    page = open_inbox_of(open_page, f"kim-{scheme}@example.com", scheme)
    expect(page.locator(".mail-row")).to_have_count(1)
    assert find_barriers(page) == []
    page.get_by_role("link", name="For everyone").click()
    for view in ("HTML", "Text", "Source"):
        page.get_by_role("link", name=view, exact=True).click()
        assert find_barriers(page) == []


def test_on_a_small_screen_a_mail_stands_alone(open_page: OpenPage, live_platform: LivePlatform) -> None:
    send_mail(live_platform, "lou@example.com", "Small", "<p>Narrow</p>")
    page = open_inbox_of(open_page, "lou@example.com")
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("link", name="Small").click()
    expect(page.locator(".mail-list")).to_be_hidden()
    page.get_by_role("link", name="All mails").click()
    expect(page.locator(".mail-list")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
