"""Who `/tracker.js` takes somebody for, where it keeps that, and when it is silent."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from engagement.local.browser import find_browser
from tests.browser.gate import Gate
from tests.browser.shops import OpenShop, count_waiting, track, wait_until_sent
from tests.live import LivePlatform, wait_for

pytestmark = pytest.mark.xdist_group("live")
NO_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('', 'SecurityError') }});"
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', {value: undefined});"
FILL_STORAGE = """() => {
    for (let size = 1 << 23, n = 0; size; n++) {
        try { localStorage[`filler${n}`] = 'x'.repeat(size) } catch { size >>= 1 }
    }
    for (let n = 0; n < 99; n++) try { localStorage[n] = '' } catch { return }
}"""
SIGNALS = {
    "respect-dnt": "Object.defineProperty(navigator, 'doNotTrack', {value: '1'})",
    "respect-gpc": "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})",
}


def test_a_visitor_stays_the_same_until_they_sign_out_or_another_signs_in(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    for step in ("track('a')", "identify('ada')", "track('b')"):
        page.evaluate(f"engagement.{step}")
    page = open_shop(page=page)
    for step in ("track('c')", "identify(7)", "track('d')", "reset()", "track('e')"):
        page.evaluate(f"engagement.{step}")
    wait_until_sent(page)
    ids = {event.name: (event.user_id, event.anonymous_id) for event in gate.list_stored() if event.name != "$identify"}
    assert {name: user_id for name, (user_id, _) in ids.items()} == {
        "a": None,
        "b": "ada",
        "c": "ada",
        "d": "7",
        "e": None,
    }
    assert ids["a"][1] == ids["b"][1] == ids["c"][1]
    assert len({ids[name][1] for name in "ade"}) == 3


def test_a_signed_hash_is_sent_with_all_that_its_user_does_and_with_nothing_else(
    open_shop: OpenShop, gate: Gate
) -> None:
    page = open_shop()
    for step in ("track('a')", "identify('ada', {}, {userHash: 'h1'})", "track('b')", "identify('eve')", "track('c')"):
        page.evaluate(f"engagement.{step}")
    wait_until_sent(page)
    sent = [event for report in gate.list_reports() for event in report.json["events"]]
    told = [(event.get("event", "identify"), event.get("user_id"), event.get("user_hash")) for event in sent]
    assert told == [
        ("a", None, None),
        ("identify", "ada", "h1"),
        ("b", "ada", "h1"),
        ("identify", "eve", None),
        ("c", "eve", None),
    ]


@pytest.fixture
def identity_secret(live_platform: LivePlatform, shop_source: dict[str, str]) -> Iterator[str]:
    """What the shop's server signs with, while its source demands that."""
    demand = "update tracking_source set demands_user_hash = %s where name = %s returning id"
    add = """
    insert into tracking_sourcekey (source_id, kind, value, prefix, is_foreign, label, scopes, created_at)
    values (%s, 'identity', 'ids_of_the_shop', 'ids_of_t', false, '', '{}', now())
    """
    with live_platform.connect() as connection:
        row = connection.execute(demand, (True, shop_source["name"])).fetchone()
        connection.execute(add, row)
        yield "ids_of_the_shop"
        connection.execute(demand, (False, shop_source["name"]))


def test_a_platform_that_demands_the_hash_believes_the_page_whose_server_made_it(
    open_shop: OpenShop, gate: Gate, live_platform: LivePlatform, identity_secret: str
) -> None:
    # Every process knows of it within a second; whichever answers.
    body = {"event": "refused", "user_id": "ada"}
    wait_for(lambda: all(live_platform.post(f"/v1/events?key={gate.key}", body)[0] == 403 for _ in range(8)))
    proof = hmac.new(identity_secret.encode(), b"ada", hashlib.sha256).hexdigest()
    page = open_shop()
    for step in (
        "identify('eve')",
        "track('forged')",
        f"identify('ada', {{}}, {{userHash: '{proof}'}})",
        "track('own')",
    ):
        page.evaluate(f"engagement.{step}")
    wait_until_sent(page)
    stored = [(event.name, event.user_id) for event in gate.list_stored() if event.name != "refused"]
    assert stored == [("$identify", "ada"), ("own", "ada")]


def test_half_an_hour_of_silence_begins_another_session(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    track(page, "before")
    page.evaluate("localStorage.ea_session = localStorage.ea_session.split('.')[0] + '.' + (Date.now() - 29 * 60e3)")
    track(page, "still")
    page.evaluate("localStorage.ea_session = localStorage.ea_session.split('.')[0] + '.' + (Date.now() - 31 * 60e3)")
    track(page, "after")
    wait_until_sent(page)
    before, still, after = [event.context["session_id"] for event in gate.list_stored()]
    assert before == still != after


def test_without_local_storage_a_cookie_knows_the_visitor_again(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop(before=NO_STORAGE)
    page.evaluate("engagement.identify('ada'); engagement.track('first')")
    page = open_shop(page=page)
    page.evaluate("engagement.track('second')")
    wait_for(lambda: gate.count_stored()["second"])
    stored = gate.list_stored()
    assert [event.name for event in stored] == ["$identify", "first", "second"]
    assert len({(event.user_id, event.anonymous_id, event.context["session_id"]) for event in stored}) == 1


def test_a_page_that_fills_the_storage_hides_neither_the_persons_word_nor_what_waits(
    open_shop: OpenShop, gate: Gate
) -> None:
    page = open_shop()
    page.context.set_offline(True)
    track(page, "kept")
    page.evaluate(FILL_STORAGE)
    page.goto("about:blank")
    page.context.set_offline(False)
    page = open_shop(page=page)
    track(page, "beside")
    wait_for(lambda: gate.count_stored() == {"kept": 1, "beside": 1})
    assert len({event.anonymous_id for event in gate.list_stored()}) == 1
    page.evaluate("engagement.optOut()")
    page.evaluate(FILL_STORAGE)
    page = open_shop(page=page)
    assert page.evaluate("engagement.anonymousId()") is None


def test_who_opts_out_where_the_storage_is_full_is_forgotten_there_too(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    page.evaluate(FILL_STORAGE)
    page.evaluate("engagement.identify('ada'); engagement.optOut()")
    assert page.evaluate("document.cookie.replace(/ea_consent=0/, '')") == ""
    page.evaluate("localStorage.clear()")
    page = open_shop(page=page)
    assert page.evaluate("[engagement.anonymousId(), Object.keys(localStorage).join()]") == [None, ""]


def test_with_all_storage_blocked_events_are_still_reported_once(
    browser: Browser, open_shop: OpenShop, gate: Gate, tmp_path: Path
) -> None:
    preferences = tmp_path / "Default" / "Preferences"
    preferences.parent.mkdir()
    blocked = {"default_content_setting_values": {"cookies": 2}}
    preferences.write_text(json.dumps({"profile": blocked}))
    context = browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"]
    )
    page = open_shop(page=context.new_page())
    assert page.evaluate("() => { try { return !localStorage } catch { return 'blocked' } }") == "blocked"
    gate.fail(500)
    track(page, "kept", 2)
    wait_for(lambda: gate.count_stored()["kept"] == 2)
    track(page, "left")
    page.goto("about:blank")
    wait_for(lambda: gate.count_stored()["left"])
    context.close()
    assert gate.count_stored() == {"kept": 2, "left": 1}
    assert len({event.anonymous_id for event in gate.list_stored()}) == 1


@pytest.mark.parametrize("before", ["", NO_LOCKS], ids=["locks", "lease"])
def test_two_tabs_send_everything_and_nothing_twice(open_shop: OpenShop, gate: Gate, before: str) -> None:
    one, two = open_shop(before=before), open_shop(before=before)
    one.context.set_offline(True)
    track(one, "one", 120)
    track(two, "two", 120)
    gate.hold()
    one.context.set_offline(False)
    wait_for(lambda: gate.arrived)
    for page in (one, two):
        page.evaluate("void engagement.flush()")
        track(page, "late")
    gate.release()
    wait_for(lambda: count_waiting(one) == count_waiting(two) == 0)
    assert gate.count_stored() == {"one": 120, "two": 120, "late": 2}
    assert len(gate.list_sent()) == len(set(gate.list_sent())) == 242


def test_a_lease_of_a_tab_that_crashed_ends(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop(before=NO_LOCKS)
    page.evaluate("localStorage.ea_lease = 'somebody ' + (Date.now() + 6000)")
    track(page, "patient")
    page.evaluate("engagement.flush()")
    assert gate.arrived == 0
    wait_until_sent(page)
    assert gate.count_stored() == {"patient": 1}


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_browsers_signal_is_respected_where_the_page_says_so(open_shop: OpenShop, gate: Gate, signal: str) -> None:
    page = open_shop(before=SIGNALS[signal], attributes=f"data-{signal} data-page-views")
    page.evaluate("engagement.identify('ada'); engagement.track('unheard'); engagement.flush()")
    assert page.evaluate("[localStorage.length, document.cookie, engagement.anonymousId()]") == [0, "", None]
    page.evaluate("engagement.optIn(); engagement.track('allowed')")
    wait_until_sent(page)
    page = open_shop(page=page, attributes=f'data-{signal}="false"')
    page.evaluate("localStorage.removeItem('ea_consent'); engagement.track('not_asked')")
    wait_until_sent(page)
    assert gate.count_stored() == {"allowed": 1, "not_asked": 1}


def test_who_opts_out_is_forgotten_and_stays_so_until_they_opt_in(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop()
    page.context.set_offline(True)
    page.evaluate("engagement.identify('ada'); engagement.track('unsent'); engagement.optOut()")
    assert page.evaluate("Object.keys(localStorage)") == ["ea_consent"]
    page.context.set_offline(False)
    page = open_shop(page=page)
    page.evaluate("engagement.track('unheard'); engagement.flush()")
    assert page.evaluate("Object.keys(localStorage)") == ["ea_consent"]
    page.evaluate("engagement.optIn(); engagement.track('heard')")
    wait_until_sent(page)
    assert [(event.name, event.user_id) for event in gate.list_stored()] == [("heard", None)]


def test_a_page_that_asks_first_is_silent_until_the_answer(open_shop: OpenShop, gate: Gate) -> None:
    page = open_shop(attributes="data-opted-out", early="engagement.track('unheard')")
    assert page.evaluate("localStorage.length") == 0
    page.evaluate("engagement.optIn(); engagement.track('heard')")
    wait_until_sent(page)
    assert gate.count_stored() == {"heard": 1}
