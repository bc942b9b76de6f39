"""How the place of a value inside an event's properties is written, and that of a part inside a schema. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, unquote


def write_path(steps: Sequence[str | int], root: str = "properties") -> str:
    """Return `properties.cart.items[0].price`; names with a dot, bracket or quote stand in double quotes."""
    return root + "".join(f"[{step}]" if isinstance(step, int) else f".{quote_name(step)}" for step in steps)


def quote_name(name: str) -> str:
    """Return a name as it stands in a path, as in the rules' paths."""
    if any(character in name for character in '."[]\\'):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return name


def read_path(path: str) -> list[str | int]:
    """Return the steps of a written path behind its root; what cannot be read ends it."""
    _, dot, rest = path.partition(".")
    text, steps = dot + rest, list[str | int]()
    while text:
        if text.startswith("["):
            number, closed, text = text[1:].partition("]")
            if not closed or not number.isdecimal():
                break
            steps.append(int(number))
            continue
        if not text.startswith("."):
            break
        name, text = _read_name(text[1:])
        steps.append(name)
    return steps


def read_reference(reference: str) -> list[str]:
    """Return the steps of a schema's local `$ref`, such as `#/$defs/price`: a part of an address, so `%2F` is a `/`."""
    steps = unquote(reference).split("/")[1:]
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def write_reference(steps: Iterable[str]) -> str:
    """Return the local `$ref` of such steps."""
    return "#" + "".join("/" + quote(step.replace("~", "~0").replace("/", "~1"), safe="~$") for step in steps)


def find_part(schema: Any, steps: Sequence[str]) -> Any:
    """Return the part of a schema at the steps of a reference; raises LookupError where there is none."""
    found = schema
    for step in steps:
        if isinstance(found, list) and step.isdecimal() and len(step) < 6:
            found = found[int(step)]
        elif isinstance(found, dict):
            found = found[step]
        else:
            raise LookupError(step)
    return found


def _read_name(text: str) -> tuple[str, str]:
    if not text.startswith('"'):
        end = min((place for mark in ".[" if (place := text.find(mark)) >= 0), default=len(text))
        return text[:end], text[end:]
    name, place = "", 1
    while place < len(text) and text[place] != '"':
        place += text[place] == "\\"
        name += text[place : place + 1]
        place += 1
    return name, text[place + 1 :]
