"""Edits of a form: what stood in it when it was opened, what somebody else saved meanwhile, what an edit has changed.

A page carries a snapshot of its form. Saving compares it with the row as it is by then: where they differ nothing is
saved, and the form comes back with both versions. The same snapshots, from before and after, are the history.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import msgspec
from django import forms
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils.crypto import salted_hmac

from engagement.lib.say import say_moment

SEEN = "edit_seen"
"""The name of the hidden field that holds the snapshot."""
_LONG, _AROUND, _MOST = 160, 40, 1_000
_EMPTY = "empty"
_UNTOUCHED = "not changed by you"
_SECRET = "secret "

InlineForms = Iterable[tuple[str, Any]]
"""Pairs of a heading and the formset below it."""


class FieldState(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a snapshot: its value in JSON, and how it reads. All rows of a table below a form are one field."""

    label: str
    says: str
    value: Any


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a form, by field, and the newest entry of the history by then.

    Of a secret only a keyed hash, which tells whether it was replaced.
    """

    fields: dict[str, FieldState]
    entry: int = 0


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that two people have changed, or one of the two. `is_yours`: that is what stands in the form now."""

    label: str
    old: str
    theirs: str
    yours: str
    is_yours: bool


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody else saved while a form was open.

    `kept` is what goes on standing in the form, by field; `lost` names what was typed and has to be typed again.
    """

    who: list[str]
    differences: list[Difference]
    kept: dict[str, Any]
    lost: list[str]


def take_snapshot(form: forms.BaseForm, inlines: InlineForms, row: Model) -> Snapshot:
    """Return what a form shows that nobody has filled in yet."""
    fields = {}
    for name, field in form.fields.items():
        if is_secret(form, name):
            fields[_SECRET + name] = _hash_secret(form, name, row)
        elif not field.disabled:
            fields[name] = _read_field(form, name)
    for label, rows in inlines:
        lines = sorted(_say_row(one) for one in rows.initial_forms)
        fields[_name_inline(rows)] = FieldState(label=label, says=_say_lines(lines), value=lines)
    newest = list_entries(row).order_by("-pk").values_list("pk", flat=True).first()
    return Snapshot(fields=fields, entry=newest or 0)


def is_secret(form: forms.BaseForm, name: str) -> bool:
    """Return whether what stands in a field is shown nowhere."""
    return isinstance(form.fields[name].widget, forms.PasswordInput) or name in getattr(form, "secret_fields", ())


def write_snapshot(snapshot: Snapshot) -> str:
    """Return the text of the hidden field."""
    return msgspec.json.encode(snapshot).decode()


def read_snapshot(text: str) -> Snapshot | None:
    """Return what the hidden field holds; None where there is none."""
    try:
        return msgspec.json.decode(text, type=Snapshot)
    except msgspec.MsgspecError:
        return None


def find_conflict(
    form: forms.BaseForm,
    inlines: InlineForms,
    data: Any,
    *,
    seen: Snapshot,
    now: Snapshot,
    row: Model,
    user_id: int | None,
) -> Conflict | None:
    """Return what differs where somebody else has saved since `seen`; None where nobody has."""
    common = [name for name in now.fields if name in seen.fields]
    if all(seen.fields[name].value == now.fields[name].value for name in common):
        return None
    kept = {name: _read_data(form, name, data) for name in common if _is_changed(form, name, data, seen)}
    typed = {name: say_value(form.fields[name], value) for name, value in kept.items()}
    lost = {}
    for name in form.fields:
        if is_secret(form, name) and _read_data(form, name, data):
            lost[_SECRET + name] = "a new one"
    for _, rows in inlines:
        name, lines = _name_inline(rows), _read_lines(rows, data)
        if name in seen.fields and lines != seen.fields[name].value:
            lost[name] = _say_lines(lines)
    differences = []
    for name in common:
        old, theirs = seen.fields[name], now.fields[name]
        if old.value == theirs.value and name not in typed:
            continue
        yours = (typed | lost).get(name, _UNTOUCHED)
        if theirs.says == yours:
            continue
        is_replaced = name.startswith(_SECRET) and old.value != theirs.value
        shown = cut_alike([old.says, "replaced" if is_replaced else theirs.says, yours])
        differences.append(
            Difference(label=theirs.label, old=shown[0], theirs=shown[1], yours=shown[2], is_yours=name in kept)
        )
    return Conflict(
        who=_list_editors(row, seen.entry, user_id),
        differences=differences,
        kept=kept,
        lost=[now.fields[name].label for name in lost if name in now.fields],
    )


def list_changes(before: Snapshot, after: Snapshot) -> list[tuple[str, str, str]]:
    """Return each field that an edit has changed, secrets excepted: its label, how it read and how it reads now."""
    changes = []
    for name in {**before.fields, **after.fields}:
        if name.startswith(_SECRET):
            continue
        old, new = before.fields.get(name), after.fields.get(name)
        if old is not None and new is not None and old.value == new.value:
            continue
        was, is_now = cut_alike([old.says if old else _EMPTY, new.says if new else _EMPTY])
        changes.append(((new or old).label, was, is_now))  # type: ignore[union-attr]
    return changes


def list_entries(row: Model) -> Any:
    """Return the history of a row."""
    return LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk))


def say_value(field: forms.Field, value: Any) -> str:
    """Return a field's value in words."""
    if hasattr(field, "say_value"):
        return str(field.say_value(value)) or _EMPTY
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(say_value(field, one) for one in value) or _EMPTY
    text = "" if value is None else str(value)
    return _find_label(field, text) or _EMPTY


def cut_alike(texts: Sequence[str]) -> list[str]:
    """Return long texts without the beginning and the end that they share."""
    if max(map(len, texts)) <= _LONG:
        return list(texts)
    shortest = min(map(len, texts))
    head = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False)))
    backwards = zip(*(reversed(text) for text in texts), strict=False)
    tail = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, backwards))
    head, tail = max(head - _AROUND, 0), max(min(tail, shortest - head) - _AROUND, 0)
    return [_cut(text, head, tail) for text in texts]


def _cut(text: str, head: int, tail: int) -> str:
    shown = text[head : len(text) - tail]
    shown = shown if len(shown) <= _MOST else f"{shown[:_MOST]} …"
    return f"{'… ' if head else ''}{shown}{' …' if tail else ''}"


def _read_field(form: forms.BaseForm, name: str) -> FieldState:
    field = form.fields[name]
    value = _simplify(field, form.get_initial_for_field(field, name))
    return FieldState(label=str(form[name].label), says=say_value(field, value), value=value)


def _hash_secret(form: forms.BaseForm, name: str, row: Model) -> FieldState:
    stored = str(getattr(form, "stored_secrets", {}).get(name, ""))
    value = salted_hmac(f"edits {row._meta.label} {row.pk} {name}", stored, algorithm="sha256").hexdigest()
    return FieldState(label=str(form[name].label), says="not shown", value=value)


def _name_inline(rows: Any) -> str:
    return f"inline {rows.prefix}"


def _list_shown(form: forms.BaseForm) -> list[str]:
    return [name for name, field in form.fields.items() if name != "DELETE" and not field.widget.is_hidden]


def _say_row(form: forms.BaseForm) -> str:
    return ", ".join(_read_field(form, name).says for name in _list_shown(form))


def _say_lines(lines: Sequence[str]) -> str:
    return "; ".join(lines) or _EMPTY


def _read_lines(rows: Any, data: Any) -> list[str]:
    """Return how the rows below a form read as they were sent, without those left blank or to be deleted."""
    lines, total = [], data.get(f"{rows.prefix}-TOTAL_FORMS", "")
    blank = _say_row(rows.empty_form)
    for number in range(min(int(total), rows.absolute_max) if total.isdigit() else 0):
        form = rows.empty_form
        form.prefix = f"{rows.prefix}-{number}"
        line = ", ".join(say_value(form.fields[name], _read_data(form, name, data)) for name in _list_shown(form))
        if line != blank and f"{form.prefix}-DELETE" not in data:
            lines.append(line)
    return sorted(lines)


def _read_data(form: forms.BaseForm, name: str, data: Any) -> Any:
    value = form.fields[name].widget.value_from_datadict(data, {}, form.add_prefix(name))
    return _simplify(form.fields[name], value)


def _is_changed(form: forms.BaseForm, name: str, data: Any, seen: Snapshot) -> bool:
    """Return whether somebody typed something else than stood there. Rows below the form are not compared."""
    field = form.fields.get(name)
    if field is None or field.widget.value_omitted_from_data(data, {}, form.add_prefix(name)):
        return False
    old, value = seen.fields[name].value, _read_data(form, name, data)
    return bool(old != value and field.has_changed(old, value))


def _simplify(field: forms.Field, value: Any) -> Any:
    """Return a value in JSON, alike whether it comes from the row or from the browser."""
    if isinstance(field.widget, forms.MultiWidget) and not isinstance(value, list | tuple):
        value = field.widget.decompress(value)
    value = field.prepare_value(value)
    if field.widget.is_hidden and isinstance(value, str):
        value = _read_json(value)
    value = _as_json(value)
    # Many are chosen in no order; numbers are text in the browser.
    is_many = isinstance(field, forms.MultipleChoiceField | forms.ModelMultipleChoiceField)
    return sorted(map(str, value)) if is_many and value else value


def _as_json(value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _as_json(one) for key, one in value.items()}
    if isinstance(value, str):
        return value.replace("\r\n", "\n")
    return [_as_json(one) for one in value] if isinstance(value, Iterable) else str(value)


def _read_json(text: str) -> Any:
    """A page's script writes it: compared by what it says, not by how it is spaced."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def _find_label(field: forms.Field, text: str) -> str:
    choices = getattr(field, "choices", ())
    flat = ((key, label) for key, label in choices if not isinstance(label, list | tuple))
    return next((str(label) for key, label in flat if str(key) == text), text)


def _list_editors(row: Model, since: int, user_id: int | None) -> list[str]:
    """Return who has changed a row since an entry of its history, and when, the last one first."""
    entries = list_entries(row).filter(pk__gt=since, action_flag=CHANGE).select_related("user").order_by("-pk")
    found: dict[str, str] = {}
    for entry in entries[:20]:
        name = "you, in another window" if entry.user_id == user_id else entry.user.get_username()
        found.setdefault(name, f"{name} ({say_moment(entry.action_time)})")
    return list(found.values())
