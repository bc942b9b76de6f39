"""A webhook set up in a real browser: the line that it shows works, and the preview follows what one types."""

import json
import subprocess
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import find_barriers
from tests.browser.test_admin import OpenAdmin, open_admin
from tests.live import LivePlatform, wait_for

__all__ = ["open_admin"]
pytestmark = pytest.mark.xdist_group("live")


def read_event(page: Page) -> dict[str, Any]:
    return dict(json.loads(page.locator("#hook-event").text_content() or "{}"))


def test_a_webhook_is_set_up_beside_a_payload_and_the_preview_follows(
    open_admin: OpenAdmin, live_platform: LivePlatform
) -> None:
    page = open_admin("/admin/tracking/hook/add/")
    expect(page.locator("#hook-says")).to_have_text("Choose or paste a payload to see what becomes of it.")
    expect(page.locator(".field-error")).to_have_count(0)
    page.get_by_label("Name of the event").fill("$.")
    expect(page.locator("[data-field=user_id] .field-error")).to_contain_text("Say where it stands who did it")
    page.goto("/admin/tracking/hook/add/?preset=shopify")
    page.get_by_label("Source").select_option(label="Demo shop")
    page.get_by_label("Name", exact=False).first.fill("left")
    expect(page.locator("#hook-says")).to_have_text("This payload becomes this event.")
    page.get_by_role("button", name="Save", exact=True).click()
    line = page.locator("#hook-curl").inner_text()
    sent = subprocess.run(["sh", "-c", f"{line} --silent"], capture_output=True, text=True, check=True)
    assert json.loads(sent.stdout) == {"outcome": "accepted"}
    page.get_by_role("link", name="I have copied the secret").click()

    def is_kept() -> bool:
        page.reload()
        return page.get_by_text("1 accepted").count() > 0

    wait_for(is_kept)
    expect(page.get_by_label("Try it on").locator("option").first).to_contain_text("accepted")
    expect(page.locator("#hook-says")).to_have_text("This payload becomes this event.")

    page.get_by_label("Anonymous id").focus()
    page.get_by_role("button", name="Insert $.customer.first_name").click()
    expect(page.get_by_label("Anonymous id")).to_have_value("$.customer.first_name")
    wait_for(lambda: read_event(page).get("anonymous_id") == "Ada")

    page.get_by_label("Time", exact=True).fill("$.currency")
    field = page.locator("[data-field=time]")
    expect(field.locator(".field-error")).to_contain_text("no time")
    expect(page.get_by_label("Time", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#hook-says")).to_contain_text("it would be held in quarantine")
    page.get_by_label("Time", exact=True).fill("$.updated_at")
    expect(field.locator(".field-error")).to_have_count(0)

    page.get_by_role("button", name="Add property").click()
    row = page.get_by_role("group", name="Property").last
    row.get_by_label("Name").fill("town")
    row.get_by_label("Place").fill("$.nowhere")
    expect(row.locator(".live-note")).to_contain_text("left out")
    row.get_by_label("Place").focus()
    page.get_by_role("button", name="Insert $.line_items[0].title").click()
    wait_for(lambda: read_event(page)["properties"].get("town") == "Lamp")
    assert find_barriers(page) == []

    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    expect(page.get_by_role("group", name="Property").last.get_by_label("Place")).to_have_value("$.line_items[0].title")
