"""Putting a rule in force, pausing and ending it. Each is an immutable version with a place in the log."""

from typing import Any

import msgspec
from django.contrib.auth.models import User
from django.db import connection, transaction

from tracking.models import EventType
from tracking.registry import forget_registry
from triggers.models import Rule, RuleState, RuleVersion
from triggers.rules.definition import RuleDefinition
from triggers.rules.parse import parse_definition

_START_DETECTOR = """
insert into triggers_detector (rule_id, watermark)
select %s, coalesce(
    (select max(at) from log_tick
      where seq <= (select min(position) from lane_cursor where consumer = 'evaluator')),
    clock_timestamp()) - make_interval(secs => %s)
on conflict do nothing
"""


def activate_rule(rule: Rule, by: User | None = None) -> RuleVersion:
    """Put the rule's draft in force for every event that is logged from now on.

    Raises triggers.rules.errors.RuleInvalid when the definition cannot be used. A rule for silence starts with those
    who fall silent from now on: its watermark is set at its first activation and never moves back.
    """
    definition = parse_definition(msgspec.json.encode(rule.definition))
    with transaction.atomic():
        version = _add_version(rule, RuleState.ACTIVE, rule.definition, by)
        if definition.emitted_event is not None:
            _reserve_name(definition)
        _start_detector(rule, definition)
    forget_registry()
    return version


def pause_rule(rule: Rule, by: User | None = None) -> RuleVersion:
    """Start nothing more, and hold what waits."""
    return _end(rule, RuleState.PAUSED, by)


def resume_rule(rule: Rule, by: User | None = None) -> RuleVersion:
    """Go on with what was in force before the pause; what was held is sent, unless it expired."""
    before = rule.versions.filter(state=RuleState.ACTIVE).order_by("number").last()
    definition = before.definition if before is not None else rule.definition
    with transaction.atomic():
        return _add_version(rule, RuleState.ACTIVE, definition, by)


def archive_rule(rule: Rule, by: User | None = None) -> RuleVersion:
    """Start nothing more, and drop what waits."""
    return _end(rule, RuleState.ARCHIVED, by)


def _end(rule: Rule, state: RuleState, by: User | None) -> RuleVersion:
    before = rule.versions.order_by("number").last()
    with transaction.atomic():
        return _add_version(rule, state, before.definition if before is not None else rule.definition, by)


def _add_version(rule: Rule, state: RuleState, definition: Any, by: User | None) -> RuleVersion:
    """Register like a writer of the log, then take a number: readers wait below it until the version is visible."""
    Rule.objects.select_for_update().get(pk=rule.pk)
    with connection.cursor() as cursor:
        cursor.execute("select log_register()")
        cursor.execute("select nextval('event_seq_seq')")
        from_seq = cursor.fetchone()[0]
    last = rule.versions.order_by("number").last()
    version = RuleVersion.objects.create(
        rule=rule,
        number=(last.number if last is not None else 0) + 1,
        state=state,
        definition=definition,
        from_seq=from_seq,
        created_by=by,
    )
    rule.state = state
    rule.save(update_fields=["state", "updated_at"])
    return version


def _reserve_name(definition: RuleDefinition) -> None:
    """From now on a page may not send what this rule derives."""
    EventType.objects.update_or_create(name=definition.start_event, defaults={"is_derived": True})


def _start_detector(rule: Rule, definition: RuleDefinition) -> None:
    after = getattr(definition.trigger, "after", None)
    if after is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(_START_DETECTOR, [rule.pk, after])
