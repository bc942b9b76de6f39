"""The visitor's timeline in plain words. Pure: from values to sentences."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tracking.event import LINKED
from triggers.policy.decision import SENTENCES, Reason
from triggers.rules.wording import describe_duration, join_clauses

Properties = Mapping[str, Any]


def _name(properties: Properties) -> str:
    return str(properties.get("name") or properties.get("product_id") or "a product")


def _price(properties: Properties, key: str) -> str:
    return f" for €{properties[key]}" if properties.get(key) is not None else ""


_EVENTS: dict[str, Callable[[Properties], str]] = {
    "page_view": lambda properties: "You opened the shop",
    "product_viewed": lambda properties: f"You looked at “{_name(properties)}”",
    "add_to_cart": lambda properties: f"You put “{_name(properties)}” into the cart",
    "remove_from_cart": lambda properties: f"You took “{_name(properties)}” out of the cart",
    "cart_emptied": lambda properties: "Your cart is empty again",
    "checkout": lambda properties: "You went to the checkout",
    "purchase": lambda properties: f"You bought what was in the cart{_price(properties, 'total')}",
    "signed_in": lambda properties: "You signed in",
    "signed_out": lambda properties: "You signed out",
    "$identify": lambda properties: "The shop said who you are, and your mail address",
    LINKED: lambda properties: "What you did before you signed in is now yours",
}
_HIDDEN = frozenset({"$adopted", "$follow", "$unlinked", "$not_sent"})
_HINTS = {
    Reason.ADDRESS_MISSING: "Sign in with a mail address, then leave a cart again.",
    Reason.AWAITS_ADDRESS: "Sign in with a mail address and it goes out.",
    Reason.ENDED: "You bought it in time.",
    Reason.SENDING_STOPPED: "Somebody pressed the stop switch in the admin.",
}


def describe_event(name: str, properties: Properties) -> str | None:
    """Say what the visitor did; None for what only the platform's bookkeeping needs."""
    if name in _HIDDEN or (name == LINKED and "seq" not in properties):
        # A sign-in tells its device as well; the evaluator says so once more, behind it.
        return None
    known = _EVENTS.get(name)
    return known(properties) if known else f"The page reported `{name}`"


def describe_silence(name: str, properties: Properties, *, came_back: bool) -> str:
    """Say which silence became an event."""
    told = {
        "cart_abandonment": "You left a cart",
        "session_ended": _describe_session(properties),
        "user_inactive": _describe_inactivity(properties),
    }.get(name, f"A silence became `{name}`")
    return f"{told}; you came back before it was noticed" if came_back else told


def _describe_session(properties: Properties) -> str:
    events, seconds = properties.get("events"), properties.get("duration_seconds")
    if not isinstance(events, int) or not isinstance(seconds, int):
        return "Your session ended"
    counted = "1 event" if events == 1 else f"{events} events"
    return f"Your session ended: {counted} in {describe_duration(seconds)}"


def _describe_inactivity(properties: Properties) -> str:
    after = properties.get("after_seconds")
    return f"Nothing from you for {describe_duration(after)}" if isinstance(after, int) else "You went quiet"


def describe_trace(trace: Mapping[str, Any]) -> str:
    """Say why a rule matched: its conditions that held, as one sentence; '' for a rule without conditions."""
    held = list(_find_held(trace)) if trace.get("of") else []
    return f"Because {join_clauses(held, 'and')}." if held else ""


def _find_held(trace: Mapping[str, Any]) -> Iterator[str]:
    parts = trace.get("of")
    if parts:
        for part in parts:
            yield from _find_held(part)
    elif trace.get("outcome") == "matched":
        yield str(trace.get("sentence", ""))


def describe_delivery(state: str, reason: str, detail: str, address: str) -> tuple[str, str]:
    """Say what became of a message, and what may be done about it."""
    to = f" to {address}" if address else ""
    known = _read_reason(reason)
    hint = _HINTS.get(known, "") if known else ""
    if state == "dropped":
        return f"No mail: {_describe_reason(reason, detail)}", hint
    told = {
        "planned": f"A mail waits to be sent{to}"
        if not reason
        else f"A mail waits: {_describe_reason(reason, detail)}",
        "claimed": f"A mail is being written{to}",
        "handed_over": f"A mail is on its way{to}",
        "accepted": f"A mail went out{to}",
        "rejected": f"The mail server refused the mail{to}",
        "in_doubt": f"Nobody knows whether the mail{to} arrived: an operator decides",
    }
    return told.get(state, state), detail if state == "rejected" else hint


def _read_reason(reason: str) -> Reason | None:
    return Reason(reason) if reason in Reason.__members__.values() else None


def _describe_reason(reason: str, detail: str) -> str:
    known = _read_reason(reason)
    sentence = SENTENCES[known] if known else (detail or reason.replace("_", " "))
    return sentence[:1].lower() + sentence[1:]
