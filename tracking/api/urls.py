"""The addresses of the API that collects. With and without a trailing slash: a redirect would lose the body."""

from django.urls import path, re_path

from tracking.api.ingest import AliasView, EventsView, IdentifyView, TrackEventView
from tracking.api.read import ProfileEventsView, ProfileView

urlpatterns = [
    re_path(r"^track-event/?$", TrackEventView.as_view()),
    re_path(r"^v1/events/?$", EventsView.as_view()),
    re_path(r"^v1/identify/?$", IdentifyView.as_view()),
    re_path(r"^v1/alias/?$", AliasView.as_view()),
    path("v1/profiles/<str:user_id>", ProfileView.as_view()),
    path("v1/profiles/<str:user_id>/events", ProfileEventsView.as_view()),
]
