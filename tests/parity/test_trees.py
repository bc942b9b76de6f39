"""Whole condition trees and counts of the history: Python, the trace and PostgreSQL give one verdict."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement.lib.ids import compute_id, compute_timed_id
from tests.core.rules.samples import DAY, NOW, documents, make_rule, trees
from triggers.rules.compile import compile_rule, iterate_needs
from triggers.rules.explain import explain_rule
from triggers.rules.facts import Facts, HistoryNeed
from triggers.rules.nodes import Count, Never, Node, OperatorName
from triggers.rules.sql import SqlRow, compile_sql
from triggers.rules.trace import Outcome

ALICE, CHARLIE = compute_id("alice"), compute_id("charlie")
OUTCOMES = {Outcome.MATCHED: True, Outcome.NOT_MATCHED: False, Outcome.UNKNOWN: None}
# (who, what, how many seconds ago); a place in the list is the seq.
PAST = [
    (ALICE, "purchase", 40 * DAY),
    (CHARLIE, "purchase", 30),
    (ALICE, "visit", DAY),
    (ALICE, "purchase", DAY - 1),
    (ALICE, "visit", 60),
    (ALICE, "visit", 59),
    (ALICE, "visit", 0),
    (ALICE, "purchase", -1),
    (ALICE, "visit", 10),
]
THIS_SEQ = 8


@pytest.fixture(scope="module")
def past(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute(
        "create temporary table past_event (id uuid, lane int, profile_id uuid, name text,"
        " occurred_at timestamptz, seq bigint)"
    )
    for seq, (profile_id, name, ago) in enumerate(PAST):
        moment = NOW - timedelta(seconds=ago)
        connection.execute(
            "insert into past_event values (%s, 1, %s, %s, %s, %s)",
            (compute_timed_id(moment, str(seq)), profile_id, name, moment, seq),
        )
    return connection


def count_past(need: HistoryNeed, now: datetime = NOW) -> int:
    """The window's definition, said once more as plainly as can be."""
    return sum(
        1
        for seq, (profile_id, name, ago) in enumerate(PAST)
        if profile_id == ALICE
        and name == need.event
        and seq < THIS_SEQ
        and ago >= 0
        and (need.within is None or ago < need.within)
    )


def ask_database(
    connection: psycopg.Connection,
    node: Node,
    properties: Any,
    traits: Any,
    now: datetime | str = NOW,
    source: int | None = None,
) -> bool | None:
    row = SqlRow(
        properties="row.properties",
        traits="row.traits",
        profile_id="row.profile_id",
        now=now,
        events="past_event",
        seq="row.seq",
        lane="1",
        source="row.source_id",
    )
    expression, parameters = compile_sql(node, row)
    values = {
        "properties": msgspec.json.encode(properties).decode(),
        "traits": msgspec.json.encode(traits).decode(),
        "profile": ALICE,
        "seq": THIS_SEQ,
        "moment": NOW,
        "source": source,
    }
    found = connection.execute(
        f"select {expression} from (select %(properties)s::jsonb as properties, %(traits)s::jsonb as traits,"
        " %(profile)s::uuid as profile_id, %(seq)s::bigint as seq, %(moment)s::timestamptz as occurred_at,"
        " %(source)s::integer as source_id"
        " offset 0) as row",
        parameters | values,
    ).fetchone()
    assert found is not None
    verdict: bool | None = found[0]
    return verdict


@given(node=trees, properties=documents, traits=documents, source=st.sampled_from([3, 5, None]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_trees_agree(past: psycopg.Connection, node: Node, properties: Any, traits: Any, source: int | None) -> None:
    # As the log does: what Python reads is what was written as JSON.
    properties, traits = (msgspec.json.decode(msgspec.json.encode(part)) for part in (properties, traits))
    history = {need: count_past(need) for need in iterate_needs(node)}
    verdict = compile_rule(make_rule(node)).test(properties, traits, NOW, history, source)
    facts = Facts(properties=properties, traits=traits, now=NOW, history=history, source_id=source)
    assert OUTCOMES[explain_rule(make_rule(node), facts).outcome] is verdict
    assert ask_database(past, node, properties, traits, source=source) is verdict


@pytest.mark.parametrize("within", [None, 1, 59, 60, 61, DAY - 1, DAY, DAY + 1])
@pytest.mark.parametrize("event", ["purchase", "visit", "never seen", "'; drop table past_event; --"])
@pytest.mark.parametrize("now", [NOW, "row.occurred_at"])
def test_a_window_ends_at_the_event_and_begins_just_after_its_length(
    past: psycopg.Connection, event: str, within: int | None, now: datetime | str
) -> None:
    expected = count_past(HistoryNeed(event, within))
    exactly = Count(event=event, within=within, operator=OperatorName.EQ, value=expected)
    assert ask_database(past, exactly, {}, {}, now) is True
    assert ask_database(past, Never(event=event, within=within), {}, {}, now) is (expected == 0)


def test_a_rule_without_conditions_matches_every_row(past: psycopg.Connection) -> None:
    expression, parameters = compile_sql(
        None, SqlRow(properties="p", traits="t", profile_id="i", now=NOW, events="past_event")
    )
    assert past.execute(f"select {expression}", parameters).fetchone() == (True,)


def test_names_paths_and_values_reach_the_database_as_parameters_only(past: psycopg.Connection) -> None:
    evil = "'); drop table past_event; -- %s %(x)s $1 \" \\ {} {x}"
    path = '"' + evil.replace("\\", "\\\\").replace('"', '\\"') + '"'
    node = msgspec.convert(
        {
            "node": "all",
            "of": [
                {"node": "compare", "field": {"from": "event", "path": path}, "operator": "is", "value": evil},
                {"node": "compare", "field": {"from": "event", "path": path}, "operator": "one_of", "value": [evil]},
                {"node": "compare", "field": {"from": "event", "path": path}, "operator": "contains", "value": evil},
                {"node": "never", "event": evil},
            ],
        },
        Node,
    )
    row = SqlRow(properties="r.p", traits="r.t", profile_id="r.i", now=NOW, events="past_event")
    expression, parameters = compile_sql(node, row)
    assert "drop" not in expression
    assert "{x}" not in expression
    assert list(parameters.values()).count(evil) == 5
    assert ask_database(past, node, {evil: evil}, {}) is True
    assert past.execute("select count(*) from past_event").fetchone() == (len(PAST),)
