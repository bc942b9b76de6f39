"""What the list of webhooks and the page of one say of it: how it is doing, and where and how its sender sends."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils.html import format_html

from engagement.lib.say import say_moment
from engagement.templatetags.office import as_json
from tracking.hooks.diary import list_payloads
from tracking.hooks.known import read_secret
from tracking.hooks.recipe import PLACEHOLDER, find_preset, make_example, write_curl
from tracking.hooks.state import HookState, load_state
from tracking.models import Hook, Quarantined
from tracking.wire.hooks.payload import read_payload
from tracking.wire.hooks.presets import PRESETS
from tracking.wire.hooks.signatures import STYLES
from tracking.wire.request import WireError

_SHOWN_HELD = 5
_SHOWN_SECRET = 4


def describe_page(hook: Hook | None, preset_name: str) -> dict[str, Any]:
    """Return what stands beside the form."""
    preset = PRESETS.get(preset_name) or (find_preset(hook.style) if hook is not None else None)
    context: dict[str, Any] = {
        "presets": list(PRESETS.values()),
        "preset": preset,
        "example": preset and {"body": as_json(make_example(preset, datetime.now(UTC))), "headers": preset.headers},
        "hook_styles": {name: {"header": row.header, "own": row.has_own_header} for name, row in STYLES.items()},
        "payloads": [],
    }
    if hook is None:
        return context
    held = Quarantined.objects.filter(hook=hook, resent_at__isnull=True).defer("payload").order_by("-id")
    state = load_state(hook.pk, datetime.now(UTC))
    return context | {
        **describe_address(hook, PLACEHOLDER),
        "hook": hook,
        "state": state,
        "state_badge": show_state(hook, state),
        "day": say_day(state),
        "payloads": [(row.pk, f"{say_moment(row.received_at)}, {row.outcome}") for row in list_payloads(hook.pk)],
        "held": list(held[:_SHOWN_HELD]),
        "secret_end": read_secret(hook.secret)[-_SHOWN_SECRET:],
        "former_end": _read_former(hook),
    }


def _read_former(hook: Hook) -> str:
    is_valid = hook.previous_until is not None and hook.previous_until > datetime.now(UTC)
    return read_secret(hook.previous_secret)[-_SHOWN_SECRET:] if is_valid else ""


def describe_address(hook: Hook, secret: str) -> dict[str, Any]:
    """Return where its sender sends, and a line that sends the first payload."""
    address = f"{settings.PUBLIC_URL}/hooks/{hook.source_id}/{hook.name}"
    style = STYLES[hook.style]
    curl = write_curl(style, hook.header, address, secret, find_preset(hook.style), datetime.now(UTC))
    token = f"?token={secret}" if style.query and secret != PLACEHOLDER else ""
    return {"address": address + token, "curl": curl, "in_address": bool(style.query)}


def show_state(hook: Hook, state: HookState) -> str:
    """Return a webhook's state as a badge."""
    kind, words = _choose_state(hook, state)
    return format_html('<span class="badge {}">{}</span>', kind, words)


def _choose_state(hook: Hook, state: HookState) -> tuple[str, str]:
    if not (hook.is_enabled and hook.source.is_enabled):
        return "", "off"
    if state.waiting:
        return "warning", f"{state.waiting} held"
    if state.is_failing:
        return "bad", "refuses"
    return ("good", "takes payloads") if state.received_at is not None else ("info", "waits for its first payload")


def say_day(state: HookState) -> str:
    """Return what became of a day's payloads, in words."""
    counts = (
        (state.accepted, "accepted"),
        (state.ignored, "ignored"),
        (state.held, "held"),
        (state.failed, "refused"),
    )
    return ", ".join(f"{number:,} {word}" for number, word in counts if number) or "nothing"


def write_body(body: bytes) -> str:
    """Return a payload as indented JSON; what is no JSON stays as it is."""
    try:
        return as_json(read_payload(body))
    except WireError:
        return body.decode("utf-8", "replace")
