"""Putting a rule in force, pausing and ending it. Each is an immutable version with a place in the log."""

from datetime import timedelta
from typing import Any

import msgspec
from django.contrib.auth.models import User
from django.db import connection, transaction

from tracking.models import EventType
from tracking.registry import forget_registry
from triggers.models import Rule, RuleState, RuleVersion
from triggers.rulebook import MAX_STEP, describe_search
from triggers.rules.definition import EventTrigger, RuleDefinition
from triggers.rules.errors import RuleInvalid
from triggers.rules.parse import parse_definition

# `seen_at` may be a step behind: the search starts a step earlier, and what was complete before is left out. A wait for
# something else is another search, which starts anew.
_START_DETECTOR = """
insert into triggers_detector (rule_id, started_at, watermark)
select %(rule)s, clock_timestamp(), clock_timestamp() - %(after)s - %(step)s
    on conflict (rule_id) do update set started_at = excluded.started_at, watermark = excluded.watermark
     where %(anew)s
"""
_INCLUDE_PAST = "update triggers_detector set watermark = '1970-01-01' where rule_id = %s"
_ARM_FROM_LOG = """
update triggers_detector set arm_after = '00000000-0000-0000-0000-000000000000', arm_until = %s, armed_seq = null
 where rule_id = %s
"""


def activate_rule(rule: Rule, by: User | None = None, *, include_past: bool = False) -> RuleVersion:
    """Put the rule's draft in force for every event that is logged from now on.

    With `include_past` a rule for silence also takes those who have been silent for long enough already.

    Raises triggers.rules.errors.RuleInvalid when the definition cannot be used. A rule for silence starts with those
    whose silence is complete from now on, however their last event came in: that moment is set when it first looks for
    such a silence, and kept when only its length is changed.
    """
    definition = parse_definition(msgspec.json.encode(rule.definition))
    with transaction.atomic():
        before = _find_last_active(rule)
        is_anew = _begins_after(before, definition)
        includes_past = include_past or (before is not None and before.includes_past and not is_anew)
        version = _add_version(rule, RuleState.ACTIVE, rule.definition, by, includes_past=includes_past)
        if definition.emitted_event is not None:
            _reserve_name(definition)
        if is_anew or include_past:
            _start_detector(version, definition, is_anew=is_anew)
    forget_registry()
    return version


def pause_rule(rule: Rule, by: User | None = None) -> RuleVersion:
    """Start nothing more, and hold what waits."""
    return _end(rule, RuleState.PAUSED, by)


def resume_rule(rule: Rule, by: User | None = None) -> RuleVersion:
    """Go on with what was in force before the pause; what was held is sent, unless it expired."""
    before = _find_last_active(rule)
    definition = before.definition if before is not None else rule.definition
    includes_past = before is not None and before.includes_past
    with transaction.atomic():
        return _add_version(rule, RuleState.ACTIVE, definition, by, includes_past=includes_past)


def archive_rule(rule: Rule, by: User | None = None) -> RuleVersion:
    """Start nothing more, and drop what waits."""
    return _end(rule, RuleState.ARCHIVED, by)


def _end(rule: Rule, state: RuleState, by: User | None) -> RuleVersion:
    before = rule.versions.order_by("number").last()
    with transaction.atomic():
        return _add_version(rule, state, before.definition if before is not None else rule.definition, by)


def _add_version(
    rule: Rule, state: RuleState, definition: Any, by: User | None, *, includes_past: bool = False
) -> RuleVersion:
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
        includes_past=includes_past,
        created_by=by,
    )
    rule.state = state
    rule.save(update_fields=["state", "updated_at"])
    return version


def _reserve_name(definition: RuleDefinition) -> None:
    """From now on a page may not send what this rule derives."""
    EventType.objects.update_or_create(name=definition.start_event, defaults={"is_derived": True})


def _find_last_active(rule: Rule) -> RuleVersion | None:
    return rule.versions.filter(state=RuleState.ACTIVE).order_by("number").last()


def begins_search(rule: Rule, definition: RuleDefinition) -> bool:
    """Whether an activation begins a search for silence, rather than going on with that of the last version."""
    return describe_search(definition) != () and _begins_after(_find_last_active(rule), definition)


def _begins_after(before: RuleVersion | None, definition: RuleDefinition) -> bool:
    if before is None:
        return True
    try:
        parsed = parse_definition(msgspec.json.encode(before.definition))
    except RuleInvalid:
        return True
    return describe_search(parsed) != describe_search(definition)


def _start_detector(version: RuleVersion, definition: RuleDefinition, *, is_anew: bool) -> None:
    """A search for silence starts; waits for named events that began before it are armed from the log by the scan."""
    trigger = definition.trigger
    if isinstance(trigger, EventTrigger):
        return
    rule_id = version.rule_id
    values: dict[str, Any] = {
        "rule": rule_id,
        "after": timedelta(seconds=trigger.after),
        "step": MAX_STEP,
        "anew": is_anew,
    }
    with connection.cursor() as cursor:
        cursor.execute(_START_DETECTOR, values)
        if version.includes_past:
            cursor.execute(_INCLUDE_PAST, [rule_id])
        if describe_search(definition) != (None,):
            cursor.execute(_ARM_FROM_LOG, [version.from_seq, rule_id])
