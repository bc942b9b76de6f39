"""The schemas in force, compiled. A version never changes, so that each is compiled once in a process."""

import threading

import structlog

from tracking.models import EventType, SchemaVersion
from tracking.schema.compile import CompiledSchema, SchemaInvalid, compile_schema, parse_schema
from tracking.schema.fit import Gate

log = structlog.get_logger()

_lock = threading.Lock()
_compiled: dict[int, CompiledSchema | None] = {}


def load_gates() -> dict[str, Gate]:
    """Return, for each event name with a schema in force, what its events must fit. One query while nothing changes."""
    rows = EventType.objects.filter(in_force__isnull=False)
    found = list(rows.values_list("name", "policy", "in_force_id", "in_force__number"))
    validators = _compile_lacking({version for _, _, version, _ in found if version is not None})
    return {
        name: Gate(policy=policy, version=number, validator=validator)
        for name, policy, version, number in found
        if (validator := validators.get(version)) is not None
    }


def _compile_lacking(wanted: set[int]) -> dict[int, CompiledSchema | None]:
    """Return the validators of versions; those that are no longer in force are forgotten."""
    with _lock:
        for version in wanted - _compiled.keys():
            _compiled[version] = _compile(version)
        for version in _compiled.keys() - wanted:
            del _compiled[version]
        return dict(_compiled)


def _compile(version: int) -> CompiledSchema | None:
    try:
        return compile_schema(parse_schema(SchemaVersion.objects.values_list("schema", flat=True).get(pk=version)))
    except (SchemaInvalid, SchemaVersion.DoesNotExist) as error:
        # It was sound when it was approved. The door must not fall because of it: events go unchecked, and it is said.
        log.error("schema_unusable", version=version, error=str(error))
        return None


def forget_gates() -> None:
    """Compile everything anew: for a database that was emptied, where numbers of versions may return."""
    with _lock:
        _compiled.clear()
