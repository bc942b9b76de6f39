"""A message to somebody whose address is not known yet waits for it, and goes out as soon as it is."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.cast import ON_CART, deliver, evaluate, make_rule, make_template, pass_time, report, the_delivery
from tests.mail_server import MailServer
from tracking.event import compute_user_profile_id
from tracking.models import Source
from tracking.sources import create_source
from triggers.deliver.claim import wake_people
from triggers.lifecycle import pause_rule, resume_rule
from triggers.models import Delivery, Rule
from triggers.worker import get_worker

NOBODY_YET: dict[str, Any] = {"user_id": None, "anonymous_id": "d1"}


def put_into_cart(source: Source, **who: Any) -> None:
    """Something is put into a cart, and the message about it is decided."""
    report("add_to_cart", source=source, **who)
    evaluate()
    deliver()


def say_address(source: Source, address: str = "ada@example.com", **fields: Any) -> None:
    report("$identify", source=source, properties={"traits": {"email": address}}, **fields)
    evaluate()


@pytest.fixture
def rule(source: Source) -> Rule:
    return make_rule(trigger=ON_CART, template=make_template().pk)


def test_an_identify_in_the_same_request_is_in_time(log: None, server: MailServer) -> None:
    _, keys = create_source("Page")
    make_rule(trigger={"kind": "event", "event": "signed_up"}, template=make_template().pk)
    events = [
        {"event": "signed_up", "anonymous_id": "d1"},
        {"user_id": "ada", "anonymous_id": "d1", "traits": {"email": "ada@example.com"}},
    ]

    answer = Client().post(
        "/v1/events", json.dumps({"events": events}), "application/json", HTTP_AUTHORIZATION=f"Bearer {keys.write_key}"
    )
    # One worker sends between any two steps of the others.
    for _ in range(4):
        get_worker().evaluator.run_pass()
        deliver()

    assert answer.status_code == 202
    assert [mail["To"] for mail in server.mails] == ["ada@example.com"]


def test_an_address_that_comes_later_lets_the_message_go(source: Source, server: MailServer, rule: Rule) -> None:
    put_into_cart(source)
    assert the_delivery() == ("planned", "awaits_address")

    say_address(source)
    deliver()
    deliver()

    assert [mail["To"] for mail in server.mails] == ["ada@example.com"]


def test_who_signs_in_later_gets_the_message_of_the_device(source: Source, server: MailServer, rule: Rule) -> None:
    put_into_cart(source, **NOBODY_YET)
    report("$identify", source=source, anonymous_id="d1", properties={"traits": {}})
    evaluate()
    deliver()
    assert the_delivery() == ("planned", "awaits_address")

    say_address(source)
    deliver()

    assert [mail["To"] for mail in server.mails] == ["ada@example.com"]


def test_an_alias_brings_the_address(source: Source, server: MailServer, rule: Rule) -> None:
    put_into_cart(source, user_id="old")
    say_address(source)
    deliver()
    assert server.mails == []

    report("$alias", source=source, properties={"previous_id": "old"})
    evaluate()
    deliver()

    assert [mail["To"] for mail in server.mails] == ["ada@example.com"]


def test_an_address_that_is_corrected_lets_the_message_go(source: Source, server: MailServer, rule: Rule) -> None:
    say_address(source, "ada at example.com")
    put_into_cart(source)
    assert the_delivery() == ("planned", "awaits_valid_address")

    say_address(source)
    deliver()

    assert len(server.mails) == 1


@pytest.mark.parametrize(("address", "reason"), [("", "address_missing"), ("nowhere", "address_invalid")])
def test_without_an_address_until_it_expires_a_message_is_dropped(
    source: Source, server: MailServer, rule: Rule, address: str, reason: str
) -> None:
    say_address(source, address)
    put_into_cart(source)
    assert the_delivery()[0] == "planned"
    pass_time(3601)

    deliver()

    assert the_delivery() == ("dropped", reason)
    say_address(source)
    deliver()
    assert server.mails == []


def test_what_waits_for_an_address_is_looked_at_once(source: Source, server: MailServer, rule: Rule) -> None:
    put_into_cart(source)
    report("page_view", source=source)
    evaluate()

    assert deliver().claimed == 0
    delivery = Delivery.objects.get()
    assert delivery.due_at == delivery.expires_at


def test_a_pause_meanwhile_neither_loses_nor_sends_what_waits(source: Source, server: MailServer, rule: Rule) -> None:
    put_into_cart(source)
    pause_rule(rule)
    deliver()
    resume_rule(rule)
    deliver()
    assert the_delivery() == ("planned", "awaits_address")

    pause_rule(rule)
    say_address(source)
    deliver()
    assert (server.mails, the_delivery()) == ([], ("planned", "rule_paused"))

    resume_rule(rule)
    deliver()
    assert len(server.mails) == 1


def test_who_signs_in_on_the_device_next_reads_nothing_of_it(source: Source, server: MailServer, rule: Rule) -> None:
    put_into_cart(source, **NOBODY_YET)
    report("$identify", source=source, anonymous_id="d1", properties={"traits": {}})
    evaluate()
    report("$identify", source=source, user_id="bob", anonymous_id="d1")
    evaluate()
    say_address(source, "cleo@example.com", user_id="cleo", anonymous_id="d1")
    deliver()
    say_address(source, "bob@example.com", user_id="bob", anonymous_id="d1")
    deliver()

    assert server.mails == []


def test_whose_it_is_gets_it_though_somebody_else_has_the_device_by_now(
    source: Source, server: MailServer, rule: Rule
) -> None:
    put_into_cart(source, **NOBODY_YET)
    for person in ("ada", "bob"):
        report("$identify", source=source, user_id=person, anonymous_id="d1", properties={"traits": {}})
        evaluate()
        deliver()
    say_address(source, "bob@example.com", user_id="bob")
    deliver()
    assert server.mails == []

    say_address(source)
    deliver()

    assert [mail["To"] for mail in server.mails] == ["ada@example.com"]


def test_waking_reads_only_what_waits(source: Source, rule: Rule) -> None:
    put_into_cart(source)
    connection = get_worker().connection
    connection.execute("""
        insert into delivery (id, lane, activation_id, profile_id, rule_id, event_id, channel, state, due_at,
                              expires_at, created_at, updated_at)
        select gen_random_uuid(), 0, gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'email',
               case when n % 2 = 0 then 'planned' else 'accepted' end, now(), now(), now(), now()
          from generate_series(1, 5000) n""")
    connection.execute("analyze delivery")
    reads = "select seq_scan, coalesce(seq_tup_read, 0) from pg_stat_user_tables where relname = 'delivery'"
    connection.execute("select pg_stat_force_next_flush()")
    before = connection.execute(reads).fetchone()

    assert wake_people(connection, {compute_user_profile_id("ada")}) == 1

    connection.execute("select pg_stat_force_next_flush()")
    assert connection.execute(reads).fetchone() == before
