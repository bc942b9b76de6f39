"""The exact message of a delivery: the newest words of its template, filled in."""

from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings

from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import ProfileState
from tracking.registry import Registry
from triggers.models import MissingVariable
from triggers.policy.decision import Reason
from triggers.render.context import build_variables
from triggers.render.liquid import RenderedMessage, RenderFailed, Words, render_message

_NEWEST = """
select id, subject, html, text, on_missing from triggers_templateversion
 where template_id = %s order by number desc limit 1
"""


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """A message and the version of the template that it was made from."""

    version_id: int
    message: RenderedMessage


def compose(
    connection: Connection,
    template_id: int | None,
    event: LoggedEvent,
    person: ProfileState,
    registry: Registry,
    now: datetime,
) -> Composed | RenderFailed:
    """Return the message of a template for a person and an event, or why there is none."""
    row = connection.execute(_NEWEST, (template_id,)).fetchone()
    if row is None:
        return RenderFailed(reason=Reason.TEMPLATE_MISSING.value, detail=f"template {template_id}")
    words = Words(subject=row[1], html=row[2], text=row[3], allows_empty=row[4] == MissingVariable.EMPTY)
    rendered = render_message(words, describe_variables(event, person, registry, now))
    if isinstance(rendered, RenderFailed):
        return rendered
    return Composed(version_id=row[0], message=rendered)


def describe_variables(
    event: LoggedEvent, person: ProfileState, registry: Registry, now: datetime | None = None
) -> dict[str, Any]:
    """Return the variables of a message about an event of a person, made `now`."""
    source = registry.by_id.get(event.source_id or 0)
    return build_variables(
        user_id=person.user_id,
        traits=person.traits,
        event_name=event.name,
        occurred_at=event.occurred_at,
        properties=event.properties,
        source_name=source.name if source is not None else "",
        time_zone=settings.TIME_ZONE,
        now=now,
    )
