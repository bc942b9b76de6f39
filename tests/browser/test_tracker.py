"""`/tracker.js` in a real browser: a shop on one site, the platform on another, and every event counted once."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page

from tests.browser.gate import Gate
from tests.browser.shops import OpenShop, count_waiting, track, wait_until_sent
from tests.live import LivePlatform, wait_for
from tests.other_side import Say

pytestmark = pytest.mark.xdist_group("live")
NO_FAREWELL = """
for (const last of ["pagehide", "visibilitychange"])
    addEventListener(last, (event) => event.stopImmediatePropagation(), true);
"""


def read_moments(gate: Gate) -> list[datetime]:
    """Return when each report was sent, by the page's clock."""
    return [datetime.fromisoformat(one.json["sent_at"]) for one in gate.list_reports()]


def close_at_once(page: Page, script: str) -> None:
    """Open a tab, do something there and close it in the same breath."""
    with page.expect_popup() as caught:
        page.evaluate("window.open(location.href)")
    caught.value.wait_for_function("window.engagement && engagement.version")
    with caught.value.expect_event("close"):
        caught.value.evaluate(f"() => {{ {script}; setTimeout(() => window.close()) }}")


def test_a_page_of_another_site_reports_without_asking_first(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    track(page, "add_to_cart", 3)
    wait_for(lambda: gate.count_stored() and not count_waiting(page))
    stored = gate.list_stored()
    assert [(event.name, event.properties) for event in stored] == [("add_to_cart", {"n": n}) for n in range(3)]
    assert {event.anonymous_id for event in stored} == {page.evaluate("engagement.anonymousId()")}
    assert len({event.context["session_id"] for event in stored}) == 1
    assert [(heard.method, "cookie" in heard.headers) for heard in gate.list_reports()] == [("POST", False)]


def test_a_page_of_the_platforms_own_site_reports(open_shop: OpenShop, live_platform: LivePlatform) -> None:
    page = open_shop()
    page.goto(f"{live_platform.base_url}/demo/")
    page.evaluate("document.head.append(Object.assign(document.createElement('script'), {src: '/tracker.js'}))")
    wait_for(lambda: page.evaluate("!!window.engagement"))
    page.evaluate("engagement.track('beside_the_shop')")
    wait_until_sent(page)
    with live_platform.connect() as connection:
        row = connection.execute("select count(*) from event where name = 'beside_the_shop'").fetchone()
    assert row == (1,)


def test_calls_before_the_script_has_loaded_are_kept_in_order(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop(early="engagement.identify('ada', {plan: 'gold'}); engagement.track('early')")
    track(page, "late")
    wait_until_sent(page)
    told = [(event.name, event.user_id) for event in gate.list_stored()]
    assert told == [("$identify", "ada"), ("early", "ada"), ("late", "ada")]


def test_who_closes_the_tab_at_once_has_reported(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    close_at_once(page, "engagement.identify('ada'); engagement.track('goodbye')")
    wait_for(gate.count_stored)
    wait_until_sent(page)
    assert [event.name for event in gate.list_stored()] == ["$identify", "goodbye"]


def test_a_page_that_goes_to_the_background_sends_without_waiting(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    # No timer of the page runs any more.
    page.clock.install()
    page.clock.pause_at(datetime.now() + timedelta(minutes=1))
    track(page, "put_away")
    page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden'})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    wait_for(gate.count_stored)
    assert gate.count_stored() == {"put_away": 1}


def test_a_browser_whose_requests_end_with_the_page_sends_a_beacon(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop(before="delete Request.prototype.keepalive")
    close_at_once(page, "engagement.track('goodbye')")
    wait_for(gate.count_stored)
    wait_until_sent(page)
    assert gate.count_stored() == {"goodbye": 1}


def test_a_tab_that_closes_while_the_platform_is_down_is_reported_by_the_next(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    gate.fail(503, 503, 503, Retry_After="1")
    close_at_once(page, "engagement.track('goodbye')")
    wait_for(lambda: gate.arrived)
    page.close()
    wait_until_sent(open_shop())
    assert gate.count_stored() == {"goodbye": 1}
    assert len(set(gate.list_sent())) == 1


def test_what_was_done_without_a_network_is_sent_when_there_is_one(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    page.context.set_offline(True)
    track(page, "offline", 2)
    page.evaluate("engagement.flush()")
    assert (gate.arrived, count_waiting(page)) == (0, 2)
    page.context.set_offline(False)
    wait_until_sent(page)
    assert gate.count_stored() == {"offline": 2}


def test_what_was_done_without_a_network_survives_a_reload(open_shop: OpenShop, gate: Gate) -> None:
    # As if it were killed: the emulated outage may end before a page that goes has said its last.
    page = open_shop(before=NO_FAREWELL)
    page.context.set_offline(True)
    track(page, "offline", 2)
    page.goto("about:blank")
    page.context.set_offline(False)
    assert gate.arrived == 0
    wait_until_sent(open_shop(page=page))
    assert [event.properties["n"] for event in gate.list_stored()] == [0, 1]


@pytest.mark.parametrize("failure", [500, 408, 0], ids=["500", "408", "hangs up"])
def test_a_server_that_fails_gets_the_same_again(open_shop: OpenShop, gate: Gate, failure: int) -> None:
    page = open_shop()
    # Chromium itself repeats a request whose connection died, once.
    gate.fail(*[failure] * (1 if failure else 2))
    track(page, "first", 2)
    wait_until_sent(page)
    first, *others = [one.json["events"] for one in gate.list_reports()]
    assert others
    assert all(other == first for other in others)
    assert gate.count_stored() == {"first": 2}


def test_a_server_says_how_long_to_wait_and_a_new_page_waits_too(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    gate.fail(429, Retry_After="3")
    track(page, "first")
    page.evaluate("engagement.flush()")
    wait_for(lambda: gate.arrived)
    page = open_shop(page=page)
    track(page, "second")
    wait_until_sent(page)
    refused, taken = read_moments(gate)
    assert (taken - refused).total_seconds() >= 3
    assert gate.count_stored() == {"first": 1, "second": 1}


def test_an_answer_that_was_lost_counts_nothing_twice(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    gate.loses_answers = True
    track(page, "purchase")
    wait_for(lambda: gate.arrived > 1)
    gate.loses_answers = False
    wait_until_sent(page)
    assert gate.count_stored() == {"purchase": 1}
    assert len(gate.list_sent()) > 1


def test_an_error_of_a_proxy_which_the_page_may_not_read_is_no_answer(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    gate.faults.append(Say(status=502))
    gate.faults.append(Say(body=b"<p>Sign in to this network</p>", headers={"Access-Control-Allow-Origin": "*"}))
    track(page, "patient")
    wait_until_sent(page)
    assert gate.count_stored() == {"patient": 1}


def test_a_refused_event_takes_nothing_with_it_and_is_not_sent_again(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.evaluate("engagement.track('good'); engagement.track(''); engagement.track('better')")
    wait_until_sent(page)
    assert gate.count_stored() == {"good": 1, "better": 1}
    assert gate.arrived == 1
    assert any("invalid_name" in line for line in told)


def test_a_request_that_is_refused_whole_is_not_repeated_and_the_next_event_says_so(
    open_shop: OpenShop, gate: Gate
) -> None:
    page = open_shop()
    gate.fail(403)
    track(page, "refused", 2)
    wait_until_sent(page)
    track(page, "allowed", 2)
    wait_until_sent(page)
    told = [(event.name, event.context.get("lost_events")) for event in gate.list_stored()]
    assert told == [("allowed", 2), ("allowed", None)]
    assert gate.arrived == 2


def test_the_oldest_give_way_and_the_next_event_says_how_many(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    page.context.set_offline(True)
    track(page, "many", 1_003)
    page.context.set_offline(False)
    wait_until_sent(page)
    stored = gate.list_stored()
    assert [event.properties["n"] for event in stored] == list(range(3, 1_003))
    assert sum(event.context.get("lost_events", 0) for event in stored) == 3


def test_long_events_leave_in_requests_that_may_outlive_the_page(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.evaluate("for (let n = 0; n < 5; n++) engagement.track('long', {n, text: 'ä'.repeat(10_000)})")
    page.evaluate("engagement.track('too_long', {text: 'ä'.repeat(20_000)})")
    assert told == ["[engagement] an event holds at most 32000 bytes"]
    wait_until_sent(page)
    assert gate.count_stored() == {"long": 5}
    assert max(len(one.body) for one in gate.list_reports()) < 64 * 1024


def test_what_cannot_be_said_in_json_or_stored_does_not_break_the_page(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    page.evaluate("engagement.track('circle', {window}); engagement.track('big', {n: 1n}); engagement.identify()")
    page.evaluate("engagement.identify({plan: 'gold'})")
    page.evaluate("engagement.track('half', {text: '\\u{1F389}'.slice(0, 1) + 'a\\0b'})")
    wait_until_sent(page)
    assert [(event.name, event.properties) for event in gate.list_stored()] == [("half", {"text": "\ufffdab"})]


def test_a_page_whose_view_is_too_long_is_told_on_the_console_and_not_as_an_error_of_its_own(
    open_shop: OpenShop,
) -> None:
    page = open_shop(attributes="data-page-views")
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    with page.expect_console_message(lambda message: "at most 32000 bytes" in message.text, timeout=30_000):
        page.evaluate("history.pushState(0, '', '/?q=' + 'x'.repeat(40_000))")
    assert not thrown


def test_two_loads_of_the_script_are_one_tracker(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop(attributes="data-page-views")
    page.add_script_tag(url=f"{gate.url}/tracker.js?key={gate.key}&pageViews=true")
    wait_for(gate.count_stored)
    wait_until_sent(page)
    assert gate.count_stored() == {"page_viewed": 1}


def test_the_options_may_stand_in_the_address_and_the_module_is_the_same_tracker(
    open_shop: OpenShop, gate: Gate
) -> None:
    page = open_shop()
    page.evaluate("delete window.engagement")
    page.add_script_tag(url=f"{gate.url}/tracker.js?key={gate.key}&optedOut=true")
    assert page.evaluate("engagement.anonymousId()") is None
    page.evaluate(
        """async ([host, key]) => {
            const { createTracker } = await import(`${host}/tracker.mjs`);
            createTracker({ host, key }).track("bundled");
        }""",
        [gate.url, gate.key],
    )
    wait_until_sent(page)
    assert gate.count_stored() == {"bundled": 1}


def test_pages_are_reported_as_they_change(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop("/lamps?utm_source=mail&utm_campaign=spring#secret", attributes="data-page-views")
    wait_for(lambda: count_waiting(page) or gate.count_stored())
    page.evaluate("history.pushState(0, '', '/mugs'); document.title = 'Mugs'")
    page.wait_for_function("Object.keys(localStorage).join().match(/ea_session/)")
    page.evaluate("location.hash = 'large'; history.pushState(1, '', '/mugs#small')")
    page.evaluate("history.go(-3)")
    wait_for(lambda: gate.count_stored()["page_viewed"] == 3)
    wait_until_sent(page)
    views = [event.properties for event in gate.list_stored()]
    shop = re.sub(r"/lamps.*", "", page.url)
    lamps = f"{shop}/lamps?utm_source=mail&utm_campaign=spring"
    assert views == [
        {"url": lamps, "path": "/lamps", "title": "Lamps", "referrer": ""},
        {"url": f"{shop}/mugs", "path": "/mugs", "title": "Mugs", "referrer": lamps},
        {"url": lamps, "path": "/lamps", "title": "Mugs", "referrer": f"{shop}/mugs"},
    ]
    campaigns = [event.context.get("campaign") for event in gate.list_stored()]
    assert campaigns == [{"source": "mail", "name": "spring"}, None, {"source": "mail", "name": "spring"}]
