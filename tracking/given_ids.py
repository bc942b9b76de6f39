"""Ids as clients give them: which values are one, and which stand for nobody. Pure.

What a client sends where it knows no id would make one person of strangers. There are three kinds of it, of which no
system gives any to a person: how languages write "no value" (`undefined`, `None`, `(null)`, `NaN`, `[object Object]`,
`true`, 0, -1, a nil UUID); names and words that stand where an id belongs (`user_id`, `anonymous`, `guest`, a
template's `{{ user.id }}` that nobody filled in); and ids that many devices share by a fault of their makers.
ALLOWED_IDS allows those that an installation gives to somebody nonetheless.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

from tracking.event import ALIAS, Item

MARK = "$placeholder_ids"
"""In an event's context: the ids that were given and are none, by field."""

PLACEHOLDER = "placeholder_id"
"""The code of a rejection for such an id."""
MAX_SHOWN = 100
_AROUND = " \t\r\n\v\f\u00a0\u200b\ufeff\"'`()[]{}<>"
_ZERO = "0-.:"
_NOBODY = frozenset(
    {
        # No value.
        "undefined",
        "null",
        "none",
        "nil",
        "nan",
        "infinity",
        "true",
        "false",
        "-1",
        "-inf",
        "n/a",
        "na",
        "#n/a",
        "\\n",
        "0x0",
        "symbol",
        "not_set",
        "f" * 32,
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        # Somebody, whoever it may be.
        "anon",
        "anonymous",
        "anonymous_user",
        "anonymoususer",
        "guest",
        "guest_user",
        "unknown",
        "unknown_user",
        "not_authenticated",
        "not_logged_in",
        "logged_out",
        # The name of the field.
        "id",
        "uid",
        "uuid",
        "email",
        "user_id",
        "userid",
        "user.id",
        "your_id",
        "your_user_id",
        "anonymous_id",
        "anonymousid",
        "distinct_id",
        "distinctid",
        "client_id",
        "clientid",
        "customer_id",
        "customerid",
        "device_id",
        "deviceid",
        # Shared by many: an Android build, a faulty series of Androids, what iOS gives for a hardware address, what
        # networks give all of their devices, the number of phones that have none.
        "lmy47d",
        "9774d56d682e549c",
        "02:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "004999010640000",
    }
)
_NO_VALUE = re.compile(r"[\W_]*(?:(?:undefined|null|none|nil|nan|nsnull|optional)(?:[\W_]+|$))+")
"""Whatever is written around or between them: "null,null", "Optional(nil)", "undefined@undefined"."""
_SURE_ENDS, _HEX_ENDS, _LONG = "123456789", "abcde", 20
_TEMPLATE = re.compile(
    r"""\{\{.*\}\}|\{%.*%\}|[$#%]\{.*\}|<[%?].*[%?]>|%.*%|\*\|.*\|\*|\[\[.*\]\]|\[object\ \w+\]
    |\{[a-z_][\w.]*\}|(?-i:\$[A-Z_]+)|%[sdi]""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_UNSEEN = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")

_allowed: frozenset[str] = frozenset()


def allow_ids(ids: Iterable[str]) -> None:
    """Take these for ids, whatever the list says."""
    global _allowed
    _allowed = frozenset(given.strip().lower() for given in ids)


def write_id(value: object) -> str | None:
    """Return an id as text; None for a value that is none: an id is text or a whole number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def means_nobody(given: str) -> bool:
    """Whether an id, of a user or of a device, is none that a system gives; case and what stands around it aside."""
    if given[:1].isalnum() and (given[-1] in _SURE_ENDS or (len(given) > _LONG and given[-1] in _HEX_ENDS)):
        # Of what is listed nothing looks so: the hot path asks for every id.
        return False
    text = unquote(given) if "%" in given else given
    bare = (text if text.isascii() else _UNSEEN.sub("", text)).strip(_AROUND).lower()
    is_none = (
        bare in _NOBODY
        or not bare.strip(_ZERO)
        or _NO_VALUE.fullmatch(bare) is not None
        or _fold(bare) in _FOLDED
        or (not given[0].isalnum() and _TEMPLATE.fullmatch(given.strip()) is not None)
    )
    return is_none and given.strip().lower() not in _allowed


def _fold(text: str) -> str:
    """Write blanks, hyphens and underscores alike, and none around it."""
    return text.replace("-", "_").replace(" ", "_").strip("_:")


_FOLDED = frozenset(_fold(listed) for listed in _NOBODY) - {"1"}


def choose_id(*given: str | None) -> str | None:
    """Return the first id that stands for somebody, else the first that was given at all."""
    ids = [one for one in given if one is not None]
    return next((one for one in ids if not means_nobody(one)), ids[0] if ids else None)


def describe_placeholder(given: str) -> str:
    """Return why an id is rejected."""
    return f"The id {given[:MAX_SHOWN]!r} stands for nobody. Send the person's own id, or none."


def find_placeholder(item: Item) -> tuple[str, str] | None:
    """Return the field of an item in which an id stands for nobody, and the id; or None."""
    user_id, anonymous_id = item.user_id, item.anonymous_id
    if user_id is not None and means_nobody(user_id):
        return "user_id", user_id
    if anonymous_id is not None and means_nobody(anonymous_id):
        return "anonymous_id", anonymous_id
    if item.name == ALIAS:
        previous = item.properties.get("previous_id")
        if isinstance(previous, str) and means_nobody(previous):
            return "previous_id", previous
    return None


def drop_placeholders(item: Item) -> Item:
    """Return an item without an id that stands for nobody, marked, where another one says who did it.

    Where none does the item stays as it is, and is rejected, as is an alias: it says nothing but two ids. A message id
    of this kind tells no retry: without it the event is one of its own.
    """
    if item.message_id is not None and means_nobody(item.message_id):
        item = drop_id(item, "message_id")
    found = find_placeholder(item)
    if found is None or item.name == ALIAS:
        return item
    field, _ = found
    other = item.anonymous_id if field == "user_id" else item.user_id
    return item if other is None or means_nobody(other) else drop_id(item, field)


def drop_id(item: Item, field: str) -> Item:
    """Return an item without the id in a field, which is noted in its context."""
    dropped = item.context.get(MARK, {}) | {field: str(getattr(item, field))[:MAX_SHOWN]}
    return msgspec.structs.replace(item, **{field: None}, context=item.context | {MARK: dropped})
