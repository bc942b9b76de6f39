"""The addresses of the API that collects. With and without a trailing slash: a redirect would lose the body."""

from django.urls import re_path

from tracking.api.ingest import IngestView

_ingest = IngestView.as_view()

urlpatterns = [re_path(rf"^{path}/?$", _ingest) for path in ("track-event", "v1/events", "v1/identify", "v1/alias")]
