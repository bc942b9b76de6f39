"""What people do in the demo shop, told in one line each."""

from typing import Any

from playwright.sync_api import Page, expect


def sign_in(page: Page, address: str) -> None:
    """Give a mail address."""
    page.get_by_label("Your mail address").fill(address)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#address")).to_have_text(address)


def add_to_cart(page: Page, name: str) -> None:
    """Put a product into the cart."""
    page.get_by_role("button", name=f"Add to cart: {name}").click()
    expect(page.locator("#cart-lines")).to_contain_text(name)


def check_out(page: Page) -> None:
    """Buy what is in the cart."""
    page.get_by_role("button", name="Check out").click()
    expect(page.locator("#thanks")).to_contain_text("Thank you")


def read_timeline(page: Page) -> dict[str, Any]:
    """Return this visitor's timeline as the panel gets it."""
    answer = page.request.get("/demo/timeline.json")
    assert answer.ok
    return dict(answer.json())


def has_seen(page: Page, code: str) -> bool:
    """Whether an event of this name is on the visitor's timeline."""
    return any(entry["code"] == code for entry in read_timeline(page)["entries"])


def count_mails(page: Page) -> int:
    """Return how many mails this visitor finds in the inbox."""
    answer = page.request.get("/inbox/list")
    assert answer.ok
    return answer.text().count("data-key=")


def read_anonymous_id(page: Page) -> str | None:
    """Return the id that the platform gave this browser."""
    return next((cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "ea_id"), None)
