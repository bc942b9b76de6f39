"""A person and an event to fill templates in with."""

from datetime import UTC, datetime
from typing import Any

from triggers.render.context import build_variables
from triggers.render.liquid import RenderedMessage, RenderFailed, Words, render_message

MOMENT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


def make_variables(**changes: Any) -> dict[str, Any]:
    """Return what a message about Ada's cart may speak of."""
    given: dict[str, Any] = {
        "user_id": "ada",
        "traits": {"email": "ada@example.com", "nickname": "", "tags": ["a", None, "b"]},
        "event_name": "add_to_cart",
        "occurred_at": MOMENT,
        "properties": {"sku": "lamp", "price": 12, "items": [{"name": "Lamp"}, {"name": "Mug"}], "cart": {"id": 7}},
        "source_name": "Shop",
        "time_zone": "UTC",
    }
    return build_variables(**(given | changes))


def fill_in(subject: str = "Hello", **rest: Any) -> RenderedMessage | RenderFailed:
    """Fill in a subject, or other parts, with what `make_variables` returns or `variables`."""
    variables = rest.pop("variables", None) or make_variables()
    return render_message(Words(**({"subject": subject, "html": "<p>x</p>"} | rest)), variables)


def read_subject(subject: str, **rest: Any) -> str:
    """Return a subject that was filled in, or why it was not."""
    message = fill_in(subject, **rest)
    return message.subject if isinstance(message, RenderedMessage) else f"{message.reason}: {message.detail}"
