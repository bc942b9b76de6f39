"""All dialects, and which of them a request speaks. Where a path is shared, the request itself tells. Pure."""

from tracking.wire.dialect import Dialect
from tracking.wire.ga4.measurement_protocol import GA4
from tracking.wire.ga4.web_hits import GA4_WEB
from tracking.wire.mixpanel.dialect import MIXPANEL
from tracking.wire.native import NATIVE
from tracking.wire.request import WireRequest
from tracking.wire.segment import SEGMENT

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (SEGMENT, MIXPANEL, GA4, GA4_WEB, NATIVE)}
"""By name. Of those that share a path the more particular one comes first; the last one takes what is left."""

_BY_PATH: dict[str, list[Dialect]] = {}
for _dialect in DIALECTS.values():
    for _path in _dialect.methods:
        _BY_PATH.setdefault(_path, []).append(_dialect)

ADDRESSES: frozenset[tuple[str, str]] = frozenset(
    (method, path)
    for dialect in DIALECTS.values()
    for path, methods in dialect.methods.items()
    for method in (*methods, "OPTIONS")
)
"""Each (HTTP method, path without a trailing slash) that clients report to."""


def find_dialect(request: WireRequest) -> Dialect:
    """Return the dialect of a request to one of `ADDRESSES`."""
    sharing = _BY_PATH[request.path]
    if len(sharing) == 1:
        return sharing[0]
    return next((dialect for dialect in sharing if dialect.is_meant(request)), sharing[-1])
