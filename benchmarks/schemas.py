"""What a schema in force costs: an order that fits, one that does not, and the worst that an event has room for."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.stage import Figure, time_best
from tracking.schema.compile import compile_schema
from tracking.schema.fit import find_misfit

NUMBER = 20_000
_LINE = {
    "type": "object",
    "required": ["sku", "name", "price", "quantity", "category"],
    "properties": {"sku": {"type": "string"}, "price": {"type": "number", "minimum": 0}},
}
ORDER = {
    "type": "object",
    "required": ["order_id", "total"],
    "properties": {
        "order_id": {"type": "string", "minLength": 1},
        "total": {"type": "number"},
        "currency": {"enum": ["EUR", "USD", "GBP"]},
        "email": {"type": "string", "format": "email"},
        "items": {"type": "array", "items": _LINE},
    },
}
_FITTING = {
    "order_id": "o-1001",
    "total": 59.8,
    "currency": "EUR",
    "email": "ada@shop.example",
    "items": [{"sku": "a", "name": "Lamp", "price": 29.9, "quantity": 1, "category": "lamps"}] * 3,
}


def measure() -> list[Figure]:
    """Measure the check alone, without the request around it."""
    order = compile_schema(ORDER)
    fitting = _rate(lambda: find_misfit(order, _FITTING))
    broken = _rate(lambda: find_misfit(order, _FITTING | {"total": "59,80 €"}))
    nothing = {"order_id": "o", "total": 1, "items": [{}] * 10_000}
    branches = compile_schema({"properties": {"items": {"anyOf": [{"items": _LINE}] * 12}}})
    return [
        Figure(work="an order of 3 lines is checked against its schema and fits", measured=f"{fitting:,.0f}/s"),
        Figure(work="the same does not fit, and its error is described", measured=f"{broken:,.0f}/s"),
        Figure(
            work="10,000 empty lines in one event, none of which fits; in each of 12 alternatives",
            measured=f"{_time(order, nothing):.1f} and {_time(branches, nothing):.1f} ms",
            target="< 20 ms each",
        ),
    ]


def _rate(work: Callable[[], Any]) -> float:
    def repeat() -> int:
        for _ in range(NUMBER):
            work()
        return NUMBER

    return time_best(repeat)


def _time(schema: Any, properties: dict[str, Any]) -> float:
    began = time.thread_time()
    for _ in range(10):
        find_misfit(schema, properties)
    return (time.thread_time() - began) * 100
