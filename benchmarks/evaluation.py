"""Deciding: a hundred rules of three conditions over a backlog, and matching alone."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from json_logic import jsonLogic

from benchmarks.stage import Figure, time_best
from engagement.lib.postgres import open_connection
from tracking.event import Item, NewEvent, Stamp, stamp_item
from tracking.log.write import encode_row, write_batch
from tracking.sources import create_source
from triggers.evaluate.run import Evaluator
from triggers.lifecycle import activate_rule
from triggers.models import Rule

EVENTS = 60_000
NAMES = 25


def measure() -> list[Figure]:
    """Measure one evaluator on a backlog: 3 % of the events activate, 5 % arm a timer."""
    source, _ = create_source("Evaluation bench")
    make_rules()
    rates = []
    with open_connection("bench-evaluator", timeout_ms=120_000) as connection:
        evaluator = Evaluator(connection)
        while evaluator.run_pass(600).is_behind:
            pass
        for _ in range(3):
            _fill(source.pk)
            start = time.perf_counter()
            report = evaluator.run_pass(600)
            rates.append(report.events / (time.perf_counter() - start))
    rate = sorted(rates)[1]
    share = report.activations / max(report.events, 1)
    matching, json_logic = _measure_matching(evaluator)
    return [
        Figure(
            work=f"evaluation: 100 rules of three conditions, profiles kept, {share:.1%} activate, 5 % arm a timer",
            measured=f"{rate:,.0f} events/s",
            bare=f"{matching:,.0f} events/s matched alone",
            ratio=f"{rate / matching:.0%}",
            target="≥ 15,000 events/s",
        ),
        Figure(
            work="matching alone, four of the hundred rules an event",
            measured=f"{matching:,.0f} events/s",
            bare=f"{json_logic:,.0f} events/s (json-logic, the same rules found by the same index)",
            ratio=f"{matching / json_logic:.0f} ×",
            target="≥ 10 ×",
        ),
    ]


def make_rules() -> None:
    """Put a hundred rules of three conditions in force, and two that wait."""
    for number in range(100):
        activate_rule(Rule.objects.create(name=f"Bench {number}", definition=_define(number)))
    for number in range(2):
        trigger = {"kind": "abandonment", "started_by": "left", "ended_by": "bought", "key": "cart_id", "after": 3600}
        activate_rule(Rule.objects.create(name=f"Wait {number}", definition={"format": 1, "trigger": trigger}))


def _define(number: int) -> dict[str, object]:
    conditions = [
        {"node": "compare", "field": {"from": "event", "path": "total"}, "operator": "gt", "value": 50},
        {"node": "compare", "field": {"from": "event", "path": "category"}, "operator": "is", "value": f"k{number}"},
        {"node": "compare", "field": {"from": "event", "path": "path"}, "operator": "contains", "value": "lamps"},
    ]
    trigger = {"kind": "event", "event": f"event_{number % NAMES}"}
    return {"format": 1, "trigger": trigger, "conditions": {"node": "all", "of": conditions}}


def _fill(source_id: int) -> None:
    draw = random.Random(1)
    stamp = Stamp(source_id=source_id, now=datetime.now(UTC), retention=timedelta(days=400), is_public=False)
    with open_connection("bench-filler", timeout_ms=120_000) as connection:
        for _ in range(EVENTS // 1000):
            rows = []
            for number in range(1000):
                properties = draw_properties(draw)
                name = "left" if draw.random() < 0.05 else f"event_{draw.randrange(NAMES)}"
                user_id = f"u{draw.randrange(20_000)}"
                item = Item(index=number, name=name, user_id=user_id, message_id=uuid4().hex, properties=properties)
                event = stamp_item(item, stamp)
                assert isinstance(event, NewEvent)
                rows.append(encode_row(event))
            write_batch(connection, rows)


def draw_properties(draw: random.Random) -> dict[str, object]:
    """Three quarters of the totals and four in a hundred categories fit: three in a hundred events activate a rule."""
    return {
        "total": draw.randrange(200),
        "category": f"k{draw.randrange(100)}",
        "path": "/shop/lamps/desk",
        "cart_id": f"c{draw.randrange(50)}",
    }


def _measure_matching(evaluator: Evaluator) -> tuple[float, float]:
    """Return events a second by our compiled rules and by json-logic; both are asked about the event's rules only."""
    draw = random.Random(2)
    events = [(f"event_{draw.randrange(NAMES)}", draw_properties(draw)) for _ in range(20_000)]
    index = evaluator.book.current
    now = datetime.now(UTC)

    def match_compiled() -> int:
        return sum(
            rule.compiled.test(properties, {}, now, {}) is True
            for name, properties in events
            for rule in index.find_started(name)
        )

    trees: dict[str, list[Any]] = {}
    for number in range(100):
        trees.setdefault(f"event_{number % NAMES}", []).append(_define_json_logic(number))

    def match_json_logic() -> int:
        return sum(bool(jsonLogic(tree, properties)) for name, properties in events for tree in trees[name])

    assert match_compiled() == match_json_logic() > 0
    return time_best(lambda: match_compiled() and len(events)), time_best(lambda: match_json_logic() and len(events))


def _define_json_logic(number: int) -> dict[str, Any]:
    category = {"==": [{"var": "category"}, f"k{number}"]}
    return {"and": [{">": [{"var": "total"}, 50]}, category, {"in": ["lamps", {"var": "path"}]}]}
