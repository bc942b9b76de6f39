"""What a mapping that somebody is typing would make of a payload: the same code as at the door, nothing stored."""

from typing import Any

import msgspec
from django.http import QueryDict

from tracking.admin.hook_form import MappingUnread, read_mapping
from tracking.event import Item, Rejection, Stamp, stamp_item
from tracking.schema.validate import MAX_EVENT, check_item
from tracking.wire.hooks.map_payload import Arrived, Mapped, Result, fingerprint_body, map_payload
from tracking.wire.hooks.mapping import compile_mapping
from tracking.wire.hooks.payload import MAX_PAYLOAD, count_values, read_payload
from tracking.wire.request import WireError

_FIELDS = {"timestamp": "time", "context": "properties"}
_WORDS = {
    Result.EVENT: "This payload becomes this event.",
    Result.IGNORED: "This payload is ignored.",
    Result.UNCLEAR: "This payload is not an event yet: it would be held in quarantine.",
}


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """`says` is a sentence; `notes` are {field, message, is_problem}; `event` is the event as indented JSON."""

    result: str
    says: str
    event: str = ""
    notes: list[dict[str, Any]] = []


def preview(given: QueryDict, hook: str, name: str, stamp: Stamp) -> Preview:
    """Return what the form's fields make of the payload beside them, at the moment of `stamp`."""
    try:
        mapping = read_mapping(given)
    except MappingUnread as error:
        return Preview(result="error", says="Mend the mapping first.", notes=[_note(error.field, str(error), True)])
    compiled, errors = compile_mapping(mapping)
    wrong = [_note(error.field, error.message, True) for error in errors]
    body = given.get("payload", "").encode("utf-8", "replace")
    if not body.strip():
        return Preview(result="none", says="Choose or paste a payload to see what becomes of it.", notes=wrong)
    try:
        arrived = _read(body, given.get("payload_headers", ""))
    except WireError as error:
        return Preview(result="error", says=error.message, notes=wrong)
    mapped = map_payload(compiled, arrived, hook=hook, name=name)
    return _describe(mapped, wrong, stamp)


def _read(body: bytes, headers: str) -> Arrived:
    if len(body) > MAX_PAYLOAD:
        raise WireError(413, "body_too_large", f"A payload holds at most {MAX_PAYLOAD} bytes.")
    try:
        given = msgspec.json.decode(headers or "{}", type=dict[str, str])
    except msgspec.MsgspecError:
        raise WireError(400, "invalid_headers", "The headers could not be read. Reload the page.") from None
    return Arrived(
        payload=read_payload(body),
        headers={name.lower(): value for name, value in given.items()},
        values=count_values(body),
        fingerprint=fingerprint_body(body),
    )


def _describe(mapped: Mapped, wrong: list[dict[str, Any]], stamp: Stamp) -> Preview:
    notes = wrong + [_note(note.field, note.message, note.is_problem) for note in mapped.notes]
    refusal = _find_refusal(mapped.item, stamp) if mapped.result is Result.EVENT else None
    if refusal is not None:
        notes.append(_note(*refusal, True))
    is_event = mapped.result is Result.EVENT and not wrong and refusal is None
    result = Result.UNCLEAR if mapped.result is Result.EVENT and not is_event else mapped.result
    reason = f" {mapped.notes[-1].message}" if result is Result.IGNORED and mapped.notes else ""
    says = "Mend the mapping first." if wrong and result is not Result.IGNORED else f"{_WORDS[result]}{reason}"
    return Preview(result=result.value, says=says, event=_write(mapped), notes=notes)


def _find_refusal(item: Item | None, stamp: Stamp) -> tuple[str, str] | None:
    """What the door would refuse: (field, sentence)."""
    if item is None:
        return None
    found = check_item(item) or stamp_item(item, stamp)
    if isinstance(found, Rejection):
        field = (found.field or "properties").partition(".")[0]
        return _FIELDS.get(field, field), found.message
    size = len(msgspec.json.encode(item))
    if size > MAX_EVENT:
        return "properties", f"An event holds at most {MAX_EVENT} bytes; this one holds {size}: choose its properties."
    return None


def _write(mapped: Mapped) -> str:
    item = mapped.item
    if item is None:
        return ""
    shown: dict[str, Any] = {
        "event": item.name,
        "user_id": item.user_id,
        "anonymous_id": item.anonymous_id,
        "message_id": item.message_id,
        "timestamp": item.timestamp,
        "properties": item.properties,
    }
    if mapped.identify is not None:
        shown["traits of the person"] = mapped.identify.properties["traits"]
    kept = {name: value for name, value in shown.items() if value is not None}
    return msgspec.json.format(msgspec.json.encode(kept), indent=2).decode()


def _note(field: str, message: str, is_problem: bool) -> dict[str, Any]:
    return {"field": field, "message": message, "is_problem": is_problem}
