"""Mixpanel's library for browsers on a page of somebody's shop, while the way to the platform falters."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY
from urllib.parse import urlsplit

import pytest

from tests.clients.conftest import TRAITS, Falter, LoadLibrary, Team
from tests.clients.faltering import FalteringServer, Fault
from tests.live import wait_for

pytestmark = pytest.mark.xdist_group("live")

EACH_ONCE = Counter(dict.fromkeys(range(20), 1))
LIBRARY = "mixpanel-browser/dist/mixpanel.umd.js"
SAY = "window.say = (self, name, ...given) => new Promise(done => self[name](...given, done))"
"""Its calls take turns at the browser's storage in no order: who says one thing after the other waits for each."""

VISITS = """(async () => {
    for (let number = 0; number < 20; number++) await say(mixpanel, 'track', 'visit', {number, mood: '🎉'})
})()"""


def write_start(team: Team, host: str, **more: object) -> str:
    """Return the usual line of a page, with another host, and in more of a hurry."""
    options = {"api_host": host, "batch_flush_interval_ms": 100} | more
    return f"{SAY}; mixpanel.init({json.dumps(team.write_key)}, {json.dumps(options)})"


def count_reports(server: FalteringServer, path: str = "/track") -> int:
    return len([seen for seen in server.seen if seen[1].startswith(path)])


@pytest.mark.parametrize("packing", ["base64", "json"])
def test_batches_are_reported_once(team: Team, falter: Falter, load_library: LoadLibrary, packing: str) -> None:
    faults = (Fault.ERROR, Fault.BUSY, Fault.LATE, Fault.UNANSWERED)
    server = falter(*faults)
    more = {"api_payload_format": packing, "batch_request_timeout_ms": 2500, "batch_size": 5}
    page = load_library(LIBRARY, write_start(team, server.url, **more))
    page.evaluate(VISITS)
    team.wait_for_events(20)
    answered = count_reports(server)
    page.evaluate("mixpanel.track('last')")
    team.wait_for_events(21)
    assert count_reports(server) == answered + 1
    assert team.count("properties", "number") - Counter({None: 1}) == EACH_ONCE
    assert team.count("properties", "mood")["🎉"] == 20
    assert server.list_faults() == set(faults)
    assert {method for method, _, _ in server.seen} == {"POST"}


def test_a_dropped_connection_is_taken_for_delivery_unless_the_browser_is_offline(
    team: Team, falter: Falter, load_library: LoadLibrary
) -> None:
    page = load_library(LIBRARY, write_start(team, falter(Fault.LOST).url))
    with page.expect_event("requestfailed"):
        page.evaluate("mixpanel.track('lost')")
    page.context.set_offline(offline=True)
    with page.expect_event("requestfailed"):
        page.evaluate("mixpanel.track('kept')")
    page.context.set_offline(offline=False)
    team.wait_for_events(1)
    assert team.count() == {"kept": 1}


def test_without_batches_nothing_is_retried_and_the_page_is_told(
    team: Team, falter: Falter, load_library: LoadLibrary
) -> None:
    server = falter(Fault.LOST, Fault.ERROR, Fault.BUSY)
    page = load_library(LIBRARY, write_start(team, server.url, batch_requests=False))
    track = "([name, options]) => new Promise(told => mixpanel.track(name, {mood: '🎉'}, options, told))"
    told = [page.evaluate(track, ["visit", {}]) for _ in range(4)]
    assert told == [0, 0, 0, 1]
    assert page.evaluate(track, ["$erase", {}]) == 0
    assert page.evaluate(track, ["beacon", {"transport": "sendBeacon"}]) == 1
    page.evaluate("mixpanel.set_config({verbose: true})")
    assert page.evaluate(track, ["visit", {}]) == {"status": 1, "error": None}
    assert page.evaluate(track, ["$erase", {}]) == {
        "status": 0,
        "httpStatusCode": 400,
        "error": ANY,
        "retryAfter": None,
    }
    team.wait_for_events(3)
    assert team.count() == {"visit": 2, "beacon": 1}
    assert team.count("properties", "mood") == {"🎉": 3}
    assert count_reports(server) == 8


def test_what_is_good_of_a_batch_is_kept_and_a_batch_that_is_refused_is_not_sent_again(
    team: Team, falter: Falter, load_library: LoadLibrary
) -> None:
    server = falter()
    page = load_library(LIBRARY, write_start(team, server.url, batch_autostart=False))
    page.evaluate("say(mixpanel, 'track', '$erase', {}).then(() => say(mixpanel, 'track', 'visit', {}))")
    with page.expect_response(lambda answer: answer.status == 200) as answered:
        page.evaluate("mixpanel.start_batch_senders()")
    assert [item["code"] for item in answered.value.json()["rejected"]] == ["reserved_event"]
    with page.expect_response(lambda answer: answer.status == 400):
        page.evaluate("mixpanel.track('$erase')")
    page.evaluate("mixpanel.track('last')")
    team.wait_for_events(2)
    assert team.count() == {"visit": 1, "last": 1}
    assert count_reports(server) == 3


def test_what_waits_when_the_page_is_left_goes_by_beacon_and_a_later_page_repeats_it(
    team: Team, falter: Falter, load_library: LoadLibrary, user_id: str
) -> None:
    server = falter()
    page = load_library(LIBRARY, write_start(team, server.url, batch_flush_interval_ms=60_000))
    page.evaluate(VISITS)
    page.evaluate(f"mixpanel.identify({json.dumps(user_id)}); say(mixpanel.people, 'set', {{plan: 'pro'}})")
    shop = page.url
    page.goto("about:blank")
    team.wait_for_events(21)
    # What is said of people waits for a page that is opened when nobody else can be sending it any more.
    assert team.count() == {"visit": 20, "$identify": 1}
    page.clock.set_system_time(datetime.now(UTC) + timedelta(minutes=5))
    page.goto(shop)
    wait_for(lambda: count_reports(server) == 2 and count_reports(server, "/engage") == 1)
    wait_for(lambda: team.read_traits(user_id).get("plan") == "pro")
    assert team.count("properties", "number") == EACH_ONCE + Counter({None: team.count()["$identify"]})


def test_who_signs_in_and_out(team: Team, falter: Falter, load_library: LoadLibrary, user_id: str) -> None:
    page = load_library(LIBRARY, write_start(team, falter().url))
    who = json.dumps(user_id)
    page.evaluate("say(mixpanel, 'track', 'before', {})")
    page.evaluate(f"mixpanel.identify({who})")
    page.evaluate("say(mixpanel, 'track', 'after', {})")
    page.evaluate(f"mixpanel.alias('other-' + {who})")
    team.wait_for_events(6)
    page.evaluate("mixpanel.reset(); mixpanel.track('gone')")
    events = team.wait_for_events(7)
    (device,) = [event["anonymous_id"] for event in events if event["name"] == "before"]
    assert {(event["name"], event["user_id"], event["anonymous_id"] == device) for event in events} == {
        ("before", None, True),
        ("$identify", user_id, True),
        ("after", user_id, True),
        ("$alias", f"other-{user_id}", False),
        ("$alias", f"other-{user_id}", True),
        ("gone", None, False),
    }
    assert {event["properties"].get("previous_id") for event in events} == {None, user_id}


def test_operators_arrive_on_the_profile_and_groups_in_the_log(
    team: Team, falter: Falter, load_library: LoadLibrary, user_id: str
) -> None:
    page = load_library(LIBRARY, write_start(team, falter(Fault.ERROR, Fault.BUSY).url))
    page.evaluate(f"mixpanel.people.set('plan', 'pro'); mixpanel.identify({json.dumps(user_id)})")
    wait_for(lambda: team.count()["$identify"] == 3)
    page.evaluate("""(async () => {
        const people = mixpanel.people, group = mixpanel.get_group('company', 'acme')
        await say(people, 'set', {$email: 'ada@example.com', visits: 2})
        await say(people, 'set_once', {$email: 'else@example.com', first_seen: 'monday'})
        await say(people, 'increment', 'visits', 3)
        await say(people, 'append', 'colours', 'red')
        await say(people, 'append', 'colours', 'blue')
        await say(people, 'union', 'colours', ['blue', 'green'])
        await say(people, 'remove', 'colours', 'red')
        await say(people, 'unset', 'plan')
        people.delete_user()
        await say(group, 'set', 'plan', 'pro')
        await say(group, 'set_once', 'since', 2020)
        await say(group, 'union', 'tags', ['big'])
        await say(group, 'remove', 'tags', 'big')
        await say(group, 'unset', 'plan')
        await say(group, 'delete')
        await say(mixpanel, 'set_group', 'company', 'acme')
        await say(mixpanel, 'track', 'visit', {})
    })()""")
    wait_for(lambda: team.count()["$group"] == 5 and team.count()["visit"])
    wait_for(lambda: "company" in team.read_traits(user_id))
    traits = team.read_traits(user_id)
    assert traits == traits | TRAITS | {"company": ["acme"]}
    assert "plan" not in traits
    (visit,) = [event for event in team.read_events() if event["name"] == "visit"]
    assert visit["properties"]["company"] == ["acme"]


def test_an_increment_that_the_browser_repeats_counts_once(
    team: Team, falter: Falter, load_library: LoadLibrary, user_id: str
) -> None:
    # Chromium sends again by itself, byte by byte, when a connection that was kept alive dies under a request.
    server = falter(Fault.NONE, Fault.NONE, Fault.UNANSWERED)
    page = load_library(LIBRARY, write_start(team, server.url))
    with page.expect_response(lambda answer: "/engage" in answer.url), page.expect_response("**/track/?**"):
        page.evaluate(f"mixpanel.identify({json.dumps(user_id)})")
    page.evaluate("say(mixpanel.people, 'increment', 'visits', 3)")
    wait_for(lambda: count_reports(server, "/engage") == 3)
    page.evaluate("say(mixpanel.people, 'increment', 'visits', 3)")
    page.evaluate("say(mixpanel.people, 'set', {last: true})")
    wait_for(lambda: "last" in team.read_traits(user_id))
    assert team.read_traits(user_id)["visits"] == 6


def test_an_increment_that_was_stored_and_timed_out_counts_twice(
    team: Team, falter: Falter, load_library: LoadLibrary, user_id: str
) -> None:
    # The library makes another request of it, and nothing in that says what it repeats.
    server = falter(Fault.NONE, Fault.NONE, Fault.LATE)
    page = load_library(LIBRARY, write_start(team, server.url))
    with page.expect_response(lambda answer: "/engage" in answer.url), page.expect_response("**/track/?**"):
        page.evaluate(f"mixpanel.identify({json.dumps(user_id)})")
    page.evaluate("mixpanel.set_config({batch_request_timeout_ms: 2500})")
    page.evaluate("say(mixpanel.people, 'increment', 'visits', 3)")
    wait_for(lambda: count_reports(server, "/engage") == 3)
    page.evaluate("say(mixpanel.people, 'set', {last: true})")
    wait_for(lambda: "last" in team.read_traits(user_id))
    assert team.read_traits(user_id)["visits"] == 6


def test_what_the_library_asks_for_by_itself_is_answered_and_does_not_loop(
    team: Team, falter: Falter, load_library: LoadLibrary
) -> None:
    page = load_library(LIBRARY)
    answers: list[tuple[int, str]] = []
    errors: list[str] = []
    page.on("response", lambda answer: answers.append((answer.status, urlsplit(answer.url).path)))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: errors.append(request.url))
    everything = {
        "flags": True,
        "remote_settings_mode": "fallback",
        "autocapture": True,
        "track_pageview": True,
        "record_sessions_percent": 100,
    }
    page.evaluate(write_start(team, falter().url, **everything))
    page.evaluate("mixpanel.flags.get_variant_value('button', 'blue').then(value => mixpanel.track(value))")
    page.click("h1")
    team.wait_for_events(3)
    assert team.count() == {"page_viewed": 1, "element_clicked": 1, "blue": 1}
    with page.expect_response("**/record/**"):
        # Of its own accord it sends every ten seconds.
        page.evaluate("mixpanel.__get_recorder().activeRecording.batcher.flush()")
    page.evaluate("mixpanel.track('last')")
    team.wait_for_events(4)
    asked = Counter(answer for answer in answers if answer[1] != "/track/")
    assert asked == {(200, "/settings/"): 1, (200, "/flags/"): 1, (404, "/record/"): 1}
    assert errors == []
