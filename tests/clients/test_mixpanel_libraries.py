"""Mixpanel's own libraries for servers, in Python and Node, while the way to the platform falters."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from mixpanel import BufferedConsumer, Consumer, Mixpanel, MixpanelException, ServiceAccountCredentials

from tests.clients.conftest import TRAITS, Falter, LoadLibrary, Team
from tests.clients.faltering import Fault
from tests.clients.lines import read_lines, run_python
from tests.clients.packages import run_node

pytestmark = pytest.mark.xdist_group("live")

EACH_ONCE = Counter(dict.fromkeys(range(20), 1))
FALTERS = (Fault.ERROR, Fault.UNANSWERED, Fault.LOST, Fault.LATE, Fault.BUSY)
LONG_AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(days=200)


def point_at(url: str) -> dict[str, str]:
    """Return the addresses of a consumer's calls: with a host alone it insists on TLS."""
    paths = {"events_url": "track", "people_url": "engage", "groups_url": "groups", "import_url": "import"}
    return {option: f"{url}/{path}" for option, path in paths.items()}


def test_the_python_library_over_tls_reports_each_event_once(team: Team, falter_encrypted: Falter) -> None:
    server = falter_encrypted(Fault.ERROR, Fault.UNANSWERED, Fault.LOST, Fault.NONE, *FALTERS)
    options = {"api_host": server.host, "request_timeout": 1.5, "retry_backoff_factor": 0.02, "retry_limit": 8}
    consumer, buffered = Consumer(**options), BufferedConsumer(**options)
    for number in range(20):
        client = Mixpanel(team.write_key, consumer if number < 10 else buffered)
        client.track("ada", "add_to_cart", {"number": number, "mood": "🎉"})
    buffered.flush()
    assert team.count("properties", "number") == EACH_ONCE
    assert team.count("properties", "mood") == {"🎉": 20}
    assert server.list_faults() == set(FALTERS)
    assert {event["user_id"] for event in team.read_events()} == {"ada"}


def test_the_python_library_over_plain_http_raises_and_its_buffer_may_be_flushed_again(
    team: Team, falter: Falter
) -> None:
    # It retries over TLS only. What is in the buffer stays there until a flush went well, what was answered included.
    server = falter(Fault.NONE, Fault.ERROR, Fault.UNANSWERED, Fault.BUSY, Fault.LOST)
    consumer = BufferedConsumer(**point_at(server.url))
    client = Mixpanel(team.write_key, consumer)
    for number in range(20):
        client.track("ada", "add_to_cart", {"number": number})
    consumer._max_size = 5
    for _ in range(4):
        with pytest.raises(MixpanelException):
            consumer.flush()
    consumer.flush()
    assert team.count("properties", "number") == EACH_ONCE


def test_what_is_refused_is_told_to_the_python_library_and_holds_up_nothing(
    team: Team, falter_encrypted: Falter
) -> None:
    server = falter_encrypted()
    with pytest.raises(MixpanelException, match="key"):
        Mixpanel("nobodys", Consumer(api_host=server.host)).track("ada", "add_to_cart")
    buffered = BufferedConsumer(api_host=server.host)
    client = Mixpanel(team.write_key, buffered)
    client.track("ada", "$erase")
    with pytest.raises(MixpanelException, match="dollar sign"):
        buffered.flush()
    # It is still in the buffer, and leaves it with the first event that is good.
    client.track("ada", "add_to_cart")
    for _ in range(2):
        buffered.flush()
    assert len(server.seen) == 3
    assert team.count() == {"add_to_cart": 1}


def test_operators_of_the_python_library_arrive_on_the_profile(team: Team, falter: Falter, user_id: str) -> None:
    client = Mixpanel(team.write_key, Consumer(**point_at(falter().url)))
    client.people_set(user_id, {"$email": "ada@example.com", "plan": "pro", "visits": 2})
    client.people_set_once(user_id, {"$email": "else@example.com", "first_seen": "monday"})
    client.people_increment(user_id, {"visits": 3})
    client.people_append(user_id, {"colours": "red"})
    client.people_append(user_id, {"colours": "blue"})
    client.people_union(user_id, {"colours": ["blue", "green"]})
    client.people_remove(user_id, {"colours": "red"})
    client.people_unset(user_id, ["plan"])
    client.people_track_charge(user_id, 49, {"item": "lamp"})
    assert team.read_traits(user_id) == TRAITS | {"transactions": [{"item": "lamp", "$amount": 49}]}
    client.people_clear_charges(user_id)
    with pytest.raises(MixpanelException, match="DELETE /v1/profiles"):
        client.people_delete(user_id)
    assert team.read_traits(user_id) == TRAITS


def test_the_python_library_tells_of_groups(team: Team, falter: Falter) -> None:
    client = Mixpanel(team.write_key, Consumer(**point_at(falter().url)))
    group = ("company", "acme")
    client.group_set(*group, {"plan": "pro"})
    client.group_set_once(*group, {"since": 2020})
    client.group_union(*group, {"tags": ["big"]})
    client.group_remove(*group, {"tags": "big"})
    client.group_unset(*group, ["plan"])
    with pytest.raises(MixpanelException, match="nothing to delete"):
        client.group_delete(*group)
    told = [event["properties"] for event in team.read_events()]
    assert {(event["group_key"], event["group_id"]) for event in told} == {group}
    named = {"traits", "set_once", "union", "remove", "unset"}
    assert [{name: event[name] for name in named & event.keys() if event[name]} for event in told] == [
        {"traits": {"plan": "pro"}},
        {"set_once": {"since": 2020}},
        {"union": {"tags": ["big"]}},
        {"remove": {"tags": "big"}},
        {"unset": ["plan"]},
    ]


def test_the_python_library_imports_and_joins(team: Team, falter: Falter, user_id: str) -> None:
    # A buffer forgets whose secret an import had as soon as anything else is said: then the token is the key.
    account = ServiceAccountCredentials("service", team.secret_key, "42")
    addresses = point_at(falter(Fault.NONE, Fault.NONE, Fault.UNANSWERED).url)
    plain, by_account = Consumer(**addresses), Consumer(**addresses, credentials=account)
    buffered = BufferedConsumer(**addresses)
    moment = LONG_AGO.timestamp()
    Mixpanel(team.write_key, plain).import_data(None, user_id, "bought", moment, {"by": 1}, api_secret=team.secret_key)
    Mixpanel(team.write_key, by_account).import_data(None, user_id, "bought", moment, {"by": 2})
    client = Mixpanel(team.write_key, buffered)
    client.import_data("key", user_id, "bought", moment, {"by": 3}, api_secret="secret of before")
    client.track(user_id, "returned")
    client.merge(None, user_id, f"{user_id}-before")
    # Its own alias() calls Mixpanel, whatever its consumer says.
    client.track(f"{user_id}-elsewhere", "$create_alias", {"alias": user_id})
    with pytest.raises(MixpanelException):
        buffered.flush()
    buffered.flush()
    events = team.read_events()
    assert team.count() == {"bought": 3, "returned": 1, "$alias": 2}
    assert team.count("properties", "by") == {1: 1, 2: 1, 3: 1, None: 3}
    assert {event["occurred_at"] for event in events if event["name"] == "bought"} == {LONG_AGO}
    joined = {event["properties"]["previous_id"] for event in events if event["name"] == "$alias"}
    assert joined == {f"{user_id}-before", f"{user_id}-elsewhere"}
    assert {event["user_id"] for event in events} == {user_id}


def run_program(team: Team, url: str, lines: str, **more: object) -> list[str | None]:
    """Run lines that use `client`; return what the callback of each `say` was told, in the order of time.

    `again` repeats what was not answered well, as a caller may: the library itself never does.
    """
    scheme, _, host = url.partition("://")
    options = {"host": host, "protocol": scheme} | more
    program = f"""
        const client = require('mixpanel').init({json.dumps(team.write_key)}, {json.dumps(options)})
        const say = (way, ...given) => new Promise(done => way(...given, problem => {{
            const first = Array.isArray(problem) ? problem[0] : problem
            console.log(JSON.stringify(first ? first.message : null))
            done(!first)
        }}))
        const again = async (...given) => {{ while (!await say(...given)); }}
        const run = async () => {{ {lines} }}
        run()
    """
    return [json.loads(line) for line in run_node(program).splitlines()]


def test_the_node_library_retries_nothing_and_tells_its_caller(team: Team, falter: Falter) -> None:
    # What fails on the way is lost, and what is stored unanswered is told as failed.
    server = falter(Fault.ERROR, Fault.UNANSWERED, Fault.LOST, Fault.BUSY)
    lines = """
        for (let number = 0; number < 20; number++) await say(client.track, 'visit', {distinct_id: 'ada', number})
        for (const verbose of [false, true]) {
            client.set_config({verbose})
            await say(client.track, '$erase', {distinct_id: 'ada'})
            await say(client.track, 'visit', {distinct_id: 'ada'})
        }
    """
    *told, refused, taken, explained, also_taken = run_program(team, server.url, lines)
    assert [problem is None for problem in told] == [False] * 4 + [True] * 16
    assert (refused, taken, also_taken) == ("Mixpanel Server Error: 0", None, None)
    assert explained is not None
    assert "dollar sign" in explained
    assert len(server.seen) == 24
    assert team.count("properties", "number") - Counter({None: 2}) == EACH_ONCE - Counter([0, 2, 3])


def test_a_caller_of_the_node_library_who_gives_ids_may_repeat(team: Team, falter: Falter) -> None:
    faults = (Fault.ERROR, Fault.UNANSWERED, Fault.LOST, Fault.BUSY)
    server = falter(Fault.UNANSWERED, Fault.NONE, Fault.UNANSWERED, *[Fault.NONE] * 6, *faults * 2)
    lines = """
        await again(client.track, 'nameless', {distinct_id: 'ada'})
        const make = (number, own) => ({distinct_id: 'ada', mood: '🎉', number, ...own})
        for (let n = 0; n < 5; n++) await again(client.track, 'visit', make(n, {time: new Date()}))
        for (let n = 5; n < 10; n++) await again(client.track, 'visit', make(n, {$insert_id: 'visit-' + n}))
        const properties = [...Array(10).keys()].map(n => make(10 + n, {$insert_id: 'visit-' + n, time: new Date()}))
        const rest = properties.map(properties => ({event: 'visit', properties}))
        await again(client.track_batch, rest, {max_batch_size: 5})
    """
    told = run_program(team, server.url, lines)
    assert len([problem for problem in told if problem]) >= 6
    assert server.list_faults() == set(faults)
    assert team.count() == {"nameless": 2, "visit": 20}
    assert team.count("properties", "number") - Counter({None: 2}) == EACH_ONCE
    assert team.count("properties", "mood")["🎉"] == 20


def test_operators_of_the_node_library_arrive_on_the_profile(team: Team, falter: Falter, user_id: str) -> None:
    operators = (
        "set, {$email: 'ada@example.com', plan: 'pro', visits: 2}",
        "set_once, {$email: 'else@example.com', first_seen: 'monday'}",
        "increment, {visits: 3}",
        "append, {colours: 'red'}",
        "append, {colours: 'blue'}",
        "union, {colours: ['blue', 'green']}",
        "remove, {colours: 'red'}",
        "unset, ['plan']",
        "track_charge, 49, {item: 'lamp'}",
        "clear_charges",
        "delete_user",
    )
    who = json.dumps(user_id)
    calls = (
        f"{way}.bind(people), {who}{',' * bool(more)}{more}" for way, _, more in (o.partition(",") for o in operators)
    )
    lines = "const people = client.people;" + "".join(f"await say(people.{call});" for call in calls)
    told = run_program(team, falter().url, lines)
    assert told[:-1] == [None] * 10
    assert told[-1] is not None
    assert team.read_traits(user_id) == TRAITS | {"transactions": []}


def test_the_node_library_tells_of_groups_imports_and_joins(team: Team, falter_encrypted: Falter) -> None:
    old = f"new Date({LONG_AGO.timestamp() * 1000})"
    bought = f"{{event: 'bought', properties: {{distinct_id: 'ada', time: {old}, $insert_id: 'b-2'}}}}"
    lines = f"""
        await say(client.import, 'bought', {old}, {{distinct_id: 'ada', $insert_id: 'b-1'}})
        await again(client.import_batch, [{bought}], {{}})
        await say(client.groups.set.bind(client.groups), 'company', 'acme', {{plan: 'pro'}})
        await say(client.alias, 'ada-before', 'ada')
    """
    told = run_program(team, falter_encrypted(Fault.NONE, Fault.UNANSWERED).url, lines, secret=team.secret_key)
    assert [problem is None for problem in told] == [True, False, True, True, True]
    bought_first, bought_second, group, alias = team.read_events()
    assert {event["occurred_at"] for event in (bought_first, bought_second)} == {LONG_AGO}
    assert (group["name"], group["properties"]["group_id"]) == ("$group", "acme")
    assert (alias["name"], alias["user_id"], alias["properties"]["previous_id"]) == ("$alias", "ada", "ada-before")


def test_the_lines_of_the_page_about_clients_work(
    team: Team, falter_encrypted: Falter, load_library: LoadLibrary
) -> None:
    section, url = "Mixpanel's libraries", falter_encrypted().url
    (python,) = read_lines(section, "python", team, url)
    run_python(python)
    (node,) = read_lines(section, "js", team, url)
    assert run_node(node) == ""
    (head,) = read_lines(section, "html", team, team.platform.base_url)
    hurried = head.replace("{ api_host", "{ batch_flush_interval_ms: 100, api_host")
    load_library("", "").set_content(f"<title>Shop</title>{hurried}")
    team.wait_for_events(4)
    assert team.count() == {"$identify": 1, "add_to_cart": 1, "purchase": 1, "page_viewed": 1}
