"""The admin in a real browser: a rule built by keyboard, and pages that everybody can use."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.accessibility import find_barriers
from tests.browser.conftest import OpenPage, Scheme
from tests.live import LivePlatform, wait_for

pytestmark = pytest.mark.xdist_group("live")
OpenAdmin = Callable[..., Page]
PAGES = (
    "/admin/",
    "/admin/triggers/rule/",
    "/admin/triggers/rule/add/?recipe=session_without_checkout",
    "/admin/triggers/rule/1/change/",
    "/admin/triggers/rule/4/activate/",
    "/admin/triggers/template/",
    "/admin/triggers/template/1/change/",
    "/admin/triggers/activation/",
    "/admin/triggers/delivery/",
    "/admin/triggers/delivery/in-doubt/",
    "/admin/triggers/sendingswitch/",
    "/admin/triggers/destination/",
    "/admin/triggers/destination/add/",
    "/admin/triggers/destination/add/?kind=webhook",
    "/admin/triggers/destination/add/?kind=ga4",
    "/admin/triggers/destination/add/?kind=mixpanel",
    "/admin/tracking/profile/",
    "/admin/tracking/source/",
    "/admin/tracking/source/1/change/",
    "/admin/tracking/source/1/keys/add/",
    "/admin/tracking/hook/",
    "/admin/tracking/hook/add/",
    "/admin/tracking/hook/add/?preset=shopify",
    "/admin/tracking/event/",
    "/admin/tracking/eventtype/",
    "/admin/tracking/quarantined/",
    "/admin/tracking/setaside/",
    "/admin/tracking/erasure/",
    "/admin/django_celery_beat/periodictask/",
    "/admin/auth/user/",
    "/admin/triggers/rule/1/history/",
    "/admin/two-factor/set-up/",
)


LONG_ID = "person-" + "x" * 190


@pytest.fixture
def open_admin(open_page: OpenPage, live_platform: LivePlatform) -> OpenAdmin:
    """Open a page of the admin, signed in."""

    def open_one(path: str, *, scheme: Scheme = "light", **options: int) -> Page:
        page = open_page("/admin/login/", scheme=scheme, **options)
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill(live_platform.admin_password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
        page.goto(path)
        return page

    return open_one


def fits(page: Page) -> bool:
    """Whether a page gets as narrow as its window; charts follow a little later."""
    try:
        page.wait_for_function("document.documentElement.scrollWidth <= innerWidth", timeout=10_000)
    except PlaywrightTimeout:
        return False
    return True


def find_shop_key(platform: LivePlatform) -> str:
    """Return the demo shop's public key."""
    key = re.search(r"wk_[\w-]+", (platform.state / "first-curl").read_text())
    assert key is not None
    return key[0]


def report_from_shop(platform: LivePlatform, body: dict[str, object], path: str = "/track-event") -> None:
    """Report something as the demo shop does; whoever it is about is known once it has been decided."""
    status, _ = platform.post(path, body, X_Write_Key=find_shop_key(platform))
    assert status == 202
    count = "select count(*) from profile where user_id = %s"
    with platform.connect() as connection:
        wait_for(lambda: (connection.execute(count, (body["user_id"],)).fetchone() or (0,))[0])


def _tab_to(page: Page, name: str, steps: int = 60) -> None:
    """Press Tab until the element with this accessible name has the focus."""
    for _ in range(steps):
        page.keyboard.press("Tab")
        if page.evaluate(_FOCUSED_NAME) == name:
            return
    raise AssertionError(f"Tab does not reach “{name}”")


_FOCUSED_NAME = """() => {
  const one = document.activeElement;
  if (!one) return '';  // the page is just being drawn
  const label = one.labels?.[0]?.innerText.replace('*', '');
  return (one.getAttribute('aria-label') || label || one.innerText || one.value || '').trim();
}"""


def test_a_rule_is_kept_to_a_source(open_admin: OpenAdmin, live_platform: LivePlatform) -> None:
    page = open_admin("/admin/triggers/rule/add/")
    page.locator("[name=name]").fill("Kept to a source")
    page.locator("[name=event]").fill("add_to_cart")
    page.get_by_role("button", name="Add condition").click()
    page.get_by_label("What is looked at").select_option("source")
    page.get_by_label("Source", exact=True).select_option(label="Demo shop")
    expect(page.locator("#rule-sentence")).to_have_text(
        "When someone does add_to_cart, and what they did last came from “Demo shop” — every time. "
        "No message is sent: it only records."
    )


def test_the_cart_recipe_is_built_from_an_empty_rule_by_keyboard_alone(
    open_admin: OpenAdmin, live_platform: LivePlatform
) -> None:
    page = open_admin("/admin/triggers/rule/add/")
    keys = page.keyboard
    _tab_to(page, "Name")
    keys.type("Built by keyboard")
    _tab_to(page, "Something happens")
    for _ in range(3):
        keys.press("ArrowRight")
    _tab_to(page, "Starts with")
    keys.type("add_to_cart")
    _tab_to(page, "And is not followed by")
    keys.type("purchase")
    _tab_to(page, "For the same")
    keys.type("cart_id")
    _tab_to(page, "Add condition")
    keys.press("Enter")
    _tab_to(page, "Property")
    keys.type("price")
    _tab_to(page, "Comparison")
    keys.type("is more than")
    _tab_to(page, "Number")
    keys.type("20")
    _tab_to(page, "Message")
    keys.type("Demo: cart")
    _tab_to(page, "Every time")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    expect(page.locator("#rule-sentence")).to_have_text(
        "When someone does add_to_cart but not purchase with the same cart_id within 1 hour, and the event's "
        "price is more than 20 — at most once every day (a message that could not be sent does not "
        "count). Then “Demo: cart reminder” is sent."
    )
    _tab_to(page, "Save")
    keys.press("Enter")
    expect(page.get_by_role("link", name="Built by keyboard").first).to_be_visible()
    with live_platform.connect() as connection:
        row = connection.execute(
            "select definition, state from triggers_rule where name = 'Built by keyboard'"
        ).fetchone()
    assert row is not None
    assert row[1] == "draft"
    assert row[0]["trigger"] == {
        "kind": "abandonment",
        "after": 3600,
        "key": "cart_id",
        "started_by": "add_to_cart",
        "ended_by": "purchase",
    }
    _activate_by_keyboard(page)


def _activate_by_keyboard(page: Page) -> None:
    page.get_by_role("link", name="Built by keyboard").first.click()
    _tab_to(page, "Activate…")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It decides on every event and silence from now on")).to_be_visible()
    _tab_to(page, "Activate")
    page.keyboard.press("Enter")
    expect(page.get_by_text("“Built by keyboard” is active.")).to_be_visible()
    expect(page.locator(".rule-status .badge")).to_have_text("active")


def test_groups_within_groups_survive_saving_and_loading(open_admin: OpenAdmin) -> None:
    page = open_admin("/admin/triggers/rule/add/")
    page.get_by_label("Name *", exact=True).fill("Nested")
    page.get_by_label("Event", exact=True).first.fill("purchase")
    page.get_by_role("button", name="Add condition").click()
    page.get_by_label("Property").fill("total")
    page.get_by_label("Comparison").select_option("is between")
    page.get_by_label("From", exact=True).fill("10")
    page.get_by_label("To", exact=True).fill("20")
    page.get_by_role("button", name="Add group").click()
    group = page.get_by_role("group", name="Group of conditions")
    group.get_by_label("How these go together").select_option("None of these holds")
    group.get_by_label("What is looked at").select_option("They have done")
    group.get_by_label("Event").fill("refund")
    group.get_by_role("button", name="Add condition").click()
    second = group.get_by_role("group", name="Condition").nth(1)
    second.get_by_label("What is looked at").select_option("The person’s")
    second.get_by_label("Attribute").fill("plan")
    second.get_by_label("Comparison").select_option("is one of")
    second.get_by_label("Values, one on each line").fill("pro\nteam")
    sentence = (
        "When someone does purchase, and the event's total is between 10 and 20, and it is not so that (they "
        "have done refund at least 1 time in the last 7 days or the person's plan is one of “pro”, “team”) — every "
        "time. No message is sent: it only records."
    )
    expect(page.locator("#rule-sentence")).to_have_text(sentence)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    expect(page.locator("#rule-sentence")).to_have_text(sentence)


def test_an_error_stands_at_its_row_and_the_others_keep_what_was_typed(open_admin: OpenAdmin) -> None:
    page = open_admin("/admin/triggers/rule/add/")
    page.get_by_label("Name *", exact=True).fill("Wrong")
    page.get_by_label("Event", exact=True).first.fill("purchase")
    for path in ("fine", ""):
        page.get_by_role("button", name="Add condition").click()
        row = page.get_by_role("group", name="Condition", exact=True).last
        row.get_by_label("Property").fill(path)
        row.get_by_label("Value").fill("x")
    page.get_by_role("button", name="Save", exact=True).click()
    rows = page.get_by_role("group", name="Condition", exact=True)
    expect(rows.nth(1).locator(".field-error")).to_have_text("Choose a field.")
    expect(rows.nth(0).locator(".field-error")).to_have_count(0)
    expect(rows.nth(0).get_by_label("Property")).to_have_value("fine")


def test_a_removed_row_leaves_the_focus_where_it_stood(open_admin: OpenAdmin) -> None:
    page = open_admin("/admin/triggers/rule/add/?recipe=session_without_checkout")
    page.get_by_role("button", name="Remove this condition").first.click()
    expect(page.get_by_role("group", name="Condition", exact=True)).to_have_count(1)
    page.get_by_role("button", name="Remove this condition").click()
    expect(page.get_by_role("button", name="Add condition")).to_be_focused()


def test_a_person_who_left_a_cart_is_told_with_the_mail_and_its_reasons(
    open_admin: OpenAdmin, live_platform: LivePlatform
) -> None:
    report_from_shop(live_platform, {"user_id": "grace", "traits": {"email": "grace@example.com"}}, "/v1/identify")
    cart = {"event": "add_to_cart", "user_id": "grace", "cart_id": "g1", "name": "Lamp", "price": 5}
    report_from_shop(live_platform, cart)
    page = open_admin("/admin/tracking/profile/?q=grace@example.com")
    page.get_by_role("link", name="grace", exact=True).click()

    def is_told() -> bool:
        page.reload()
        return page.get_by_text("The exact message").count() > 0

    wait_for(is_told, patience=120)
    page.get_by_text("Why", exact=True).first.click()
    expect(page.get_by_text("they have not done cart_emptied in the last 30 seconds").first).to_be_visible()
    page.get_by_text("The exact message").first.click()
    frame = page.frame_locator("iframe.mail").first
    expect(frame.get_by_text("Lamp").first).to_be_visible()


def test_a_new_source_turns_its_first_step_green_and_shows_its_secret_once(open_admin: OpenAdmin) -> None:
    page = open_admin("/admin/tracking/source/add/")
    page.get_by_label("Name").first.fill("Phone app")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#secret-key")).to_have_text(re.compile(r"^sk_"))
    page.get_by_role("link", name="I have copied the secret key").click()
    expect(page.locator("#secret-key")).to_have_count(0)
    expect(page.locator("code[id^=key-]").first).to_have_text(re.compile(r"^wk_"))


def test_a_template_is_previewed_and_a_test_is_mailed(open_admin: OpenAdmin, live_platform: LivePlatform) -> None:
    report_from_shop(live_platform, {"event": "page_view", "user_id": "tess", "title": "Kettles"})
    page = open_admin("/admin/triggers/template/add/")
    page.get_by_label("Name").first.fill("Trial")
    page.get_by_label("Subject").fill("About {{ event.title }}")
    page.get_by_label("HTML").fill("<h1>{{ user.id }}</h1>")
    trial = page.locator("#trial")

    def is_offered() -> bool:
        trial.get_by_label("Person").fill("")
        trial.get_by_label("Person").fill("tess")
        trial.get_by_label("Person").press("Tab")
        page.wait_for_load_state("networkidle")
        return trial.get_by_label("Event").locator("option").count() > 0

    wait_for(is_offered)
    trial.get_by_role("button", name="Preview").click()
    expect(trial.locator(".trial-subject")).to_have_text("About Kettles")
    expect(trial.frame_locator("iframe").get_by_role("heading", name="tess")).to_be_visible()
    trial.get_by_label("Send me a test at").fill("admin@example.com")
    trial.get_by_role("button", name="Send test").click()
    expect(trial.get_by_role("status")).to_have_text("Sent to admin@example.com.")


def test_no_page_of_the_admin_keeps_anybody_out_in_light_or_dark_or_on_a_phone(open_admin: OpenAdmin) -> None:
    page = open_admin("/admin/")
    found: dict[str, object] = {}
    for path in PAGES:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        found[path] = find_barriers(page)
        page.evaluate("document.documentElement.classList.add('dark')")
        found[f"{path} in the dark"] = find_barriers(page, colors_only=True)
        page.set_viewport_size({"width": 390, "height": 850})
        found[f"{path} on a phone"] = not fits(page)
        page.set_viewport_size({"width": 1440, "height": 1000})
    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_a_persons_page_nor_on_the_login(
    open_page: OpenPage, open_admin: OpenAdmin, live_platform: LivePlatform, scheme: Scheme
) -> None:
    report_from_shop(live_platform, {"event": "page_view", "user_id": "axel"})
    assert find_barriers(open_page("/admin/login/", scheme=scheme)) == []
    page = open_admin("/admin/tracking/profile/?q=axel", scheme=scheme)
    page.get_by_role("link", name="axel", exact=True).click()
    assert find_barriers(page) == []
    page.get_by_role("link", name="Why, or why not?").first.click()
    expect(page.get_by_text("are judged as they were")).to_be_visible()
    assert find_barriers(page) == []


def test_the_menu_of_the_account_opens_by_keyboard(open_admin: OpenAdmin) -> None:
    page = open_admin("/admin/")
    page.get_by_role("button", name="Your account").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out logout")).to_be_visible()
    page.get_by_role("button", name="Dark").focus()
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_class(re.compile("dark"))


def test_a_condition_offers_the_values_that_a_property_has_had(
    open_admin: OpenAdmin, live_platform: LivePlatform
) -> None:
    for _ in range(2):
        report_from_shop(live_platform, {"event": "lamp_lit", "user_id": "lux", "colour": "amber"})

    def is_known() -> bool:
        page.goto("/admin/triggers/rule/add/")
        return page.locator("#rule-events option[value=lamp_lit]").count() == 1

    page = open_admin("/admin/triggers/rule/add/")
    wait_for(is_known)
    page.locator("[name=event]").fill("lamp_lit")
    page.get_by_role("button", name="Add condition").click()
    page.get_by_label("Property").fill("colour")
    page.get_by_label("Value", exact=True).focus()

    expect(page.locator("#rule-properties option[value=colour]")).to_have_attribute("label", "colour (text)")
    expect(page.locator("#rule-values option")).to_have_attribute("value", "amber")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_long_id_is_shown_whole_wherever_it_stands(
    open_admin: OpenAdmin, live_platform: LivePlatform, width: int
) -> None:
    report_from_shop(live_platform, {"event": "page_view", "user_id": LONG_ID})
    page = open_admin("/admin/tracking/event/", width=width)
    for path in ("/admin/tracking/event/", f"/admin/tracking/profile/?q={LONG_ID}"):
        page.goto(path)
        shown = page.get_by_role("link", name=LONG_ID).first
        assert shown.evaluate(_IS_WITHIN_ITS_CELL), path
    shown.click()
    page.get_by_role("link", name=re.compile("Erase this person")).click()
    expect(page.get_by_label("To erase this person")).to_be_visible()
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


_IS_WITHIN_ITS_CELL = """link => {
    const [inner, cell] = [link, link.closest("td, th")].map(one => one.getBoundingClientRect());
    return inner.right <= Math.min(cell.right, innerWidth) && inner.bottom <= cell.bottom;
}"""
