"""Random timelines through the whole path, against an oracle of thirty lines that knows nothing of how it is done."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cast import evaluate, make_rule, make_source, pass_time, report, scan
from tracking.event import DERIVED, IMPORT
from tracking.models import Event, Source
from triggers.models import Activation

CART, SESSION = 3600, 900
GAPS = (2, 300, 1200, 2000, 5000)
ACTIONS = (("add_to_cart", "c1"), ("add_to_cart", "c2"), ("purchase", "c1"), ("purchase", None), ("page_view", None))
PEOPLE = ("ada", "bob")

Step = tuple[int, str, tuple[str, str | None]]
steps = st.tuples(st.sampled_from(GAPS), st.sampled_from(PEOPLE), st.sampled_from(ACTIONS))
rows = st.tuples(st.integers(1, 80).map(lambda n: n * 100), st.sampled_from(PEOPLE), st.sampled_from(ACTIONS))
_examples = count()


def foresee(timeline: list[Step], history: list[Step] | None = None) -> Counter[tuple[str, str, str]]:
    """Say which silences there are: (event, person, cart). Of history each step says how long ago it was."""
    now, silences = 0, Counter[tuple[str, str, str]]()
    waits: dict[tuple[str, str], int] = {}
    seen: dict[str, int] = {}

    def look() -> None:
        for (person, cart), due in list(waits.items()):
            if due <= now:
                silences["cart_abandonment", person, cart] += 1
                del waits[person, cart]
        for person, last in list(seen.items()):
            if now - last >= SESSION:
                silences["session_ended", person, ""] += 1
                del seen[person]

    def live(person: str, name: str, cart: str | None) -> None:
        seen[person] = now
        if name == "add_to_cart":
            waits[person, cart or ""] = now + CART
        if name == "purchase":
            for key in [key for key in waits if key[0] == person and cart in (None, key[1])]:
                del waits[key]

    for age, person, (name, cart) in sorted(history or [], key=lambda row: -row[0]):
        now = -age
        live(person, name, cart)
    now = 0
    for gap, person, (name, cart) in timeline:
        now += gap
        look()
        live(person, name, cart)
    now += 10_000
    look()
    return silences


@pytest.fixture
def source(log: None) -> Source:
    cart = {"started_by": "add_to_cart", "ended_by": "purchase", "key": "cart_id", "after": CART}
    make_rule("Cart", trigger={"kind": "abandonment"} | cart)
    make_rule("Session", trigger={"kind": "session_end", "after": SESSION})
    return make_source()


def observe(source: Source, timeline: list[Step], history: list[Step]) -> Counter[tuple[str, str, str]]:
    """Live it, and say which silences were found."""
    example = next(_examples)
    evaluate()
    for age, person, (name, cart) in history:
        moment = datetime.now(UTC) - timedelta(seconds=age)
        properties = {"cart_id": cart} if cart else {}
        user_id = f"{person}-{example}"
        report(name, source=source, user_id=user_id, properties=properties, timestamp=moment, origin=IMPORT)
    for gap, person, (name, cart) in timeline:
        pass_time(gap)
        scan()
        properties = {"cart_id": cart} if cart else {}
        report(name, source=source, user_id=f"{person}-{example}", properties=properties)
    evaluate()
    pass_time(10_000)
    scan()

    found = Event.objects.filter(origin=DERIVED, user_id__endswith=f"-{example}")
    keys = [(event.name, str(event.user_id).partition("-")[0], event.context["detector"]["key"]) for event in found]
    assert Activation.objects.filter(event_id__in=found.values("id")).count() == len(keys)
    return Counter(keys)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(timeline=st.lists(steps, min_size=1, max_size=12))
def test_every_silence_is_found_once_and_none_is_invented(source: Source, timeline: list[Step]) -> None:
    assert observe(source, timeline, []) == foresee(timeline)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: row[0]),
    timeline=st.lists(steps, max_size=6),
)
def test_history_in_any_order_makes_the_silences_that_it_would_have_made_in_time(
    source: Source, history: list[Step], timeline: list[Step]
) -> None:
    # The rules were in force before any of it.
    pass_time(20_000)
    assert observe(source, timeline, history) == foresee(timeline, history)
