"""Python and PostgreSQL read every value alike and agree on every operator, unknown included."""

from typing import Any

import msgspec
import psycopg
import pytest

from tests.core.rules.samples import CONSTANTS, JSON_TEXTS, NOW, compare, make_rule
from triggers.rules.compile import compile_rule
from triggers.rules.nodes import OperatorName, Value
from triggers.rules.operators import OPERATORS
from triggers.rules.sql import SqlRow, compile_sql

ROW = SqlRow(properties="sample.properties", traits="'{}'::jsonb", profile_id="null::uuid", now=NOW)
MISSING = "{}"
SAMPLES = [
    MISSING,
    *(f'{{"value":{text}}}' for text in JSON_TEXTS),
    *(f'{{"items":{text},"value":1}}' for text in ("null", "{}", "5", '"a"', "[]")),
    *(f'{{"items":[{{"value":{text}}}]}}' for text in JSON_TEXTS),
    *(f'{{"items":[{{}},{{"value":{text}}},null]}}' for text in JSON_TEXTS),
    *(f'{{"items":[{{"value":{text}}},{{"value":"12345"}},{{"value":"2025-03-10"}}]}}' for text in JSON_TEXTS),
]
CASES = [(operator, value) for operator in OperatorName for value in CONSTANTS[operator]]


@pytest.fixture(scope="module")
def samples(connection: psycopg.Connection) -> list[tuple[str, Any]]:
    """The samples in a table, and each as it was written and as it is read back."""
    connection.execute("create temporary table sample (place int, properties jsonb)")
    with connection.cursor() as cursor:
        cursor.executemany("insert into sample values (%s, %s)", list(enumerate(SAMPLES)))
    rows = connection.execute("select properties from sample order by place").fetchall()
    return [(text, row[0]) for text, row in zip(SAMPLES, rows, strict=True)]


def test_every_operator_has_values_to_compare_with() -> None:
    assert set(CONSTANTS) == set(OPERATORS) == set(OperatorName)


@pytest.mark.parametrize("path", ["value", "items[].value"])
@pytest.mark.parametrize(("operator", "value"), CASES)
def test_python_and_postgresql_agree(
    connection: psycopg.Connection, samples: list[tuple[str, Any]], operator: OperatorName, value: Value, path: str
) -> None:
    node = compare(operator, value, path)
    test = compile_rule(make_rule(node)).test
    expression, parameters = compile_sql(node, ROW)
    rows = connection.execute(f"select {expression} from sample order by place", parameters).fetchall()
    differences = [
        (text, row[0], verdict)
        for (text, stored), row in zip(samples, rows, strict=True)
        for document in (msgspec.json.decode(text), stored)
        if (verdict := test(document, {}, NOW, {})) is not row[0]
    ]
    assert differences == []


def test_every_operator_meets_all_three_outcomes(
    connection: psycopg.Connection, samples: list[tuple[str, Any]]
) -> None:
    """The samples are worth something only when each operator is seen true, false and (where it can be) unknown."""
    for operator in OperatorName:
        seen = {
            compile_rule(make_rule(compare(operator, value))).test(stored, {}, NOW, {})
            for value in CONSTANTS[operator]
            for _, stored in samples
        }
        expected = {True, False} if operator in (OperatorName.SET, OperatorName.NOT_SET) else {True, False, None}
        assert seen == expected, operator
