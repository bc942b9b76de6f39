"""Segment's and RudderStack's own libraries, in Python, Node and a browser, while the way to the platform falters."""

import json
from collections import Counter

import pytest
import rudderstack.analytics.client as rudderstack
import segment.analytics.client as segment
from playwright.sync_api import expect

from tests.clients.conftest import Falter, LoadLibrary, Team
from tests.clients.faltering import Fault
from tests.clients.lines import read_lines, run_python
from tests.clients.packages import run_node

pytestmark = pytest.mark.xdist_group("live")

FALTERS = (Fault.ERROR, Fault.UNANSWERED, Fault.LOST, Fault.LATE, Fault.BUSY)
EACH_ONCE = Counter(dict.fromkeys(range(20), 1))
LIBRARY = "@segment/analytics-next/dist/umd/index.js"


def test_segments_python_library_reports_each_event_once(team: Team, falter: Falter) -> None:
    server = falter(*FALTERS)
    client = segment.Client(team.write_key, host=server.url, timeout=3, upload_interval=0.05, upload_size=5)
    client.identify("ada", {"email": "ada@example.com"})
    for number in range(20):
        client.track("ada", "add_to_cart", {"number": number})
    client.page("ada", "Shop", "Cart", {"url": "https://shop.example/cart"})
    client.shutdown()
    assert team.count() == {"$identify": 1, "add_to_cart": 20, "page_viewed": 1}
    assert server.list_faults() >= {Fault.ERROR, Fault.UNANSWERED}
    assert team.count("properties", "number") - Counter({None: 2}) == EACH_ONCE


def test_rudderstacks_python_library_reports_each_event_once(team: Team, falter: Falter) -> None:
    # It waits for at random up to as long as it has waited already: few faults suffice.
    faults = (Fault.ERROR, Fault.UNANSWERED)
    client = rudderstack.Client(
        team.write_key, host=falter(*faults).url, timeout=3, upload_interval=0.05, upload_size=5, gzip=True
    )
    client.identify("ada", {"email": "ada@example.com"})
    for number in range(20):
        client.track("ada", "add_to_cart", {"number": number})
    client.shutdown()
    assert team.count("properties", "number") - Counter({None: 1}) == EACH_ONCE
    (identified,) = [event for event in team.read_events() if event["name"] == "$identify"]
    assert identified["properties"]["traits"]["email"] == "ada@example.com"


SEGMENT_NODE = """
const { Analytics } = require('@segment/analytics-node')
const [key, host] = process.argv.slice(1)
const client = new Analytics({ writeKey: key, host, path: '/v1/batch', flushAt: 5, httpRequestTimeout: 3000 })
client.identify({ userId: 'ada', traits: { email: 'ada@example.com' } })
for (let n = 0; n < 20; n++) client.track({ userId: 'ada', event: 'add_to_cart', properties: { number: n } })
client.closeAndFlush({ timeout: 40000 })
"""
RUDDER_NODE = """
const Analytics = require('@rudderstack/rudder-sdk-node')
const [key, host] = process.argv.slice(1)
const client = new Analytics(key, { dataPlaneUrl: host, path: '/v1/batch', flushAt: 5 })
client.identify({ userId: 'ada', traits: { email: 'ada@example.com' } })
for (let n = 0; n < 20; n++) client.track({ userId: 'ada', event: 'add_to_cart', properties: { number: n } })
client.flush()
"""


@pytest.mark.parametrize(
    ("program", "faults"),
    [
        pytest.param(SEGMENT_NODE, FALTERS, id="segment"),
        # Its batches are given up after three tries, and at once when an answer is late.
        pytest.param(RUDDER_NODE, (Fault.ERROR, Fault.UNANSWERED), id="rudderstack"),
    ],
)
def test_node_libraries_report_each_event_once(
    team: Team, falter: Falter, program: str, faults: tuple[Fault, ...]
) -> None:
    server = falter(*faults)
    run_node(program, team.write_key, server.url)
    team.wait_for_events(21)
    assert team.count("properties", "number") - Counter({None: 1}) == EACH_ONCE
    assert server.list_faults() == set(faults)


def load_segment(team: Team, host: str, **more: object) -> str:
    """Return the lines that a shop's page has, with another host name."""
    own = {"apiKey": team.write_key, "apiHost": f"{host}/v1", "protocol": "http"} | more
    settings = {"writeKey": team.write_key, "cdnSettings": {"integrations": {"Segment.io": own}}}
    return f"window.shop = AnalyticsNext.AnalyticsBrowser.load({json.dumps(settings)})"


@pytest.mark.parametrize("strategy", [{}, {"deliveryStrategy": {"strategy": "batching", "config": {"size": 5}}}])
def test_segments_browser_library_reports_each_event_once(
    team: Team, falter: Falter, load_library: LoadLibrary, strategy: dict[str, object]
) -> None:
    server = falter(*FALTERS)
    page = load_library(LIBRARY, load_segment(team, server.host, **strategy))
    page.evaluate("shop.identify('ada', {email: 'ada@example.com'})")
    page.evaluate("for (let number = 0; number < 20; number++) shop.track('add_to_cart', {number, mood: '🎉'})")
    team.wait_for_events(21)
    page.evaluate("shop.page()")
    team.wait_for_events(22)
    expect(page).to_have_title("Shop")
    assert team.count("properties", "number") - Counter({None: 2}) == EACH_ONCE
    assert team.count("properties", "mood")["🎉"] == 20
    assert server.list_faults() >= {Fault.ERROR, Fault.UNANSWERED}
    assert {event["user_id"] for event in team.read_events()} == {"ada"}


def test_a_segment_page_that_is_closed_at_once_still_reports(
    team: Team, falter: Falter, load_library: LoadLibrary
) -> None:
    batching = {"deliveryStrategy": {"strategy": "batching", "config": {"size": 50, "timeout": 60_000}}}
    page = load_library(LIBRARY, load_segment(team, falter().host, **batching))
    page.evaluate("shop.ready().then(() => shop.track('left_at_once', {}))")
    page.goto("about:blank")
    team.wait_for_events(1)
    assert team.count() == {"left_at_once": 1}


def test_the_lines_of_the_page_about_clients_work(team: Team, load_library: LoadLibrary) -> None:
    section, url = "Segment's and RudderStack's libraries", team.platform.base_url
    for lines in read_lines(section, "python", team, url):
        run_python(lines)
    for lines in read_lines(section, "js", team, url):
        run_node(lines)
    for head in read_lines(section, "html", team, url):
        unencrypted = head.replace("apiHost", "protocol: 'http', apiHost")
        load_library("", "").set_content(f"<title>Shop</title>{unencrypted}")
    team.wait_for_events(7)
    assert team.count() == {"$identify": 1, "add_to_cart": 2, "purchase": 2, "page_viewed": 2}
