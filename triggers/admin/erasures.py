"""Receipts of erasures: when, at whose word, and how much went. Nothing here says who it was."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from engagement.lib.pages import KeysetAdmin
from engagement.lib.say import moment_column
from tracking.models import Erasure

_WORDS = {
    "event": "events",
    "profile": "profiles",
    "profile_change": "notes of identifies and sign-ins",
    "activation": "decisions",
    "delivery": "messages",
    "attempt": "attempts to send",
    "messages_not_sent": "messages that were planned and not sent",
    "timer": "waits",
    "quarantined": "refused or held items",
    "hook_payload": "payloads of webhooks",
    "set_aside": "events set aside",
    "refused_copy": "copies that another system refused",
}


@admin.register(Erasure)
class ErasureAdmin(KeysetAdmin):
    """Who was erased is not known any more; that somebody was, is."""

    list_display = (
        moment_column("requested_at", "asked for"),
        "requested_by",
        "state",
        "rows",
        moment_column("completed_at", "done"),
    )
    fields = ("id",)
    change_form_template = "admin/triggers/erasure.html"
    empty_title = "Nobody has been erased"
    empty_hint = "A person is erased from their page, or by DELETE /v1/profiles/{id}. The receipts are kept here."
    empty_link = ("Go to the people", "admin:tracking_profile_changelist")

    @admin.display(description="state")
    def state(self, erasure: Erasure) -> str:
        """Return how far it is."""
        return "being erased" if erasure.completed_at is None else "done"

    @admin.display(description="rows that went")
    def rows(self, erasure: Erasure) -> str:
        """Return how many rows went, "–" until it is done."""
        return "–" if erasure.completed_at is None else f"{count_rows(erasure):,}"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the receipt."""
        erasure = self.get_object(request, object_id)
        context = describe_receipt(erasure) if erasure is not None else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)


def count_rows(erasure: Erasure) -> int:
    """Return how many rows went in all."""
    return sum(number for name, number in erasure.counts.items() if name != "messages_not_sent")


def describe_receipt(erasure: Erasure) -> dict[str, Any]:
    """Return what a receipt's page shows."""
    counts = [(words, erasure.counts[name]) for name, words in _WORDS.items() if erasure.counts.get(name)]
    return {"erasure": erasure, "counts": counts, "title": "Receipt of an erasure"}
