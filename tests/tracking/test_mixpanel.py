import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from tracking.event import LIVE
from tracking.keys import add_foreign_key, make_key
from tracking.models import Event, KeyKind, Quarantined, Source
from tracking.registry import forget_registry

pytestmark = pytest.mark.django_db(transaction=True)

SAMPLES = Path(__file__).parents[1] / "wire_samples"
MOMENTS = frozenset({"time", "$time"})
PARTY = "party \U0001f389"


def load_samples(library: str) -> Iterator[Any]:
    path = SAMPLES / f"mixpanel_{library}.jsonl"
    for number, line in enumerate(path.read_text().splitlines()):
        yield pytest.param(json.loads(line), id=f"{library}-{number}")


def send(path: str, body: bytes | str = b"", **headers: str) -> Any:
    """Post a body whose header says nothing true."""
    raw = body.encode() if isinstance(body, str) else body
    return Client().post(path, raw, content_type="text/plain;charset=UTF-8", headers=headers)


def pack(items: Any, *, in_base64: bool = False) -> str:
    text = json.dumps(items, ensure_ascii=not in_base64).encode("utf-8", "surrogatepass")
    return "data=" + quote(base64.b64encode(text) if in_base64 else text)


def basic(user: str, password: str = "") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def event(source: Source, name: str = "add_to_cart", **properties: Any) -> dict[str, Any]:
    return {"event": name, "properties": {"token": source.write_key, "distinct_id": "ada"} | properties}


def profile(source: Source, **operators: Any) -> dict[str, Any]:
    return {"$token": source.write_key, "$distinct_id": "ada"} | operators


def renew(items: Any, source: Source) -> list[Any]:
    """Return recorded items as if they had just been made, for this source."""
    renewed = []
    for item in items if isinstance(items, list) else [items]:
        fields = item.get("properties", item)
        fields |= {name: round(time.time(), 3) for name in MOMENTS & fields.keys()}
        fields |= {name: source.write_key for name in ("token", "$token") if name in fields}
        renewed.append(item)
    return renewed


@pytest.mark.parametrize("sample", [*load_samples("python"), *load_samples("browser")])
def test_every_recorded_request_is_taken_whole(source: Source, sample: Any) -> None:
    items = renew(sample["json"], source)
    is_deletion = "$delete" in items[0]
    form = pack(items if isinstance(sample["json"], list) else items[0], in_base64="base64" in sample["decode"])
    rest = "".join(f"&{name}={value[0]}" for name, value in sample.get("form_rest", {}).items() if name != "api_key")
    headers = {"authorization": sample["headers"]["Authorization"]} if "Authorization" in sample["headers"] else {}
    answer = send(f"{sample['path']}?{sample['query_string']}", form + rest, **headers)
    if is_deletion:
        assert (answer.status_code, answer.json()["status"]) == (400, 0)
        assert Quarantined.objects.get().code == "use_erasure"
    else:
        assert (answer.status_code, answer.json()) == (200, {"status": 1, "error": None})
        assert Event.objects.filter(source_id=source.pk, origin=LIVE).count() == len(items)


def test_a_body_is_sniffed_whatever_its_headers_say(source: Source) -> None:
    packings: tuple[Callable[[str], bytes | str], ...] = (
        lambda text: f"data={quote(text)}",
        # Node's library does not escape its base64.
        lambda text: "data=" + base64.b64encode(text.encode()).decode(),
        lambda text: "ip=1&data=" + quote(base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()),
        lambda text: text,
        lambda text: gzip.compress(text.encode()),
        lambda text: "data=" + quote(base64.b64encode(gzip.compress(text.encode()))),
        lambda text: gzip.compress(b"data=" + base64.b64encode(text.encode())),
    )
    for number, wrap in enumerate(packings):
        made = event(source, **{"$insert_id": str(number), "note": "~~??>>" + PARTY})
        assert send("/track/", wrap(json.dumps(made))).content == b"1", number
    assert Event.objects.filter(name="add_to_cart", properties={"note": "~~??>>" + PARTY}).count() == len(packings)


def test_two_events_of_one_insert_id_are_both_stored(source: Source) -> None:
    for name in ("checkout_started", "order_paid", "order_paid"):
        assert send("/track/", json.dumps(event(source, name, **{"$insert_id": "o1"}))).content == b"1"
    assert sorted(Event.objects.values_list("name", flat=True)) == ["checkout_started", "order_paid"]


def test_an_address_holds_an_event_too(source: Source) -> None:
    data = quote(base64.b64encode(json.dumps(event(source, total=3)).encode()))
    assert Client().get(f"/track?ip=0&verbose=0&data={data}").content == b"1"
    assert Event.objects.get().properties == {"total": 3}


def test_an_emoji_that_a_page_writes_in_two_halves_is_stored_whole(source: Source) -> None:
    body = pack([event(source, mood="\ud83c\udf89", torn="\ud83c")], in_base64=True)
    assert send("/track/", body).content == b"1"
    assert Event.objects.get().properties == {"mood": "\U0001f389", "torn": "\ufffd"}


@pytest.mark.parametrize(("query", "form"), [("?verbose=1", ""), ("", "&verbose=1")])
def test_a_verbose_client_reads_json_and_the_others_a_text(source: Source, query: str, form: str) -> None:
    assert send(f"/track{query}", pack(event(source)) + form).json() == {"status": 1, "error": None}
    refused = send(f"/track{query}", pack(event(source, "$erase")) + form)
    assert (refused.status_code, refused.json()["status"]) == (400, 0)
    assert "dollar sign" in refused.json()["error"]
    unknown = send(f"/track{query}", pack({"event": "a", "properties": {"token": "nobody"}}) + form)
    assert (unknown.status_code, unknown.json()["status"]) == (401, 0)
    assert send("/track", pack(event(source))).content == b"1"
    assert send("/track", pack(event(source, "$erase"))).content == b"0"
    assert send("/track", "data=%%%").content == b"0"


def test_one_bad_item_fails_alone(source: Source) -> None:
    items = [
        event(source),
        event(source, "$erase"),
        7,
        event(source, time="soon"),
        event(source, "b", token="wk_other"),
    ]
    answer = send("/track?verbose=1", pack(items))
    assert (answer.status_code, answer.json()["status"]) == (200, 1)
    codes = [one["code"] for one in answer.json()["rejected"]]
    assert codes == ["reserved_event", "invalid_field", "invalid_field", "other_key"]
    assert Event.objects.count() == 1
    assert Quarantined.objects.count() == 4


def test_the_import_of_today_names_each_failed_record(source: Source) -> None:
    good, bad = event(source, **{"$insert_id": "i1"}), event(source, "$erase", **{"$insert_id": "i2"})
    lines = b"\n".join(json.dumps(item).encode() for item in (good, bad)) + b"\n{broken\n"
    answer = send("/import?strict=1&project_id=7", gzip.compress(lines), **basic("service", source.write_key))
    assert answer.status_code == 400
    told = answer.json()
    assert (told["code"], told["status"], told["num_records_imported"]) == (400, "Bad Request", 1)
    assert [(one["index"], one["insert_id"], one["code"]) for one in told["failed_records"]] == [
        (1, "i2", "reserved_event"),
        (2, None, "invalid_json"),
    ]
    whole = send("/import?strict=1", json.dumps([good]))
    assert (whole.status_code, whole.json()) == (200, {"code": 200, "num_records_imported": 1, "status": "OK"})
    many = send("/import?strict=1", json.dumps([good] * 2_001))
    assert (many.status_code, many.json()["code"], many.json()["num_records_imported"]) == (413, 413, 0)


def test_the_key_is_where_each_client_puts_it(source: Source) -> None:
    bare = {"event": "add_to_cart", "properties": {"distinct_id": "ada"}}
    for path, headers in (
        (f"/track?token={source.write_key}", {}),
        (f"/import?api_key={source.write_key}", {}),
        ("/import", basic(source.write_key)),
        ("/import?project_id=42", basic("service", source.write_key)),
    ):
        answer = send(f"{path}{'&' if '?' in path else '?'}verbose=1", pack(bare), **headers)
        assert answer.json()["status"] == 1, path
    # A secret of the system before, or of nobody, leaves the token as the key.
    assert send("/import", pack(event(source)), **basic("secret_456")).content == b"1"
    assert send("/import", pack(bare), **basic("secret_456")).status_code == 401
    assert send("/track?token=sk_in_logs&verbose=1", pack(event(source))).status_code == 401


def test_a_token_that_clients_carry_already_goes_on(source: Source) -> None:
    token = "0123456789abcdef0123456789abcdef"
    add_foreign_key(source, token)
    forget_registry()
    bare = {"event": "add_to_cart", "properties": {"distinct_id": "ada"}}
    assert send("/track", pack(event(source, token=token))).content == b"1"
    assert send(f"/track?token={token}", pack(bare)).content == b"1"
    assert send("/import", pack(bare), **basic(token)).content == b"1"


def test_with_the_secret_key_an_import_may_say_what_a_page_may_not(source: Source) -> None:
    secret = make_key(source, KeyKind.SECRET).value
    forget_registry()
    forged = event(source, "cart_abandonment")
    assert send("/import", pack(forged)).content == b"0"
    assert send("/import", pack(forged), **basic(secret)).content == b"1"
    assert send("/import", pack(forged) + f"&api_key={secret}").content == b"1"


def test_a_page_that_reads_a_nought_can_read_the_code_as_well(source: Source) -> None:
    source.origins.create(origin="https://shop.example")
    forget_registry()
    nobodys = {"event": "a", "properties": {"token": "nobody"}}
    for body, code in ((pack(event(source, "$erase")), "reserved_event"), (pack(nobodys), "unknown_key")):
        refused = send("/track", body, origin="https://shop.example")
        assert (refused.content, refused["X-Error-Code"]) == (b"0", code)
        assert "X-Error-Code" in refused["Access-Control-Expose-Headers"]
