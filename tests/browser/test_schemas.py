"""What an event looks like, from its first one to a schema in force, and what does not fit: by day, and on a phone."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import find_barriers
from tests.browser.conftest import Scheme
from tests.browser.test_admin import OpenAdmin, find_shop_key, open_admin, report_from_shop
from tests.live import LivePlatform, wait_for

__all__ = ["open_admin"]
pytestmark = pytest.mark.xdist_group("live")
LONG = "something_that_goes_on_and_on_and_does_not_end_where_a_screen_ends_and_then_some"


def look(page: Page, words: str | re.Pattern[str]) -> None:
    """On the page with these words nothing keeps somebody from using it, and nothing is wider than the screen."""
    expect(page.get_by_text(words).first).to_be_visible()
    assert find_barriers(page) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), page.url


def choose(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_schema_is_drafted_approved_and_broken_and_what_was_held_is_sent_on(
    open_admin: OpenAdmin, live_platform: LivePlatform, scheme: Scheme, width: int
) -> None:
    name = f"{LONG}_{width}"
    properties = {f"part_{number}": number for number in range(40)}
    for _ in range(3):
        event = {"event": name, "user_id": "sam", "message_id": uuid4().hex}
        report_from_shop(live_platform, event | {"properties": properties | {"total": 5}}, "/v1/events")
    page = open_admin("/admin/", scheme=scheme, width=width)

    def is_found() -> bool:
        page.goto(f"/admin/tracking/eventtype/?q={name}")
        return page.get_by_role("link", name=re.compile(name)).count() > 0

    wait_for(is_found)
    look(page, name)
    page.get_by_role("link", name=re.compile(name)).click()
    page.get_by_label("hold it in quarantine").check()
    press(page, "Save and continue editing")
    look(page, "was changed successfully")
    choose(page, "Begin with this draft")
    press(page, "Try it on the events that were seen")
    look(page, re.compile("All of the last . sampled events fit"))
    press(page, "Save as a draft")
    look(page, "Version 1 is saved as a draft.")
    press(page, "Approve: put version 1 in force")
    expect(page.get_by_text("Version 1 is in force.")).to_be_visible()

    def is_held() -> bool:
        broken = event | {"message_id": uuid4().hex, "properties": properties | {"total": "5 €"}}
        _, answer = live_platform.post("/v1/events", broken, X_Write_Key=find_shop_key(live_platform))
        return bool(answer["results"][0]["outcome"] == "quarantined")

    wait_for(is_held)
    page.reload()
    choose(page, "Look at it")
    look(page, "Open, by reason")
    reason = page.get_by_role("row", name=re.compile(name)).get_by_role("link", name="It does not fit its schema")
    reason.first.click()
    look(page, "None would be taken now:")
    choose(page, "Mend it")
    expect(page.locator(".payload mark")).to_have_text('    "total": "5 €"')
    expect(page.locator(".payload mark")).to_be_in_viewport()
    look(page, "Mend it here")
    text = page.get_by_label("Mend it here")
    text.fill(text.input_value().replace('"5 €"', "5"))
    press(page, "Send again")
    expect(page.get_by_text("Sent again, and accepted.")).to_be_visible()
