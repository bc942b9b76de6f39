"""What is known of a message just before it would be handed over, read as late as possible."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tracking.erasure.periods import find_ended, load_links
from tracking.event import DERIVED, IMPORT
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import PROFILE_COLUMNS, ProfileState, load_people, load_person, make_state
from tracking.queries import find_events, find_last_activity, find_named_events
from tracking.registry import Registry
from triggers.deliver.claim import Claimed
from triggers.rules.definition import Abandonment, Always, EventTrigger, RuleDefinition
from triggers.rules.parse import parse_definition
from triggers.rules.reentry import check_reentry
from triggers.rules.wait_key import keys_fit, read_wait_key

_LOCK_PERSON = f"select {PROFILE_COLUMNS} from profile where id = %s for no key update"
_STANDING = """
select clock_timestamp(), r.state, exists (select from triggers_sendingswitch where is_stopped),
       v.definition, exists (select from delivery d where d.id = %(id)s and d.lane = %(lane)s and d.state = 'claimed'
                              and d.claim_token = %(token)s and d.lease_until > clock_timestamp())
  from triggers_rule r, activation a join triggers_ruleversion v on v.id = a.rule_version_id
 where r.id = %(rule)s and a.id = %(activation)s
"""
_DETECTING = """
select definition from triggers_ruleversion where rule_id = %s and from_seq < %s order by from_seq desc limit 1
"""
_EARLIER = """
select a.occurred_at, own.occurred_at
  from activation own,
       unnest(%s::uuid[], %s::bigint[], %s::bigint[]) span (profile_id, since, until)
  join activation a using (profile_id)
 where own.id = %s and a.rule_id = own.rule_id and a.profile_id <> own.profile_id
   and a.event_seq > since and a.event_seq <= until and a.event_seq < own.event_seq and a.released_seq is null
"""
_ALL = 1 << 62


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that a hand-over is decided on, inside its transaction.

    `is_theirs`: the event belongs to this person, and not to who had the device before.
    """

    now: datetime
    rule_state: str
    is_stopped: bool
    is_held: bool
    definition: RuleDefinition
    person: ProfileState
    event: LoggedEvent
    is_theirs: bool


def load_standing(connection: Connection, claimed: Claimed) -> Standing | None:
    """Lock the person, so that nothing else is handed over to them meanwhile, and read.

    None when the rule, the person or the event is no longer there.
    """
    event = find_events(connection, [claimed.event_id]).get(claimed.event_id)
    if event is None:
        return None
    owner = _find_owner(connection, claimed.profile_id, event.seq)
    # The lane of who signed in for the first time may be behind the device's: they are not there yet.
    person = lock_person(connection, owner) or lock_person(connection, claimed.profile_id)
    if person is None:
        return None
    values = {
        "id": claimed.id,
        "lane": claimed.lane,
        "token": claimed.token,
        "rule": claimed.rule_id,
        "activation": claimed.activation_id,
    }
    row = connection.execute(_STANDING, values).fetchone()
    if row is None:
        return None
    return Standing(
        now=row[0],
        rule_state=row[1],
        is_stopped=row[2],
        is_held=row[4],
        definition=parse_definition(msgspec.json.encode(row[3])),
        person=person,
        event=event,
        is_theirs=_is_theirs(person, claimed.profile_id, event.seq),
    )


def _find_owner(connection: Connection, profile_id: UUID, seq: int) -> UUID:
    """Return whose an event of a profile is: of a device that changed hands, theirs who had it at that place."""
    person = load_person(connection, profile_id)
    if person is None or _is_theirs(person, profile_id, seq):
        return profile_id
    state = load_people(connection, [profile_id]).get(profile_id)
    ended = find_ended(load_links(connection, [profile_id]), state is not None and state.user_id is not None)
    return next((period.owner for period in ended if period.since < seq <= period.until), profile_id)


def _is_theirs(person: ProfileState, profile_id: UUID, seq: int) -> bool:
    return any(own == profile_id and since < seq <= until for own, since, until in person.spans)


def lock_person(connection: Connection, profile_id: UUID) -> ProfileState | None:
    """Lock the row of the person that a profile belongs to, and read it as it is then.

    Only that row is locked, and not those that lead to it: a lane that holds both would lock them in another order.
    In a ring that the evaluator has not cut yet it is whoever comes by twice.
    """
    seen: set[UUID] = set()
    locked: ProfileState | None = None
    while True:
        person = load_person(connection, profile_id)
        row = connection.execute(_LOCK_PERSON, (person.id,)).fetchone() if person is not None else None
        if row is None:
            return locked
        locked = make_state(row)
        if locked.linked_to is None or locked.id in seen:
            return locked
        seen.add(locked.id)
        profile_id = locked.linked_to


def is_ended(connection: Connection, standing: Standing) -> bool:
    """Whether the log now holds the event that the wait was for: logged since, or that happened since."""
    detector = _read_detector(standing.event)
    trigger = _find_wait(connection, standing, detector) if detector is not None else None
    if trigger is None or detector is None:
        return False
    found = find_named_events(
        connection,
        standing.person.spans,
        trigger.ended_by,
        after_seq=int(detector["armed_seq"]),
        since=datetime.fromisoformat(detector["armed_at"]),
    )
    return any(keys_fit(read_wait_key(trigger, event.properties), str(detector["key"])) for event in found)


def came_back(connection: Connection, standing: Standing, registry: Registry) -> bool:
    """Whether the person did anything since the silence: then nobody is to be called back."""
    if isinstance(standing.definition.trigger, Abandonment | EventTrigger):
        return bool(standing.event.context.get("came_back")) and standing.event.origin != 0
    last = find_last_activity(
        connection,
        standing.person.spans,
        before_seq=_ALL,
        since=standing.event.received_at,
        passive_names=sorted(registry.passive_names),
        passive_sources=registry.passive_source_ids,
    )
    if last is not None and (last.origin != IMPORT or _was_in_silence(last, standing.event)):
        return True
    return bool(standing.event.context.get("came_back"))


def _was_in_silence(history: LoggedEvent, silence: LoggedEvent) -> bool:
    """Whether history that came in after a silence shows that there was none."""
    detector = _read_detector(silence)
    return detector is not None and history.active_at > datetime.fromisoformat(detector["armed_at"])


def is_double(connection: Connection, standing: Standing, activation_id: UUID) -> bool:
    """Whether the rule, by its word on starting again, started too early: for another of the person's profiles, which
    joined only later, it had started before."""
    spans = standing.person.spans
    if isinstance(standing.definition.reentry, Always) or len(spans) < 2:
        return False
    rows = connection.execute(_EARLIER, (*map(list, zip(*spans, strict=True)), activation_id)).fetchall()
    earlier = [row[0] for row in rows]
    return bool(rows) and not check_reentry(standing.definition.reentry, earlier, rows[0][1]).is_allowed


def _find_wait(connection: Connection, standing: Standing, detector: dict[str, Any]) -> Abandonment | None:
    """Return the wait that the event came from: this rule's own, or that of the rule whose event started this one."""
    trigger: Any = standing.definition.trigger
    if isinstance(trigger, EventTrigger):
        row = connection.execute(_DETECTING, (int(detector["rule"]), standing.event.seq)).fetchone()
        trigger = parse_definition(msgspec.json.encode(row[0])).trigger if row is not None else None
    return trigger if isinstance(trigger, Abandonment) else None


def _read_detector(event: LoggedEvent) -> dict[str, Any] | None:
    """Return which wait an event came from; what a client says under that name is not believed."""
    detector = event.context.get("detector") if event.origin == DERIVED else None
    return detector if isinstance(detector, dict) else None
