"""The addresses of the installation."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from engagement.admin import password_reset
from triggers.api.privacy import ErasureView, ExportByIdView, ExportView, PeopleView, PersonView
from triggers.api.read import ActivationsView, DeliveriesView

handler404 = "engagement.not_found.answer_not_found"
urlpatterns = [
    path("", include("tracking.api.urls")),
    path("v1/profiles", PeopleView.as_view()),
    path("v1/profiles/<str:user_id>", PersonView.as_view()),
    path("v1/profiles/<str:user_id>/export", ExportView.as_view()),
    path("v1/export", ExportByIdView.as_view()),
    path("v1/erasures/<uuid:erasure_id>", ErasureView.as_view()),
    path("v1/activations", ActivationsView.as_view()),
    path("v1/deliveries", DeliveriesView.as_view()),
    *password_reset.make_urls(),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]
if settings.LOCAL:
    urlpatterns.append(path("", include("engagement.demo.urls")))
else:
    urlpatterns.append(path("", RedirectView.as_view(url="/admin/")))
