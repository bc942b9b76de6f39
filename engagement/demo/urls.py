"""The pages that exist only on a laptop."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
