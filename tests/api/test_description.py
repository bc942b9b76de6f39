"""The description of the API is true: whatever fits it is answered as it says, and nothing fails."""

from typing import Any

import msgspec
import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engagement.wsgi import application
from tracking.models import Scope
from tracking.registry import forget_registry
from tracking.sources import SourceKeys, create_source

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

_described = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
SCHEMA = schemathesis.openapi.from_dict(msgspec.json.decode(OpenApiJsonRenderer().render(_described)))
SCHEMA.app = application
OPERATIONS: dict[str, Any] = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}  # type: ignore[union-attr]


@pytest.fixture
def keys(log: None) -> SourceKeys:
    _, made = create_source("Fuzzed", scopes=Scope.values)
    forget_registry()
    return made


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_each_call_is_answered_as_described(label: str, keys: SourceKeys) -> None:
    headers = {"Authorization": f"Bearer {keys.secret_key}"}

    @given(case=OPERATIONS[label].as_strategy())
    @settings(max_examples=20, database=None, suppress_health_check=list(HealthCheck))
    def call(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    call()
