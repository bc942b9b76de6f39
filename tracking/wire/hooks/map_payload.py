"""From a verified payload to the event that a mapping makes of it, or the reason why not. Pure; nothing raises.

A part that is not in the payload is left out; one of the wrong type, or a missing one without which there is no event,
is a problem: the payload is then kept for somebody who mends the mapping.
"""

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from tracking.event import IDENTIFY, Item
from tracking.given_ids import PLACEHOLDER, choose_id, describe_placeholder, drop_placeholders, means_nobody
from tracking.schema.validate import MAX_ID, MAX_NAME
from tracking.wire.hooks.mapping import CompiledMapping, PropertyRow
from tracking.wire.hooks.places import FixedText, PathPlace, Place, PlaceError, find_all, find_first
from tracking.wire.hooks.values import (
    WrongValue,
    read_any_text,
    read_email,
    read_id,
    read_moment,
    read_text,
    write_value,
)

MAX_LOOKS = 1_000_000
"""Looks of the searching paths of one mapping at the values of one payload: a few seconds."""


class Result(StrEnum):
    """What a payload is."""

    EVENT = "event"
    IGNORED = "ignored"
    UNCLEAR = "unclear"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What was remarkable at a field of the mapping. A problem means that there is no event."""

    field: str
    code: str
    message: str
    is_problem: bool


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """What a payload became. `item` is the event, `identify` what is known of the person beside it.

    With problems `item` holds what could be read, for whoever looks at it; it is not to be stored.
    """

    result: Result
    item: Item | None = None
    identify: Item | None = None
    notes: tuple[Note, ...] = ()

    @property
    def problems(self) -> list[Note]:
        """Return what keeps it from being an event."""
        return [note for note in self.notes if note.is_problem]


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A payload to be mapped.

    `values` bounds how many it holds; `fingerprint` tells a retry where the sender gives no id.
    """

    payload: dict[str, Any] | list[Any]
    headers: Mapping[str, str]
    values: int
    fingerprint: str


def fingerprint_body(body: bytes) -> str:
    """Return what stands for a message id where the sender gives none: a retry has the same body."""
    return hashlib.sha256(body).hexdigest()


def map_payload(compiled: CompiledMapping, arrived: Arrived, *, hook: str, name: str) -> Mapped:
    """Return what a payload becomes.

    `hook` sets its message ids apart from those of others of the same source; `name` stands in the event's context.
    """
    if compiled.searches * arrived.values > MAX_LOOKS:
        message = (
            f"The payload holds up to {arrived.values} values, and the paths look at each {compiled.searches} times: "
            "name the places without .., [*] or a condition."
        )
        return Mapped(result=Result.UNCLEAR, notes=(_problem("properties", "too_much_to_search", message),))
    return _Reading(compiled, arrived, hook, name).read()


class _Reading:
    """One payload being read; the notes gather."""

    def __init__(self, compiled: CompiledMapping, arrived: Arrived, hook: str, name: str) -> None:
        self._compiled = compiled
        self._mapping = compiled.mapping
        self._arrived = arrived
        self._hook = hook
        self._name = name
        self._notes: list[Note] = []

    def read(self) -> Mapped:
        ignored = self._find_reason_to_ignore()
        name = self._read_name() if ignored is None else None
        if ignored is None and name is not None and self._is_other(name):
            ignored = _note("names", "not_in_table", f"“{_cut(name)}” is not in the table of names.")
        if ignored is not None:
            return Mapped(result=Result.IGNORED, notes=(*self._notes, ignored))
        item, identify = self._make_items(self._mapping.names.get(name, name) if name is not None else None)
        is_clear = not any(note.is_problem for note in self._notes)
        result = Result.EVENT if is_clear else Result.UNCLEAR
        return Mapped(result=result, item=item, identify=identify, notes=tuple(self._notes))

    def _find_reason_to_ignore(self) -> Note | None:
        if "only_when" not in self._compiled.places:
            return None
        value = self._find("only_when")
        said = write_value(value)
        if value is not msgspec.UNSET and said in self._mapping.is_one_of:
            return None
        found = f"it is “{_cut(said)}”" if value is not msgspec.UNSET else "it is not in the payload"
        return _note("only_when", "condition_not_met", f"The condition does not hold: {found}.")

    def _is_other(self, name: str) -> bool:
        return self._mapping.others == "ignore" and name not in self._mapping.names

    def _read_name(self) -> str | None:
        name = self._take("event", read_text, is_needed=True)
        if name is None:
            return None
        told = self._mapping.names.get(name, name)
        if told.startswith("$"):
            self._complain("event", "reserved_event", "Names that begin with a dollar sign belong to the platform.")
            return None
        if len(told) > MAX_NAME:
            self._complain("event", "invalid_name", f"An event's name has 1 to {MAX_NAME} characters.")
            return None
        return str(name)

    def _make_items(self, name: str | None) -> tuple[Item, Item | None]:
        email = self._take("email", read_email)
        user_id = self._take("user_id", read_id)
        anonymous_id = self._take("anonymous_id", read_id)
        if self._mapping.email_as_user_id:
            user_id = choose_id(user_id, email)
        self._check_ids(user_id, anonymous_id)
        item = Item(
            index=0,
            name=name or "",
            user_id=user_id,
            anonymous_id=anonymous_id,
            message_id=self._make_message_id(),
            timestamp=self._take("time", read_moment),
            properties=self._read_properties(),
            context={"$hook": self._name},
        )
        item = drop_placeholders(item)
        return item, _identify(item, email) if email is not None else None

    def _check_ids(self, user_id: str | None, anonymous_id: str | None) -> None:
        if any(note.is_problem for note in self._notes):
            return
        chosen = choose_id(user_id, anonymous_id)
        if chosen is None:
            self._complain("user_id", "identity_required", "It is not in the payload who did it.")
        elif means_nobody(chosen):
            field = "user_id" if user_id is not None else "anonymous_id"
            self._complain(field, PLACEHOLDER, describe_placeholder(chosen))

    def _make_message_id(self) -> str:
        told = self._take("message_id", read_any_text) or self._arrived.fingerprint
        message_id = f"{self._hook}:{told}"
        if len(message_id) <= MAX_ID:
            return message_id
        return f"{self._hook}:{fingerprint_body(told.encode('utf-8', 'replace'))}"

    def _read_properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        if self._mapping.whole_body:
            if isinstance(self._arrived.payload, dict):
                properties.update(self._arrived.payload)
            else:
                self._complain("whole_body", "wrong_type", "The payload is a list: name its parts one by one.")
        for index, (row, place) in enumerate(self._compiled.rows):
            self._read_property(f"properties.{index}.place", row, place, properties)
        return properties

    def _read_property(self, field: str, row: PropertyRow, place: Place, properties: dict[str, Any]) -> None:
        try:
            value = _find_value(place, self._arrived)
        except PlaceError as error:
            self._complain(field, "too_deep", str(error))
            return
        if value is not msgspec.UNSET and not (row.is_required and value is None):
            properties[row.name.strip()] = value
        elif row.is_required:
            self._complain(field, "missing", f"“{row.name}” is not in the payload, and there is no event without it.")
        else:
            self._notes.append(_note(field, "left_out", "It is not in this payload: the property is left out."))

    def _take(self, field: str, read: Callable[[Any], Any], is_needed: bool = False) -> Any:
        """Return the field's value as `read` understands it; None where it is missing or wrong, which is noted."""
        if field not in self._compiled.places:
            return None
        value = self._find(field)
        if value is msgspec.UNSET or value is None or value == "":
            if is_needed:
                self._complain(field, "missing", "It is not in the payload, and there is no event without it.")
            else:
                self._notes.append(_note(field, "left_out", "It is not in this payload."))
            return None
        try:
            return read(value)
        except WrongValue as wrong:
            self._complain(field, "wrong_type", f"{wrong}: it is {_cut(write_value(value))}")
            return None

    def _find(self, field: str) -> Any:
        try:
            return find_first(self._compiled.places[field], self._arrived.payload, self._arrived.headers)
        except PlaceError as error:
            self._complain(field, "too_deep", str(error))
            return msgspec.UNSET

    def _complain(self, field: str, code: str, message: str) -> None:
        self._notes.append(_problem(field, code, message))


def _identify(item: Item, email: str) -> Item:
    """What is known of the person, so that the event's rule can write to them."""
    traits = {"traits": {"email": email}}
    return msgspec.structs.replace(item, name=IDENTIFY, properties=traits)


def _find_value(place: Place, arrived: Arrived) -> Any:
    """A path that can find several gives a list of them."""
    if isinstance(place, PathPlace) and place.searches:
        return find_all(place, arrived.payload) or msgspec.UNSET
    if isinstance(place, FixedText):
        return place.text
    return find_first(place, arrived.payload, arrived.headers)


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"


def _note(field: str, code: str, message: str) -> Note:
    return Note(field=field, code=code, message=message, is_problem=False)


def _problem(field: str, code: str, message: str) -> Note:
    return Note(field=field, code=code, message=message, is_problem=True)
