"""What operators see and do: the dashboard, schedules, the switch, deliveries in doubt."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from engagement.admin.pulse import find_standstills
from engagement.groups import ensure_groups
from engagement.schedules import SCHEDULES, ensure_schedules
from tests.admin.conftest import Login
from tests.admin.installation import make_in_doubt
from tests.cast import evaluate, make_rule, make_source, report
from tracking.models import SetAside
from triggers.evaluate.batch import Batch
from triggers.models import Activation, SendingSwitch


@pytest.fixture
def operator(log: None, login: Login) -> Client:
    ensure_schedules()
    return login("Operator")


def _beat(seconds_ago: float = 0.0) -> None:
    for schedule in SCHEDULES:
        cache.set(f"heartbeat:{schedule.task}", time.time() - seconds_ago, 3600)


def test_a_standstill_of_three_intervals_is_a_red_banner_with_since_when(operator: Client) -> None:
    _beat()
    assert "does not keep up" not in operator.get("/admin/").content.decode()
    _beat(seconds_ago=120)
    page = operator.get("/admin/").content.decode()
    since = datetime.now(UTC) - timedelta(seconds=120)
    assert "does not keep up" in page
    assert f"has not run since {since.strftime('%-d %b %Y, %H:')}" in page


def test_a_schedule_for_every_hour_that_is_new_is_not_late_and_a_quick_one_is(operator: Client) -> None:
    late = {standstill.name for standstill in find_standstills()}
    assert "Keep the log" not in late
    assert "Find silences" in late


def test_the_first_steps_turn_green_and_go(log: None, login: Login) -> None:
    client = login("admin")
    steps = client.get("/admin/first-steps.json").json()
    assert not any(steps.values())
    source = make_source()
    report("page_view", source=source)
    evaluate()
    steps = client.get("/admin/first-steps.json").json()
    assert (steps["source"], steps["event"], steps["recipe"]) == (True, True, False)
    rule = make_rule("The demo's", trigger={"kind": "event", "event": "purchase"})
    assert not any(client.get("/admin/first-steps.json").json()[step] for step in ("recipe", "activate"))
    client.post(f"/admin/triggers/rule/{rule.pk}/activate/")
    steps = client.get("/admin/first-steps.json").json()
    assert (steps["recipe"], steps["activate"], steps["test"]) == (True, True, False)


def test_the_charts_hold_the_real_numbers(log: None, login: Login) -> None:
    client = login("admin")
    make_rule("Thanks", trigger={"kind": "event", "event": "purchase"})
    source = make_source()
    for _ in range(3):
        report("purchase", source=source)
    evaluate()
    charts = {chart.title: chart for chart in client.get("/admin/").context["charts"]}
    assert sum(row[1] for row in charts["Events by minute"].rows) == 3
    assert charts["Activations by rule"].rows == [["Thanks", 3]]


def test_a_built_in_schedule_cannot_be_deleted_nor_its_timing(operator: Client, login: Login) -> None:
    client = login("admin")
    task = PeriodicTask.objects.get(name="Find silences")
    client.post(f"/admin/django_celery_beat/periodictask/{task.pk}/delete/", {"post": "yes"})
    client.post(f"/admin/django_celery_beat/intervalschedule/{task.interval_id}/delete/", {"post": "yes"})
    actions = {"action": "delete_selected", "_selected_action": task.pk, "post": "yes"}
    client.post("/admin/django_celery_beat/periodictask/", actions)
    assert PeriodicTask.objects.filter(pk=task.pk).exists()


def test_a_re_timed_schedule_stays_re_timed(operator: Client) -> None:
    task = PeriodicTask.objects.get(name="Find silences")
    slow, _ = IntervalSchedule.objects.get_or_create(every=5, period=IntervalSchedule.SECONDS)
    operator.post(f"/admin/django_celery_beat/periodictask/{task.pk}/change/", {"interval": slow.pk, "enabled": "on"})
    ensure_schedules()
    task.refresh_from_db()
    assert (task.interval, task.task, task.enabled) == (slow, "triggers.tasks.scan", True)


def test_the_schedules_say_how_often_and_when_they_last_did_their_work(operator: Client) -> None:
    _beat(seconds_ago=3)
    page = operator.get("/admin/django_celery_beat/periodictask/").content.decode()
    assert "every second" in page
    assert "every hour" in page
    assert "cleanup" not in page
    assert page.count(f"{datetime.now(UTC):%-d %b %Y}, ") == len(SCHEDULES)


def test_a_schedule_without_a_timing_is_refused(operator: Client) -> None:
    task = PeriodicTask.objects.get(name="Find silences")
    operator.post(f"/admin/django_celery_beat/periodictask/{task.pk}/change/", {"interval": "", "enabled": "on"})
    task.refresh_from_db()
    assert task.interval is not None


def test_an_event_that_was_set_aside_is_decided_again_from_the_list(
    log: None, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(trigger={"kind": "event", "event": "purchase"})
    monkeypatch.setattr(Batch, "_match", lambda *_: 1 / 0)
    report("purchase", source=make_source())
    evaluate()
    monkeypatch.undo()
    row = SetAside.objects.get()

    choice = {"action": "decide_again", "_selected_action": [row.pk]}
    page = login("Operator").post("/admin/tracking/setaside/", choice, follow=True)
    evaluate()

    assert "1 on the way" in page.content.decode()
    assert Activation.objects.count() == 1


def test_the_switch_remembers_who_stopped_sending(operator: Client) -> None:
    operator.post("/admin/triggers/sendingswitch/turn/", {"stop": "1"})
    assert SendingSwitch.objects.get().stopped_by == "oskar"
    assert "All sending is stopped" in operator.get("/admin/").content.decode()
    operator.post("/admin/triggers/sendingswitch/turn/", {"stop": "0"})
    assert not SendingSwitch.objects.get().is_stopped


def test_a_delivery_in_doubt_is_sent_again_only_after_a_warning(operator: Client) -> None:
    delivery = make_in_doubt()
    assert "1</strong> in doubt" in operator.get("/admin/").content.decode()
    url = f"/admin/triggers/delivery/{delivery.pk}/settle/"
    assert "It may be their second copy" in operator.get(url).content.decode()
    delivery.refresh_from_db()
    assert delivery.state == "in_doubt"
    operator.post(url, {"answer": "again"})
    delivery.refresh_from_db()
    assert delivery.state == "planned"


def test_a_time_stands_with_the_name_of_its_zone(log: None, login: Login, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    make_rule("Thanks", trigger={"kind": "event", "event": "purchase"})
    page = login("admin").get("/admin/triggers/rule/").content.decode()
    assert " CET." in page or " CEST." in page


def test_a_group_that_somebody_changed_stays_changed(log: None) -> None:
    ensure_groups()
    Group.objects.get(name="Operator").permissions.clear()
    ensure_groups()
    assert not Group.objects.get(name="Operator").permissions.exists()
