"""Retention must not make conditions lie."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.checks import run_checks

from engagement.lib.ids import compute_timed_id
from tests.cast import evaluate, make_rule, report
from tracking.log.partitions import ensure_partitions, load_partition_names
from tracking.log.retention import find_retention
from tracking.log.upkeep import keep_log
from tracking.models import SetAside, Source
from tracking.registry import forget_registry
from triggers.lifecycle import pause_rule
from triggers.models import Activation

LONG_AGO = timedelta(days=90)


def list_errors() -> list[str]:
    found = run_checks(databases=["default"], include_deployment_checks=True)
    return [str(message.msg) for message in found if message.id == "engagement.E009"]


def test_what_an_active_rule_looks_back_on_is_kept_though_retention_was_lowered(source: Source, settings: Any) -> None:
    rule = make_rule(
        "Not since spring",
        trigger={"kind": "event", "event": "visit"},
        conditions={"node": "never", "event": "purchase", "within": int(LONG_AGO.total_seconds())},
    )
    settings.RETENTION_DAYS = 30
    forget_registry()
    then = datetime.now(UTC) - LONG_AGO
    ensure_partitions(then, then)
    evaluate()

    keep_log()

    assert f"event_{then:%Y_%m}" in load_partition_names()
    assert find_retention() >= LONG_AGO
    assert list_errors() == ["RETENTION_DAYS=30 is too low: the active rule “Not since spring” looks back 90 days."]

    pause_rule(rule)
    assert find_retention() == timedelta(days=30)
    assert list_errors() == []


def test_that_an_event_was_set_aside_is_forgotten_with_the_event(source: Source, settings: Any) -> None:
    settings.RETENTION_DAYS = 30
    forget_registry()
    now = datetime.now(UTC)
    ensure_partitions(now - LONG_AGO, now)
    ids = [report("visit", source=source).id, compute_timed_id(now - LONG_AGO, "gone"), compute_timed_id(now, "young")]
    kept = report("visit", source=source, message_id="m", timestamp=now - timedelta(hours=2)).id
    for seq, event_id in enumerate([*ids, kept]):
        SetAside.objects.create(
            consumer="evaluator", lane=0, seq=seq, event_id=event_id, reason="ada has no address", created_at=now
        )

    keep_log()

    assert set(SetAside.objects.values_list("event_id", flat=True)) == {ids[0], ids[2], kept}


def test_ever_means_as_long_as_events_are_reliable_and_not_what_happens_to_be_kept(
    source: Source, settings: Any
) -> None:
    make_rule(
        trigger={"kind": "event", "event": "visit"},
        conditions={"node": "never", "event": "purchase"},
    )
    report("purchase", source=source, message_id="p", timestamp=datetime.now(UTC) - timedelta(days=40))
    report("visit", source=source)
    evaluate()
    assert Activation.objects.count() == 0

    settings.RETENTION_DAYS = 30
    forget_registry()
    report("visit", source=source)
    evaluate()
    assert Activation.objects.count() == 1
