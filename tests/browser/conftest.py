"""A real browser for the tests of the pages. A page that breaks its own policy or raises fails its test."""

from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.shops import gate, open_shop, shop, shop_source, visitor  # noqa: F401
from tests.live import LivePlatform

Scheme = Literal["light", "dark"]
OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, live_platform: LivePlatform) -> Iterator[OpenPage]:
    """Open a page as a person of its own: nobody's cookies, a color scheme, a size.

    Afterwards no such page may have raised an error, broken its content security policy or asked another server.
    """
    complaints: list[str] = []
    contexts = []

    def open_one(
        path: str, *, scheme: Scheme = "light", width: int = 1440, height: int = 1000, may_complain: bool = False
    ) -> Page:
        context = browser.new_context(
            base_url=live_platform.base_url, color_scheme=scheme, viewport={"width": width, "height": height}
        )
        contexts.append(context)
        context.set_default_timeout(45_000)
        page = context.new_page()
        if not may_complain:
            page.on("request", lambda request: _note_foreign(complaints, request.url, live_platform.port))
            page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
            page.on("console", lambda told: _note(complaints, told.type, told.text))
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def _note(complaints: list[str], kind: str, text: str) -> None:
    # A refused form is answered with 400, which Chromium writes on the console; that is no fault of the page.
    if kind == "error" and "the server responded with a status of 40" not in text:
        complaints.append(text)


def _note_foreign(complaints: list[str], url: str, port: int) -> None:
    if not url.startswith((f"http://127.0.0.1:{port}/", f"http://localhost:{port}/", "data:", "blob:")):
        complaints.append(f"asked {url}")
