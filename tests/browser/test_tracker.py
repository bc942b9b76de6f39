"""`/tracker.js` in a real browser: a shop on one site, the platform on another, and every event counted once."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.gate import Gate, write_page
from tests.live import LivePlatform, wait_for
from tests.other_side import OtherSide, Say

pytestmark = pytest.mark.xdist_group("live")
OpenShop = Callable[..., Page]
READY = "() => window.engagement && window.engagement.version"


@pytest.fixture(scope="module")
def shop() -> Iterator[OtherSide]:
    """The shop's own server."""
    server = OtherSide()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def source(live_platform: LivePlatform, shop: OtherSide) -> dict[str, str]:
    """A source that the shop's pages may report to."""
    return dict(json.loads(live_platform.manage("source", "add", "Tracked shop", "--origin", shop.url)))


@pytest.fixture
def gate(live_platform: LivePlatform, shop: OtherSide, source: dict[str, str]) -> Iterator[Gate]:
    opened = Gate(live_platform, source, shop)
    yield opened
    opened.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A person's browser."""
    opened = browser.new_context()
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def open_shop(context: BrowserContext, shop: OtherSide, gate: Gate) -> OpenShop:
    """Open a page of the shop in a new tab, and wait until the script has loaded."""

    def open_one(path: str = "/", attributes: str = "", early: str = "", page: Page | None = None) -> Page:
        content = write_page(gate.url, gate.key, attributes, early)
        shop.answer = lambda request: Say(body=content, headers={"Content-Type": "text/html"})
        page = page or context.new_page()
        page.goto(shop.url + path)
        page.wait_for_function(READY)
        return page

    return open_one


def run(page: Page, script: str) -> Any:
    return page.evaluate(script)


def track(page: Page, name: str, count: int = 1) -> None:
    page.evaluate("([name, count]) => { for (let n = 0; n < count; n++) engagement.track(name, {n}) }", [name, count])


def count_waiting(page: Page) -> int:
    return int(page.evaluate("() => Object.keys(localStorage).filter((key) => key.startsWith('ea_queue')).length"))


def wait_until_sent(page: Page) -> None:
    wait_for(lambda: count_waiting(page) == 0)


def test_a_page_of_another_site_reports_without_asking_first(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    track(page, "add_to_cart", 3)
    wait_until_sent(page)
    stored = gate.list_stored()
    assert [(event.name, event.properties) for event in stored] == [("add_to_cart", {"n": n}) for n in range(3)]
    assert {event.anonymous_id for event in stored} == {run(page, "engagement.anonymousId()")}
    assert len({event.context["session_id"] for event in stored}) == 1
    assert [heard.method for heard in gate.list_reports()] == ["POST"]


def test_calls_before_the_script_has_loaded_are_kept_in_order(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop(early="engagement.identify('ada', {plan: 'gold'}); engagement.track('early')")
    track(page, "late")
    wait_until_sent(page)
    assert [(event.name, event.user_id) for event in gate.list_stored()] == [
        ("$identify", "ada"),
        ("early", "ada"),
        ("late", "ada"),
    ]


def test_who_closes_the_tab_at_once_has_reported(open_shop: OpenShop, gate: Gate) -> None:
    opener = open_shop()
    with opener.expect_popup() as caught:
        opener.evaluate("window.open(location.href)")
    tab = caught.value
    tab.wait_for_function(READY)
    tab.evaluate("engagement.track('goodbye'); setTimeout(() => window.close())")
    wait_for(partial(gate.count_stored, "goodbye"))
    opener.evaluate("engagement.flush()")
    wait_until_sent(opener)
    assert gate.count_stored("goodbye") == 1
