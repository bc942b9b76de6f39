"""RudderStack's library for browsers on a page of somebody's shop, while the way to the platform falters."""

import json
from collections import Counter
from urllib.parse import urlsplit

import pytest

from tests.clients.conftest import Falter, LoadLibrary, Team
from tests.clients.faltering import Fault

pytestmark = pytest.mark.xdist_group("live")

EACH_ONCE = Counter(dict.fromkeys(range(20), 1))
LIBRARY = "@rudderstack/analytics-js/dist/npm/legacy/bundled/umd/index.js"
TRACK = "for (let number = 0; number < 20; number++) shop.track('add_to_cart', {number, mood: '🎉'})"


def load_rudderstack(team: Team, host: str, **more: object) -> str:
    """Return the lines that a shop's page has, with another data plane.

    What RudderStack's control plane tells of the source stands in the page, so that nothing else is asked.
    """
    source = {
        "id": "source",
        "name": "Shop",
        "writeKey": team.write_key,
        "enabled": True,
        "workspaceId": "workspace",
        "connections": [],
        "destinations": [],
        "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
        "updatedAt": "2026-01-01T00:00:00Z",
    }
    options = {"logLevel": "ERROR"} | more
    return f"""
        window.shop = new rudderanalytics.RudderAnalytics()
        shop.load({json.dumps(team.write_key)}, {json.dumps(host)}, {{
            ...{json.dumps(options)},
            getSourceConfig: () => ({json.dumps({"source": source})}),
        }})
    """


@pytest.mark.parametrize(
    "batch", [None, {"enabled": True, "maxItems": 5, "flushInterval": 300}], ids=["single", "batch"]
)
def test_each_event_is_reported_once(
    team: Team, falter: Falter, load_library: LoadLibrary, batch: dict[str, object] | None
) -> None:
    faults = (Fault.ERROR, Fault.BUSY, Fault.LOST, Fault.UNANSWERED)
    server = falter(*faults)
    queue = {"minRetryDelay": 100, "maxRetryDelay": 1000} | ({"batch": batch} if batch else {})
    page = load_library(LIBRARY, load_rudderstack(team, server.url, queueOptions=queue))
    page.evaluate("shop.identify('ada', {email: 'ada@example.com'})")
    page.evaluate(TRACK)
    page.evaluate("shop.page('Shop', 'Cart')")
    team.wait_for_events(22)
    answered = len(server.seen)
    page.evaluate("shop.track('last')")
    team.wait_for_events(23)
    assert team.count() == {"$identify": 1, "add_to_cart": 20, "page_viewed": 1, "last": 1}
    assert team.count("properties", "number") - Counter({None: 3}) == EACH_ONCE
    assert team.count("properties", "mood")["🎉"] == 20
    assert server.list_faults() == set(faults)
    assert {event["user_id"] for event in team.read_events()} == {"ada"}
    assert answered < len(server.seen)


def test_beacons_are_taken(team: Team, falter: Falter, load_library: LoadLibrary) -> None:
    server = falter()
    more = {"useBeacon": True, "beaconQueueOptions": {"maxItems": 5, "flushQueueInterval": 60_000}}
    page = load_library(LIBRARY, load_rudderstack(team, server.url, **more))
    page.evaluate(TRACK)
    page.evaluate("shop.track('left_at_once')")
    page.goto("about:blank")
    team.wait_for_events(21)
    assert team.count("properties", "number") - Counter({None: 1}) == EACH_ONCE
    assert {urlsplit(path).path for method, path, _ in server.seen if method == "POST"} == {"/beacon/v1/batch"}
