"""The calls that the API's description gives an example of. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

Description = Mapping[str, Any]

WRITE_KEY, SECRET_KEY = "write_key", "secret_key"
_KEYS = {"key": WRITE_KEY, "secretKey": SECRET_KEY}
_JSON = "application/json"
_FIRST = "Report"
_OTHERS = "Clients of other systems"
"""What they send is described by those systems: there is no example of it."""
WITHOUT_EXAMPLE = "x-without-example"
"""Marks what nobody should do by running through the examples: it takes away what the others read."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call with its example.

    `path` has its parameters filled in; `key` names which key it needs; `success` are the statuses that say so.
    """

    name: str
    summary: str
    tag: str
    method: str
    path: str
    key: str
    body: Any = None
    success: tuple[int, ...]


def list_calls(description: Description) -> Iterator[Call]:
    """Return the calls in the order of the description.

    Left out are those whose body or path lacks an example, and those that other systems describe.
    """
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            bodies = list(_list_bodies(operation))
            filled = _fill(path, operation)
            if filled is None or operation["tags"][0] == _OTHERS or operation.get(WITHOUT_EXAMPLE):
                continue
            for name, body in bodies if "requestBody" in operation else [(operation.get("summary", ""), None)]:
                yield Call(
                    name=f"{operation['operationId']}: {name}",
                    summary=name or operation["operationId"],
                    tag=operation["tags"][0],
                    method=method.upper(),
                    path=filled,
                    key=_KEYS[next(iter(operation["security"][0]))],
                    body=body,
                    success=tuple(sorted(int(status) for status in operation["responses"] if status.startswith("2"))),
                )


def group_by_tag(calls: Iterable[Call]) -> dict[str, list[Call]]:
    """Return the calls of each tag: what reports comes first, for only then is there something to read."""
    groups: dict[str, list[Call]] = {_FIRST: []}
    for call in calls:
        groups.setdefault(call.tag, []).append(call)
    return groups


def _list_bodies(operation: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    content = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
    for name, example in content.get("examples", {}).items():
        yield example.get("summary", name), example["value"]


def _fill(path: str, operation: Mapping[str, Any]) -> str | None:
    """Put the parameters' examples into a path; None where a path parameter has none."""
    query = {}
    for parameter in operation.get("parameters", ()):
        example = _find_example(parameter)
        if parameter["in"] == "path":
            if example is None:
                return None
            path = path.replace("{" + parameter["name"] + "}", quote(str(example), safe=""))
        elif parameter["in"] == "query" and example is not None:
            query[parameter["name"]] = example
    return f"{path}?{urlencode(query)}" if query else path


def _find_example(parameter: Mapping[str, Any]) -> Any:
    examples = parameter.get("examples")
    if examples:
        return next(iter(examples.values()))["value"]
    return parameter.get("example")
