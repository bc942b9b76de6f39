"""What a person says about a hook: which value of a payload becomes which part of the event. Pure.

A `Mapping` is what is stored and edited; `compile_mapping` names all that is wrong with it, or returns what
`map_payload` works with.
"""

from typing import Literal

import msgspec

from tracking.wire.hooks.places import PathPlace, Place, PlaceError, parse_place

MAX_ROWS = 100
MAX_NAMES = 200


class PropertyRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A property of the event and the place of its value. Without a required one there is no event."""

    name: str
    place: str
    is_required: bool = False


class Mapping(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The parts of an event and their places; an empty place is not looked at.

    `event` may be a fixed text. `names` translates what was found there; `others` says what becomes of a name that is
    not among them. With `email_as_user_id` the address stands for a user id that is not there. `only_when` is a place
    whose value must be one of `is_one_of`, else the payload is no event. `whole_body` makes every key of the payload
    a property; `properties` come on top.
    """

    event: str = ""
    names: dict[str, str] = {}
    others: Literal["keep", "ignore"] = "keep"
    user_id: str = ""
    anonymous_id: str = ""
    email: str = ""
    email_as_user_id: bool = False
    message_id: str = ""
    time: str = ""
    only_when: str = ""
    is_one_of: list[str] = []
    whole_body: bool = False
    properties: list[PropertyRow] = []


class MappingError(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong: the path of the field, such as `properties.0.place`, and a plain sentence."""

    field: str
    message: str


class CompiledMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping whose places are known. `searches` counts how often they look at each value of a payload."""

    mapping: Mapping
    places: dict[str, Place]
    rows: tuple[tuple[PropertyRow, Place], ...]
    searches: int


_PLACES = ("user_id", "anonymous_id", "email", "message_id", "time", "only_when")


def compile_mapping(mapping: Mapping) -> tuple[CompiledMapping, list[MappingError]]:
    """Return the mapping as far as it can be understood, and what is wrong with it: none means that it can be used."""
    errors = _check_sense(mapping)
    places: dict[str, Place] = {}
    for name in ("event", *_PLACES):
        text = getattr(mapping, name)
        if text.strip():
            _compile_place(name, text, places, errors)
    rows: list[tuple[PropertyRow, Place]] = []
    for index, row in enumerate(mapping.properties[:MAX_ROWS]):
        found: dict[str, Place] = {}
        _compile_place(f"properties.{index}.place", row.place, found, errors)
        rows.extend((row, place) for place in found.values())
    found_places = [*places.values(), *(place for _, place in rows)]
    searches = sum(place.weight for place in found_places if isinstance(place, PathPlace))
    return CompiledMapping(mapping=mapping, places=places, rows=tuple(rows), searches=searches), errors


def _compile_place(field: str, text: str, places: dict[str, Place], errors: list[MappingError]) -> None:
    try:
        places[field] = parse_place(text, allows_text=field == "event")
    except PlaceError as error:
        errors.append(MappingError(field=field, message=str(error)))


def _check_sense(mapping: Mapping) -> list[MappingError]:
    errors = []
    if not mapping.event.strip():
        errors.append(MappingError(field="event", message="Say what the event is called, or where its name stands."))
    if not (mapping.user_id.strip() or mapping.anonymous_id.strip() or _is_known_by_email(mapping)):
        message = "Say where it stands who did it: a user id, an anonymous id, or the e-mail address as the user id."
        errors.append(MappingError(field="user_id", message=message))
    if mapping.email_as_user_id and not mapping.email.strip():
        errors.append(MappingError(field="email", message="Say where the e-mail address stands."))
    if mapping.only_when.strip() and not mapping.is_one_of:
        errors.append(MappingError(field="is_one_of", message="Say which values make it an event."))
    if mapping.others == "ignore" and not mapping.names:
        errors.append(MappingError(field="names", message="Without names in this table every payload is ignored."))
    return errors + _check_names(mapping) + _check_rows(mapping)


def _is_known_by_email(mapping: Mapping) -> bool:
    return mapping.email_as_user_id and bool(mapping.email.strip())


def _check_names(mapping: Mapping) -> list[MappingError]:
    if len(mapping.names) > MAX_NAMES:
        return [MappingError(field="names", message=f"The table has at most {MAX_NAMES} names.")]
    wrong = next((name for name in mapping.names.values() if not _is_name(name)), None)
    if wrong is not None:
        message = f"“{wrong}” cannot be an event's name: it is empty, too long, or begins with a dollar sign."
        return [MappingError(field="names", message=message)]
    return []


def _check_rows(mapping: Mapping) -> list[MappingError]:
    errors = []
    if len(mapping.properties) > MAX_ROWS:
        errors.append(MappingError(field="properties", message=f"An event has at most {MAX_ROWS} rows here."))
    seen: set[str] = set()
    for index, row in enumerate(mapping.properties[:MAX_ROWS]):
        if not row.name.strip():
            errors.append(MappingError(field=f"properties.{index}.name", message="Give the property a name."))
        elif row.name in seen:
            errors.append(MappingError(field=f"properties.{index}.name", message="This name stands here twice."))
        seen.add(row.name)
    return errors


def _is_name(name: str) -> bool:
    return 1 <= len(name) <= 200 and not name.startswith("$")
