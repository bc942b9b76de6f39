"""Random lives, with sign-ins, shared devices, pauses, changed rules: a replay of the log decides as production did."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cast import CART, ON_CART, deliver, evaluate, make_rule, make_source, make_template, pass_time, report, scan
from tracking.event import IMPORT
from tracking.log.read import load_sequence
from tracking.models import Source
from triggers.audit.compare import audit
from triggers.lifecycle import activate_rule, pause_rule, resume_rule
from triggers.models import Rule, RuleState
from triggers.worker import get_worker

GAPS = (0, 2, 300, 1000, 4000)
NAMES = ("view", "add_to_cart", "purchase", "$identify")
MOMENTS = ("", "", "evaluate", "scan", "deliver", "pause", "resume", "change")
GOLD = {"node": "compare", "field": {"from": "profile", "path": "plan"}, "operator": "is", "value": "gold"}
OFTEN = {"node": "count", "event": "view", "within": 7200, "operator": "ge", "value": 2}

Step = tuple[int, str | None, str | None, str, str]
steps = st.tuples(
    st.sampled_from(GAPS),
    st.sampled_from(("ada", "bob", None)),
    st.sampled_from(("phone", "laptop", None)),
    st.sampled_from(NAMES),
    st.sampled_from(MOMENTS),
).filter(lambda step: step[1] is not None or step[2] is not None)
SEARCHES: tuple[dict[str, Any], ...] = (
    {"kind": "inactivity", "event": "view", "after": 900},
    CART | {"after": 1200},
    {"kind": "inactivity", "after": 2000},
    {"kind": "abandonment", "started_by": "add_to_cart", "ended_by": "purchase", "after": 3600},
)
SEARCHING = ("", "evaluate", "scan", "pause", "resume", "import", "import", "search", "include")
searching_steps = st.tuples(steps, st.sampled_from(SEARCHING)).map(lambda pair: (*pair[0][:4], pair[1]))
_examples = count()


@pytest.fixture
def source(log: None) -> Source:
    make_rule("Cart", trigger=CART, template=make_template().pk)
    make_rule("Session", trigger={"kind": "session_end", "after": 900}, reentry={"kind": "after", "seconds": 3000})
    make_rule("Once", trigger=ON_CART, template=make_template("Once").pk, stale_after=600, reentry={"kind": "once"})
    make_rule("Often", trigger={"kind": "event", "event": "view"}, conditions=OFTEN)
    make_rule("Gold", trigger={"kind": "event", "event": "purchase"}, conditions={"node": "any", "of": [GOLD, OFTEN]})
    return make_source()


def live(source: Source, example: int, step: Step) -> None:
    gap, person, device, name, moment = step
    pass_time(gap)
    properties: dict[str, Any] = {"cart_id": "c1"}
    if name == "$identify":
        properties = {"traits": {"plan": "gold" if gap else "free"}}
    report(
        name,
        source=source,
        user_id=f"{person}-{example}" if person else None,
        anonymous_id=f"{device}-{example}" if device else None,
        properties=properties,
    )
    if moment == "evaluate":
        evaluate()
    elif moment == "scan":
        scan()
    rule = Rule.objects.filter(name="Often").first()
    if rule is None:
        return
    if moment == "deliver":
        # Nobody here has an address: what has expired is dropped.
        evaluate()
        deliver()
    elif moment == "pause" and rule.state == RuleState.ACTIVE:
        pause_rule(rule)
    elif moment == "resume" and rule.state == RuleState.PAUSED:
        resume_rule(rule)
    elif moment == "change":
        rule.definition["conditions"] = OFTEN | {"value": 1 + rule.versions.count() % 3}
        rule.save()
        activate_rule(rule)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(timeline=st.lists(steps, min_size=1, max_size=14))
def test_a_replay_decides_every_life_as_production_did(source: Source, timeline: list[Step]) -> None:
    example, first_seq = next(_examples), load_sequence(get_worker().connection)
    for step in timeline:
        live(source, example, step)
    evaluate()
    pass_time(10_000)
    scan()
    scan()

    found = audit()

    differences = [*found.missed, *found.unfounded]
    assert [one for one in differences if one.event_seq > first_seq] == []
    assert (found.missed_silences, found.unfounded_silences) == ([], [])
    assert [event for event in found.failed if event.seq > first_seq] == []


@pytest.fixture
def searched(log: None) -> Source:
    make_rule("Cart", trigger=CART, reentry={"kind": "after", "seconds": 3000})
    make_rule("Session", trigger={"kind": "session_end", "after": 900}, reentry={"kind": "once"})
    return make_source()


def import_carts(source: Source, user_id: str) -> None:
    for age in (3000, 9000, 500):
        moment = datetime.now(UTC) - timedelta(seconds=age)
        report("add_to_cart", source=source, user_id=user_id, timestamp=moment, origin=IMPORT)


def search_anew(*, include_past: bool) -> None:
    """Let a rule look for another kind of silence, which may have begun before."""
    rule, _ = Rule.objects.get_or_create(name="Search")
    rule.definition = {"format": 1, "trigger": SEARCHES[rule.versions.count() % len(SEARCHES)]}
    rule.save()
    activate_rule(rule, include_past=include_past)


def search(source: Source, example: int, step: Step) -> None:
    gap, person, device, name, moment = step
    live(source, example, (gap, person, device, name, moment if moment in ("evaluate", "scan") else ""))
    rule = Rule.objects.get(name="Cart")
    if moment == "import":
        import_carts(source, f"{person or 'eve'}-{example}")
    elif moment in ("search", "include"):
        search_anew(include_past=moment == "include")
    elif moment == "pause" and rule.state == RuleState.ACTIVE:
        pause_rule(rule)
    elif moment == "resume" and rule.state == RuleState.PAUSED:
        resume_rule(rule)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(timeline=st.lists(searching_steps, min_size=1, max_size=10))
def test_an_audit_finds_no_fault_with_silences_of_history_and_of_rules_that_change(
    searched: Source, timeline: list[Step]
) -> None:
    example = next(_examples)
    for step in timeline:
        search(searched, example, step)
    evaluate()
    pass_time(10_000)
    scan()
    scan()

    found = audit()

    assert (found.missed_silences, found.unfounded_silences) == ([], [])
    assert (found.missed, found.unfounded, found.failed) == ([], [], [])
