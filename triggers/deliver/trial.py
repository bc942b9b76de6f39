"""Trying a template: a preview, and a mail to oneself."""

from typing import Any
from uuid import UUID, uuid4

from tracking.log.write import Connection
from tracking.profiles import load_person
from tracking.queries import find_events
from tracking.registry import Registry
from triggers.channels import CHANNELS
from triggers.channels.base import SendOutcome
from triggers.deliver.compose import describe_variables
from triggers.models import MissingVariable, TemplateVersion
from triggers.render.liquid import RenderedMessage, RenderFailed, Words, render_message


def preview(
    connection: Connection, version: TemplateVersion, profile_id: UUID, event_id: UUID, registry: Registry
) -> RenderedMessage | RenderFailed:
    """Return what a person would read because of an event."""
    person = load_person(connection, profile_id)
    event = find_events(connection, [event_id]).get(event_id)
    if person is None or event is None:
        return RenderFailed(reason="template_error", detail="The person or the event is not there.")
    return render_message(_read_words(version), describe_variables(event, person, registry))


def send_test(version: TemplateVersion, address: str, variables: dict[str, Any]) -> SendOutcome | RenderFailed:
    """Mail a template to an address, filled in with the given variables; nothing is recorded."""
    rendered = render_message(_read_words(version), variables)
    if isinstance(rendered, RenderFailed):
        return rendered
    channel = CHANNELS["email"]
    session = channel.open_session()
    try:
        return session.send(channel.prepare(uuid4(), address, rendered))
    finally:
        session.close()


def _read_words(version: TemplateVersion) -> Words:
    return Words(
        subject=version.subject,
        html=version.html,
        text=version.text,
        allows_empty=version.on_missing == MissingVariable.EMPTY,
    )
