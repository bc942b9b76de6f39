"""A full log: what is new, due, or one person's is found without reading the rest of it.

Filling takes two seconds: with fewer rows the planner has no reason to read a table whole.
"""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from engagement.health import check_readiness
from tests.cast import ADA, CART, ON_CART, deliver, evaluate, make_rule, make_template, report, scan
from tests.filled_log import Reads, fill_log
from tests.forward.conftest import SECRET, forward
from tests.mail_server import MailServer
from tests.other_side import OtherSide
from tracking.erasure.ask import ask_erasure
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.log.follow import load_lag
from tracking.log.read import load_first_seq
from tracking.models import Event, Scope, Source
from tracking.registry import forget_registry
from tracking.sources import make_first_keys
from tracking.tasks import count_hours, keep_log, send_on
from triggers.export import export_person
from triggers.forward.secrets import write_secrets
from triggers.forward.switch import switch_on
from triggers.models import Activation, Delivery, Destination
from triggers.worker import get_worker

ADA_ID = compute_user_profile_id(ADA)
VISITED = {"node": "count", "event": "visit", "within": 86_400, "operator": "ge", "value": 1}
# What is Ada's, and how far the searches are: moving everybody's would take longer than all else.
MOVED = (
    """update event set received_at = received_at - %(by)s, occurred_at = occurred_at - %(by)s
        where profile_id = any(%(who)s)""",
    "update profile set seen_at = seen_at - %(by)s where id = any(%(who)s)",
    "update timer set occurred_at = occurred_at - %(by)s, due_at = due_at - %(by)s where profile_id = any(%(who)s)",
    "update triggers_detector set watermark = watermark - %(by)s, started_at = started_at - %(by)s",
    "update log_tick set at = at - %(by)s",
)
# A list that is narrowed by what no index serves looks at the last days only, and says so.
LISTS = (
    "",
    "tracking/event/",
    "tracking/profile/",
    "tracking/profile/?q=p4711",
    "tracking/profile/?q=p4711@example.com",
    "tracking/eventtype/",
    "tracking/quarantined/",
    "tracking/setaside/",
    "tracking/source/",
    "triggers/activation/",
    "triggers/activation/?rule={rule}",
    "triggers/delivery/",
    "triggers/delivery/?rule={rule}",
    "triggers/delivery/in-doubt/",
    "triggers/destination/",
    "triggers/rule/",
    "triggers/rule/{rule}/change/",
    "triggers/template/{template}/change/",
    "triggers/sendingswitch/",
    "tracking/source/{source}/change/",
    "tracking/event/{event}/change/",
    "tracking/profile/{person}/change/",
    "tracking/profile/{person}/why/{event}/",
    "tracking/profile/{person}/erase/",
    "triggers/activation/{activation}/change/",
    "triggers/delivery/{delivery}/change/",
)
API = (
    "profiles/ada",
    "profiles/ada/events",
    "profiles/ada/export",
    "events?user_id=ada",
    "activations",
    "activations?user_id=ada",
    "activations?rule={rule}",
    "deliveries",
    "deliveries?user_id=ada",
)


@pytest.fixture
def names(source: Source) -> dict[str, Any]:
    """Rules of every kind; what stands for whom in addresses."""
    template = make_template().pk
    rule = make_rule("Cart", trigger=ON_CART, template=template, reentry={"kind": "after", "seconds": 60})
    make_rule("Once", trigger=ON_CART, conditions=VISITED, reentry={"kind": "once"})
    make_rule("Left", trigger=CART, template=template)
    make_rule("Session", trigger={"kind": "session_end", "after": 1800})
    make_rule("Quiet", trigger={"kind": "inactivity", "after": 7200})
    make_rule("No visit", trigger={"kind": "inactivity", "event": "visit", "after": 7200})
    return {"rule": rule.pk, "template": template, "source": source.pk, "person": ADA_ID}


@pytest.fixture
def other_side(settings: LazySettings) -> Iterator[OtherSide]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    server = OtherSide()
    yield server
    server.stop()


def live(source: Source) -> None:
    """Ada visits from her phone, signs in and leaves a cart."""
    report("visit", source=source, user_id=None, anonymous_id="phone")
    report("$identify", source=source, anonymous_id="phone", properties={"traits": {"email": "ada@example.com"}})
    report("visit", source=source, anonymous_id="phone")
    report("add_to_cart", source=source, properties={"cart_id": "c1", "sku": "lamp"})
    evaluate()


def let_pass(source: Source) -> None:
    """Let two hours pass for Ada."""
    who: list[UUID] = [ADA_ID, compute_anonymous_profile_id(source.pk, "phone")]
    for statement in MOVED:
        get_worker().connection.execute(statement.encode(), {"by": timedelta(hours=2, minutes=10), "who": who})


@pytest.mark.parametrize("is_analyzed", [False, True], ids=["without statistics", "with statistics"])
def test_no_work_reads_a_full_table_whole(
    source: Source, names: dict[str, Any], server: MailServer, other_side: OtherSide, is_analyzed: bool
) -> None:
    connection = get_worker().connection
    fill_log(connection, is_analyzed=is_analyzed)
    destination = Destination(name="Copies", kind="webhook", settings={"url": other_side.url})
    write_secrets(destination, {"signing_secret": SECRET})
    destination.save()
    switch_on(destination)
    reads = Reads(connection)

    with reads.watch("a pass of the evaluator"):
        live(source)
    with reads.watch("a round of deliveries"):
        assert deliver().outcomes == {"accepted": 1}
    with reads.watch("copies for a destination"):
        assert sum(report.sent for report in forward())
    let_pass(source)
    with reads.watch("a return after the silence was over"):
        live(source)
    let_pass(source)
    with reads.watch("the scans"):
        assert scan() >= 3
    with reads.watch("a round of deliveries after the scans"):
        deliver()
    for work in (keep_log, count_hours, send_on):
        with reads.watch(work.__name__):
            work()
    with reads.watch("how far readers are"):
        load_lag(connection, "evaluator")
        load_first_seq(connection)
    with reads.watch("an export"):
        assert b"lamp" in b"".join(export_person(ADA_ID) or ())
    with reads.watch("an erasure"):
        ask_erasure(connection, ADA_ID, "test")
        evaluate()

    assert not Event.objects.filter(profile_id=ADA_ID).exists()
    assert reads.whole == {}


def test_no_page_reads_a_full_table_whole(source: Source, names: dict[str, Any]) -> None:
    connection = get_worker().connection
    fill_log(connection, is_analyzed=True)
    live(source)
    names["event"] = Event.objects.filter(profile_id=ADA_ID).latest("id").pk
    names["activation"] = Activation.objects.filter(profile_id=ADA_ID).latest("id").pk
    names["delivery"] = Delivery.objects.filter(profile_id=ADA_ID).latest("id").pk
    client, staff = Client(), User.objects.create_superuser("admin")
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    secret = make_first_keys(source, Scope.values).secret_key
    forget_registry()
    reads = Reads(connection)

    with reads.watch("readiness"):
        assert check_readiness().status == 200
    for page in LISTS:
        with reads.watch(page):
            assert client.get(f"/admin/{page.format(**names)}").status_code == 200, page
    for page in API:
        with reads.watch(page):
            answer = client.get(f"/v1/{page.format(**names)}", headers={"authorization": f"Bearer {secret}"})
            assert answer.status_code == 200, page
            b"".join(answer)

    assert reads.whole == {}
