"""Long lists: pages by key, the same few queries however many rows, nothing counted."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from engagement.lib.ids import compute_lane, compute_timed_id
from engagement.lib.keyset import estimate_rows
from tests.admin.conftest import Login
from tests.cast import make_rule, make_source
from tracking.models import Event, Profile, Source
from triggers.models import Activation, Delivery, Rule

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
PAGES = ["tracking/event/", "tracking/profile/", "triggers/activation/", "triggers/delivery/"]


def _fill(count: int) -> None:
    rule = make_rule(trigger={"kind": "event", "event": "purchase"})
    source, now = make_source(), datetime.now(UTC)
    for number in range(count):
        moment = now - timedelta(seconds=number)
        profile, event = uuid.uuid4(), compute_timed_id(moment, "event", str(number))
        row: dict[str, Any] = {"lane": compute_lane(profile), "profile_id": profile}
        Profile.objects.create(
            id=profile, lane=row["lane"], user_id=f"user-{number:03}", seen_at=moment, created_at=moment
        )
        Event.objects.create(
            id=event,
            seq=1000 + number,
            name="purchase",
            source_id=source.pk,
            origin=0,
            user_id=f"user-{number:03}",
            occurred_at=moment,
            received_at=moment,
            **row,
        )
        Activation.objects.create(
            id=compute_timed_id(moment, "activation", str(number)),
            rule_id=rule.pk,
            rule_version_id=1,
            event_id=event,
            event_seq=number,
            occurred_at=moment,
            trace={"sentence": "x", "outcome": "matched"},
            created_at=moment,
            **row,
        )
        Delivery.objects.create(
            id=compute_timed_id(moment, "delivery", str(number)),
            activation_id=uuid.uuid4(),
            rule_id=rule.pk,
            event_id=event,
            channel="email",
            state="accepted",
            due_at=moment,
            expires_at=moment,
            created_at=moment,
            updated_at=moment,
            **row,
        )


def _ask(client: Client, page: str) -> list[str]:
    client.get("/admin/")
    with CaptureQueriesContext(connection) as asked:
        assert client.get(page).status_code == 200
    return [str(query["sql"]).lower() for query in asked.captured_queries]


@pytest.mark.parametrize("page", PAGES)
def test_a_full_page_asks_as_many_questions_as_a_short_one_and_counts_nothing(login: Login, page: str) -> None:
    client = login("admin")
    _fill(2)
    short = _ask(client, f"/admin/{page}")
    for model in (Event, Profile, Activation, Delivery, Rule, Source):
        model.objects.all().delete()
    _fill(60)
    full = _ask(client, f"/admin/{page}")
    # A page that is not the last says about how many there are: one more question, to the statistics.
    assert len(full) <= len(short) + 1
    assert not [sql for sql in full if "count(" in sql and " limit " not in sql]
    assert not [sql for sql in full if " offset " in sql]


@pytest.mark.parametrize("page", PAGES)
def test_pages_by_key_show_every_row_once(login: Login, page: str) -> None:
    client = login("admin")
    _fill(120)
    seen: list[str] = []
    url = f"/admin/{page}"
    while url:
        listing = client.get(url).context["cl"]
        seen += [str(row.pk) for row in listing.result_list]
        url = f"/admin/{page}{listing.older_url}" if listing.older else ""
    assert len(seen) == len(set(seen)) == 120


def test_a_made_up_place_is_the_first_page(login: Login) -> None:
    _fill(3)
    answer = login("admin").get("/admin/tracking/event/?before=%5B%22xx%22%5D")
    assert answer.status_code == 200
    assert len(answer.context["cl"].result_list) == 3


def test_a_filter_without_an_index_looks_at_the_last_days_only(login: Login) -> None:
    client = login("admin")
    _fill(1)
    old = datetime.now(UTC) - timedelta(days=30)
    Event.objects.create(
        id=compute_timed_id(old, "event", "old"),
        seq=1,
        lane=1,
        profile_id=uuid.uuid4(),
        name="purchase",
        origin=0,
        occurred_at=old,
        received_at=old,
    )
    assert len(client.get("/admin/tracking/event/").context["cl"].result_list) == 2
    answer = client.get("/admin/tracking/event/?name__icontains=purchase")
    assert len(answer.context["cl"].result_list) == 1
    assert "Only the last 7 days are searched" in answer.content.decode()


def test_an_estimate_counts_the_rows_of_all_partitions() -> None:
    _fill(5)
    with connection.cursor() as cursor:
        cursor.execute("analyze event")
    assert estimate_rows(Event) == 5


def test_an_empty_list_says_what_to_do_next(login: Login) -> None:
    client = login("admin")
    told = {
        "triggers/rule/": "Begin with a recipe",
        "triggers/template/": "A template holds a message",
        "triggers/activation/": "Go to the rules",
        "triggers/delivery/": "Go to the rules",
        "tracking/profile/": "appears with their first event",
        "tracking/source/": "A source stands for one app",
        "tracking/event/": "Go to the sources",
        "tracking/eventtype/": "Go to the sources",
        "tracking/quarantined/": "Nothing was refused",
        "tracking/setaside/": "No event was set aside",
        "triggers/delivery/in-doubt/": "Nothing is in doubt",
    }
    for page, words in told.items():
        assert words in client.get(f"/admin/{page}").content.decode(), page
