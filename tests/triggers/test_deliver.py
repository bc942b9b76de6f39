"""From a planned delivery to a mail, once, or to the reason why there is none."""

from typing import Any

import pytest
from django.conf import LazySettings

from engagement.lib.postgres import open_connection
from tests.cast import (
    CART,
    ON_CART,
    add_to_cart,
    deliver,
    evaluate,
    make_rule,
    make_template,
    pass_time,
    report,
    scan,
    the_delivery,
)
from tests.mail_server import MailServer
from tracking.models import Source
from tracking.registry import get_registry
from triggers.channels import CHANNELS
from triggers.channels.address import hash_address
from triggers.deliver import run
from triggers.deliver.claim import claim_due
from triggers.deliver.settle import settle_in_doubt
from triggers.lifecycle import archive_rule, pause_rule, resume_rule
from triggers.models import Attempt, Delivery, Rule, SendingSwitch, Suppression, Template
from triggers.template_versions import save_template
from triggers.worker import get_worker

SESSION = {"kind": "session_end", "after": 900}


def know_ada(source: Source, **traits: Any) -> None:
    report("$identify", source=source, properties={"traits": {"email": "ada@example.com"} | traits})


def test_a_planned_delivery_becomes_one_mail(source: Source, server: MailServer) -> None:
    words = {"subject": "Your {{ event.sku }}", "html": "<p>Hi {{ user.email }}</p>", "text": ""}
    make_rule(trigger=ON_CART, template=make_template(**words).pk)
    add_to_cart(source)

    deliver()
    deliver()

    mail = server.mails[0]
    delivery = Delivery.objects.get()
    assert len(server.mails) == 1
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "Your lamp")
    assert str(delivery.pk) in mail["Message-ID"]
    assert delivery.state == "accepted"
    assert delivery.message is not None
    assert delivery.message["text"] == "Hi ada@example.com"
    assert Attempt.objects.get().outcome == "accepted"


def test_a_suppressed_address_gets_nothing_whatever_its_case(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    Suppression.objects.create(channel="email", address_hash=hash_address("email", "ADA@example.com"), reason="told")
    add_to_cart(source)

    deliver()

    assert the_delivery() == ("dropped", "suppressed")


def test_a_new_secret_key_forgets_no_suppression(source: Source, server: MailServer, settings: LazySettings) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    Suppression.objects.create(channel="email", address_hash=hash_address("email", "ada@example.com"), reason="told")
    settings.SECRET_KEY = "another" * 10
    add_to_cart(source)

    deliver()

    assert the_delivery() == ("dropped", "suppressed")


def test_what_is_too_old_is_not_sent(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    pass_time(3700)

    deliver()

    assert the_delivery() == ("dropped", "expired")


def test_an_archived_rule_sends_nothing(source: Source, server: MailServer) -> None:
    rule = make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    archive_rule(rule)

    deliver()

    assert the_delivery() == ("dropped", "rule_archived")


def test_paused_between_activation_and_send_no_mail_leaves(source: Source, server: MailServer) -> None:
    rule = make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    pause_rule(rule)

    assert deliver().claimed == 0
    assert the_delivery()[0] == "planned"
    resume_rule(rule)
    deliver()
    assert len(server.mails) == 1


def test_a_rule_paused_after_the_claim_is_held(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    claimed = claim_due(get_worker().connection, 10)
    Rule.objects.update(state="paused")

    result = run.deliver_one(get_worker().connection, claimed[0], get_registry(), {})

    assert result == "rule_paused"
    assert the_delivery() == ("planned", "rule_paused")


def test_one_switch_stops_all_sending(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    switch = SendingSwitch.objects.create(is_stopped=True)

    assert deliver().claimed == 0
    switch.is_stopped = False
    switch.save()
    deliver()

    assert len(server.mails) == 1


def test_the_mail_server_is_down_for_two_hours_while_the_person_buys(source: Source, server: MailServer) -> None:
    make_rule(trigger=CART, template=make_template().pk)
    add_to_cart(source)
    scan()
    pass_time(3700)
    scan()
    server.stop()
    deliver()
    assert the_delivery() == ("planned", "retry")
    pass_time(7200)
    report("purchase", source=source, properties={"cart_id": "c1"})
    evaluate()
    server.start()

    deliver()

    assert server.mails == []
    assert the_delivery() == ("dropped", "ended")


def test_a_purchase_of_another_cart_lets_the_reminder_go(source: Source, server: MailServer) -> None:
    make_rule(trigger=CART, template=make_template().pk)
    add_to_cart(source)
    scan()
    pass_time(3700)
    scan()
    report("purchase", source=source, properties={"cart_id": "c2"})

    deliver()

    assert len(server.mails) == 1


def test_who_came_back_after_the_session_is_not_called_back(source: Source, server: MailServer) -> None:
    make_rule(trigger=SESSION, template=make_template().pk)
    add_to_cart(source)
    scan()
    pass_time(1000)
    scan()
    report("page_view", source=source)

    deliver()

    assert the_delivery() == ("dropped", "came_back")


def test_no_connection_is_tried_again_with_growing_pauses_and_never_past_its_time(
    source: Source, server: MailServer
) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk, stale_after=7200)
    add_to_cart(source)
    server.stop()
    pauses = []
    for _ in range(4):
        deliver()
        delivery = Delivery.objects.get()
        if delivery.state != "planned":
            break
        pauses.append((delivery.due_at - delivery.updated_at).total_seconds())
        pass_time(pauses[-1] + 1)
    server.start()

    assert [
        round(pause / 60) in expected for pause, expected in zip(pauses, ((1,), (5, 6), range(30, 37)), strict=True)
    ]
    assert the_delivery() == ("dropped", "expired")
    assert Attempt.objects.count() == 4


@pytest.mark.parametrize(
    ("answer", "state"), [("451 later", "planned"), ("554 never", "rejected"), ("250 yes", "accepted")]
)
def test_an_answer_after_the_body_is_an_answer(source: Source, server: MailServer, answer: str, state: str) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    server.say = answer
    add_to_cart(source)

    deliver()

    assert the_delivery()[0] == state


def test_a_refused_recipient_is_final(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    server.refuse = "550 nobody of that name"
    add_to_cart(source)

    deliver()

    assert the_delivery() == ("rejected", "refused")


def test_a_connection_that_breaks_before_the_body_is_tried_again(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    server.break_before_body = True
    add_to_cart(source)

    deliver()

    assert the_delivery() == ("planned", "retry")


def test_a_connection_that_breaks_after_the_body_leaves_the_mail_in_doubt(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    server.break_after_body = True
    add_to_cart(source)

    deliver()
    pass_time(600)
    server.break_after_body = False
    deliver()

    assert the_delivery() == ("in_doubt", "connection_lost")
    assert server.mails == []


def test_a_worker_that_died_after_the_hand_over_leaves_the_mail_in_doubt(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)

    connection = get_worker().connection
    claimed = claim_due(connection, 10)[0]
    with connection.transaction():
        run.hand_over(connection, claimed, CHANNELS["email"], get_registry())
    pass_time(130)

    deliver()
    deliver()

    assert the_delivery() == ("in_doubt", "no_answer")
    assert server.mails == []


def test_a_worker_that_died_before_the_hand_over_only_delays(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    claim_due(get_worker().connection, 10)
    deliver()
    assert server.mails == []
    pass_time(130)

    deliver()

    assert len(server.mails) == 1


def test_who_lost_the_lease_does_not_send(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)

    slow = claim_due(get_worker().connection, 10)[0]
    pass_time(130)
    deliver()

    assert run.deliver_one(get_worker().connection, slow, get_registry(), {}) == "lease_lost"
    assert len(server.mails) == 1


def test_two_workers_claim_a_delivery_once(source: Source) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    with open_connection("test", timeout_ms=5_000) as other, other.transaction():
        first = claim_due(other, 10)
        second = claim_due(get_worker().connection, 10)

    assert (len(first), second) == (1, [])


@pytest.mark.parametrize(("arrived", "mails", "state"), [(True, 0, "accepted"), (False, 1, "accepted")])
def test_a_person_settles_what_is_in_doubt(
    source: Source, server: MailServer, arrived: bool, mails: int, state: str
) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    server.break_after_body = True
    add_to_cart(source)
    deliver()
    server.break_after_body = False

    assert settle_in_doubt(Delivery.objects.get().pk, arrived=arrived, by="olga")
    deliver()

    assert len(server.mails) == mails
    assert the_delivery()[0] == state


def test_a_variable_without_value_sends_nothing_and_is_named(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template(text="Hi {{ user.first_name }},").pk)
    add_to_cart(source)

    deliver()

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason, delivery.detail) == ("dropped", "missing_variable", "user.first_name")
    assert server.mails == []


def test_a_template_that_raises_stops_no_other_mail(source: Source, server: MailServer) -> None:
    broken = make_template("Broken", text="{% for i in (1..99999999) %}x{% endfor %}")
    make_rule("Broken", trigger=ON_CART, template=broken.pk)
    make_rule("Good", trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)

    deliver()

    assert len(server.mails) == 1
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["accepted", "dropped"]


def test_no_property_can_add_a_header(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template(subject="Your {{ event.sku }}").pk)
    know_ada(source)
    report("add_to_cart", source=source, properties={"sku": "lamp\r\nBcc: eve@example.com"})
    evaluate()

    deliver()

    assert server.mails[0]["Bcc"] is None
    assert server.mails[0]["Subject"] == "Your lamp Bcc: eve@example.com"


def test_html_escapes_what_people_typed(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template(html="<p>{{ event.sku }}</p>", text="x").pk)
    know_ada(source)
    report("add_to_cart", source=source, properties={"sku": "<script>"})
    evaluate()

    deliver()

    assert "&lt;script&gt;" in server.mails[0].as_string()


def test_a_saved_template_is_a_new_version_only_when_it_changed(log: None) -> None:
    template = Template.objects.create(name="T")
    words = {"subject": "a", "html": "b", "text": "c"}

    first, again, second = (
        save_template(template, **words),
        save_template(template, **words),
        save_template(template, **(words | {"subject": "z"})),
    )

    assert (first.number, again.pk == first.pk, second.number) == (1, True, 2)


def test_a_suppression_holds_for_everybody_with_the_address(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    Suppression.objects.create(channel="email", address_hash=hash_address("email", "ada@example.com"), reason="told")
    report("$identify", source=source, user_id="stranger", properties={"traits": {"email": "Ada@Example.com"}})
    report("add_to_cart", source=source, user_id="stranger")
    evaluate()

    deliver()

    assert the_delivery() == ("dropped", "suppressed")
    assert server.mails == []
