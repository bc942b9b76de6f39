"""All that is held of a person as one document: everything, only theirs, and never all in memory."""

import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cast import CART, deliver, evaluate, make_rule, make_template, report
from tests.mail_server import MailServer
from tests.privacy.conftest import erase, hold
from tests.privacy.test_erasure import ADA_ID, WHO, live
from tracking.event import Rejection, compute_anonymous_profile_id, compute_user_profile_id
from tracking.models import Event, Hook, HookPayload, ProfileChange, Quarantined, Source
from tracking.profiles import load_person
from tracking.quarantine import Refused, keep_refused
from triggers import export
from triggers.channels.address import hash_address
from triggers.erase.preview import count_held
from triggers.export import export_person
from triggers.models import Activation, Suppression
from triggers.worker import get_worker

pytestmark = pytest.mark.slow


def refuse(source: Source, payload: bytes) -> None:
    """Keep a payload that the door refused."""
    rejection = Rejection(index=0, code="invalid_field", message="No.")
    refused = Refused(rejection=rejection, payload=payload, dialect="native", event_name="", is_public=True)
    keep_refused(source.pk, [rejection], lambda _: refused, datetime.now(UTC))


def read(user_id: str = "ada-lovelace") -> dict[str, Any]:
    pieces = export_person(compute_user_profile_id(user_id))
    assert pieces is not None
    return dict(json.loads(b"".join(pieces)))


def test_an_export_has_everything_and_only_theirs(source: Source, server: MailServer) -> None:
    make_rule("Cart", trigger=CART, template=make_template().pk)
    make_rule("Thanks", trigger={"kind": "event", "event": "purchase"}, template=make_template("Thanks").pk)
    live(source)
    live(source, "grace-hopper", "graces-phone", "hopper@example.com")
    deliver()
    refuse(source, b'{"event": 5, "user_id": "ada-lovelace"}')
    refuse(source, b'{"event": 5, "user_id": "grace-hopper"}')
    Suppression.objects.create(channel="email", address_hash=hash_address("email", WHO[1]), reason="told")

    document = read()

    mine = [ADA_ID, compute_anonymous_profile_id(source.pk, "adas-phone")]
    assert len(document["events"]) == Event.objects.filter(profile_id__in=mine).count()
    assert len(document["profile_changes"]) == ProfileChange.objects.filter(profile_id__in=mine).count()
    assert len(document["activations"]) == Activation.objects.filter(profile_id__in=mine).count() == 1
    assert document["activations"][0]["rule"] == "Thanks"
    assert document["deliveries"][0]["message"]["to"] == WHO[1]
    assert document["deliveries"][0]["attempts"][0]["outcome"] == "accepted"
    assert [row["key"] for row in document["timers"]] == ["c1"]
    assert [row["payload"] for row in document["quarantined"]] == ['{"event": 5, "user_id": "ada-lovelace"}']
    assert [row["reason"] for row in document["suppressions"]] == ["told"]
    assert {row["user_id"] for row in document["profiles"]} == {"ada-lovelace", None}
    text = json.dumps(document)
    assert not [word for word in ("grace", "hopper") if word in text]


def test_what_an_export_has_is_what_an_erasure_takes(source: Source, server: MailServer) -> None:
    make_rule("Thanks", trigger={"kind": "event", "event": "purchase"}, template=make_template("Thanks").pk)
    live(source)
    deliver()
    refuse(source, b'{"event": 5, "user_id": "ada-lovelace"}')
    document = read()

    counts = erase(ADA_ID).counts

    sections = {"event": "events", "profile_change": "profile_changes", "activation": "activations"}
    sections |= {"delivery": "deliveries", "quarantined": "quarantined", "profile": "profiles"}
    assert {name: counts[name] for name in sections} == {name: len(document[sections[name]]) for name in sections}
    assert export_person(ADA_ID) is None


def test_of_a_shared_device_only_their_part_is_exported(source: Source) -> None:
    for person in ("ada-lovelace", "grace-hopper"):
        report("view", source=source, user_id=None, anonymous_id="tablet", properties={"step": f"before {person}"})
        report("view", source=source, user_id=person, anonymous_id="tablet")
        evaluate()
    report("view", source=source, user_id=None, anonymous_id="tablet", properties={"step": "after"})
    evaluate()

    document = read()

    steps = [row["properties"].get("step") for row in document["events"] if row["name"] == "view"]
    assert sorted(filter(None, steps)) == ["before ada-lovelace", "before grace-hopper"]
    assert "grace" not in json.dumps(document).replace("before grace-hopper", "")


def test_a_person_is_exported_however_many_aliases_lead_to_them(source: Source) -> None:
    report("$identify", source=source, user_id="ada-0", properties={"traits": {"plan": "gold"}})
    evaluate()
    for number in range(1, 8):
        report("$alias", source=source, user_id=f"ada-{number}", properties={"previous_id": f"ada-{number - 1}"})
        evaluate()
    report("view", source=source, user_id="ada-7", properties={"step": "the last"})
    evaluate()

    for number in range(8):
        document = read(f"ada-{number}")
        assert len({row["user_id"] for row in document["profiles"]} - {None}) == 8
        assert "the last" in json.dumps(document)


def test_of_what_stands_beside_the_log_only_their_time_on_a_device_is_exported(source: Source) -> None:
    tablet = compute_anonymous_profile_id(source.pk, "tablet")
    hook = Hook.objects.create(source=source, name="shop", style="none", secret="x")
    for person in ("ada-lovelace", "grace-hopper", "karen-jones"):
        report("$identify", source=source, user_id=person, anonymous_id="tablet", properties={"traits": {}})
        evaluate()
        said = {"step": f"of {person}"}
        report(
            "$identify",
            source=source,
            user_id=None,
            anonymous_id="tablet",
            properties={"traits": {"email": f"{person}@example.com"}},
        )
        evaluate()
        hold(source, anonymous_id="tablet", message_id=person, properties=said)
        refuse(source, f'{{"event": 5, "mail": "{person}@example.com"}}'.encode())
        now, body = datetime.now(UTC), f"of {person}".encode()
        HookPayload.objects.create(hook=hook, received_at=now, profile_id=tablet, outcome="held", body=body)

    document = read()

    texts = [row["payload"] for row in document["quarantined"]]
    assert len(texts) == 2
    assert all("ada-lovelace" in text for text in texts)
    assert [row["body"] for row in document["webhook_payloads"]] == ["of ada-lovelace"]
    assert not [word for word in ("grace", "hopper", "karen") if word in json.dumps(document)]
    ada = load_person(get_worker().connection, ADA_ID)
    assert ada is not None
    assert count_held(get_worker().connection, ada.spans).refused == 1


def test_who_has_a_device_after_an_erasure_is_told_nothing_of_who_had_it_before(source: Source) -> None:
    for person in ("ada-lovelace", "grace-hopper", "karen-jones"):
        report("$identify", source=source, user_id=person, anonymous_id="tablet", properties={"traits": {}})
        evaluate()
        hold(source, anonymous_id="tablet", message_id=person, properties={"step": f"of {person}"})
    erase(compute_user_profile_id("karen-jones"))
    report("$identify", source=source, user_id="joan-clarke", anonymous_id="tablet", properties={"traits": {}})
    evaluate()
    hold(source, anonymous_id="tablet", message_id="m", properties={"step": "of joan"})

    steps = [json.loads(row["payload"])["properties"]["step"] for row in read("joan-clarke")["quarantined"]]
    assert steps == ["of joan"]
    assert len(read()["quarantined"]) == 1


def test_payloads_without_end_are_written_some_at_a_time(source: Source) -> None:
    report("view", source=source)
    evaluate()
    for number in range(50):
        refuse(source, b'{"event": 5, "user_id": "ada", "number": %d, "x": "%s"}' % (number, b"x" * 30_000))
    Quarantined.objects.bulk_create(
        Quarantined(
            **{
                field: getattr(row, field)
                for field in ("source_id", "received_at", "code", "message", "payload", "people")
            }
        )
        for row in list(Quarantined.objects.all()) * 19
    )
    pieces = export_person(compute_user_profile_id("ada"))
    assert pieces is not None
    tracemalloc.start()
    total = sum(len(piece) for piece in pieces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert total > 30_000_000
    assert peak < 6_000_000


def test_a_long_history_is_written_page_by_page(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = get_worker().connection
    report("view", source=source)
    evaluate()
    connection.execute(
        "insert into event select (left(id::text, 24) || lpad(n::text, 12, '0'))::uuid, nextval('event_seq_seq'), lane,"
        " profile_id, name, jsonb_build_object('text', repeat('x', 2000)), context, source_id, origin, depth,"
        " message_id, user_id, anonymous_id, occurred_at, received_at from event, generate_series(1, 20000) n"
    )
    monkeypatch.setattr(export, "PAGE", 500)
    pieces = export_person(compute_user_profile_id("ada"))
    assert pieces is not None
    tracemalloc.start()
    total = sum(len(piece) for piece in pieces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert total > 40_000_000
    assert peak < 10_000_000


def test_nobody_is_exported_who_was_never_here(log: None) -> None:
    assert export_person(compute_user_profile_id("nobody")) is None
