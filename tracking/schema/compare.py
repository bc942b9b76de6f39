"""What one schema says otherwise than another, a sentence for each property. Pure."""

from typing import Any

import msgspec

from tracking.schema.properties import Property, list_properties

_SHOWN = 8


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. `kind` is "added", "removed" or "changed"; names in the sentence stand in backticks."""

    kind: str
    path: str
    message: str
    is_stricter: bool


def compare_schemas(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return what `new` says otherwise than `old`, in the order of their paths.

    A change is stricter when an event that fitted may no longer fit. What no sentence can tell (a condition, a part
    without a name) is said as one change of the whole.
    """
    before, after = list_properties(old), list_properties(new)
    changes = [_compare(path, before.get(path), after.get(path)) for path in sorted(before.keys() | after.keys())]
    found = [change for change in changes if change is not None]
    if not found and old != new:
        message = "The JSON differs in something that no property shows: compare it below."
        found.append(Change(kind="changed", path="", message=message, is_stricter=True))
    return found


def _compare(path: str, before: Property | None, after: Property | None) -> Change | None:
    if before is None and after is not None:
        message = f"`{path}` is described: {_describe(after)}."
        return Change(kind="added", path=path, message=message, is_stricter=True)
    if after is None and before is not None:
        return Change(kind="removed", path=path, message=f"`{path}` is no longer described.", is_stricter=False)
    if before is None or after is None or before == after:
        return None
    told = _list_differences(before, after)
    sentence = "; ".join(words for words, _ in told) or "is described in other words"
    return Change(
        kind="changed",
        path=path,
        message=f"`{path}` {sentence}.",
        is_stricter=any(is_stricter for _, is_stricter in told),
    )


def _list_differences(before: Property, after: Property) -> list[tuple[str, bool]]:
    """Return (words, whether it is stricter) of each facet that differs."""
    told = []
    if before.kinds != after.kinds:
        is_stricter = bool(after.kinds) and not set(before.kinds or {""}) <= set(after.kinds)
        told.append((f"was {_say_kinds(before)} and is {_say_kinds(after)}", is_stricter))
    if before.is_required != after.is_required:
        told.append(("is now required", True) if after.is_required else ("is no longer required", False))
    if before.choices != after.choices:
        is_stricter = bool(after.choices) and not (
            before.choices and all(one in after.choices for one in before.choices)
        )
        told.append((f"may be {_say_choices(after)}, before {_say_choices(before)}", is_stricter))
    if before.format != after.format:
        words = f"has the format {after.format}" if after.format else f"no longer has the format {before.format}"
        told.append((words, bool(after.format)))
    for word in sorted(before.limits.keys() | after.limits.keys()):
        if before.limits.get(word) != after.limits.get(word):
            told.append(_compare_limit(word, before.limits, after.limits))
    return told


def _compare_limit(word: str, before: dict[str, Any], after: dict[str, Any]) -> tuple[str, bool]:
    if word not in after:
        return f"no longer has {word} {_write(before[word])}", False
    if word not in before:
        return f"has {word} {_write(after[word])}", True
    return f"has {word} {_write(after[word])}, before {_write(before[word])}", True


def _describe(it: Property) -> str:
    parts = [_say_kinds(it), "required" if it.is_required else "optional"]
    if it.choices:
        parts.append(f"one of {_say_choices(it)}")
    if it.format:
        parts.append(f"with the format {it.format}")
    return ", ".join(parts + [f"{word} {_write(value)}" for word, value in it.limits.items()])


def _say_kinds(it: Property) -> str:
    return " or ".join(it.kinds) or "of any kind"


def _say_choices(it: Property) -> str:
    if not it.choices:
        return "anything"
    rest = f" and {len(it.choices) - _SHOWN} more" if len(it.choices) > _SHOWN else ""
    return ", ".join(_write(choice) for choice in it.choices[:_SHOWN]) + rest


def _write(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:200]
