"""What the samples of an event show: each property's kinds, how many have it, examples; and which would fit. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tracking.schema.compile import CompiledSchema
from tracking.schema.fit import Misfit, count_values, find_misfit
from tracking.schema.paths import quote_name

MAX_PATHS = 200
MAX_VALUES = 100_000
"""In all samples that are looked through at once, so that a page opens whatever apps send."""
_MAX_EXAMPLES = 3
_LONGEST_EXAMPLE = 60
_LISTED = 20
_KINDS = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (type(None), "null"))


class Sample(msgspec.Struct, frozen=True):
    """The properties of an event, and the source that sent it."""

    source_id: int
    properties: dict[str, Any]


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """A property as it was seen. `share` and the shares by source are between 0 and 1."""

    path: str
    kinds: list[str]
    share: float
    by_source: dict[int, float]
    examples: list[str]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How many of some samples fit a schema, and what is wrong with the others: how often, and the first place."""

    total: int
    fitting: int
    reasons: list[tuple[Misfit, list[int]]]


def limit_samples(samples: Sequence[Sample]) -> list[Sample]:
    """Return the first samples that hold at most MAX_VALUES values together."""
    kept, room = [], MAX_VALUES
    for sample in samples:
        room -= count_values(sample.properties, room)
        if room < 0:
            break
        kept.append(sample)
    return kept


def observe_properties(samples: Sequence[Sample]) -> list[Observed]:
    """Return what is seen of each property, in the order of their paths; at most 200."""
    kinds: dict[str, Counter[str]] = {}
    having: dict[str, Counter[int]] = {}
    values: dict[str, Counter[str]] = {}
    totals = Counter(sample.source_id for sample in samples)
    for sample in samples:
        seen = set()
        for path, value in _walk(sample.properties, ""):
            if path not in kinds and len(kinds) >= MAX_PATHS:
                continue
            kinds.setdefault(path, Counter())[name_kind(value)] += 1
            if not isinstance(value, dict | list):
                values.setdefault(path, Counter())[_shorten(value)] += 1
            seen.add(path)
        for path in seen:
            having.setdefault(path, Counter())[sample.source_id] += 1
    return [
        Observed(
            path=path,
            kinds=[kind for kind, _ in kinds[path].most_common()],
            share=having[path].total() / len(samples),
            by_source={source: having[path][source] / total for source, total in totals.items()},
            examples=[value for value, _ in values.get(path, Counter()).most_common(_MAX_EXAMPLES)],
        )
        for path in sorted(kinds)
    ]


def find_common_values(samples: Sequence[Sample], least: int = 2, most: int = 20) -> dict[str, list[Any]]:
    """Return, for each path, the texts and numbers that came at least `least` times, the most frequent first."""
    counted: dict[str, Counter[Any]] = {}
    for sample in samples:
        for path, value in _walk(sample.properties, ""):
            if isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) <= 200:
                counted.setdefault(path, Counter())[value] += 1
    return {
        path: common
        for path, values in counted.items()
        if (common := [value for value, number in values.most_common(most) if number >= least])
    }


def try_samples(schema: CompiledSchema, samples: Sequence[Sample]) -> Trial:
    """Return how many samples fit; the others by reason, the most frequent first, with their places in `samples`."""
    reasons: dict[Misfit, list[int]] = {}
    for place, sample in enumerate(samples):
        misfit = find_misfit(schema, sample.properties)
        if misfit is not None:
            reasons.setdefault(misfit, []).append(place)
    found = sorted(reasons.items(), key=lambda reason: len(reason[1]), reverse=True)
    failing = sum(len(places) for places in reasons.values())
    return Trial(total=len(samples), fitting=len(samples) - failing, reasons=found)


def name_kind(value: Any) -> str:
    """Return the JSON type of a value."""
    if isinstance(value, dict | list):
        return "object" if isinstance(value, dict) else "array"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "string")


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of everything that has a name, and of the first items of lists."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _walk(child, f"{path}.{quote_name(name)}" if path else quote_name(name))
    elif isinstance(value, list):
        for child in value[:_LISTED]:
            yield from _walk(child, f"{path}[]")


def _shorten(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_EXAMPLE else f"{text[:_LONGEST_EXAMPLE]}…"
