"""What the page of an event type shows beside its form: traffic, properties as they are seen, the schema."""

import json
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from msgspec import Struct

from tracking.hours import Usage, load_usage
from tracking.models import EventType, Quarantined, SchemaVersion, Source
from tracking.sampling import read_samples
from tracking.schema.compare import compare_schemas
from tracking.schema.compile import compile_schema, parse_schema
from tracking.schema.fit import MISMATCH
from tracking.schema.infer import infer_schema
from tracking.schema.naming import find_hint
from tracking.schema.observe import Observed, Sample, Trial, observe_properties, try_samples
from tracking.schema.properties import Property, list_properties, name_kinds

_MOST_WAITING = 1_000
_NO_USAGE = Usage(hours=[], day=0, week=0, misfits=0, by_source={})
_SHOWN_REASONS = 10
_SHOWN_VERSIONS = 20


class SeenProperty(Struct, frozen=True, kw_only=True):
    """A row of the table of properties. `in_schema` is None where no schema is in force."""

    path: str
    kinds: str
    percent: int
    by_source: list[tuple[str, int]]
    examples: list[str]
    in_schema: bool | None


def describe_type_page(event_type: EventType) -> dict[str, Any]:
    """Return the context of an event type's page. Reads its samples once."""
    now = datetime.now(UTC)
    samples = read_samples(event_type.name)
    sources = dict(Source.objects.values_list("pk", "name"))
    usage = load_usage([event_type.name], now).get(event_type.name, _NO_USAGE)
    in_force = event_type.in_force
    schema = parse_schema(in_force.schema) if in_force is not None else None
    described = list_properties(schema) if schema is not None else None
    inferred = infer_schema([sample.properties for sample in samples])
    return {
        "event_type": event_type,
        "hint": find_hint(event_type.name),
        "usage": usage,
        "sent_by": [(name_source(sources, source), number) for source, number in sort_counts(usage.by_source)],
        "waiting": count_waiting(event_type.name, list(sources)),
        "sampled": len(samples),
        "properties": [_describe_property(seen, sources, described) for seen in observe_properties(samples)],
        "in_force": in_force,
        "inferred": write_schema(inferred) if samples else "",
        "changes": compare_schemas(schema, inferred) if schema is not None and samples else [],
        "trial": describe_trial(schema, samples) if schema is not None else None,
        "versions": list_versions(event_type)[:_SHOWN_VERSIONS],
    }


def count_waiting(name: str, sources: list[int]) -> int:
    """Return how many events of a name are in quarantine because they do not fit: 1,000 stands for that and more."""
    # All columns before the name, so that the index of open items answers.
    rows = Quarantined.objects.filter(source_id__in=sources, is_held__in=(True, False), code=MISMATCH, event_name=name)
    return rows.filter(resent_at__isnull=True)[:_MOST_WAITING].count()


def describe_version(event_type: EventType, text: str) -> dict[str, Any]:
    """Return what somebody should know before a schema is put in force. Raises SchemaInvalid."""
    schema = parse_schema(text)
    in_force = event_type.in_force
    before = parse_schema(in_force.schema) if in_force is not None else {}
    changes = compare_schemas(before, schema)
    return {
        "changes": changes,
        "is_stricter": any(change.is_stricter for change in changes),
        "trial": describe_trial(schema, read_samples(event_type.name)),
    }


def describe_trial(schema: dict[str, Any], samples: list[Sample]) -> dict[str, Any]:
    """Return how many of the samples fit, and for each reason how many do not, with one of them to look at."""
    trial: Trial = try_samples(compile_schema(schema), samples)
    reasons = [
        {
            "misfit": misfit,
            "number": len(places),
            "example": samples[places[0]].properties,
        }
        for misfit, places in trial.reasons[:_SHOWN_REASONS]
    ]
    return {
        "total": trial.total,
        "fitting": trial.fitting,
        "failing": trial.total - trial.fitting,
        "reasons": reasons,
        "more_reasons": max(len(trial.reasons) - _SHOWN_REASONS, 0),
    }


def list_versions(event_type: EventType) -> QuerySet[SchemaVersion]:
    """Return a type's versions, the newest first, with who wrote and approved them."""
    return event_type.versions.select_related("created_by", "approved_by").order_by("-number")


def write_schema(schema: dict[str, Any]) -> str:
    """Return a schema as indented JSON."""
    return json.dumps(schema, indent=2, ensure_ascii=False)


def name_source(sources: dict[int, str], source_id: int) -> str:
    """Return a source's name; the platform's own events have none."""
    return sources.get(source_id, "the platform" if source_id == 0 else f"source {source_id}, deleted")


def sort_counts(counts: dict[int, int]) -> list[tuple[int, int]]:
    """Return the greatest first."""
    return sorted(counts.items(), key=lambda row: row[1], reverse=True)


def _describe_property(seen: Observed, sources: dict[int, str], described: dict[str, Property] | None) -> SeenProperty:
    shares = [(name_source(sources, source), round(share * 100)) for source, share in seen.by_source.items()]
    return SeenProperty(
        path=seen.path,
        kinds=" or ".join(name_kinds(seen.kinds)),
        percent=round(seen.share * 100),
        by_source=shares if len({share for _, share in shares}) > 1 else [],
        examples=seen.examples,
        in_schema=seen.path in described if described is not None else None,
    )
