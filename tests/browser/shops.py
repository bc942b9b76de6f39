"""A shop on a site of its own whose pages load `/tracker.js`, opened in a real browser."""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.gate import Gate, write_page
from tests.live import LivePlatform, wait_for
from tests.other_side import OtherSide, Say

OpenShop = Callable[..., Page]


@pytest.fixture(scope="session")
def shop() -> Iterator[OtherSide]:
    """The shop's own server."""
    server = OtherSide()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shop_source(live_platform: LivePlatform, shop: OtherSide) -> dict[str, str]:
    """The name and keys of a source that the shop's pages may report to."""
    return dict(json.loads(live_platform.manage("source", "add", "Tracked shop", "--origin", shop.url)))


@pytest.fixture
def gate(live_platform: LivePlatform, shop: OtherSide, shop_source: dict[str, str]) -> Iterator[Gate]:
    """What stands between the shop's pages and the platform."""
    opened = Gate(live_platform, shop_source, shop.url)
    yield opened
    opened.stop()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody's browser."""
    opened = browser.new_context()
    opened.set_default_timeout(45_000)
    yield opened
    opened.close()


@pytest.fixture
def open_shop(visitor: BrowserContext, shop: OtherSide, gate: Gate) -> OpenShop:
    """Open a page of the shop, in a new tab unless `page` is one, and wait until the script has loaded.

    `attributes` are the script's; `early` runs in the page before the script has loaded, `before` before everything.
    """

    def open_one(
        path: str = "/", *, attributes: str = "", early: str = "", before: str = "", page: Page | None = None
    ) -> Page:
        content = write_page(gate.url, gate.key, attributes, early)
        shop.answer = lambda request: Say(body=content, headers={"Content-Type": "text/html"})
        tab = page or visitor.new_page()
        if before:
            tab.context.add_init_script(before)
        tab.goto(shop.url + path)
        tab.wait_for_function("window.engagement && engagement.version")
        return tab

    return open_one


def track(page: Page, name: str, count: int = 1) -> None:
    """Report something, with `n` counting from 0."""
    page.evaluate("([name, count]) => { for (let n = 0; n < count; n++) engagement.track(name, {n}) }", [name, count])


def count_waiting(page: Page) -> int:
    """Return how many events wait in the browser."""
    return int(page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('ea_queue')).length"))


def wait_until_sent(page: Page) -> None:
    """Have the page send what waits, and wait until all of it was answered."""
    page.evaluate("void engagement.flush()")
    wait_for(lambda: count_waiting(page) == 0)
