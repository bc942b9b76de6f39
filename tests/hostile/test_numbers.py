"""What is written as a number and is none: refused with a code or stored as null, never as infinity."""

import math
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.cast import approve
from tests.hostile.test_bodies import send
from tracking.models import Event, Quarantined, Source
from tracking.sources import SourceKeys, create_source

NONE = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1.5e400")
TOO_LARGE = (b"1e308", b"1" * 320, b"-" + b"9" * 320)

SHAPES = {
    "/v1/events": b'{"events":[{"event":"a","user_id":"u","properties":{"n":%s}},{"event":"good","user_id":"u"}]}',
    "/v1/batch": b'{"batch":[{"type":"track","event":"a","userId":"u","properties":{"n":%s}},'
    b'{"type":"track","event":"good","userId":"u"}]}',
    "/track": b'[{"event":"a","properties":{"distinct_id":"u","n":%s}},'
    b'{"event":"good","properties":{"distinct_id":"u"}}]',
    "/batch": b'{"batch":[{"event":"a","distinct_id":"u","properties":{"n":%s}},{"event":"good","distinct_id":"u"}]}',
    "/mp/collect": b'{"client_id":"c","events":[{"name":"a","params":{"n":%s}},{"name":"good"}]}',
}


@pytest.fixture
def keys(log: None) -> SourceKeys:
    return create_source("Shop")[1]


@pytest.mark.parametrize("number", NONE, ids=bytes.decode)
@pytest.mark.parametrize("path", SHAPES)
def test_what_is_no_number_is_refused_or_null_and_harms_no_other(path: str, number: bytes, keys: SourceKeys) -> None:
    answer = send(path, SHAPES[path] % number, keys)

    assert answer.status_code < 300
    stored = dict(Event.objects.values_list("name", "properties"))
    assert "good" in stored
    if path == "/v1/events":
        assert answer.json()["results"][0]["code"] in ("invalid_json", "invalid_field")
        assert Quarantined.objects.count() == 1
    else:
        assert stored["a"]["n"] is None


@pytest.mark.parametrize("path", ["/track-event", "/v1/identify"])
@pytest.mark.parametrize("number", NONE, ids=bytes.decode)
def test_a_single_event_with_what_is_no_number_is_refused(path: str, number: bytes, keys: SourceKeys) -> None:
    answer = send(path, b'{"event":"a","user_id":"u","properties":{"n":%s},"traits":{"n":%s}}' % (number, number), keys)

    assert answer.status_code == 400
    assert not Event.objects.exists()


@pytest.mark.parametrize("path", SHAPES)
def test_a_number_beyond_all_use_is_checked_by_a_schema_and_stays_finite(path: str, keys: SourceKeys) -> None:
    approve("a", {"properties": {"n": {"type": "number", "multipleOf": 0.01}}}, policy="accept")
    for number in TOO_LARGE:
        assert send(path, SHAPES[path] % number, keys).status_code < 300
    assert Event.objects.count() == 2 * len(TOO_LARGE)
    assert all(is_finite(properties) for properties in Event.objects.values_list("properties", flat=True))


@pytest.mark.parametrize("number", NONE, ids=bytes.decode)
def test_an_import_refuses_the_line(number: bytes, source: Source, tmp_path: Path) -> None:
    line = b'{"event":"a","user_id":"u","timestamp":"2026-11-01T10:00:00Z","n":%s}\n'
    path = tmp_path / "history.jsonl"
    path.write_bytes(line % number + line % b"5")

    call_command("import_events", str(path), f"--source={source.name}")

    assert [event.properties for event in Event.objects.all()] == [{"n": 5}]


def is_finite(properties: dict[str, Any]) -> bool:
    return all(not isinstance(value, float) or math.isfinite(value) for value in properties.values())
