"""Random lives with erasures in them: of who was erased nothing is left, and a replay misses and makes up nothing."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cast import ON_CART, evaluate, make_rule, make_source, make_template, pass_time, report, scan
from tests.privacy.conftest import find_mentions
from tracking.erasure.ask import ask_erasure
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.log.read import load_sequence
from tracking.models import Erasure, Source
from triggers.audit.compare import audit
from triggers.worker import get_worker

pytestmark = pytest.mark.slow

PEOPLE = ("ada", "bob", "eve")
Step = tuple[str | None, str | None, str, str]
steps = st.tuples(
    st.sampled_from((*PEOPLE, None)),
    st.sampled_from(("phone", "laptop", None)),
    st.sampled_from(("view", "add_to_cart", "purchase", "$identify", "$alias")),
    st.sampled_from(("", "evaluate", "scan", "erase ada", "erase bob", "erase phone")),
).filter(lambda step: step[0] is not None or (step[1] is not None and step[2] != "$alias"))
_examples = count()


@pytest.fixture
def source(log: None) -> Source:
    wait = {"kind": "abandonment", "started_by": "add_to_cart", "ended_by": "purchase", "after": 3600}
    often = {"node": "count", "event": "view", "within": 7200, "operator": "ge", "value": 2}
    make_rule("Cart", trigger=wait, template=make_template().pk)
    make_rule("Once", trigger=ON_CART, reentry={"kind": "once"}, template=make_template("Once").pk)
    make_rule("Often", trigger={"kind": "event", "event": "view"}, conditions=often)
    make_rule("First", trigger={"kind": "event", "event": "purchase"}, conditions={"node": "never", "event": "view"})
    return make_source()


def live(source: Source, example: int, step: Step) -> str | None:
    """Take a step; return who was erased."""
    person, device, name, moment = step
    properties: dict[str, object] = {}
    if name == "$identify":
        properties = {"traits": {"email": f"{person or device}_{example}@example.com"}}
    elif name == "$alias":
        # Each may turn out to be the next one too: aliases cross, and close a ring.
        properties = {"previous_id": f"{PEOPLE[PEOPLE.index(person or 'ada') - 1]}_{example}"}
    report(
        name,
        source=source,
        user_id=f"{person}_{example}" if person else None,
        anonymous_id=f"{device}_{example}" if device else None,
        properties=properties,
    )
    if moment == "evaluate":
        evaluate()
    elif moment == "scan":
        pass_time(4000)
        scan()
    elif moment == "erase phone":
        phone = compute_anonymous_profile_id(source.pk, f"phone_{example}")
        ask_erasure(get_worker().connection, phone, "test")
    elif moment:
        erased = f"{moment.removeprefix('erase ')}_{example}"
        ask_erasure(get_worker().connection, compute_user_profile_id(erased), "test")
        return erased
    return None


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(timeline=st.lists(steps, min_size=2, max_size=12))
def test_nothing_is_left_of_who_was_erased_and_a_replay_agrees(source: Source, timeline: list[Step]) -> None:
    example, first_seq = next(_examples), load_sequence(get_worker().connection)
    for step in timeline:
        live(source, example, step)
    evaluate()
    pass_time(10_000)
    scan()

    found = audit()
    assert [one for one in [*found.missed, *found.unfounded] if one.event_seq > first_seq] == []
    assert [event for event in found.failed if event.seq > first_seq] == []

    for person in PEOPLE:
        ask_erasure(get_worker().connection, compute_user_profile_id(f"{person}_{example}"), "test")
    evaluate()

    ids = [compute_user_profile_id(f"{person}_{example}") for person in PEOPLE]
    words = [f"{person}_{example}" for person in PEOPLE] + [str(one) for one in ids] + [one.hex for one in ids]
    assert find_mentions(*words) == {}
    assert not Erasure.objects.filter(completed_at=None).exists()
    found = audit()
    assert [one for one in [*found.missed, *found.unfounded] if one.event_seq > first_seq] == []
