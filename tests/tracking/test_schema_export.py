"""The schemas as apps' developers get them: JSON Schema, TypeScript, and no more than has changed."""

import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.test import Client

from tests.cast import approve
from tests.clients.packages import install_packages
from tracking.models import EventType
from tracking.sources import SourceKeys, create_source

pytestmark = pytest.mark.usefixtures("log")
ORDER = {
    "type": "object",
    "required": ["price", "order id"],
    "properties": {
        "price": {"type": "number", "minimum": 0, "description": "In the shop's currency. */ export const x = 1;"},
        "order id": {"$ref": "#/$defs/id"},
        "currency": {"enum": ["EUR", "USD", None, 5]},
        "coupon": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "items": {"type": "array", "items": {"type": "object", "required": ["sku"], "properties": {"sku": {}}}},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
        "extra": {"type": "object", "additionalProperties": False, "properties": {"a": {"type": ["boolean", "null"]}}},
        "sizes": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"s": {"type": "number"}},
            "patternProperties": {"^x": {"type": "number"}},
        },
    },
    "$defs": {"id": {"type": "string", "minLength": 1}},
}
USAGE = """
import type {{ Events, Track }} from "./events";
declare const track: Track;
track("order completed", {{ price: 5, "order id": "a", currency: "EUR", items: [{{ sku: 1 }}] }});
track("order completed", {{ price: 5, "order id": "a", pair: ["x"], extra: {{ a: true }} }});
track("order completed", {{ price: 5, "order id": "a", currency: 5, coupon: null, more: "is fine" }});
track("order completed", {{ price: 5, "order id": "a", sizes: {{ xl: 5 }} }});
track("array", {{ length: "is what it likes to call so" }});
track("page_view", {{ anything: 1 }});
const again: Events["order completed"] = {{ price: 1, "order id": "b" }};
{wrong}
track("order completed", again);
"""
WRONG = (
    'track("order completed", { price: "5", "order id": "a" });',
    'track("order completed", { price: 5 });',
    'track("order completed", { price: 5, "order id": "a", currency: "DM" });',
    'track("order completed", { price: 5, "order id": "a", extra: { b: 1 } });',
    'track("order_completed", { price: 5 });',
)


@pytest.fixture
def keys(log: None) -> SourceKeys:
    approve("order completed", ORDER)
    EventType.objects.create(name="page_view")
    EventType.objects.create(name="array")
    EventType.objects.create(name="session_ended", is_derived=True)
    return create_source("Shop")[1]


def get(keys: SourceKeys, path: str = "/v1/schema", key: str = "", **headers: str) -> Any:
    return Client().get(path, headers={"authorization": f"Bearer {key or keys.secret_key}"} | headers)


def test_the_whole_is_a_json_schema_of_an_event(keys: SourceKeys) -> None:
    schema = get(keys).json()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    assert validator.is_valid({"event": "order completed", "properties": {"price": 5, "order id": "a"}})
    assert not validator.is_valid({"event": "order completed", "properties": {"price": -5, "order id": "a"}})
    assert not validator.is_valid({"event": "order completed", "properties": {"price": 5, "order id": ""}})
    assert validator.is_valid({"event": "page_view", "properties": {"price": "any"}})
    assert not validator.is_valid({"properties": {}})
    assert "session_ended" not in schema["properties"]["event"]["examples"]


def test_before_a_schema_is_approved_the_whole_is_one_too(log: None) -> None:
    EventType.objects.create(name="page_view")

    schema = get(create_source("Shop")[1]).json()

    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"event": "page_view", "properties": {"price": "any"}})
    assert not validator.is_valid({"properties": {}})


def test_what_has_not_changed_is_not_sent_again(keys: SourceKeys) -> None:
    for path in ("/v1/schema", "/v1/schema?format=typescript", "/v1/schema.d.ts"):
        first = get(keys, path)
        assert first.status_code == 200
        again = get(keys, path, **{"if-none-match": first["ETag"]})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])

        approve("page_view", {"description": path})

        changed = get(keys, path, **{"if-none-match": first["ETag"]})
        assert changed.status_code == 200
        assert changed["ETag"] != first["ETag"]


def test_both_addresses_give_the_same_types(keys: SourceKeys) -> None:
    file, form = get(keys, "/v1/schema.d.ts"), get(keys, "/v1/schema?format=typescript")

    assert file.content == form.content
    assert file["Content-Type"].startswith("application/typescript")


@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        ("/v1/schema?format=xml", "", 400, "invalid_format"),
        ("/v1/schema", "sk_wrong", 401, "unknown_key"),
        ("/v1/schema.d.ts", "sk_wrong", 401, "unknown_key"),
    ],
)
def test_errors_are_json_in_every_form(keys: SourceKeys, path: str, key: str, status: int, code: str) -> None:
    answer = get(keys, path, key)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_public_key_reads_no_schema(keys: SourceKeys) -> None:
    assert get(keys, key=keys.write_key).status_code == 401


def test_the_types_compile_take_what_fits_and_refuse_what_does_not(keys: SourceKeys, tmp_path: Path) -> None:
    compiler = install_packages() / ".bin" / "tsc"
    (tmp_path / "events.d.ts").write_bytes(get(keys, "/v1/schema.d.ts").content)
    for number, line in enumerate(("", *WRONG)):
        (tmp_path / f"usage{number}.ts").write_text(USAGE.format(wrong=line))

    command = [str(compiler), "--noEmit", "--strict", "--pretty", "false", "--skipLibCheck", "false"]
    files = [f"usage{number}.ts" for number in range(len(WRONG) + 1)]
    told = subprocess.run([*command, *files], cwd=tmp_path, capture_output=True, text=True, check=False)

    complaints = [line.partition("(")[0] for line in told.stdout.splitlines() if "error TS" in line]
    assert sorted(set(complaints)) == files[1:], told.stdout + told.stderr
    assert len(complaints) == len(WRONG), told.stdout
