"""What the description of the API says beyond its views: addresses as they are written, and other systems' clients."""

from typing import Any

from tracking.models import Scope
from tracking.wire.dialects import DIALECTS
from tracking.wire.native import NATIVE

_TAG = "Clients of other systems"
_SYSTEMS = {"segment": "Segment", "mixpanel": "Mixpanel", "ga4": "GA4", "posthog": "PostHog"}
_ANSWERS = {
    "200": "Taken, in the words that the client expects.",
    "204": "Taken; there is nothing to say.",
    "400": "Nothing in the request could be taken.",
    "401": "No source has this key, or none was given.",
    "403": "The key may not do this, or not from this page.",
    "404": "There is nothing here.",
    "409": "The very same signed request came before.",
    "413": "More than a request may hold.",
    "429": "Too many at once: again after `Retry-After` seconds.",
    "503": "Could not be stored now: again after `Retry-After` seconds.",
}


def drop_slashes(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Each address works with and without a slash at its end; it is described without."""
    result["paths"] = {path.rstrip("/") or path: operations for path, operations in result["paths"].items()}
    return result


def describe_dialects(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the addresses at which clients of other systems report. What they send is described by those systems."""
    for dialect in DIALECTS.values():
        if dialect is NATIVE:
            continue
        for path, methods in dialect.methods.items():
            known = result["paths"].setdefault(path, {})
            for method in methods:
                known.setdefault(method.lower(), _describe(dialect.name, method, path))
    return result


def _describe(dialect: str, method: str, path: str) -> dict[str, Any]:
    name = path.strip("/").replace("/", "_").replace("-", "_").replace(".", "_")
    operation: dict[str, Any] = {
        "operationId": f"{dialect}_{method.lower()}_{name}",
        "summary": f"What {_SYSTEMS[dialect.partition('_')[0]]}'s clients send",
        "tags": [_TAG],
        "security": [{"key": []}],
        "x-scope": Scope.INGEST.value,
        "responses": {status: {"description": words} for status, words in _ANSWERS.items()},
    }
    if method == "POST":
        # Some send JSON as text, or a form, or compressed: the body is looked at, never its type.
        schema = {"type": "object", "additionalProperties": True}
        operation["requestBody"] = {"content": {kind: {"schema": schema} for kind in ("application/json",)}}
    return operation
