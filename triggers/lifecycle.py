"""Putting a rule in force, pausing and ending it. Each is an immutable version with a place in the log."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.contrib.auth.models import User
from django.db import connection, transaction

from engagement.lib.ids import compute_boundary
from tracking.models import EventType
from tracking.registry import forget_registry
from triggers.models import Rule, RuleState, RuleVersion
from triggers.rulebook import MAX_STEP
from triggers.rules.definition import EventTrigger, Inactivity, RuleDefinition
from triggers.rules.parse import parse_definition

# `seen_at` may be a step behind: the search starts a step earlier, and what was complete before is left out.
_START_DETECTOR = """
insert into triggers_detector (rule_id, started_at, watermark)
select %(rule)s, clock_timestamp(), clock_timestamp() - %(after)s - %(step)s on conflict do nothing
"""
_INCLUDE_PAST = """
update triggers_detector set started_at = '1970-01-01', watermark = '1970-01-01' where rule_id = %s
"""
_ARM_FROM_LOG = """
insert into timer (lane, profile_id, rule_id, key, event_id, seq, occurred_at, due_at)
select distinct on (lane, profile_id) lane, profile_id, %(rule)s, '', id, seq, occurred_at, occurred_at + %(after)s
  from event
 where name = %(event)s and origin = 0 and id >= %(since)s and occurred_at > clock_timestamp() - %(after)s
 order by lane, profile_id, seq desc
on conflict do nothing
"""
_DAY = timedelta(days=1)


def activate_rule(rule: Rule, by: User | None = None, *, include_past: bool = False) -> RuleVersion:
    """Put the rule's draft in force for every event that is logged from now on.

    With `include_past` a rule for silence also takes those who have been silent for long enough already.

    Raises triggers.rules.errors.RuleInvalid when the definition cannot be used. A rule for silence starts with those
    who fall silent from now on: its watermark is set at its first activation and never moves back.
    """
    definition = parse_definition(msgspec.json.encode(rule.definition))
    with transaction.atomic():
        version = _add_version(rule, RuleState.ACTIVE, rule.definition, by)
        if definition.emitted_event is not None:
            _reserve_name(definition)
        _start_detector(rule, definition)
        if include_past:
            with connection.cursor() as cursor:
                cursor.execute(_INCLUDE_PAST, [rule.pk])
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
    """A search for silence starts now; a wait for a named event starts for those who did it lately, from the log."""
    trigger = definition.trigger
    if isinstance(trigger, EventTrigger):
        return
    after = timedelta(seconds=trigger.after)
    values: dict[str, Any] = {"rule": rule.pk, "after": after, "step": MAX_STEP}
    with connection.cursor() as cursor:
        cursor.execute(_START_DETECTOR, values)
        if cursor.rowcount and isinstance(trigger, Inactivity) and trigger.event is not None:
            values |= {"event": trigger.event, "since": compute_boundary(datetime.now(UTC) - after - _DAY)}
            cursor.execute(_ARM_FROM_LOG, values)
