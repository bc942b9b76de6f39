"""The Postman collection (format 2.1.0). Pure."""

import json
from collections.abc import Iterable
from typing import Any

from engagement.api_docs.calls import SECRET_KEY, WRITE_KEY, Call, group_by_tag

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def write_collection(calls: Iterable[Call]) -> str:
    """Return the collection as JSON: a folder for each tag; the address and the keys are its variables."""
    folders = [{"name": tag, "item": [_describe(call) for call in group]} for tag, group in group_by_tag(calls).items()]
    variables = {"base_url": "http://127.0.0.1:8000", WRITE_KEY: "wk_…", SECRET_KEY: "sk_…"}
    collection = {
        "info": {"name": "Engagement API", "schema": _SCHEMA},
        "item": folders,
        "variable": [{"key": key, "value": value} for key, value in variables.items()],
    }
    return json.dumps(collection, indent=2, ensure_ascii=False) + "\n"


def _describe(call: Call) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": call.method,
        "url": "{{base_url}}" + call.path,
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{" + call.key + "}}", "type": "string"}]},
        "header": [],
    }
    if call.body is not None:
        request["header"] = [{"key": "Content-Type", "value": "application/json"}]
        raw = json.dumps(call.body, indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    success = ", ".join(map(str, call.success))
    check = [f"pm.test('is answered {success}', () => pm.expect([{success}]).to.include(pm.response.code))"]
    script = {"listen": "test", "script": {"type": "text/javascript", "exec": check}}
    return {"name": call.summary, "request": request, "event": [script]}
