import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tracking.admin.mending import send_mended
from tracking.event import ALIAS, IDENTIFY, LIVE
from tracking.intake import open_intake
from tracking.models import Event, Quarantined, Source

pytestmark = pytest.mark.django_db(transaction=True)

SAMPLES = Path(__file__).parents[1] / "wire_samples"


def load_samples() -> Iterator[Any]:
    for path in sorted([*SAMPLES.glob("segment_*.jsonl"), *SAMPLES.glob("rudderstack_*.jsonl")]):
        for number, line in enumerate(path.read_text().splitlines()):
            sample = json.loads(line)
            if sample["method"] == "POST" and sample["json"]:
                yield pytest.param(sample, id=f"{path.stem}-{number}")


def send(path: str, body: Any, key: str | None, **headers: str) -> Any:
    basic = {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()} if key else {}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().post(path, raw, content_type="application/x-www-form-urlencoded", headers=basic | headers)


def track(**more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "add_to_cart", "userId": "ada", "messageId": "m1"} | more


@pytest.mark.parametrize("sample", list(load_samples()))
def test_every_recorded_request_is_taken_whole(source: Source, sample: Any) -> None:
    body = sample["json"]
    for item in body.get("batch", [body]):
        for moment in ("timestamp", "originalTimestamp"):
            item.pop(moment, None)
        if item.get("writeKey"):
            item["writeKey"] = source.write_key
    key = None if sample["query_string"] else source.write_key
    query = sample["query_string"].replace("wk_test_123", source.write_key)
    answer = send(f"{sample['path']}?{query}", body, key)
    assert (answer.status_code, answer.json()) == (200, {"success": True}), answer.content
    assert Event.objects.filter(source_id=source.pk, origin=LIVE).count() == len(body.get("batch", [body]))


def test_two_events_under_one_message_id_are_both_stored(source: Source) -> None:
    for name in ("checkout_started", "order_paid", "order_paid"):
        assert send("/v1/track", track(event=name), source.write_key).status_code == 200
    assert sorted(Event.objects.values_list("name", flat=True)) == ["checkout_started", "order_paid"]


def test_a_body_is_sniffed_whatever_its_headers_say(source: Source) -> None:
    packings: tuple[Callable[[bytes], bytes], ...] = (bytes, gzip.compress, zlib.compress)
    for number, pack in enumerate(packings):
        body = pack(json.dumps({"batch": [track(messageId=str(number))]}).encode())
        assert send("/v1/batch/", body, source.write_key).status_code == 200
    assert Event.objects.filter(name="add_to_cart").count() == 3


def test_a_body_that_inflates_without_end_is_refused(source: Source) -> None:
    answer = send("/v1/batch", gzip.compress(b'{"batch": ["' + b"a" * 9_000_000 + b'"]}'), source.write_key)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_of_countless_values_is_refused(source: Source) -> None:
    answer = send("/v1/batch", b'{"batch": [' + b"{}," * 200_000 + b"{}]}", source.write_key)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_values")


def test_a_damaged_body_is_an_error_with_a_code(source: Source) -> None:
    for body, code in (
        (b"\x1f\x8bnonsense", "invalid_compression"),
        (gzip.compress(b"{}" * 50)[:-9], "invalid_compression"),
        (b"[" * 100_000, "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"batch": 1}', "invalid_field"),
        (b'{"batch": []}', "no_events"),
    ):
        answer = send("/v1/batch", body, source.write_key)
        assert answer.status_code == 400, body[:20]
        assert answer.json()["code"] in {code, "too_deep"}


def test_one_bad_item_fails_alone_and_can_be_sent_again_once_it_is_mended(source: Source) -> None:
    bad = track(userId={"id": 1}, messageId="m2")
    answer = send("/v1/batch", {"batch": [track(), bad, 7]}, source.write_key)
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert [one["field"] for one in answer.json()["rejected"]] == ["userId", ""]
    kept = Quarantined.objects.get(field="userId")
    mended = json.dumps(json.loads(bytes(kept.payload)) | {"userId": 77}).encode()
    assert send_mended(kept, mended, open_intake()) is None
    assert set(Event.objects.values_list("user_id", flat=True)) == {"ada", "77"}


def test_a_retry_is_stored_once_though_its_sent_at_is_new(source: Source) -> None:
    bare = track(timestamp=datetime.now(UTC).isoformat())
    del bare["messageId"]
    for sent_at in ("2026-11-24T12:00:01Z", "2026-11-24T12:00:31Z"):
        send("/v1/t", track() | {"sentAt": sent_at}, source.write_key)
        send("/v1/t", bare | {"sentAt": sent_at, "_metadata": {"retryCount": sent_at}}, source.write_key)
    assert Event.objects.count() == 2


def test_a_page_and_a_screen_of_one_name_and_moment_are_two(source: Source) -> None:
    seen = {"userId": "ada", "name": "Home", "timestamp": datetime.now(UTC).isoformat()}
    for path in ("/v1/page", "/v1/screen", "/v1/page"):
        send(path, seen, source.write_key)
    assert sorted(Event.objects.values_list("name", flat=True)) == ["page_viewed", "screen_viewed"]


def test_what_the_database_cannot_store_is_mended(source: Source) -> None:
    body = b'{"event": "a", "userId": "ada", "properties": {"x": "half \\ud83c, nul \\u0000, \\\\u0000", "n": NaN}}'
    assert send("/v1/track", body, source.write_key).status_code == 200
    assert Event.objects.get().properties == {"x": "half \ufffd, nul , \\u0000", "n": None}


def test_shared_addresses_are_told_apart_by_the_request(source: Source) -> None:
    native = {"user_id": "bob", "traits": {"userId": "not a key of the top"}, "message_id": "n1"}
    answer = send("/v1/identify", native, None, **{"x-write-key": source.write_key})
    assert answer.status_code == 202
    assert send("/v1/identify", {"userId": "ada", "traits": {"plan": "pro"}}, source.write_key).status_code == 200
    key_in_body = {"userId": "ada", "previousId": "old", "writeKey": source.write_key}
    assert send("/v1/alias", key_in_body, None).status_code == 200
    stored = Event.objects.filter(origin=LIVE).order_by("seq")
    assert [event.name for event in stored] == [IDENTIFY, IDENTIFY, ALIAS]
    assert Event.objects.get(name=ALIAS).properties == {"previous_id": "old"}


def test_traits_in_the_context_count_too(source: Source) -> None:
    send("/v1/i", {"userId": "ada", "context": {"traits": {"email": "ada@example.org"}}}, source.write_key)
    assert Event.objects.get().properties == {"traits": {"email": "ada@example.org"}}


def test_an_unknown_key_and_names_of_the_platform_are_refused(source: Source) -> None:
    assert send("/v1/track", track(), "nobody").json()["code"] == "unknown_key"
    assert send("/v1/track", track(event="$erase"), source.write_key).json()["rejected"][0]["code"] == "reserved_event"
    assert send("/v1/track", track(event="user_inactive"), source.write_key).status_code == 400
    assert not Event.objects.exists()
