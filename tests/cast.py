"""The cast of the stories: Ada, who shops, and the few words that a story is told in."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tracking.event import LIVE, Item, NewEvent, Stamp, stamp_item
from tracking.log.appenders import get_appender
from tracking.log.horizon import record_tick
from tracking.log.write import encode_row
from tracking.models import EventType, SchemaVersion, Source
from tracking.registry import forget_registry, get_registry
from tracking.schemas import add_draft, approve_version
from tracking.sources import create_source
from triggers.deliver.run import LIMIT, DeliverReport, deliver_due
from triggers.detect.scan_silence import scan_silence
from triggers.detect.scan_timers import scan_timers
from triggers.evaluate.run import PassReport
from triggers.lifecycle import activate_rule
from triggers.models import Delivery, Rule, Template, TemplateVersion
from triggers.worker import get_worker

ADA = "ada"
ON_CART = {"kind": "event", "event": "add_to_cart"}
CART = {"kind": "abandonment", "started_by": "add_to_cart", "ended_by": "purchase", "key": "cart_id", "after": 3600}
RETENTION = timedelta(days=400)


def make_source(name: str = "Shop", **fields: Any) -> Source:
    """Make a source."""
    source, _ = create_source(name)
    if fields:
        Source.objects.filter(pk=source.pk).update(**fields)
        source.refresh_from_db()
    forget_registry()
    return source


def make_template(name: str = "Reminder", **fields: Any) -> Template:
    """Make a template with one version."""
    template = Template.objects.create(name=name)
    words = {"subject": "Your cart", "html": "<p>Hello</p>", "text": "Hello"} | fields
    TemplateVersion.objects.create(template=template, number=1, **words)
    return template


def make_rule(name: str = "Rule", *, trigger: dict[str, Any], **definition: Any) -> Rule:
    """Make a rule and put it in force."""
    rule = Rule.objects.create(name=name, definition={"format": 1, "trigger": trigger} | definition)
    activate_rule(rule)
    return rule


def approve(name: str, schema: dict[str, Any], *, policy: str = "reject") -> SchemaVersion:
    """Put a schema in force for an event type."""
    event_type, _ = EventType.objects.update_or_create(name=name, defaults={"policy": policy})
    version = add_draft(event_type, json.dumps(schema))
    approve_version(version, None, datetime.now(UTC))
    return version


def report(
    name: str,
    *,
    source: Source,
    user_id: str | None = ADA,
    origin: int = LIVE,
    is_public: bool = False,
    now: datetime | None = None,
    **fields: Any,
) -> NewEvent:
    """Append what somebody did, as the door would; return the event."""
    now = now or datetime.now(UTC)
    stamp = Stamp(source_id=source.pk, now=now, retention=RETENTION, is_public=is_public, origin=origin)
    event = stamp_item(Item(index=0, name=name, user_id=user_id, **fields), stamp)
    assert isinstance(event, NewEvent), event
    get_appender().append([encode_row(event)])
    return event


def evaluate() -> PassReport:
    """Decide all that is in the log, what follows from it included."""
    total = PassReport()
    while True:
        done = get_worker().evaluator.run_pass()
        for name in ("events", "activations", "deliveries", "derived", "set_aside"):
            setattr(total, name, getattr(total, name) + getattr(done, name))
        if not done.is_behind:
            return total


def scan() -> int:
    """Look for silences as beat would, and decide what they start; return how many there were."""
    worker = get_worker()
    evaluate()
    record_tick(worker.connection)
    found = scan_silence(worker.connection, worker.book, get_registry()) + scan_timers(worker.connection, worker.book)
    evaluate()
    return found


def add_to_cart(source: Source, user_id: str = ADA) -> None:
    """Somebody whose address is known puts a lamp into a cart, and it is decided."""
    traits = {"email": f"{user_id}@example.com"}
    report("$identify", source=source, user_id=user_id, properties={"traits": traits})
    report("add_to_cart", source=source, user_id=user_id, properties={"cart_id": "c1", "sku": "lamp"})
    evaluate()


def deliver(limit: int = LIMIT) -> DeliverReport:
    """Send what is due, as beat would."""
    return deliver_due(get_worker().connection, get_registry(), limit)


def the_delivery() -> tuple[str, str]:
    """Return the state and the reason of the only delivery there is."""
    delivery = Delivery.objects.get()
    return delivery.state, delivery.reason


_MOVED = "to_jsonb((%s)::timestamptz - make_interval(secs => %%(seconds)s))"
_MOVE_WITHIN = (
    # What a joined profile hands over, and where a silence says when its wait began.
    f"""update event set properties = properties || jsonb_build_object(
            'seen_at', {_MOVED % "properties->>'seen_at'"},
            'timers', (select coalesce(jsonb_agg(timer || jsonb_build_object(
                           'occurred_at', {_MOVED % "timer->>'occurred_at'"},
                           'due_at', {_MOVED % "timer->>'due_at'"})), '[]')
                         from jsonb_array_elements(properties->'timers') timer))
         where name = '$adopted'""",
    f"""update event set context = jsonb_set(context, '{{detector,armed_at}}',
            {_MOVED % "context->'detector'->>'armed_at'"})
         where context->'detector'->>'armed_at' is not null""",
)


def pass_time(seconds: float) -> None:
    """Let time pass without waiting: everything that carries a moment is moved into the past."""
    moved = {
        "event": ("received_at", "occurred_at"),
        "profile": ("seen_at", "created_at"),
        "timer": ("occurred_at", "due_at"),
        "log_tick": ("at",),
        "triggers_detector": ("watermark", "started_at"),
        "activation": ("occurred_at", "created_at"),
        "delivery": ("due_at", "expires_at", "created_at", "updated_at", "lease_until"),
    }
    connection = get_worker().connection
    for table, columns in moved.items():
        changes = ", ".join(f"{column} = {column} - make_interval(secs => {seconds})" for column in columns)
        connection.execute(f"update {table} set {changes}".encode())
    for statement in _MOVE_WITHIN:
        connection.execute(statement, {"seconds": seconds})
