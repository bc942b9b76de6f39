"""Google Analytics' clients, pointed at the platform: a Python library and a page's beacon."""

import json
from collections import Counter
from http.client import HTTPException
from urllib.error import HTTPError

import ga4mp
import pytest

from tests.clients.conftest import Falter, LoadLibrary, Team
from tests.clients.faltering import Fault
from tests.clients.lines import read_lines, run_python, run_shell

pytestmark = pytest.mark.xdist_group("live")

LIBRARY = "@minimal-analytics/ga4/dist/index.js"


def make_client(team: Team, host: str) -> ga4mp.GtagMP:
    """Return the library with another host name: it has no option for that."""
    client = ga4mp.GtagMP(api_secret=team.secret_key, measurement_id=team.write_key, client_id="1.2")
    client._base_domain = f"{host}/mp/collect"
    client._validation_domain = f"{host}/debug/mp/collect"
    return client


def make_event(client: ga4mp.GtagMP, name: str, **params: object) -> ga4mp.event.Event:
    event = client.create_new_event(name=name)
    for param, value in params.items():
        event.set_event_param(name=param, value=value)
    return event


def test_the_python_library_reports_each_event_once(team: Team, falter: Falter) -> None:
    client = make_client(team, falter().url)
    client.store.set_user_property(name="plan", value="pro")
    client.send([make_event(client, "add_to_cart", number=number) for number in range(20)])
    client.send([make_event(client, "page_view", page_location="https://shop.example/")])
    client.send([make_event(client, "later", mood="🎉")], postpone=True)
    client.postponed_send()
    assert team.count() == {"$identify": 3, "add_to_cart": 20, "page_viewed": 1, "later": 1}
    assert {event["anonymous_id"] for event in team.read_events()} == {"1.2"}
    assert team.count("properties", "mood")["🎉"] == 1


def test_the_python_library_raises_where_nothing_was_answered_and_may_be_asked_again(
    team: Team, falter: Falter
) -> None:
    # It never retries: its caller does, and the event's id tells that it is the same.
    client = make_client(team, falter(Fault.ERROR, Fault.UNANSWERED, Fault.LOST).url)
    event = make_event(client, "add_to_cart", event_id="cart-1")
    for _ in range(3):
        with pytest.raises((OSError, HTTPException)):
            client.send([event])
    client.send([event])
    assert team.count() == {"add_to_cart": 1}


def test_the_python_library_learns_that_its_key_is_wrong(team: Team, falter: Falter) -> None:
    client = make_client(team, falter().url)
    client.api_secret = "sk_nobodys"
    with pytest.raises(HTTPError, match="401"):
        client.send([make_event(client, "add_to_cart", sku="lamp")])


def test_a_pages_beacons_are_reported_once(team: Team, falter: Falter, load_library: LoadLibrary) -> None:
    settings = {"trackingId": team.write_key, "analyticsEndpoint": f"{falter().url}/g/collect", "defineGlobal": True}
    page = load_library("", "")
    page.evaluate(f"window.minimalAnalytics = {json.dumps(settings)}")
    page.add_script_tag(url=f"/{LIBRARY}")
    page.evaluate("track()")
    track = "track({type: 'add_to_cart', event: {'ep.mood': '🎉', 'epn.number': number}})"
    page.evaluate(f"for (let number = 0; number < 20; number++) {track}")
    team.wait_for_events(21)
    page.goto("about:blank")
    events = team.wait_for_events(22)
    assert team.count() == {"page_viewed": 1, "add_to_cart": 20, "user_engagement": 1}
    assert team.count("properties", "number") - Counter({None: 2}) == Counter(dict.fromkeys(range(20), 1))
    assert team.count("properties", "mood")["🎉"] == 20
    assert len({event["anonymous_id"] for event in events}) == 1
    # Beacons overtake one another.
    (viewed,) = [event for event in events if event["name"] == "page_viewed"]
    assert viewed["properties"]["title"] == "Shop"


def test_a_beacon_that_comes_again_is_stored_once(team: Team, falter: Falter, load_library: LoadLibrary) -> None:
    # Chromium repeats a request by itself, byte by byte, when a connection that was kept alive dies under it.
    server = falter(Fault.UNANSWERED)
    page = load_library("", "")
    hit = f"{server.url}/g/collect?v=2&tid={team.write_key}&cid=1&_p=7&sid=1"
    send = "hit => fetch(hit, {method: 'POST', mode: 'no-cors'}).catch(() => {})"
    for number in (1, 1, 2):
        page.evaluate(send, f"{hit}&_s={number}&en=click")
    team.wait_for_events(2)
    assert len(server.seen) == 3
    assert team.count() == {"click": 2}


def test_gtags_own_hits_need_no_preflight(team: Team, falter: Falter, load_library: LoadLibrary) -> None:
    server = falter()
    page = load_library("", "")
    hit = f"{server.url}/g/collect?v=2&tid={team.write_key}&gtm=45je1&_p=1&cid=1.2&uid=ada&sid=1&_s=3&dt=Shop"
    lines = "en=scroll&epn.percent_scrolled=90&_et=13\r\nen=purchase&epn.value=19.9&pr1=idA1~nmShirt~qt2&up.plan=pro"
    assert page.evaluate("([hit, lines]) => navigator.sendBeacon(hit, lines)", [hit, lines])
    events = team.wait_for_events(3)
    assert [event["name"] for event in events] == ["scroll", "$identify", "purchase"]
    assert {event["user_id"] for event in events} == {"ada"}
    assert [method for method, _, _ in server.seen] == ["POST"]


def test_the_lines_of_the_page_about_clients_work(team: Team, load_library: LoadLibrary) -> None:
    section, url = "GA4: Measurement Protocol and gtag", team.platform.base_url
    (curl,) = read_lines(section, "sh", team, url)
    run_shell(curl.replace("curl", "curl --fail --silent --show-error"))
    (program,) = read_lines(section, "python", team, url)
    run_python(program)
    (head,) = read_lines(section, "html", team, url)
    load_library("", "").set_content(f"<title>Shop</title>{head}")
    team.wait_for_events(4)
    assert team.count() == {"$identify": 1, "purchase": 1, "add_to_cart": 1, "page_viewed": 1}
