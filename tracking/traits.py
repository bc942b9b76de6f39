"""What a statement about a person does to their traits. Pure: production, a replay and "why?" apply the same.

An `$identify` holds `traits`, which are set, and beside them operators, each an object by the names of traits, but
`unset`, a list of names. They are applied in the order of `_OPERATORS`. What does not fit (a number to be added to a
text, a value to be appended to one) leaves the trait as it is: a statement in the log can no longer be refused.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

MAX_LIST_VALUES = 1_000
MAX_LIST_BYTES = 32 * 1024
MAX_BYTES = 256 * 1024
"""What servers say of a person, as JSON. A statement that would make it grow beyond that is dropped."""
MAX_PUBLIC_BYTES = 64 * 1024
"""What pages and apps say, by keys that anybody can read: a share of its own, so that a server's word always fits."""

MAX_NUMBER = 2**53
"""Beyond it a number is no longer exact everywhere: a sum stays where it is."""

UNSET = "unset"
_EMAIL = "email"
_GIVING = frozenset({"traits", "set_once"})

Traits = Mapping[str, Any]
_MISSING = object()


class Known(msgspec.Struct, frozen=True):
    """What is known of a person. `public` names the traits that have their value from a page or an app."""

    traits: dict[str, Any] = {}
    public: frozenset[str] = frozenset()


def learn(known: Known, said: Traits, *, is_public: bool = False, keeps_email: bool = False) -> Known | None:
    """Return what is known after a statement; the same object when nothing changes, None where it does not fit.

    `is_public`: a page or an app says it. A trait counts to the share of who gave it its value; what a server says too
    is the server's. A value of a page's that keeps a server's operator from doing anything is no value to it.
    """
    in_the_way = set() if is_public or not known.public else _list_in_the_way(known, said)
    before = {name: value for name, value in known.traits.items() if name not in in_the_way}
    traits = apply_statement(before if in_the_way else known.traits, said, keeps_email=keeps_email)
    if is_public:
        public = known.public | {name for name, value in traits.items() if _differs(known.traits, name, value)}
    else:
        public = known.public - _list_named(said)
    public &= traits.keys()
    if traits is known.traits and public == known.public:
        return known
    after = Known(traits, public)
    return None if _outgrows(after, known, is_public) else after


def join(own: Known, given: Known) -> tuple[Known, bool]:
    """Return what is known of a person together with what a profile that joins them brings, and whether all of it fits.

    Where both know something the person's own counts. A share that does not fit stays as it is.
    """
    joined, fits = own, True
    for is_public in (False, True):
        added = {
            name: value
            for name, value in given.traits.items()
            if (name in given.public) == is_public and name not in own.traits
        }
        after = Known(added | joined.traits, joined.public | added.keys() if is_public else joined.public)
        if added and _outgrows(after, joined, is_public):
            fits = False
        else:
            joined = after
    return joined, fits


def _list_in_the_way(known: Known, said: Traits) -> set[str]:
    return {
        trait
        for name, is_blocked in _BLOCKED.items()
        for trait, operand in _list_operands(name, said.get(name))
        if trait in known.public and is_blocked(known.traits.get(trait), operand)
    }


def _list_named(said: Traits) -> set[str]:
    return {trait for name in _OPERATORS if said.get(name) for trait, _ in _list_operands(name, said[name])}


def _differs(traits: Traits, name: str, value: Any) -> bool:
    return name not in traits or (traits[name] is not value and _write(traits[name]) != _write(value))


def _outgrows(after: Known, before: Known, is_public: bool) -> bool:
    """Whether the share of who speaks has grown, and beyond its bound. Mostly all together is less than the smaller."""
    bound = MAX_PUBLIC_BYTES if is_public else MAX_BYTES
    if len(msgspec.json.encode(after.traits)) <= bound:
        return False
    size = _measure(after, is_public)
    return size > bound and size > _measure(before, is_public)


def _measure(known: Known, is_public: bool) -> int:
    return len(msgspec.json.encode({n: value for n, value in known.traits.items() if (n in known.public) == is_public}))


def apply_statement(traits: dict[str, Any], said: Traits, *, keeps_email: bool = False) -> dict[str, Any]:
    """Return a person's traits after a statement, however large; the same object when nothing changes.

    With `keeps_email` an e-mail address may be given but neither changed nor taken, by whatever operator.
    """
    changed = dict(traits)
    for name, operate in _OPERATORS.items():
        operands = said.get(name)
        if operands:
            may_touch_email = not keeps_email or (name in _GIVING and not changed.get(_EMAIL))
            for trait, operand in _list_operands(name, operands):
                if trait != _EMAIL or may_touch_email:
                    _change(changed, trait, operate(changed.get(trait, _MISSING), operand))
    return traits if changed == traits else changed


def _list_operands(operator: str, operands: Any) -> Iterable[tuple[str, Any]]:
    if operator == UNSET:
        return [(name, None) for name in operands if isinstance(name, str)] if isinstance(operands, list) else []
    return list(operands.items()) if isinstance(operands, dict) else []


def _change(traits: dict[str, Any], name: str, value: Any) -> None:
    if value is _MISSING:
        traits.pop(name, None)
    else:
        traits[name] = value


def _set(_: Any, operand: Any) -> Any:
    return operand


def _set_once(current: Any, operand: Any) -> Any:
    """An empty value is no value: clients send one for what they do not know."""
    return operand if (current is _MISSING or current is None) and operand is not None else current


def _add(current: Any, operand: Any) -> Any:
    before = 0 if current is _MISSING or current is None else current
    if not _is_number(before) or not _is_number(operand):
        return current
    total = before + operand
    return total if math.isfinite(total) and abs(total) <= MAX_NUMBER else current


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _append(current: Any, operand: Any) -> Any:
    values = _read_list(current)
    return current if values is None else _bound([*values, operand])


def _union(current: Any, operand: Any) -> Any:
    values = _read_list(current)
    if values is None:
        return current
    known = {_write(value) for value in values}
    added = []
    for value in operand if isinstance(operand, list) else [operand]:
        written = _write(value)
        if written not in known:
            known.add(written)
            added.append(value)
    return _bound([*values, *added]) if added or current is _MISSING else current


def _remove(current: Any, operand: Any) -> Any:
    if not isinstance(current, list):
        return current
    written = _write(operand)
    return [value for value in current if _write(value) != written]


def _unset(_: Any, operand: Any) -> Any:
    return _MISSING


def _read_list(current: Any) -> list[Any] | None:
    """Return the list that a trait is, an empty one for none; None for a trait that is something else."""
    if current is _MISSING or current is None:
        return []
    return current if isinstance(current, list) else None


def _bound(values: list[Any]) -> list[Any]:
    """Keep the latest values of a list: as many as are allowed, and as fit."""
    room, kept = MAX_LIST_BYTES, 0
    for value in reversed(values[-MAX_LIST_VALUES:]):
        room -= len(_write(value)) + 1
        if room < 0:
            break
        kept += 1
    return values[len(values) - kept :]


def _write(value: Any) -> bytes:
    """Two values are equal when their JSON is: to Python, true is 1."""
    return msgspec.json.encode(value, order="deterministic")


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "traits": _set,
    "set_once": _set_once,
    "add": _add,
    "append": _append,
    "union": _union,
    "remove": _remove,
    UNSET: _unset,
}
_BLOCKED: dict[str, Callable[[Any, Any], bool]] = {
    "set_once": lambda current, operand: current is not None and operand is not None,
    "add": lambda current, operand: _is_number(operand) and operand != 0 and _add(current, operand) is current,
    "append": lambda current, operand: _read_list(current) is None,
    "union": lambda current, operand: _read_list(current) is None,
}
"""By operator, whether a value keeps it from doing anything."""
OPERATORS = tuple(_OPERATORS)[1:]
"""What an `$identify` may hold beside its traits."""
