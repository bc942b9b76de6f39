"""An installation in which everything has happened: each model of the admin has a row."""

import uuid
from datetime import UTC, datetime, timedelta

from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django.test import Client
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, SolarSchedule

from engagement.groups import ensure_groups
from engagement.lib.ids import compute_lane
from engagement.schedules import ensure_schedules
from tests.cast import add_to_cart, approve, make_rule, make_source, make_template
from tests.forward.conftest import forward
from tests.other_side import OtherSide
from tests.tracking.hooks.senders import make_hook
from tests.tracking.hooks.senders import send as send_payload
from tracking.models import Erasure, Resending, SetAside, Source
from triggers.forward.kinds.webhook import make_secret
from triggers.forward.secrets import write_secrets
from triggers.forward.switch import switch_on
from triggers.models import CopyLease, Delivery, Destination, Rule, SendingSwitch

PRICED = {"type": "object", "properties": {"price": {"type": "number"}}}


def fill_installation() -> None:
    """Have all happen once."""
    server = OtherSide()
    ensure_groups()
    ensure_schedules()
    approve("order_completed", PRICED, policy="quarantine")
    source = make_source()
    hook = make_hook(source, mapping={"event": "$.type", "user_id": "$.customer"})
    destination = Destination(name="Warehouse", kind="webhook", settings={"url": f"{server.url}/hook"})
    write_secrets(destination, {"signing_secret": make_secret()})
    destination.save()
    switch_on(destination)
    make_rule(trigger={"kind": "event", "event": "add_to_cart"}, template=make_template().pk)
    add_to_cart(source)
    misfit = {"event": "order_completed", "user_id": "bo", "properties": {"price": "5 €"}}
    headers = {"x-write-key": source.write_key}
    Client().post("/v1/events", {"events": [misfit]}, content_type="application/json", headers=headers)
    send_payload(hook, {"type": "x", "client": "ada"})
    forward()
    server.stop()
    assert CopyLease.objects.exists()
    _add_what_nobody_did(source)


def _add_what_nobody_did(source: Source) -> None:
    now = datetime.now(UTC)
    make_in_doubt()
    Rule.objects.create(name="Draft", definition={"format": 1, "trigger": {"kind": "event", "event": "visit"}})
    SendingSwitch.objects.create(pk=1)
    SetAside.objects.create(consumer="evaluator", lane=0, seq=1, event_id=uuid.uuid4(), reason="x", created_at=now)
    Resending.objects.create(source=source, is_held=False, code="x", last_id=0, total=0, started_at=now)
    Erasure.objects.create(id=uuid.uuid4(), profile_hash=uuid.uuid4(), requested_at=now, requested_by="test", counts={})
    CrontabSchedule.objects.create()
    SolarSchedule.objects.create(event="sunrise", latitude=52, longitude=13)
    ClockedSchedule.objects.create(clocked_time=now)
    AccessAttempt.objects.create(username="eve", ip_address="192.0.2.7", failures_since_start=1)
    User.objects.create_user("somebody", password="x")


def sign_in(group: str) -> Client:
    """Return a client of a group, of a superuser for "", that answers 500 where a browser would see it."""
    user = User.objects.create_user(f"in {group}", password="x", is_staff=True, is_superuser=not group)
    user.groups.set(Group.objects.filter(name=group))
    client = Client(raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def make_in_doubt() -> Delivery:
    """Make a delivery in doubt."""
    profile, now = uuid.uuid4(), datetime.now(UTC)
    return Delivery.objects.create(
        id=uuid.uuid4(),
        lane=compute_lane(profile),
        activation_id=uuid.uuid4(),
        profile_id=profile,
        rule_id=1,
        event_id=uuid.uuid4(),
        channel="email",
        state="in_doubt",
        due_at=now,
        expires_at=now + timedelta(days=1),
        created_at=now,
        updated_at=now,
        message={"subject": "Your cart", "to": "ada@example.com", "sender": "shop@example.com", "html": "<p>Hi</p>"},
    )
