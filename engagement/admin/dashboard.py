"""The first page."""

from typing import Any

from django.http import HttpRequest


def show_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the dashboard shows."""
    return context
