"""A destination as its maker meets it: added, tried, switched on, told; gone for a while, and told all the same."""

import re

import pytest
from playwright.sync_api import Page, expect
from standardwebhooks.webhooks import Webhook as Verifier

from tests.browser.accessibility import find_barriers
from tests.browser.conftest import OpenPage
from tests.browser.test_admin import OpenAdmin, open_admin, report_from_shop
from tests.live import LivePlatform, wait_for
from tests.other_side import OtherSide

pytestmark = pytest.mark.xdist_group("live")
__all__ = ["OpenPage", "open_admin"]


def list_names(other_side: OtherSide) -> list[str]:
    return [request.json["data"].get("name", "") for request in other_side.taken]


def wait_until_said(page: Page, words: str) -> None:
    """Look at the page again and again: the other side hears of a copy before it is noted how that went."""

    def is_said() -> bool:
        page.reload()
        return page.get_by_text(words).count() > 0

    wait_for(is_said)


def test_a_webhook_is_added_in_the_admin_and_told_what_happens(
    open_admin: OpenAdmin, live_platform: LivePlatform
) -> None:
    other_side = OtherSide()
    page = open_admin("/admin/triggers/destination/add/")
    page.get_by_role("link", name="Webhook A server of your own").click()
    page.get_by_label("Name").first.fill("Warehouse")
    page.get_by_label("Address").fill(other_side.url + "/hook")
    page.get_by_label("Only these", exact=True).check()
    page.get_by_label("And these").fill("order_packed")
    page.get_by_role("button", name="Save").click()
    secret = page.locator("#signing-secret").inner_text()
    page.get_by_role("link", name="I have copied the secret").click()
    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_text("The test event was taken. It answered 200.")).to_be_visible()
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("keeps up")).to_be_visible()

    report_from_shop(live_platform, {"event": "order_packed", "user_id": "packed-1"})
    wait_for(lambda: list_names(other_side) == ["test_event", "order_packed"])
    assert (
        Verifier(secret).verify(other_side.taken[1].body, other_side.taken[1].headers)["data"]["user_id"] == "packed-1"
    )

    other_side.refuse(503, Retry_After="2")
    report_from_shop(live_platform, {"event": "order_packed", "user_id": "packed-2"})
    wait_for(lambda: len(other_side.heard) > 2)
    wait_until_said(page, "The other side does not take it")
    other_side.recover()
    wait_for(lambda: list_names(other_side) == ["test_event", "order_packed", "order_packed"])
    wait_until_said(page, "keeps up")
    assert find_barriers(page) == []

    page.get_by_role("link", name=re.compile("Switch off")).click()
    page.get_by_role("button", name="Switch it off").click()
    expect(page.get_by_text("“Warehouse” is off.")).to_be_visible()
    other_side.stop()
