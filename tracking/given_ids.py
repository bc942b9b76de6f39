"""Ids as clients give them: which values are one, and which stand for nobody. Pure.

What a client sends where it knows no id would make one person of strangers. There are three kinds of it, of which no
system gives any to a person: how languages write "no value" (`undefined`, `None`, `(null)`, `NaN`, `[object Object]`,
`true`, 0, -1, a nil UUID); names and words that stand where an id belongs (`user_id`, `anonymous`, `guest`, a
template's `{{ user.id }}` that nobody filled in), alone, beside each other (`user-undefined`, `guest@guest.com`) or
written in other letters; and ids that many devices share by a fault of their makers.
ALLOWED_IDS allows those that an installation gives to somebody nonetheless.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

import msgspec

from tracking.event import ALIAS, GROUP, Item

MARK = "$placeholder_ids"
"""In an event's context: the ids that were given and are none, by field."""

_OTHER_IDS = {ALIAS: "previous_id", GROUP: "group_id"}
"""What else names somebody, among the properties."""

PLACEHOLDER = "placeholder_id"
"""The code of a rejection for such an id."""
MAX_SHOWN = 100
_NO_VALUE = frozenset(
    ["undefined", "null", "none", "nil", "nan", "infinity", "inf", "true", "false", "nsnull", "nullptr", "dbnull"]
)
_ANYBODY = frozenset(["anon", "anonymous", "anonymoususer", "guest", "guestuser", "unknown", "unknownuser"])
_FIELDS = frozenset(
    ["id", "uid", "uuid", "guid", "email", "userid", "customerid", "clientid", "contactid", "memberid", "visitorid"]
) | {"deviceid", "anonymousid", "distinctid"}
_SAYS_NOTHING = _NO_VALUE | _ANYBODY | _FIELDS
_BESIDE = frozenset(
    ["user", "customer", "client", "contact", "member", "visitor", "profile", "person", "account", "device", "distinct"]
) | {"your", "my", "the", "here", "not", "set", "some", "optional", "object", "void", "example"}
"""Words that say no more when they stand beside one that says nothing: "YOUR_USER_ID_HERE", "user-undefined"."""
_DIGITS = frozenset("01")
"""What is added to no value, or written behind it: "NaN-1", "null.0", "void 0"."""
_LISTED = frozenset(
    [
        # No value.
        "na",
        "n_a",
        "void_0",
        "symbol",
        "not_set",
        "f" * 32,
        "ffffffff_ffff_ffff_ffff_ffffffffffff",
        # Somebody, whoever it may be.
        "not_authenticated",
        "not_logged_in",
        "logged_out",
        # Shared by many: an Android build, a faulty series of Androids, what iOS gives for a hardware address, what
        # networks give all of their devices, the number of phones that have none.
        "lmy47d",
        "9774d56d682e549c",
        "02_00_00_00_00_00",
        "ff_ff_ff_ff_ff_ff",
        "004999010640000",
    ]
)
"""By their words, with `_` between them."""
_NUMBERS = re.compile(r"[+-]?0[xbo]?[0.,:;\s-]*(?:e[+-]?0+)?n?|-1(?:\.0+)?|\\n|#(?:ref|value|name|num|div/0)[!?]")
_TEMPLATE = re.compile(
    r"""\{\{[^{}]*\}\} | \{%[^%]*%\} | [$\#%@]\{[^{}]*\} | \{[!$]?[a-z_][a-z_.]*\} | <%[^%]*%> | <\?[^?]*\?>
    | \*\|[^|]*\|\* | \[\[[^][]*\]\] | \[object\ \w+\] | %[sdi]\Z | \A%.*%\Z | (?-i:\A\$[A-Z_]+\Z)""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_WORDS = re.compile(r"[^\W_]+")
_BLANK_LETTERS = "\u034f\u115f\u1160\u2800"
_AROUND = " \t\r\n\v\f\0\"'`()[]{}<>"
_GIVEN = re.compile(r"[a-z0-9][\w@.:|/+-]*[2-9][\w@.:|/+-]*", re.ASCII | re.IGNORECASE)
_RARE_STARTS = frozenset(["97", "lm", "02", "00", "ff"])
_MOST = 500

_allowed: frozenset[str] = frozenset()


def allow_ids(ids: Iterable[str]) -> None:
    """Take these for ids, whatever the list says."""
    global _allowed
    _allowed = frozenset(given.strip().lower() for given in ids)
    _judge.cache_clear()


def write_id(value: object) -> str | None:
    """Return an id as text; None for a value that is none: an id is text or a whole number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def means_nobody(given: str) -> bool:
    """Whether an id, of a user or of a device, is none that a system gives; case and what stands around it aside."""
    if given[:2].lower() not in _RARE_STARTS and _GIVEN.fullmatch(given):
        # Of what means nobody nothing looks so: the hot path asks for each id.
        return False
    return len(given) <= _MOST and _judge(given)


@lru_cache(maxsize=10_000)
def _judge(given: str) -> bool:
    decoded = (unquote(given) if "%" in given else given).strip()
    says_nothing = _TEMPLATE.search(decoded) is not None or _says_nothing(_fold(decoded).strip(_AROUND))
    return says_nothing and given.strip().lower() not in _allowed


def _says_nothing(text: str) -> bool:
    name, _, host = text.rpartition("@")
    # Of an address the last part says nothing: "none@none.com".
    words = _WORDS.findall(f"{name} {host.rpartition('.')[0] or host}" if name else text)
    known = set(words)
    allowed = _SAYS_NOTHING | _BESIDE
    return (
        not words
        or (known <= _BESIDE and text[-1:] in "-_:")
        or (not known.isdisjoint(_SAYS_NOTHING) and known <= allowed)
        or (not known.isdisjoint(_NO_VALUE) and known <= allowed | _DIGITS)
        or "_".join(words) in _LISTED
        or _NUMBERS.fullmatch(text) is not None
    )


def _fold(text: str) -> str:
    """Write letters that only look different alike, and leave out those that nobody sees."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text)
    return "".join([one for one in text if one not in _BLANK_LETTERS and unicodedata.category(one)[0] != "C"]).lower()


def choose_id(*given: str | None) -> str | None:
    """Return the first id that stands for somebody, else the first that was given at all."""
    ids = [one for one in given if one is not None]
    return next((one for one in ids if not means_nobody(one)), ids[0] if ids else None)


def describe_placeholder(given: str) -> str:
    """Return why an id is rejected."""
    return f"The id {given[:MAX_SHOWN]!r} stands for nobody. Send the real id, or none."


def find_placeholder(item: Item) -> tuple[str, str] | None:
    """Return the field of an item in which an id stands for nobody, and the id; or None."""
    user_id, anonymous_id = item.user_id, item.anonymous_id
    if user_id is not None and means_nobody(user_id):
        return "user_id", user_id
    if anonymous_id is not None and means_nobody(anonymous_id):
        return "anonymous_id", anonymous_id
    other = _OTHER_IDS.get(item.name)
    named = item.properties.get(other) if other else None
    return (other, named) if other and isinstance(named, str) and means_nobody(named) else None


def drop_placeholders(item: Item) -> Item:
    """Return an item without an id that stands for nobody, marked, where another one says who did it.

    Where none does the item stays as it is, and is rejected, as is an alias: it says nothing but two ids. So is a group
    without an id of its own. A message id of this kind tells no retry: without it the event is one of its own.
    """
    if item.message_id is not None and means_nobody(item.message_id):
        item = drop_id(item, "message_id")
    found = find_placeholder(item)
    if found is None or item.name == ALIAS or found[0] == _OTHER_IDS.get(item.name):
        return item
    field, _ = found
    other = item.anonymous_id if field == "user_id" else item.user_id
    return item if other is None or means_nobody(other) else drop_id(item, field)


def drop_id(item: Item, field: str) -> Item:
    """Return an item without the id in a field, which is noted in its context."""
    dropped = item.context.get(MARK, {}) | {field: str(getattr(item, field))[:MAX_SHOWN]}
    return msgspec.structs.replace(item, **{field: None}, context=item.context | {MARK: dropped})
