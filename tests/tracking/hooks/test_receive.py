"""A foreign system's webhook becomes an event: `POST /hooks/{source}/{name}`."""

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client

from engagement.lib.seal import seal
from tests.cast import evaluate, make_rule, make_source, make_template
from tests.tracking.hooks.senders import CHECKOUT, SECRET, make_hook, send, sign_as_stripe
from tracking.api.hooks import serve_hook
from tracking.event import compute_user_profile_id
from tracking.hooks.known import forget_hooks
from tracking.log.append import Appender, AppendFailed
from tracking.models import Event, Hook, HookCount, HookPayload, Profile, Quarantined, Source
from tracking.registry import forget_registry
from triggers.models import Activation, Delivery

ADA = "603851970716743426"
CHECKOUT_OF = b'{"customer": {"id": 1}, "email": "ada@example.com", "x": %s}'


@pytest.fixture
def shop(log: None) -> Source:
    return make_source()


def the_event() -> Event:
    return Event.objects.exclude(name__startswith="$").get()


def test_a_signed_payload_becomes_an_event_and_starts_a_rule(shop: Source) -> None:
    make_rule(trigger={"kind": "event", "event": "checkout_abandoned"}, template=make_template().pk)

    answer = send(make_hook(shop), CHECKOUT, X_Shopify_Webhook_Id="w1")
    evaluate()

    assert (answer.status_code, answer.json()) == (200, {"outcome": "accepted"})
    event = the_event()
    assert (event.name, event.user_id, event.source_id) == ("checkout_abandoned", ADA, shop.pk)
    assert event.properties == {"checkout_id": "c1", "skus": ["lamp", "bulb"]}
    assert event.context == {"$hook": "checkout"}
    assert event.get_origin_display() == "live"
    assert Profile.objects.get().traits == {"email": "ada@example.com"}
    assert Activation.objects.count() == Delivery.objects.count() == 1


@pytest.mark.parametrize("broken", [{"style": "another"}, {"mapping": {"of": "another version"}}])
def test_a_webhook_that_cannot_be_read_keeps_no_other_from_being_heard(shop: Source, broken: dict[str, Any]) -> None:
    hook, other = make_hook(shop), make_hook(shop, "other")
    Hook.objects.filter(pk=other.pk).update(**broken)
    forget_hooks()

    assert send(hook, CHECKOUT).json() == {"outcome": "accepted"}
    answer = send(other, CHECKOUT)
    assert (answer.status_code, answer.json()["code"]) == (503, "hook_unreadable")
    assert answer["Retry-After"]


def test_half_a_payload_is_refused_in_words(shop: Source) -> None:
    hook = make_hook(shop, style="query", secret="in-the-address")
    body = json.dumps(CHECKOUT).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/hooks/{shop.pk}/{hook.name}",
        "QUERY_STRING": "token=in-the-address",
        "CONTENT_LENGTH": str(len(body) + 1),
        "wsgi.input": BytesIO(body),
    }
    answer = serve_hook(WSGIRequest(environ), shop.pk, hook.name)
    assert (answer.status_code, json.loads(answer.content)["code"]) == (400, "body_incomplete")
    assert not Event.objects.exists()


def test_a_retry_is_one_event_and_another_payload_is_another(shop: Source) -> None:
    hook = make_hook(shop)

    for webhook_id in ("w1", "w1", "w2"):
        send(hook, CHECKOUT, X_Shopify_Webhook_Id=webhook_id)

    assert Event.objects.filter(name="checkout_abandoned").count() == 2


def test_a_retry_of_a_sender_without_message_ids_is_known_by_its_body(shop: Source) -> None:
    hook = make_hook(shop, mapping={"message_id": ""})

    for total in ("398.00", "398.00", "99.00"):
        send(hook, CHECKOUT | {"total_price": total})

    assert Event.objects.filter(name="checkout_abandoned").count() == 2


def test_two_hooks_of_a_source_may_give_the_same_message_id(shop: Source) -> None:
    for name in ("created", "paid"):
        send(make_hook(shop, name, mapping={"event": name, "message_id": "$.id", "time": "$.updated_at"}), CHECKOUT)

    assert set(Event.objects.exclude(name="$identify").values_list("name", flat=True)) == {"created", "paid"}


def test_the_time_is_the_senders(shop: Source) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    send(make_hook(shop, mapping={"time": "$.updated_at"}), CHECKOUT | {"updated_at": moment.isoformat()})
    assert the_event().occurred_at == moment


@pytest.mark.parametrize("signature", ["", "no base64!", "AAAA"])
def test_a_wrong_signature_leaves_a_count_and_nothing_else(shop: Source, signature: str) -> None:
    answer = send(make_hook(shop), CHECKOUT, X_Shopify_Hmac_Sha256=signature)

    assert answer.status_code == 401
    assert answer.json()["code"] in ("signature_wrong", "signature_malformed")
    assert not Event.objects.exists()
    assert not Quarantined.objects.exists()
    assert not HookPayload.objects.exists()
    count = HookCount.objects.get()
    assert (count.failed, count.accepted, count.last_received_at) == (1, 0, None)
    assert count.last_failed_at is not None
    assert count.last_failure == answer.json()["message"]


@pytest.mark.usefixtures("slow_buckets")
def test_signed_payloads_count_towards_the_sources_limit_and_strangers_do_not(shop: Source) -> None:
    Source.objects.update(source_rate=1, source_burst=1)
    forget_registry()
    hook = make_hook(shop)
    for _ in range(3):
        assert send(hook, CHECKOUT, X_Shopify_Hmac_Sha256="AAAA").status_code == 401
    assert send(hook, CHECKOUT | {"id": 1}).status_code == 200

    answer = send(hook, CHECKOUT | {"id": 2})

    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert int(answer["Retry-After"]) >= 1
    assert HookPayload.objects.count() == 1


def test_a_payload_that_is_nested_too_deep_for_the_stack_is_refused_in_words(shop: Source) -> None:
    hook = make_hook(shop, mapping={"only_when": "$.x", "is_one_of": ["1"], "time": "", "message_id": ""})
    answers = [send(hook, CHECKOUT_OF % ('{"a":' * depth + "1" + "}" * depth).encode()) for depth in range(860, 960)]
    assert {answer.status_code for answer in answers} <= {200, 400}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 400} <= {"too_deep", "invalid_json"}


def test_the_old_secret_is_valid_until_its_time_is_over(shop: Source) -> None:
    hook = make_hook(shop, secret="the new one", previous_secret=seal(SECRET))
    for until, status in ((timedelta(days=1), 200), (timedelta(seconds=-1), 401)):
        Hook.objects.update(previous_until=datetime.now(UTC) + until)
        forget_hooks()
        assert send(hook, CHECKOUT).status_code == status
    assert send(hook, CHECKOUT, secret="the new one").status_code == 200


def test_a_replay_of_a_signed_time_is_refused(shop: Source) -> None:
    hook = make_hook(shop, style="stripe")
    body = json.dumps(CHECKOUT).encode()
    old = sign_as_stripe(body, SECRET, time.time() - 301)
    assert send(hook, body, Stripe_Signature=sign_as_stripe(body, SECRET)).status_code == 200
    answer = send(hook, body, Stripe_Signature=old)
    assert (answer.status_code, answer.json()["code"]) == (403, "signature_outdated")


def test_a_secret_in_the_address_will_do_and_is_not_kept(shop: Source) -> None:
    hook = make_hook(shop, style="query", secret="s3cret")
    address = f"/hooks/{shop.pk}/checkout?token="
    for token, status in (("s3cret", 200), ("other", 401)):
        answer = Client().post(address + token, CHECKOUT, content_type="application/json")
        assert answer.status_code == status
    send(hook, CHECKOUT)
    assert "s3cret" not in str(list(HookPayload.objects.values()))


def test_a_payload_that_the_condition_leaves_out_is_ignored_and_answered_with_200(shop: Source) -> None:
    hook = make_hook(shop, mapping={"only_when": "$.completed", "is_one_of": ["false"]})

    ignored, taken = (send(hook, CHECKOUT | {"completed": completed}) for completed in (True, False))

    assert (ignored.status_code, ignored.json()["outcome"]) == (200, "ignored")
    assert taken.json()["outcome"] == "accepted"
    assert the_event()
    count = HookCount.objects.get()
    assert (count.ignored, count.accepted) == (1, 1)


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"1", b'"text"', b"\xff\xfe", b"[" * 100_000, b"\x1f\x8b!"])
def test_what_is_no_json_is_refused(shop: Source, body: bytes) -> None:
    answer = send(make_hook(shop), body)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("invalid_json", "too_deep", "invalid_compression")
    assert HookCount.objects.get().failed == 1


def test_a_payload_over_a_megabyte_is_refused_also_when_it_is_packed(shop: Source) -> None:
    hook = make_hook(shop)
    large = json.dumps(CHECKOUT | {"note": "x" * 1_000_000}).encode()
    assert send(hook, large).status_code == 413
    assert send(hook, gzip.compress(large)).status_code == 413
    assert send(hook, gzip.compress(b"[" + b"0," * 20_000_000 + b"0]")).status_code == 413
    assert send(hook, b"[" + b"0" * 3_000_000 + b"]").status_code == 413


def test_a_packed_payload_and_a_form_are_read(shop: Source) -> None:
    hook = make_hook(shop)
    packed = gzip.compress(json.dumps(CHECKOUT).encode())
    form = urlencode({"payload": json.dumps(CHECKOUT | {"token": "ü & c2"})}).encode()
    for number, body in enumerate((packed, form)):
        assert send(hook, body, X_Shopify_Webhook_Id=str(number)).json()["outcome"] == "accepted"
    ids = {event.properties["checkout_id"] for event in Event.objects.exclude(name="$identify")}
    assert ids == {"c1", "ü & c2"}


def test_an_unknown_hook_is_404_and_one_that_is_off_asks_to_come_again(shop: Source) -> None:
    hook = make_hook(shop)
    assert Client().post(f"/hooks/{shop.pk}/nothing", b"{}", content_type="application/json").status_code == 404
    for model in (Hook, Source):
        model.objects.update(is_enabled=False)
        forget_hooks()
        answer = send(hook, CHECKOUT)
        assert (answer.status_code, answer["Retry-After"]) == (503, "3600")
        model.objects.update(is_enabled=True)


def test_a_payload_that_is_not_on_disk_is_not_answered_with_200(shop: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Appender, rows: Any) -> Any:
        raise AppendFailed("the database is away")

    monkeypatch.setattr(Appender, "append", fail)
    answer = send(make_hook(shop), CHECKOUT)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0


def test_the_last_ten_payloads_are_kept_with_whom_they_are_about(shop: Source) -> None:
    hook = make_hook(shop)
    for number in range(12):
        send(
            hook, CHECKOUT | {"id": number}, X_Shopify_Topic="checkouts/create", Authorization="Bearer x", Cookie="a=b"
        )
    kept = HookPayload.objects.order_by("pk")
    assert [json.loads(bytes(row.body))["id"] for row in kept] == list(range(2, 12))
    assert {row.profile_id for row in kept} == {compute_user_profile_id(ADA)}
    assert kept[0].headers == {"x-shopify-topic": "checkouts/create"}


def test_a_secret_sealed_with_a_key_that_is_gone_is_said_and_believes_nobody(shop: Source, settings: Any) -> None:
    hook = make_hook(shop)
    settings.SECRET_KEY = "another"
    forget_hooks()
    answer = send(hook, CHECKOUT)
    assert (answer.status_code, answer.json()["code"]) == (401, "secret_unreadable")
    assert "enter it again" in HookCount.objects.get().last_failure
