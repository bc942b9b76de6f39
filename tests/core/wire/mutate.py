"""Recorded requests, damaged: bytes lost, doubled and changed, values of another kind, nesting without end."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from tracking.event import Item, Rejection
from tracking.wire.body import inflate
from tracking.wire.dialect import Dialect, Told
from tracking.wire.dialects import find_dialect
from tracking.wire.request import WireError, WireRequest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated_requests(draw: st.DrawFn, requests: Sequence[WireRequest]) -> WireRequest:
    """Return one of these requests with its body or its address changed."""
    request = draw(st.sampled_from(requests))
    # A packed body is hardly ever more than damaged: what is in it is changed too.
    plain = inflate(request.body) if draw(st.integers(0, 3)) else request.body
    body = draw(st.sampled_from([_change_values, _change_bytes]))(draw, plain)
    query = _change_bytes(draw, request.query.encode()).decode("latin-1") if draw(st.booleans()) else request.query
    return msgspec.structs.replace(request, body=body, query=query)


def _change_bytes(draw: st.DrawFn, body: bytes) -> bytes:
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 40)))
    return body[:start] + draw(st.binary(max_size=12)) + body[end:]


def _change_values(draw: st.DrawFn, body: bytes) -> bytes:
    """Put a value of any kind in the place of one that a recorded body holds."""
    try:
        whole = json.loads(body)
    except ValueError:
        return _change_bytes(draw, body)
    place = whole
    while isinstance(place, dict | list) and place:
        key: Any = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not place[key] or not isinstance(place[key], dict | list) or draw(st.integers(0, 3)) == 0:
            place[key] = draw(VALUES)
            break
        place = place[key]
    return json.dumps(whole).encode()


def read_safely(request: WireRequest, dialects: Mapping[str, Dialect]) -> list[Item | Rejection]:
    """Read a request as the door does: an item or a rejection each, or a WireError that a client may see.

    What would be kept of each item can be read again. Any other exception is the caller's failure.
    """
    try:
        dialect = find_dialect(request)
    except WireError:
        # Dialects that share an address are told apart by the body, and this one cannot be unpacked.
        return []
    told = _read(request, dialect)
    assert [item.index for item in told.items] == list(range(len(told.items)))
    for item in told.items:
        if isinstance(item, Item):
            # What is handed on can be stored.
            msgspec.json.encode(item).decode()
            assert isinstance(item.name, str)
        _parse_again(dialects[dialect.name], dialect.cut(request, told, item.index))
    dialect.answer(request, told, [])
    return told.items


def _read(request: WireRequest, dialect: Dialect) -> Told:
    try:
        dialect.find_key(request)
        return dialect.read(request)
    except WireError as error:
        refusal = dialect.refuse(request, error)
    assert 400 <= refusal.status < 500
    return Told(items=[], raw=())


def _parse_again(dialect: Dialect, raw: bytes) -> None:
    """What is mended in quarantine may be refused again, as a whole too."""
    with contextlib.suppress(WireError):
        assert isinstance(dialect.parse_item(raw), Item | Rejection)
