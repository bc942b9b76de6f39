"""The addresses of the API that collects. With and without a trailing slash: a redirect would lose the body."""

from django.urls import URLPattern, path, re_path

from tracking.api.hooks import HookView
from tracking.api.ingest import AliasView, DialectView, EventsView, IdentifyView, TrackEventView
from tracking.api.read import ProfileEventsView
from tracking.api.schema import SchemaView, TypesView
from tracking.wire.dialects import DIALECTS, write_pattern
from tracking.wire.native import NATIVE

_NATIVE_VIEWS = {
    "/track-event": TrackEventView,
    "/v1/events": EventsView,
    "/v1/identify": IdentifyView,
    "/v1/alias": AliasView,
}


def _list_addresses() -> list[URLPattern]:
    paths = {path for dialect in DIALECTS.values() for path in dialect.methods} - NATIVE.methods.keys()
    views = _NATIVE_VIEWS | dict.fromkeys(sorted(paths), DialectView)
    return [re_path(write_pattern(path), view.as_view()) for path, view in views.items()]


urlpatterns = [
    *_list_addresses(),
    re_path(r"^hooks/(?P<source_id>[0-9]{1,9})/(?P<name>[a-z0-9_-]{1,50})/?$", HookView.as_view()),
    re_path(r"^v1/schema/?$", SchemaView.as_view()),
    re_path(r"^v1/schema\.d\.ts/?$", TypesView.as_view()),
    path("v1/profiles/<str:user_id>/events", ProfileEventsView.as_view()),
]
