import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from tests.cast import make_source
from tests.samples import load_samples, read_body
from tracking.admin.mending import send_mended
from tracking.intake import open_intake
from tracking.models import AllowedOrigin, Event, Quarantined, Source
from tracking.registry import forget_registry
from tracking.wire.body import inflate

pytestmark = pytest.mark.django_db(transaction=True)

SHOP = {"origin": "https://shop.example"}


@pytest.fixture
def source(log: None) -> Source:
    made = make_source()
    AllowedOrigin.objects.create(source=made, origin=SHOP["origin"])
    forget_registry()
    return made


def send(path: str, body: Any, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().post(path, raw, content_type="text/plain", headers=headers)


def bought(**more: Any) -> dict[str, Any]:
    return {
        "event": "add_to_cart",
        "distinct_id": "ada",
        "uuid": "u1",
        "timestamp": datetime.now(UTC).isoformat(),
    } | more


@pytest.mark.parametrize("sample", list(load_samples("posthog*.jsonl")))
def test_every_recorded_request_is_answered_as_posthog_does(source: Source, sample: Any) -> None:
    path, body = sample["path"].replace("wk_test_123", source.write_key), inflate(read_body(sample))
    if sample["method"] == "GET":
        assert Client().get(path, headers=SHOP).status_code == 200
        return
    told = json.loads(body.replace(b"wk_test_123", source.write_key.encode()))
    for event in told.get("batch", ()):
        event["timestamp"] = datetime.now(UTC).isoformat()
    answer = send(path, gzip.compress(json.dumps(told).encode()), **SHOP)
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"status": 1} or "flags" in path
    assert not Quarantined.objects.exists()


def test_a_library_gets_what_it_needs_to_start(source: Source) -> None:
    config = Client().get(f"/array/{source.write_key}/config", headers=SHOP)
    assert config.json()["supportedCompression"] == ["gzip", "gzip-js"]
    assert config["Access-Control-Allow-Origin"] == SHOP["origin"]
    script = Client().get(f"/array/{source.write_key}/config.js")
    assert script["Vary"] == config["Vary"] == "Origin"
    assert script["Content-Type"].startswith("text/javascript")
    assert f'["{source.write_key}"]={{"config":' in script.content.decode()
    for path in ("/flags/?v=2", "/flags?v=2", "/decide/?v=3"):
        form = b"data=" + base64.b64encode(json.dumps({"token": source.write_key}).encode())
        flags = send(path, form, **SHOP)
        assert (flags.status_code, flags.json()["featureFlags"], flags.json()["flags"]) == (200, {}, {})
    assert not Event.objects.exists()


def test_an_unknown_key_starts_nothing(source: Source) -> None:
    hostile = "wk_%22%5D;alert(1);"
    for path in (f"/array/{hostile}/config.js", "/array/nobodys/config"):
        answer = Client().get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unknown_key")
    refusal = send("/batch/", {"api_key": "nobodys", "batch": [bought()]}).json()
    assert (refusal["code"], refusal["detail"]) == ("unknown_key", refusal["message"])
    assert (
        send("/e/", {"api_key": source.write_key, "batch": [bought()]}, origin="https://evil.example").status_code
        == 403
    )
    assert Client().get("/array/sk_secret/config").json()["code"] == "secret_key_in_url"
    assert Client().get(f"/array/{source.write_key}/config%0A").status_code == 404
    assert send("/batch%0A", {}).status_code == 404


def test_json_may_be_sent_after_a_preflight(source: Source) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    for path in ("/e/", "/flags/?v=2", "/batch/"):
        answer = Client().options(path, headers=SHOP | asked)
        assert answer.status_code == 204
        assert "Content-Type" in answer["Access-Control-Allow-Headers"]


def test_a_retry_is_stored_once(source: Source) -> None:
    event = bought(properties={"$set": {"plan": "pro"}})
    for sent_at in ("2026-11-24T12:00:01Z", "2026-11-24T12:00:31Z"):
        send("/batch/", {"api_key": source.write_key, "batch": [event], "sent_at": sent_at})
    assert sorted(Event.objects.values_list("name", flat=True)) == ["$identify", "add_to_cart"]
    assert Event.objects.get(name="add_to_cart").message_id == "u1"


def test_what_is_said_of_the_person_does_not_displace_the_event_that_said_it(source: Source) -> None:
    bare = bought(uuid=None, properties={"$insert_id": "i1", "$set": {"plan": "pro"}})
    for _ in range(2):
        assert send("/batch/", {"api_key": source.write_key, "batch": [bare]}).status_code == 200
    assert sorted(Event.objects.values_list("name", flat=True)) == ["$identify", "add_to_cart"]


def test_events_of_one_id_are_all_stored(source: Source) -> None:
    batch = [bought(event=name, timestamp=None) for name in ("signed_up", "paid")]
    for _ in range(2):
        assert send("/batch/", {"api_key": source.write_key, "batch": batch}).status_code == 200
    assert sorted(Event.objects.values_list("name", flat=True)) == ["paid", "signed_up"]


def test_a_batch_of_nearly_five_megabytes_is_taken_packed_or_not(source: Source) -> None:
    batch = [bought(uuid=None, properties={"text": "x" * 30_000}) | {"distinct_id": str(n)} for n in range(1, 161)]
    body = json.dumps({"api_key": source.write_key, "batch": batch}).encode()
    assert len(body) > 4_800_000
    for sent in (body, gzip.compress(body)):
        assert send("/batch/", sent).status_code == 200
    assert Event.objects.count() == 160
    assert send("/batch/", body + b" " * 200_000).status_code == 413


def test_a_refused_event_is_kept_and_can_be_mended(source: Source) -> None:
    bad = bought(distinct_id={"id": 1}, uuid="u2")
    answer = send("/batch/", {"api_key": source.write_key, "batch": [bought(), bad]})
    assert (answer.status_code, answer.json()["status"]) == (200, 1)
    assert [one["field"] for one in answer.json()["rejected"]] == ["distinct_id"]
    kept = Quarantined.objects.get()
    mended = json.dumps(json.loads(bytes(kept.payload)) | {"distinct_id": "bob"}).encode()
    assert send_mended(kept, mended, open_intake()) is None
    assert set(Event.objects.values_list("user_id", flat=True)) == {"ada", "bob"}
    alone = send("/batch/", {"api_key": source.write_key, "batch": [bad]})
    assert (alone.status_code, alone.json()["status"]) == (400, 0)


def test_names_of_the_platform_are_not_taken_from_a_page(source: Source) -> None:
    for name in ("$user_inactive", "user_inactive"):
        answer = send("/e/", {"api_key": source.write_key, "batch": [bought(event=name)]})
        assert answer.json()["rejected"][0]["code"] == "reserved_event"
    assert not Event.objects.exists()
