"""All dialects, and which of them a request speaks. Where a path is shared, the request itself tells. Pure."""

import re

from tracking.schema.validate import MAX_BODY
from tracking.wire.dialect import Dialect
from tracking.wire.ga4.measurement_protocol import GA4
from tracking.wire.ga4.web_hits import GA4_WEB
from tracking.wire.mixpanel.dialect import MIXPANEL
from tracking.wire.native import NATIVE
from tracking.wire.posthog.dialect import POSTHOG
from tracking.wire.request import WireRequest
from tracking.wire.segment import SEGMENT

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (SEGMENT, MIXPANEL, GA4, GA4_WEB, POSTHOG, NATIVE)}
"""By name. Of those that share a path the more particular one comes first; the last one takes what is left."""

_BY_PATH: dict[str, list[Dialect]] = {}
for _dialect in DIALECTS.values():
    for _path in _dialect.methods:
        _BY_PATH.setdefault(_path, []).append(_dialect)

_ANY_SEGMENT = "{key}"
SHAPES: dict[str, Dialect] = {path: sharing[0] for path, sharing in _BY_PATH.items() if _ANY_SEGMENT in path}
"""Paths in which one segment may be anything. They are few, and shared by nobody."""

ADDRESSES: frozenset[tuple[str, str]] = frozenset(
    (method, path)
    for dialect in DIALECTS.values()
    for path, methods in dialect.methods.items()
    for method in (*methods, "OPTIONS")
    if path not in SHAPES
)
"""Each (HTTP method, path without a trailing slash) that clients report to."""


LARGE: dict[str, int] = {
    path: max(dialect.max_body for dialect in sharing)
    for path, sharing in _BY_PATH.items()
    if any(dialect.max_body > MAX_BODY for dialect in sharing)
}
"""Paths to which more may be sent than elsewhere: so many bytes."""


def write_pattern(path: str) -> str:
    """Return the regular expression of a path, with or without a trailing slash."""
    return rf"^{path[1:].replace('.', '[.]').replace(_ANY_SEGMENT, '[^/]+')}/?\Z"


_SHAPES = {re.compile(write_pattern(path)): dialect for path, dialect in SHAPES.items()}


def find_dialect(request: WireRequest) -> Dialect:
    """Return the dialect of a request to one of `ADDRESSES` or `SHAPES`."""
    sharing = _BY_PATH.get(request.path)
    if sharing is None:
        return next(dialect for shape, dialect in _SHAPES.items() if shape.match(request.path[1:]))
    if len(sharing) == 1:
        return sharing[0]
    return next((dialect for dialect in sharing if dialect.is_meant(request)), sharing[-1])
