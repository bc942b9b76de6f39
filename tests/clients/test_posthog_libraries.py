"""PostHog's own libraries, in Python, Node and a browser, while the way to the platform falters."""

import json
from collections import Counter

import pytest
from playwright.sync_api import Page
from posthog import Posthog

from tests.clients.conftest import Falter, LoadLibrary, Team
from tests.clients.faltering import Fault
from tests.clients.lines import read_lines, run_python
from tests.clients.packages import run_node

pytestmark = pytest.mark.xdist_group("live")

EACH_ONCE = Counter(dict.fromkeys(range(20), 1))
FALTERS = (Fault.ERROR, Fault.UNANSWERED, Fault.LOST)
LIBRARY = "posthog-js/dist/array.full.js"


@pytest.mark.parametrize("is_packed", [False, True])
def test_the_python_library_reports_each_event_once(team: Team, falter: Falter, is_packed: bool) -> None:
    server = falter(Fault.ERROR, Fault.UNANSWERED)
    client = Posthog(team.secret_key, host=server.url, flush_at=5, flush_interval=0.05, timeout=3, gzip=is_packed)
    client.set(distinct_id="ada", properties={"email": "ada@example.com"})
    for number in range(20):
        client.capture("add_to_cart", distinct_id="ada", properties={"number": number, "mood": "🎉"})
    client.alias("old", "ada")
    client.shutdown()
    assert team.count() == {"$identify": 1, "add_to_cart": 20, "$alias": 1}
    assert team.count("properties", "number") - Counter({None: 2}) == EACH_ONCE
    assert team.count("properties", "mood")["🎉"] == 20
    assert {event["user_id"] for event in team.read_events()} == {"ada"}
    assert server.list_faults() == {Fault.ERROR, Fault.UNANSWERED}


NODE = """
const { PostHog } = require('posthog-node')
const [key, host] = process.argv.slice(1)
const client = new PostHog(key, { host, flushAt: 5, flushInterval: 50, fetchRetryDelay: 100, requestTimeout: 3000 })
client.identify({ distinctId: 'ada', properties: { $set: { email: 'ada@example.com' } } })
for (let number = 0; number < 20; number++)
  client.capture({ distinctId: 'ada', event: 'add_to_cart', properties: { number } })
client.alias({ distinctId: 'ada', alias: 'old' })
client.shutdown(40000)
"""


def test_the_node_library_reports_each_event_once(team: Team, falter: Falter) -> None:
    server = falter(Fault.ERROR, Fault.UNANSWERED, Fault.LATE)
    run_node(NODE, team.secret_key, server.url)
    events = team.wait_for_events(22)
    assert team.count() == {"$identify": 1, "add_to_cart": 20, "$alias": 1}
    assert team.count("properties", "number") - Counter({None: 2}) == EACH_ONCE
    assert events[-1]["properties"]["previous_id"] == "old"
    assert server.list_faults() == {Fault.ERROR, Fault.UNANSWERED, Fault.LATE}


def open_page(team: Team, host: str, load: LoadLibrary, **more: object) -> Page:
    """Open a page of the shop that has the library's usual line, with another host."""
    # It drops everything where the browser says that it is driven by a program.
    options = {"api_host": host, "opt_out_useragent_filter": True, "request_queue_config": {"flush_interval_ms": 250}}
    return load(LIBRARY, f"posthog.init({json.dumps(team.write_key)}, {json.dumps(options | more)})")


def test_the_browser_library_reports_each_event_once(team: Team, falter: Falter, load_library: LoadLibrary) -> None:
    server = falter(*FALTERS, quiet=("/array/", "/flags/"))
    page = open_page(team, server.url, load_library)
    page.evaluate("for (let number = 0; number < 20; number++) posthog.capture('add_to_cart', {number, mood: '🎉'})")
    team.wait_for_events(21)
    page.evaluate("posthog.identify('ada', {email: 'ada@example.com'}); posthog.capture('signed_in')")
    team.wait_for_events(23)
    page.goto("about:blank")
    events = team.wait_for_events(24)
    assert team.count() == {"page_viewed": 1, "add_to_cart": 20, "$identify": 1, "signed_in": 1, "page_left": 1}
    assert team.count("properties", "number") - Counter({None: 4}) == EACH_ONCE
    assert team.count("properties", "mood")["🎉"] == 20
    before, after = events[0], events[-1]
    (identified,) = [event for event in events if event["name"] == "$identify"]
    assert (before["user_id"], after["user_id"], identified["user_id"]) == (None, "ada", "ada")
    assert before["anonymous_id"] == identified["anonymous_id"]
    assert identified["properties"]["traits"] == {"email": "ada@example.com"}
    assert server.list_faults() == set(FALTERS)
    assert any(path.startswith(f"/array/{team.write_key}/config") for _, path, _ in server.seen)


def test_the_browser_library_packed_otherwise_reports_too(
    team: Team, falter: Falter, load_library: LoadLibrary
) -> None:
    server = falter(Fault.ERROR, quiet=("/array/", "/flags/"))
    page = open_page(team, server.url, load_library, disable_compression=True, capture_pageview=False)
    page.evaluate("posthog.capture('add_to_cart', {mood: '🎉'})")
    team.wait_for_events(1)
    page.evaluate("posthog.capture('last', {}, {transport: 'sendBeacon'})")
    team.wait_for_events(2)
    assert team.count() == {"add_to_cart": 1, "last": 1}


def test_the_lines_of_the_page_about_clients_work(team: Team, load_library: LoadLibrary) -> None:
    section, url = "PostHog's libraries", team.platform.base_url
    (python,) = read_lines(section, "python", team, url)
    run_python(python)
    (node,) = read_lines(section, "js", team, url)
    run_node(node)
    (head,) = read_lines(section, "html", team, url)
    unmasked = head.replace("{ api_host", "{ opt_out_useragent_filter: true, api_host")
    load_library("", "").set_content(f"<title>Shop</title>{unmasked}")
    team.wait_for_events(4)
    assert team.count() == {"$identify": 1, "purchase": 1, "add_to_cart": 1, "page_viewed": 1}
