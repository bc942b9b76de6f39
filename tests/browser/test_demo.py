"""The demo shop in a real browser, on the running platform."""

import json
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import find_barriers
from tests.browser.conftest import OpenPage, Scheme
from tests.browser.shoppers import (
    add_to_cart,
    check_out,
    count_mails,
    has_seen,
    read_anonymous_id,
    read_timeline,
    sign_in,
)
from tests.live import LivePlatform, wait_for

pytestmark = pytest.mark.xdist_group("live")
SCHEMES = ("light", "dark")


def test_within_two_minutes_each_visitor_has_the_one_mail_that_fits_and_others_none(open_page: OpenPage) -> None:
    leaver, buyer, undecided = (open_page("/demo/") for _ in range(3))
    add_to_cart(leaver, "Potted fern")
    sign_in(leaver, "leaver@example.com")
    add_to_cart(leaver, "Quiet clock")
    expect(leaver.locator("#upcoming .is-message").first).to_contain_text("A reminder goes out in")
    sign_in(buyer, "buyer@example.com")
    add_to_cart(buyer, "Desk lamp")
    check_out(buyer)
    sign_in(undecided, "undecided@example.com")
    add_to_cart(undecided, "Stoneware mug")
    undecided.get_by_role("button", name="Remove Stoneware mug").click()
    looker, passer, stranger = (open_page("/demo/") for _ in range(3))
    sign_in(looker, "looker@example.com")
    looker.get_by_role("button", name="Look at Headphones").click()
    sign_in(passer, "passer@example.com")
    add_to_cart(stranger, "Cedar candle")
    expect(stranger.locator("#upcoming")).to_contain_text("sign in to get the reminder")

    expect(leaver.locator("#mail-banner")).to_be_visible(timeout=120_000)
    wait_until_silent(leaver, buyer, undecided, looker, passer, stranger)

    expect(leaver.locator("#mail-subject")).to_have_text("Your 2 things are still in the cart")
    expect(looker.locator("#mail-subject")).to_have_text("Nothing for you today?")
    expect(passer.locator("#mail-subject")).to_have_text("Come back any time")
    expect(stranger.locator("#entries")).to_contain_text("A mail waits: no address is known yet")
    assert [count_mails(page) for page in (leaver, buyer, undecided, looker, passer)] == [1, 0, 0, 1, 1]
    leaver.locator("#mail-banner").click()
    mail = leaver.frame_locator(".mail-frame")
    expect(mail.get_by_text("Potted fern")).to_be_visible()
    expect(mail.get_by_text("€42")).to_be_visible()


def wait_until_silent(*pages: Page) -> None:
    """Wait until the last of the demo's thresholds has passed: all that a silence can lead to has then begun."""
    for page in pages:
        wait_for(partial(has_seen, page, "user_inactive"), patience=180)


def test_the_page_reports_with_the_plain_snippet(open_page: OpenPage, live_platform: LivePlatform) -> None:
    page = open_page("/demo/")
    with page.expect_request(lambda request: "add_to_cart" in (request.post_data or "")) as caught:
        add_to_cart(page, "Linen notebook")
    request = caught.value
    body = json.loads(request.post_data or "")
    assert request.url == f"{live_platform.base_url}/track-event"
    assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
    assert (body["event"], body["product_id"], body["price"]) == ("add_to_cart", "notebook", 16)
    assert body["cart_id"]
    assert "authorization" not in request.headers
    answer = request.response()
    assert answer is not None
    assert answer.status == 202
    assert [cookie["httpOnly"] for cookie in page.context.cookies() if cookie["name"] == "ea_id"] == [True]


def test_localhost_is_as_good_as_127_0_0_1(open_page: OpenPage, live_platform: LivePlatform) -> None:
    page = open_page(f"http://localhost:{live_platform.port}/demo/")
    expect(page.locator("#entries")).to_contain_text("You opened the shop")


def test_what_somebody_did_before_signing_in_stays_theirs(open_page: OpenPage) -> None:
    page = open_page("/demo/")
    add_to_cart(page, "Cedar candle")
    expect(page.locator("#panel-who")).to_contain_text("anonymous")
    sign_in(page, "newcomer@example.com")
    expect(page.locator("#entries")).to_contain_text("You signed in")
    expect(page.locator("#entries")).to_contain_text("You put “Cedar candle” into the cart")
    wait_for(lambda: any(wait["is_message"] for wait in read_timeline(page)["upcoming"]))


def test_who_signs_out_leaves_an_anonymous_visitor_with_a_new_id(open_page: OpenPage) -> None:
    page = open_page("/demo/")
    sign_in(page, "guest@example.com")
    expect(page.locator("#entries")).to_contain_text("You signed in")
    before = read_anonymous_id(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Your mail address")).to_be_focused()
    expect(page.locator("#panel-who")).to_contain_text("anonymous")
    expect(page.locator("#entries")).not_to_contain_text("You signed in")
    assert page.request.get("/inbox/").status == 403
    add_to_cart(page, "Desk lamp")
    expect(page.locator("#entries")).to_contain_text("You put “Desk lamp” into the cart")
    assert read_anonymous_id(page) not in (None, before)


def test_an_address_that_cannot_be_one_is_refused_with_a_sentence(open_page: OpenPage) -> None:
    page = open_page("/demo/")
    page.get_by_label("Your mail address").fill("ada at example")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("does not look like a mail address")
    expect(page.get_by_label("Your mail address")).to_be_focused()


def test_the_cart_is_still_there_after_a_reload(open_page: OpenPage) -> None:
    page = open_page("/demo/")
    add_to_cart(page, "Headphones")
    page.reload()
    expect(page.locator("#cart-total")).to_have_text("€119")


def test_the_shop_works_by_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page("/demo/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_role("button", name="Look at Stoneware mug").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Stoneware mug")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Look at Stoneware mug")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#cart-lines")).to_contain_text("Stoneware mug")
    page.get_by_label("Your mail address").focus()
    page.keyboard.type("keys@example.com")
    page.keyboard.press("Enter")
    expect(page.locator("#address")).to_have_text("keys@example.com")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nobody_is_kept_out_of_the_shop(open_page: OpenPage, scheme: Scheme) -> None:
    page = open_page("/demo/", scheme=scheme)
    add_to_cart(page, "Enamel kettle")
    sign_in(page, f"{scheme}@example.com")
    expect(page.locator("#upcoming .is-message").first).to_be_visible()
    page.get_by_text("What the page sends").click()
    assert find_barriers(page) == []
    page.get_by_role("button", name="Look at Potted fern").click()
    assert find_barriers(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_landing_page_leads_everywhere(open_page: OpenPage, scheme: Scheme) -> None:
    page = open_page("/", scheme=scheme)
    assert find_barriers(page) == []
    for path in ("/demo/", "/inbox/", "/admin/", "/api/docs/"):
        assert page.locator(f"a[href='{path}']").count() == 1


def test_a_small_screen_needs_no_sideways_scrolling(open_page: OpenPage) -> None:
    landing, shop = (open_page(path, width=360, height=740) for path in ("/", "/demo/"))
    add_to_cart(shop, "Headphones")
    for page in (landing, shop):
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    name = shop.locator(".cart-line-name")
    assert name.evaluate("name => name.getClientRects().length") == 1
    assert name.evaluate("name => name.scrollWidth <= name.clientWidth && name.offsetHeight < 40")


def test_a_long_address_fits_a_small_screen(open_page: OpenPage) -> None:
    page = open_page("/demo/", width=360, height=740)
    sign_in(page, "somebody.with.quite.a.long.name@department.example.com")
    expect(page.locator("#panel-who")).to_contain_text("department.example.com")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
